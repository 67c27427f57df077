//! The log as a table: its bounds, its life, where it can be read.

use rusqlite::{Connection, OpenFlags};
use serde_json::json;

use crate::common::{error, load, text};
use crate::support::*;

/// Conflicts number `from` to `to` on field `title`, in one merge.
fn clash(conn: &Connection, from: i64, to: i64) -> i64 {
    let write = |i: i64| lww("title", (i * 1000, 0, &format!("n{}", i % 3)), i);
    let changes: Vec<_> = (from..=to).map(write).collect();
    take(conn, &changes)["conflicts"].as_i64().unwrap()
}

fn values(conn: &Connection) -> Vec<String> {
    rows(conn, "SELECT incoming_value FROM crdt_conflicts()")
}

fn numbers(range: std::ops::RangeInclusive<i64>) -> Vec<String> {
    range.map(|i| i.to_string()).collect()
}

#[test]
fn the_oldest_go_first() {
    let a = node("a", TASKS);
    assert_eq!(text(&a, "SELECT crdt_pragma('conflict_log')", []), "10000");
    run(&a, "SELECT crdt_pragma('conflict_log', 5)");
    clash(&a, 1, 1);
    assert_eq!((clash(&a, 2, 4), values(&a)), (3, numbers(2..=4)));
    assert_eq!((clash(&a, 5, 20), values(&a)), (16, numbers(16..=20)), "the count is that of all");
    run(&a, "SELECT crdt_pragma('conflict_log', 2)");
    assert_eq!(values(&a), numbers(19..=20), "at once");
    run(&a, "SELECT crdt_pragma('conflict_log', 4)");
    clash(&a, 21, 21);
    assert_eq!(values(&a), numbers(19..=21));
    run(&a, "SELECT crdt_pragma('conflict_log', 0)");
    assert_eq!((values(&a), clash(&a, 22, 30), values(&a)), (vec![], 9, vec![]));
    assert_eq!(status(&a)["conflicts"], 0);
    run(&a, "SELECT crdt_pragma('conflict_log', '3')");
    clash(&a, 31, 31);
    assert_eq!((values(&a), &status(&a)["conflicts"]), (numbers(31..=31), &json!(1)));
    for bad in ["-1", "'many'", "NULL", "1.5", "x'31'"] {
        let message = error(&a, &format!("SELECT crdt_pragma('conflict_log', {bad})"), []);
        assert!(message.contains("number of rows"), "{message}");
    }
    sound(&a);
}

#[test]
fn more_than_are_read_at_a_time() {
    let a = node("a", TASKS);
    clash(&a, 1, 1);
    assert_eq!(clash(&a, 2, 1800), 1799);
    assert_eq!(values(&a), numbers(2..=1800));
    let twice = "SELECT count(*) FROM (SELECT at FROM crdt_conflicts() LIMIT 2) JOIN crdt_conflicts()";
    assert_eq!(rows(&a, twice), ["3598"]);
    let message = error(&a, "SELECT * FROM crdt_conflicts(1)", []);
    assert!(message.contains("argument"), "{message}");
}

#[test]
fn a_merge_that_is_taken_back_leaves_none() {
    let a = node("a", TASKS);
    clash(&a, 1, 1);
    run(&a, "BEGIN");
    clash(&a, 2, 3);
    assert_eq!(values(&a), numbers(2..=3));
    run(&a, "ROLLBACK");
    assert_eq!((values(&a), clash(&a, 2, 3)), (vec![], 2));
    let bad = json!([lww("title", (9000, 0, "n9"), 9), lww("title", (-1, 0, "n9"), 9)]);
    assert!(a.query_row("SELECT crdt_merge(?1)", [bad.to_string()], |_| Ok(())).is_err());
    assert_eq!(values(&a), numbers(2..=3));
}

#[test]
fn a_push_counts_the_same() {
    let a = node("a", TASKS);
    clash(&a, 1, 1);
    let changes =
        [lww("title", (2000, 0, "p"), "p"), lww("title", (-1, 0, "p"), "bad"), lww("done", (2000, 0, "p"), 1)];
    let request = json!({"node_id": "p", "changes": changes}).to_string();
    for expect in [1, 0] {
        let answer: serde_json::Value = serde_json::from_str(&text(&a, "SELECT crdt_push(?1)", [&request])).unwrap();
        assert_eq!(answer["conflicts"], expect);
    }
    assert_eq!(values(&a), ["'p'"]);
}

#[test]
fn purging_a_table_takes_its_conflicts_along() {
    let a = node("a", TASKS);
    run(&a, "CREATE TABLE other(id TEXT PRIMARY KEY NOT NULL, title); SELECT crdt_enable('other')");
    clash(&a, 1, 3);
    let elsewhere = |ts, node| change("title", (ts, 0, node), json!({"table": "other", "value": "o"}));
    take(&a, &[elsewhere(1000, "x"), elsewhere(2000, "y")]);
    run(&a, "ALTER TABLE tasks RENAME TO chores");
    assert_eq!(rows(&a, "SELECT \"table\", count(*) FROM crdt_conflicts() GROUP BY 1"), ["'chores', 2", "'other', 1"]);
    run(&a, "SELECT crdt_disable('other')");
    assert_eq!(values(&a).len(), 3, "disabling keeps them");
    run(&a, "SELECT crdt_disable('chores', 'purge')");
    assert_eq!(rows(&a, "SELECT \"table\" FROM crdt_conflicts()"), ["'other'"]);
    sound(&a);
}

#[test]
fn a_read_only_database_and_one_without_tables_of_ours() {
    assert_eq!(rows(&crate::common::open(), "SELECT * FROM crdt_conflicts()"), [""; 0]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let a = file_node(&path, "a", TASKS);
    clash(&a, 1, 3);
    run(&a, "UPDATE tasks SET title = 'not folded yet'");
    drop(a);
    let b = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    load(&b).unwrap();
    assert_eq!(values(&b), numbers(2..=3));
}

/// A change from the future is merged by whoever comes when its time has come.
#[test]
fn a_change_that_was_put_aside() {
    clock::set(1_700_000_000_000);
    let folder = tempfile::tempdir().unwrap();
    let a = named(clock::open(folder.path().join("a.db").to_str().unwrap()), "a", TASKS);
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t1', 'mine')");
    let answer = take(&a, &[lww("title", (1_700_003_600_000_000_000, 0, "x"), "early")]);
    assert_eq!((&answer["pending"], &answer["conflicts"]), (&json!(1), &json!(0)));
    assert_eq!(values(&a), [""; 0]);
    clock::set(1_700_003_700_000);
    assert_eq!(
        rows(&a, "SELECT won, local_value, incoming_value FROM crdt_conflicts()"),
        ["'incoming', 'mine', 'early'"]
    );
}
