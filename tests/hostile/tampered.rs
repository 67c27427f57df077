//! A database file that somebody has worked on. Every function answers or fails with a sentence; what fails leaves the
//! application's rows alone, and those can still be read and written.

use rusqlite::Connection;

use super::corpus::{each, refused};
use super::world::{ask, World, NAMES};
use crate::support::*;

/// Every function, one call a line; `fuzz/` makes the same ones.
const CALLS: &str = include_str!("calls.sql");

fn application(conn: &Connection) -> Vec<Vec<String>> {
    NAMES.map(|name| table(conn, name)).into()
}

#[test]
fn tables_of_ours() {
    let world = World::new();
    each("tampered", 150, |sql| {
        let target = world.copy();
        let conn = &target.conn;
        if let Err(message) = try_run(conn, sql) {
            return refused(&message);
        }
        let check = ask(conn, "SELECT crdt_check()", &[]);
        for call in CALLS.lines() {
            let before = application(conn);
            let answer = ask(conn, call, &[]);
            assert!(conn.is_autocommit(), "{sql}: {call}: a transaction is left open");
            assert!(answer.is_ok() || before == application(conn), "{sql}: {call} failed, and rows changed");
        }
        assert_eq!(ask(conn, "PRAGMA integrity_check", &[]).as_deref(), Ok("ok"));
        match check {
            Ok(text) => format!("check: {}", text.chars().take(150).collect::<String>().trim_end()),
            Err(message) => refused(&message),
        }
    });
}
