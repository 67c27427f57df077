//! What is measured: plain SQLite, grove-crdt, and its rivals, each a library that is loaded at run time.

use std::path::{Path, PathBuf};

use rusqlite::types::Value;
use rusqlite::{params_from_iter, Connection};

use crate::common;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Subject {
    Plain,
    /// grove-crdt, all columns lww.
    Lww,
    /// grove-crdt, `priority` a counter, `tags` a set.
    Parts,
    SqliteSync,
    CrSqlite,
}

pub const RIVALS: [Subject; 2] = [Subject::SqliteSync, Subject::CrSqlite];

/// What one node sends another.
pub enum Payload {
    /// Pages of change JSON.
    Json(Vec<String>),
    Blob(Vec<u8>),
    Rows(Vec<Vec<Value>>),
}

/// The columns of cr-sqlite's changes.
const CRSQL: &str = "\"table\", pk, cid, val, col_version, db_version, site_id, cl, seq";
/// How a payload of sqlite-sync is made.
const CLOUDSYNC: &str =
    "SELECT cloudsync_payload_encode(tbl, pk, col_name, col_value, col_version, db_version, site_id, cl, seq) \
    FROM cloudsync_changes";

impl Subject {
    pub fn name(self) -> &'static str {
        match self {
            Subject::Plain => "plain",
            Subject::Lww => "grove",
            Subject::Parts => "grove, counter and set",
            Subject::SqliteSync => "sqlite-sync",
            Subject::CrSqlite => "cr-sqlite",
        }
    }

    pub fn is_ours(self) -> bool {
        matches!(self, Subject::Lww | Subject::Parts)
    }

    /// The library that it is, where `benches/rivals.sh` leaves it.
    fn library(self) -> Option<PathBuf> {
        let rivals = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("rivals");
        match self {
            Subject::Plain => None,
            Subject::Lww | Subject::Parts => Some(common::library()),
            Subject::SqliteSync => Some(rivals.join("cloudsync.so")),
            Subject::CrSqlite => Some(rivals.join("crsqlite.so")),
        }
    }

    /// Whether it can be loaded here; else why not.
    pub fn available(self) -> Result<(), String> {
        let Some(path) = self.library() else { return Ok(()) };
        if !path.exists() {
            return Err("not installed".to_owned());
        }
        let conn = Connection::open_in_memory().map_err(|error| error.to_string())?;
        let works = try_load(&conn, &path).and_then(|()| {
            conn.execute_batch("CREATE TABLE tasks(id TEXT PRIMARY KEY NOT NULL)")?;
            self.enable(&conn, "tasks")
        });
        self.close(&conn);
        works.map_err(|error| error.to_string())
    }

    pub fn load(self, conn: &Connection) {
        if let Some(path) = self.library() {
            try_load(conn, &path).unwrap();
        }
    }

    pub fn enable(self, conn: &Connection, table: &str) -> rusqlite::Result<()> {
        let call = match self {
            Subject::Plain => return Ok(()),
            Subject::Lww => format!("SELECT crdt_enable('{table}')"),
            Subject::Parts => format!("SELECT crdt_enable('{table}', 'priority:counter', 'tags:set')"),
            Subject::SqliteSync => format!("SELECT cloudsync_init('{table}')"),
            Subject::CrSqlite => format!("SELECT crsql_as_crr('main', '{table}')"),
        };
        conn.query_row(&call, [], |_| Ok(()))
    }

    /// What must be done before a connection is closed.
    pub fn close(self, conn: &Connection) {
        let call = match self {
            Subject::SqliteSync => "SELECT cloudsync_terminate()",
            Subject::CrSqlite => "SELECT crsql_finalize()",
            _ => return,
        };
        let _ = conn.query_row(call, [], |_| Ok(()));
    }

    /// A place to export from.
    pub fn mark(self, conn: &Connection) -> String {
        match self {
            Subject::SqliteSync => common::text(conn, "SELECT cloudsync_db_version()", []),
            Subject::CrSqlite => common::text(conn, "SELECT crsql_db_version()", []),
            _ => common::text(conn, "SELECT crdt_cursor()", []),
        }
    }

    /// What came after a mark, in one page; its length, in whatever unit.
    pub fn export_since(self, conn: &Connection, mark: &str) -> usize {
        match self {
            Subject::SqliteSync => {
                let sql = format!("{CLOUDSYNC} WHERE db_version > CAST(?1 AS INTEGER)");
                conn.prepare_cached(&sql)
                    .unwrap()
                    .query_row([mark], |row| Ok(row.get_ref(0)?.as_blob()?.len()))
                    .unwrap()
            }
            Subject::CrSqlite => {
                let sql = format!("SELECT {CRSQL} FROM crsql_changes WHERE db_version > CAST(?1 AS INTEGER)");
                conn.prepare_cached(&sql).unwrap().query_map([mark], |row| row.get::<_, Value>(3)).unwrap().count()
            }
            _ => {
                let mut stmt = conn.prepare_cached("SELECT crdt_changes_since(?1)").unwrap();
                stmt.query_row([mark], |row| Ok(row.get_ref(0)?.as_str()?.len())).unwrap()
            }
        }
    }

    /// Everything it knows, to be sent.
    pub fn export(self, conn: &Connection) -> Payload {
        match self {
            Subject::SqliteSync => Payload::Blob(conn.query_row(CLOUDSYNC, [], |row| row.get(0)).unwrap()),
            Subject::CrSqlite => {
                let mut stmt = conn.prepare(&format!("SELECT {CRSQL} FROM crsql_changes")).unwrap();
                let read = |row: &rusqlite::Row<'_>| (0..9).map(|i| row.get(i)).collect();
                Payload::Rows(stmt.query_map([], read).unwrap().collect::<rusqlite::Result<_>>().unwrap())
            }
            _ => Payload::Json(pages(conn)),
        }
    }

    /// The same, of which the program keeps nothing, in pages of so many changes; how many bytes that is.
    pub fn export_in_place(self, conn: &Connection, limit: Option<i64>) -> usize {
        let mut bytes = 0;
        each_page(conn, limit, |page| bytes += page.len());
        bytes
    }

    pub fn merge(self, conn: &Connection, payload: &Payload) {
        match payload {
            Payload::Json(pages) => {
                for page in pages {
                    common::text(conn, "SELECT crdt_merge(?1)", [page]);
                }
            }
            Payload::Blob(blob) => {
                conn.query_row("SELECT cloudsync_payload_decode(?1)", [blob], |_| Ok(())).unwrap();
            }
            Payload::Rows(rows) => {
                conn.execute_batch("BEGIN").unwrap();
                let sql = format!("INSERT INTO crsql_changes({CRSQL}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)");
                let mut stmt = conn.prepare(&sql).unwrap();
                for row in rows {
                    stmt.execute(params_from_iter(row)).unwrap();
                }
                conn.execute_batch("COMMIT").unwrap();
            }
        }
    }
}

