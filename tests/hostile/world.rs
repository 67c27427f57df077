//! Database files to throw input at.

use std::cell::Cell;
use std::path::PathBuf;

use rusqlite::{Connection, ToSql};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::common::{open_file, text};
use crate::support::*;

/// Tables of all kinds, enabled.
pub const TABLES: &str = include_str!("tables.sql");
/// Their names.
pub const NAMES: [&str; 3] = ["tasks", "pairs", "nums"];

/// A folder with one database, of which every input gets a copy.
pub struct World {
    folder: TempDir,
    count: Cell<u32>,
}

/// A copy: a database file and a connection to it.
pub struct Target {
    pub conn: Connection,
    path: PathBuf,
}

impl World {
    /// The database: rows, deletes, records that wait, all of the log folded.
    pub fn new() -> World {
        World::with(&format!("{TABLES}{}", include_str!("rows.sql")))
    }

    /// A database of another making.
    pub fn with(sql: &str) -> World {
        let folder = tempfile::tempdir().unwrap();
        let conn = file_node(&folder.path().join("hub.db"), "hub", sql);
        run(&conn, "SELECT crdt_status()");
        conn.close().unwrap();
        World { folder, count: Cell::new(0) }
    }

    /// A copy, every other one in WAL mode.
    pub fn copy(&self) -> Target {
        let i = self.count.replace(self.count.get() + 1);
        let path = self.folder.path().join(format!("{i}.db"));
        std::fs::copy(self.folder.path().join("hub.db"), &path).unwrap();
        let conn = open_file(&path);
        run(&conn, if i.is_multiple_of(2) { "PRAGMA journal_mode = DELETE" } else { "PRAGMA journal_mode = WAL" });
        run(&conn, "PRAGMA foreign_keys = ON");
        Target { conn, path }
    }
}

impl Target {
    /// SHA-256 over the file, and over its write-ahead log.
    pub fn hash(&self) -> String {
        let mut hash = Sha256::new();
        for end in ["", "-wal"] {
            let path = format!("{}{end}", self.path.display());
            hash.update(std::fs::read(path).unwrap_or_default());
            hash.update([0xff; 8]);
        }
        hex::encode(hash.finalize())
    }

    /// The statement's first value as text, or its message. Refused, it leaves the file as it was, to the byte.
    #[track_caller]
    pub fn ask(&self, sql: &str, values: &[&dyn ToSql]) -> Result<String, String> {
        let before = self.hash();
        let answer = ask(&self.conn, sql, values);
        assert!(self.conn.is_autocommit(), "{sql}: a transaction is left open");
        if let Err(message) = &answer {
            assert_eq!(before, self.hash(), "{sql}: refused ({message}), and the file changed");
            assert_eq!(text(&self.conn, "SELECT crdt_check()", []), "ok", "after {message}");
        }
        answer
    }

    /// Nothing is broken, and a node that takes the export has the same.
    #[track_caller]
    pub fn travels(&self) {
        sound(&self.conn);
        assert_eq!(text(&self.conn, "PRAGMA integrity_check", []), "ok");
        let other = node("fresh", TABLES);
        merge(&other, &export(&self.conn));
        NAMES.iter().for_each(|name| assert_eq!(full(&self.conn, name), full(&other, name), "{name}"));
        sound(&other);
    }
}

/// The digest of a table, deleted records included.
#[track_caller]
pub fn full(conn: &Connection, name: &str) -> String {
    text(conn, "SELECT crdt_digest(?1, 'full')", [name])
}

/// The statement's first value as text, or its message, which never speaks of a fault of ours.
#[track_caller]
pub fn ask(conn: &Connection, sql: &str, values: &[&dyn ToSql]) -> Result<String, String> {
    let go = || -> rusqlite::Result<String> {
        let mut statement = conn.prepare(sql)?;
        let mut rows = statement.query(values)?;
        let mut first = None;
        while let Some(row) = rows.next()? {
            first.get_or_insert(match row.get_ref(0)? {
                rusqlite::types::ValueRef::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                other => show(other),
            });
        }
        Ok(first.unwrap_or_default())
    };
    go().map_err(|error| {
        let message = error.to_string();
        assert!(!message.contains("a bug, please report") && message.len() < 3000, "{sql}: {message}");
        message
    })
}
