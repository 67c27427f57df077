//! The databases under test, and the work that is done in them.

use crate::common::{load, text};
use crate::rows::Row;
use rusqlite::Connection;
use std::path::PathBuf;
use tempfile::TempDir;

const TABLE: &str = "CREATE TABLE tasks(id TEXT PRIMARY KEY NOT NULL, title TEXT, description TEXT, \
    priority INTEGER DEFAULT 0, tags TEXT, completed INTEGER DEFAULT 0)";

/// What is done to the table before the first row.
#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    Plain,
    /// Enabled, all columns lww.
    Lww,
    /// Enabled, `priority` a counter, `tags` a set.
    Parts,
}

/// A database file.
pub struct Database {
    kind: Kind,
    path: PathBuf,
    _folder: TempDir,
}

impl Database {
    pub fn new(kind: Kind) -> Database {
        let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let path = folder.path().join("tasks.db");
        let database = Database { kind, path, _folder: folder };
        let session = database.open();
        session.run(TABLE);
        match kind {
            Kind::Plain => {}
            Kind::Lww => session.run("SELECT crdt_enable('tasks')"),
            Kind::Parts => session.run("SELECT crdt_enable('tasks', 'priority:counter', 'tags:set')"),
        }
        database
    }

    /// A connection. Keep one at a time: in this build of SQLite all connections share one page cache, so that one would
    /// slow the other.
    pub fn open(&self) -> Session {
        let conn = Connection::open(&self.path).unwrap();
        conn.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;").unwrap();
        if self.kind != Kind::Plain {
            load(&conn).unwrap();
        }
        Session { conn }
    }

    /// The size in bytes of the file, vacuumed.
    pub fn bytes(&self) -> f64 {
        let copy = self.path.with_extension("vacuumed");
        self.open().conn.execute("VACUUM INTO ?1", [copy.to_str()]).unwrap();
        let bytes = std::fs::metadata(&copy).unwrap().len();
        std::fs::remove_file(&copy).unwrap();
        bytes as f64
    }
}

/// A connection to a database.
pub struct Session {
    conn: Connection,
}

impl Session {
    /// Runs `work` in transactions over `chunk` items each.
    fn in_transactions<T>(&self, items: &[T], chunk: usize, mut work: impl FnMut(&T)) {
        for items in items.chunks(chunk) {
            self.conn.execute_batch("BEGIN").unwrap();
            items.iter().for_each(&mut work);
            self.conn.execute_batch("COMMIT").unwrap();
        }
    }

    /// Inserts all rows in one transaction, over those that are there when `upsert`.
    pub fn insert(&self, rows: &[Row], upsert: bool) {
        let insert = "INSERT INTO tasks VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let on_conflict = " ON CONFLICT(id) DO UPDATE SET title = excluded.title, description = excluded.description, \
            priority = excluded.priority, tags = excluded.tags, completed = excluded.completed";
        let sql = [insert, if upsert { on_conflict } else { "" }].concat();
        let mut stmt = self.conn.prepare(&sql).unwrap();
        self.in_transactions(rows, rows.len(), |row| {
            let Row { id, title, description, priority, tags, completed } = row;
            stmt.execute((id, title, description, priority, tags, completed)).unwrap();
        });
    }

    /// Sets the title of rows, `chunk` of them a transaction.
    pub fn update(&self, rows: &[Row], title: &str, chunk: usize) {
        let mut stmt = self.conn.prepare("UPDATE tasks SET title = ?2 WHERE id = ?1").unwrap();
        self.in_transactions(rows, chunk, |row| {
            assert_eq!(stmt.execute((&row.id, title)).unwrap(), 1);
        });
    }

    /// Sets the title of rows, each write a transaction of its own.
    pub fn update_alone(&self, rows: &[Row], title: &str) {
        let mut stmt = self.conn.prepare("UPDATE tasks SET title = ?2 WHERE id = ?1").unwrap();
        for row in rows {
            assert_eq!(stmt.execute((&row.id, title)).unwrap(), 1);
        }
    }

    /// Deletes rows in one transaction.
    pub fn delete(&self, rows: &[Row]) {
        let mut stmt = self.conn.prepare("DELETE FROM tasks WHERE id = ?1").unwrap();
        self.in_transactions(rows, rows.len(), |row| {
            assert_eq!(stmt.execute([&row.id]).unwrap(), 1);
        });
    }

    /// Runs SQL as it is.
    pub fn run(&self, sql: &str) {
        self.conn.execute_batch(sql).unwrap();
    }

    /// Folds what was written since the last fold.
    pub fn fold(&self) {
        text(&self.conn, "SELECT crdt_cursor()", []);
    }

    /// Reads every row as JSON: the bytes.
    pub fn read(&self) -> usize {
        let sql = "SELECT json_object('id', id, 'title', title, 'description', description, 'priority', priority, \
            'tags', tags, 'completed', completed) FROM tasks";
        let mut stmt = self.conn.prepare(sql).unwrap();
        let mut rows = stmt.query([]).unwrap();
        let mut bytes = 0;
        while let Some(row) = rows.next().unwrap() {
            bytes += row.get_ref(0).unwrap().as_str().unwrap().len();
        }
        bytes
    }

    /// Every change there is, in pages.
    pub fn export(&self) -> Vec<String> {
        let mut pages = vec![text(&self.conn, "SELECT crdt_changes_since(NULL)", [])];
        let next = "SELECT crdt_changes_since(?1 -> '$.latest_hlc') WHERE ?1 ->> '$.has_more'";
        loop {
            let mut stmt = self.conn.prepare_cached(next).unwrap();
            let mut rows = stmt.query([pages.last()]).unwrap();
            match rows.next().unwrap() {
                Some(row) => pages.push(row.get(0).unwrap()),
                None => break,
            }
        }
        pages
    }

    /// Merges pages.
    pub fn merge(&self, pages: &[String]) {
        for page in pages {
            text(&self.conn, "SELECT crdt_merge(?1)", [page]);
        }
    }
}
