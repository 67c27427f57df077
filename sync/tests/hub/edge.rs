//! Databases that go to a hub, each with a `grove-sync` of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::time::{Duration, Instant};

use crate::common::{PATIENCE, SCHEMA};

/// A database of an edge, with the tables of a hub.
pub struct Edge {
    folder: tempfile::TempDir,
}

impl Edge {
    pub fn new() -> Edge {
        let edge = Edge { folder: tempfile::tempdir().unwrap() };
        edge.open().execute_batch(SCHEMA).unwrap();
        edge
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("edge.db")
    }

    pub fn open(&self) -> rusqlite::Connection {
        open(&self.path())
    }

    pub fn sync(&self, more: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_grove-sync")).arg("sync").arg(self.path()).args(more).output().unwrap()
    }

    /// Starts `run`.
    pub fn run(&self, more: &[&str]) -> Running {
        run(&self.path(), more)
    }
}

/// Starts `run` for a database.
pub fn run(path: &Path, more: &[&str]) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_grove-sync"));
    Running(command.arg("run").arg(path).args(more).env("RUST_LOG", "off").spawn().unwrap())
}

/// A connection with the extension.
pub fn open(path: &Path) -> rusqlite::Connection {
    crate::common::extension();
    let conn = rusqlite::Connection::open(path).unwrap();
    conn.busy_timeout(Duration::from_secs(10)).unwrap();
    conn
}

/// A `grove-sync run`; killed when it is dropped.
pub struct Running(Child);

impl Running {
    pub fn of(child: Child) -> Running {
        Running(child)
    }

    /// Asks it to end; the exit code.
    pub fn end(mut self) -> Option<i32> {
        self.signal("-TERM");
        self.0.wait().unwrap().code()
    }

    pub fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.0.id().to_string()]).status().unwrap().success());
    }

    /// The exit code, when it ends by itself within some time.
    pub fn ended(&mut self, within: Duration) -> Option<i32> {
        let until = Instant::now() + within;
        loop {
            match self.0.try_wait().unwrap() {
                Some(status) => return status.code(),
                None if Instant::now() > until => return None,
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// All that two tables hold.
pub fn digest(conn: &rusqlite::Connection) -> String {
    conn.query_row("SELECT crdt_digest('tasks', 'full') || crdt_digest('notes', 'full')", [], |row| row.get(0)).unwrap()
}

/// Waits until all hold the same, and something.
pub fn converge(databases: &[PathBuf], rows: i64) {
    let until = Instant::now() + PATIENCE;
    loop {
        let conns: Vec<rusqlite::Connection> = databases.iter().map(|path| open(path)).collect();
        let digests: Vec<String> = conns.iter().map(digest).collect();
        let count: i64 = conns[0].query_row("SELECT count(*) FROM tasks", [], |row| row.get(0)).unwrap();
        if count == rows && digests.windows(2).all(|two| two[0] == two[1]) {
            return;
        }
        assert!(Instant::now() < until, "{count} rows of {rows}, {digests:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