fn try_load(conn: &Connection, path: &Path) -> rusqlite::Result<()> {
    // SAFETY: libraries that this run is there to measure, and no SQL of others runs while loading is enabled.
    unsafe {
        conn.load_extension_enable()?;
        let loaded = conn.load_extension(path, None::<&str>);
        conn.load_extension_disable()?;
        loaded
    }
}

/// Every change there is, in pages.
fn pages(conn: &Connection) -> Vec<String> {
    let mut pages = Vec::new();
    each_page(conn, None, |page| pages.push(page.to_owned()));
    pages
}

/// Goes through every change there is. The cursor is taken from a page's end as text: to read JSON is the receiver's work.
fn each_page(conn: &Connection, limit: Option<i64>, mut take: impl FnMut(&str)) {
    let mut next = conn.prepare("SELECT crdt_changes_since(?1, NULL, ?2)").unwrap();
    let mut cursor: Option<String> = None;
    loop {
        let mut rows = next.query((&cursor, limit)).unwrap();
        let page = rows.next().unwrap().unwrap().get_ref(0).unwrap().as_str().unwrap();
        let (_, end) = page.rsplit_once("],\"latest_hlc\":").unwrap();
        let (latest, more) = end.rsplit_once(",\"has_more\":").unwrap();
        take(page);
        if more != "true}" {
            return;
        }
        cursor = Some(latest.to_owned());
    }
}
