//! The databases: copies of one that was made once, so that each input meets the same.

use std::cell::OnceCell;

use rusqlite::backup::Backup;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Params};

use crate::common::register;
use crate::support::{clock, named, run, try_run};

/// The wall clock that all of them live under, milliseconds since the Unix epoch.
pub const NOW: i64 = 1_780_000_000_000;

/// Tables of all kinds, enabled.
pub const TABLES: &str = include_str!("../../tests/hostile/tables.sql");

/// Rows with all that a record may have: deletes, old elements, values of others.
const ROWS: &str = include_str!("../../tests/hostile/rows.sql");

thread_local! {
    static EMPTY: OnceCell<Connection> = const { OnceCell::new() };
    static FULL: OnceCell<Connection> = const { OnceCell::new() };
    static SETTLED: OnceCell<Connection> = const { OnceCell::new() };
}

/// A database of its own in memory, under the fixed wall clock.
pub fn bare() -> Connection {
    register();
    clock::set(NOW);
    clock::open(":memory:")
}

fn copy(from: &Connection) -> Connection {
    let mut to = bare();
    Backup::new(from, &mut to).unwrap().step(-1).unwrap();
    to.execute_batch("PRAGMA foreign_keys = ON").unwrap();
    to
}

/// A database with [`TABLES`] and no rows.
pub fn empty() -> Connection {
    EMPTY.with(|made| copy(made.get_or_init(|| named(bare(), "fresh", TABLES))))
}

/// A database with [`TABLES`], rows, and a log whose end is not folded.
pub fn full() -> Connection {
    FULL.with(|made| {
        copy(made.get_or_init(|| {
            let conn = named(bare(), "hub", TABLES);
            run(&conn, ROWS);
            conn
        }))
    })
}

/// The database's pages.
pub fn image(conn: &Connection) -> Vec<u8> {
    conn.serialize("main").unwrap().to_vec()
}

/// Runs a statement to its end: the first column of its rows, or its message. A message never speaks of a fault of ours.
pub fn ask(conn: &Connection, sql: &str, params: impl Params) -> Result<Vec<Vec<u8>>, String> {
    renew();
    let go = || -> rusqlite::Result<Vec<Vec<u8>>> {
        let mut statement = conn.prepare(sql)?;
        let mut rows = statement.query(params)?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            all.push(match row.get_ref(0)? {
                ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.to_vec(),
                other => format!("{other:?}").into_bytes(),
            });
        }
        Ok(all)
    };
    go().map_err(|error| {
        let message = error.to_string();
        assert!(!message.contains("a bug, please report"), "{sql}: {message}");
        assert!(message.len() < 4000, "{sql}: {message}");
        message
    })
}

/// The one answer of a statement as text.
pub fn answer(conn: &Connection, sql: &str, params: impl Params) -> Result<String, String> {
    let rows = ask(conn, sql, params)?;
    Ok(rows.first().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default())
}

/// Runs statements up to the first that fails.
pub fn script(conn: &Connection, sql: &str) -> Result<(), String> {
    try_run(conn, sql)
}

/// Steps of SQLite's machine that one statement of a hostile schema may take; what goes on for ever is interrupted.
const STEPS: u32 = 4_000_000;

/// Interrupts statements that go on for too long, while it lives.
pub struct Budget<'c>(&'c Connection);

impl<'c> Budget<'c> {
    /// Stands from now on; each statement of ours has the whole budget.
    pub fn new(conn: &'c Connection) -> Budget<'c> {
        renew();
        let step = || {
            LEFT.with(|left| {
                left.set(left.get().saturating_sub(1_000));
                left.get() == 0
            })
        };
        let _ = conn.progress_handler(1_000, Some(step));
        Budget(conn)
    }
}

impl Drop for Budget<'_> {
    fn drop(&mut self) {
        let _ = self.0.progress_handler(0, None::<fn() -> bool>);
    }
}

thread_local! {
    static LEFT: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

/// As [`full`], with all of the log folded: a call that is refused has nothing to write.
pub fn settled() -> Connection {
    SETTLED.with(|made| {
        copy(made.get_or_init(|| {
            let conn = full();
            ask(&conn, "SELECT crdt_status()", []).unwrap();
            conn
        }))
    })
}

/// Gives the next statement the whole budget.
pub fn renew() {
    LEFT.with(|left| left.set(STEPS));
}
