//! Databases in every state that a workload begins from: made once, copied for each run.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rusqlite::Connection;
use tempfile::TempDir;

use crate::common::text;
use crate::measure::{timed, Spent};
use crate::rows::{self, Keys, Row};
use crate::settings::Cache;
use crate::subject::{Payload, Subject};
use crate::writes;

pub const TASKS: &str =
    "(id TEXT PRIMARY KEY NOT NULL, title TEXT, description TEXT, priority INTEGER DEFAULT 0, tags TEXT, \
    completed INTEGER DEFAULT 0)";
/// Twelve columns besides the key.
const WIDE: &str =
    "CREATE TABLE wide(id TEXT PRIMARY KEY NOT NULL, a TEXT, b INTEGER, c TEXT, d INTEGER, e TEXT, f INTEGER, \
    g TEXT, h INTEGER, i TEXT, j INTEGER, k TEXT, l INTEGER)";

/// What a database holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum State {
    /// The table `tasks`, empty.
    Empty,
    /// The same, of another node.
    EmptyPeer,
    /// All rows inserted.
    Filled,
    /// The same, and folded.
    Folded,
    /// Folded, then one column of every row updated.
    Updated,
    /// The table `wide`, all rows, folded.
    Wide,
    /// A peer that has merged all rows.
    Peer,
    /// Folded, then all fields of every row written once more.
    Rewritten,
    /// The peer, after half of its fields were written once more, later than in `Rewritten`.
    PeerNewer,
    /// `tasks` with so many rows, folded.
    Sized(usize),
    /// So many empty tables, `tasks` one of them.
    Tables(usize),
    /// The table with so many rows, before it is enabled.
    NotEnabled(usize),
}

/// A copy of a database, and what it is opened with.
pub struct Database {
    pub subject: Subject,
    pub path: PathBuf,
    cache: Cache,
    _folder: TempDir,
}

impl Database {
    /// A connection. Keep one at a time: in this build of SQLite all connections share one page cache, so that one would
    /// slow the other.
    pub fn open(&self) -> Session {
        let session = Session { subject: self.subject, conn: open(&self.path, self.cache) };
        self.subject.load(&session.conn);
        session
    }

    /// The size in bytes of the file, vacuumed.
    pub fn bytes(&self) -> f64 {
        let copy = self.path.with_extension("vacuumed");
        self.open().execute("VACUUM INTO ?1", [copy.to_str()]).unwrap();
        let bytes = std::fs::metadata(&copy).unwrap().len();
        std::fs::remove_file(&copy).unwrap();
        bytes as f64
    }
}

/// A connection of a subject's.
pub struct Session {
    pub subject: Subject,
    conn: Connection,
}

impl std::ops::Deref for Session {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.conn
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.subject.close(&self.conn);
    }
}

fn open(path: &PathBuf, cache: Cache) -> Connection {
    let conn = Connection::open(path).unwrap();
    conn.execute_batch(&format!("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; {}", cache.pragma())).unwrap();
    conn
}

/// Where workloads run: rows with one kind of key, one size of cache, and the databases made so far.
pub struct Ground {
    pub rows: Vec<Row>,
    pub keys: Keys,
    cache: Cache,
    folder: TempDir,
    made: RefCell<BTreeMap<(Subject, State), PathBuf>>,
    payloads: RefCell<BTreeMap<(Subject, State), Rc<Payload>>>,
}

impl Ground {
    pub fn new(rows: Vec<Row>, keys: Keys, cache: Cache) -> Ground {
        let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        Ground { rows, keys, cache, folder, made: RefCell::default(), payloads: RefCell::default() }
    }

    /// Where its files are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A database of its own in that state.
    pub fn database(&self, subject: Subject, state: State) -> Database {
        let made = self.made.borrow().get(&(subject, state)).cloned();
        let from = made.unwrap_or_else(|| {
            let path = self.make(subject, state);
            self.made.borrow_mut().insert((subject, state), path.clone());
            path
        });
        let folder = TempDir::new_in(self.folder.path()).unwrap();
        let path = folder.path().join("tasks.db");
        std::fs::copy(from, &path).unwrap();
        Database { subject, path, cache: self.cache, _folder: folder }
    }

