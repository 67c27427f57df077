//! `crdt_check`: what it finds, and that it finds nothing where all is well.

use rusqlite::config::DbConfig;
use rusqlite::Connection;
use serde_json::{json, Value};

use crate::common::{load, text};
use crate::support::*;

const TABLE: &str =
    "CREATE TABLE tasks(id TEXT PRIMARY KEY NOT NULL, title, done INTEGER, note TEXT); SELECT crdt_enable('tasks');";

/// Record t1 with cells whose records keep their own values: another spelling, another affinity.
fn kept(conn: &Connection) {
    take(conn, &[lww("done", (1000, 0, "x"), "7"), lww("note", (1000, 0, "x"), json!(8))]);
    let spelled = lww("title", (1000, 0, "x"), "HERE").to_string().replace("\"HERE\"", "1e2");
    merge(conn, &format!("[{spelled}]"));
    assert_eq!(rows(conn, "SELECT title, done, note FROM tasks"), ["100.0, 7, '8'"]);
}

/// Writes that nothing of ours sees.
fn behind_our_back(conn: &Connection, sql: &str) {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false).unwrap();
    run(conn, sql);
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, true).unwrap();
}

#[test]
fn a_cell_that_contradicts_its_record() {
    let a = node("a", TABLE);
    kept(&a);
    sound(&a);
    // What the record's value becomes in the cell is in doubt here.
    behind_our_back(&a, "UPDATE tasks SET done = 9, note = '9'");
    sound(&a);
    behind_our_back(&a, "UPDATE tasks SET title = 100");
    let found: Vec<Value> = serde_json::from_str(&text(&a, "SELECT crdt_check()", [])).unwrap();
    assert_eq!(found, ["tasks[t1].title does not show the value that its record holds"]);
    run(&a, "UPDATE tasks SET title = 'written'");
    sound(&a);
}

#[test]
fn nothing_where_something_may_be_the_reason() {
    for sql in [
        "CREATE TRIGGER mine AFTER UPDATE ON tasks BEGIN SELECT 1; END",
        "CREATE TEMP TRIGGER mine AFTER UPDATE ON tasks BEGIN SELECT 1; END",
        "INSERT OR REPLACE INTO _crdt_pending SELECT t, pk, 'waits', 0 FROM _crdt_clock",
    ] {
        let a = node("a", TABLE);
        kept(&a);
        run(&a, sql);
        behind_our_back(&a, "UPDATE tasks SET title = 100");
        sound(&a);
    }
}

#[test]
fn text_that_utf_16_cannot_hold() {
    let a = Connection::open_in_memory().unwrap();
    run(&a, "PRAGMA encoding = 'UTF-16le'");
    load(&a).unwrap();
    let a = named(a, "a", TABLE);
    take(&a, &[lww("title", (1000, 0, "x"), json!({"$text": "61ff"})), lww("note", (1000, 0, "x"), "\u{ffff}")]);
    sound(&a);
}
