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

#[test]
fn storage_that_contradicts_itself() {
    let counted = "CREATE TABLE tasks(id TEXT PRIMARY KEY NOT NULL, title, n INTEGER, s TEXT);
        SELECT crdt_enable('tasks', 'n:counter', 's:set');
        INSERT INTO tasks VALUES ('t1', 'x', 1, '[\"a\"]'), ('t2', 'y', 2, '[]'); DELETE FROM tasks WHERE id = 't2';
        SELECT crdt_digest('tasks')";
    for (spoilt, told) in [
        ("UPDATE _crdt_state SET folded = folded + 100", "beyond the log's end"),
        ("UPDATE _crdt_state SET ts = 5", "stamped later than the clock"),
        ("UPDATE _crdt_clock SET t = 99", "2 records of no known table"),
        ("DELETE FROM _crdt_clock", "tasks[t1] has a row but no record"),
        ("UPDATE _crdt_clock SET dead = 1", "tasks[t1] is marked dead but its stamps say otherwise"),
        ("UPDATE _crdt_clock SET dead = 0", "tasks[t2] is marked alive but its stamps say otherwise"),
        ("UPDATE _crdt_clock SET x = x'ff'", "tasks[t1]: "),
        ("UPDATE _crdt_clock SET n = 77", "stamps by a node without a name"),
        ("UPDATE _crdt_field SET name = '' WHERE type = 'lww'", "fields without a name"),
        ("DELETE FROM tasks", "tasks[t1] is alive but has no row"),
        ("INSERT INTO tasks(id) VALUES ('t2')", "tasks[t2] is deleted but has a row"),
        ("INSERT INTO tasks(id) VALUES ('t3')", "tasks[t3] has a row but no record"),
        ("UPDATE tasks SET n = 9", "tasks[t1].n does not show what its counter adds up to"),
        ("UPDATE tasks SET s = '[]'", "tasks[t1].s does not show what its set adds up to"),
    ] {
        let a = node("a", counted);
        sound(&a);
        behind_our_back(&a, spoilt);
        let found = text(&a, "SELECT crdt_check()", []);
        assert!(found.contains(told), "{spoilt}: {found}");
        assert_eq!(found, text(&a, "SELECT crdt_check()", []), "looking changes nothing");
    }
}