    /// Works on a fresh connection to a database in that state, and times the work.
    pub fn on(&self, subject: Subject, state: State, work: impl FnOnce(&Session)) -> Spent {
        let database = self.database(subject, state);
        let session = database.open();
        // The schema is read, as it is in a program that has been running.
        session.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).unwrap();
        timed(|| work(&session)).1
    }

    /// What a database in that state exports.
    pub fn payload(&self, subject: Subject, state: State) -> Rc<Payload> {
        let made = self.payloads.borrow().get(&(subject, state)).cloned();
        made.unwrap_or_else(|| {
            let session = self.database(subject, state).open();
            let payload = Rc::new(subject.export(&session));
            self.payloads.borrow_mut().insert((subject, state), payload.clone());
            payload
        })
    }

    fn make(&self, subject: Subject, state: State) -> PathBuf {
        let path = self.folder.path().join(format!("{subject:?} {state:?}.db"));
        match self.before(subject, state) {
            Some(before) => {
                std::fs::copy(&self.database(subject, before).path, &path).unwrap();
            }
            None => drop(open(&path, self.cache)),
        }
        let conn = open(&path, Cache::Large);
        let session = Session { subject, conn };
        subject.load(&session);
        self.fill(&session, state);
        path
    }

    /// The state that another is made from.
    fn before(&self, subject: Subject, state: State) -> Option<State> {
        match state {
            State::Filled => Some(State::Empty),
            State::Folded => Some(State::Filled),
            State::Updated | State::Rewritten => Some(State::Folded),
            State::Peer | State::PeerNewer if subject == Subject::Plain => Some(State::Filled),
            State::Peer => Some(State::EmptyPeer),
            State::PeerNewer => Some(State::Peer),
            _ => None,
        }
    }

    fn fill(&self, session: &Session, state: State) {
        let enable = |table: &str| session.subject.enable(session, table).unwrap();
        match state {
            State::Empty | State::EmptyPeer => {
                session.execute_batch(&format!("CREATE TABLE tasks{TASKS}")).unwrap();
                enable("tasks");
            }
            State::Filled => writes::insert(session, &self.rows, self.rows.len()),
            State::Folded => fold(session),
            State::Rewritten => {
                writes::rewrite(session, &self.rows);
                fold(session);
            }
            State::Updated => writes::update(session, &self.rows, "updated"),
            State::Wide => {
                session.execute_batch(WIDE).unwrap();
                enable("wide");
                writes::insert_wide(session, &self.rows);
                fold(session);
            }
            State::Peer if session.subject == Subject::Plain => {}
            State::Peer => session.subject.merge(session, &self.payload(session.subject, State::Folded)),
            State::PeerNewer => {
                // What the source wrote meanwhile is earlier: it is made first.
                if session.subject != Subject::Plain {
                    self.payload(session.subject, State::Rewritten);
                }
                writes::update_half(session, &self.rows);
                fold(session);
            }
            State::Sized(n) => {
                session.execute_batch(&format!("CREATE TABLE tasks{TASKS}")).unwrap();
                enable("tasks");
                writes::insert(session, &rows::make(self.keys, n), n);
                fold(session);
            }
            State::Tables(n) => {
                session.execute_batch(&format!("BEGIN; CREATE TABLE tasks{TASKS}")).unwrap();
                for i in 1..n {
                    session.execute_batch(&format!("CREATE TABLE tasks{i}{TASKS}")).unwrap();
                }
                enable("tasks");
                (1..n).for_each(|i| enable(&format!("tasks{i}")));
                session.execute_batch("COMMIT").unwrap();
            }
            State::NotEnabled(n) => {
                session.execute_batch(&format!("CREATE TABLE tasks{TASKS}")).unwrap();
                writes::insert(session, &rows::make(self.keys, n), n);
            }
        }
    }
}

/// Folds what was written since the last fold; rivals have nothing to fold.
pub fn fold(session: &Session) {
    if session.subject.is_ours() {
        text(session, "SELECT crdt_cursor()", []);
    }
}
