//! The database that bad input is thrown at.

use std::path::PathBuf;

use rusqlite::types::Value as Sql;
use rusqlite::{params_from_iter, Connection};
use tempfile::TempDir;

use crate::support::*;

/// A database file in rollback-journal mode with folded and unfolded writes.
pub struct Target {
    pub conn: Connection,
    path: PathBuf,
    before: Vec<String>,
    bytes: Vec<u8>,
    calls: usize,
    failures: Vec<String>,
    _folder: TempDir,
}

const SETUP: &str = "PRAGMA journal_mode = DELETE;
    CREATE TABLE plain(id TEXT PRIMARY KEY, v); CREATE TABLE keyless(v); CREATE VIEW seen AS SELECT * FROM plain;
    CREATE VIRTUAL TABLE words USING fts5(w); CREATE TEMP TABLE passing(id TEXT PRIMARY KEY);
    ATTACH ':memory:' AS other; CREATE TABLE other.away(id TEXT PRIMARY KEY);
    CREATE TABLE hidden(id TEXT PRIMARY KEY, kept NOT NULL);
    CREATE TABLE reserved(id TEXT PRIMARY KEY, _row, _tombstone);
    CREATE TABLE _crdt_mine(id TEXT PRIMARY KEY);
    CREATE VIEW trap_merge AS SELECT crdt_merge('[]'); CREATE VIEW trap_enable AS SELECT crdt_enable('plain');
    CREATE VIEW trap_fork AS SELECT crdt_fork(); CREATE VIEW trap_pragma AS SELECT crdt_pragma('max_drift', 1);
    CREATE VIEW trap_hook AS SELECT crdt_hook('h', 'before_inbound', 'SELECT NULL');
    CREATE VIEW trap_unhook AS SELECT crdt_unhook('h');
    CREATE VIEW trap_cleanup_tombstones AS SELECT crdt_cleanup_tombstones();";

impl Target {
    pub fn new() -> Target {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("target.db");
        let conn = file_node(&path, "target", &format!("{SETUP}{TASKS}"));
        run(&conn, "INSERT INTO tasks VALUES ('t1', 'x', 3, '[\"y\"]', 0), ('t2', 'y', 1, '[]', 1)");
        run(&conn, "DELETE FROM tasks WHERE id = 't2'");
        export(&conn);
        run(&conn, "UPDATE tasks SET title = 'in the tail', priority = 4");
        let (before, bytes) = (contents(&conn), std::fs::read(&path).unwrap());
        Target { conn, path, before, bytes, calls: 0, failures: Vec::new(), _folder: folder }
    }

    /// The statement must fail with a message that names `function` and holds `parts`; nothing may change.
    pub fn refuses_saying(&mut self, function: &str, sql: &str, arguments: &[Sql], parts: &[&str]) {
        self.calls += 1;
        let answer = self.call(sql, arguments);
        let changes = self.changes();
        let mut fail = |what: String| {
            let given = arguments.iter().map(|value| excerpt(&format!("{value:?}"))).collect::<Vec<_>>().join(", ");
            self.failures.push(format!("{sql} <{given}>: {what}"));
        };
        match answer {
            Ok(rows) => fail(format!("taken, with {}", excerpt(&rows.join("; ")))),
            Err(message) => {
                let lower = message.to_lowercase();
                if !message.contains(function) || message.len() > 2000 || message.contains("unwrap") {
                    fail(format!("a message that does not name it, or is too long: {}", excerpt(&message)));
                }
                for part in parts.iter().filter(|part| !lower.contains(&part.to_lowercase())) {
                    fail(format!("does not say '{part}': {}", excerpt(&message)));
                }
            }
        }
        if let Some(what) = changes {
            fail(what);
            (self.before, self.bytes) = (contents(&self.conn), std::fs::read(&self.path).unwrap());
        }
    }

    /// The statement must fail with a message that names `function`; nothing may change.
    pub fn refuses(&mut self, function: &str, sql: &str, arguments: &[Sql]) {
        self.refuses_saying(function, sql, arguments, &[]);
    }

    /// The statement's rows, or its message.
    pub fn call(&self, sql: &str, arguments: &[Sql]) -> Result<Vec<String>, String> {
        let go = || -> rusqlite::Result<Vec<String>> {
            let mut statement = self.conn.prepare(sql)?;
            let mut rows = statement.query(params_from_iter(arguments))?;
            let mut lines = Vec::new();
            while let Some(row) = rows.next()? {
                lines.push(show(row.get_ref(0)?));
            }
            Ok(lines)
        };
        go().map_err(|error| error.to_string())
    }

    /// What is not as it was before.
    fn changes(&self) -> Option<String> {
        if !self.conn.is_autocommit() {
            return Some("a transaction is left open".into());
        }
        let now = contents(&self.conn);
        if now != self.before {
            let new = now.iter().find(|line| !self.before.contains(line));
            return Some(format!("the tables changed: {}", excerpt(new.map_or("a row is gone", String::as_str))));
        }
        let bytes = std::fs::read(&self.path).unwrap();
        let differ: Vec<_> = (0..bytes.len()).filter(|i| self.bytes.get(*i) != bytes.get(*i)).take(9).collect();
        (bytes != self.bytes).then(|| format!("the file changed, at bytes {differ:?}"))
    }

    /// Every call was refused as it should be, at least `calls` of them, and the host works on.
    #[track_caller]
    pub fn finish(self, calls: usize) {
        let count = self.failures.len();
        assert!(count == 0, "{count} of {} calls:\n{}", self.calls, self.failures.join("\n"));
        assert!(self.calls >= calls, "{} calls", self.calls);
        assert_eq!(since(&self.conn, None).of("t1", "title")["value"], "in the tail");
        run(&self.conn, "DETACH other; PRAGMA integrity_check");
        self.conn.close().unwrap();
    }
}

fn excerpt(text: &str) -> String {
    text.chars().take(200).collect()
}
