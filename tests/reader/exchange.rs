//! Cursors and pages: nothing is left out, and there is an end.

use serde_json::json;

use crate::common::text;
use crate::support::{node, now, page, run, since};

#[test]
fn pages_come_to_an_end_after_another_table_was_purged() {
    let a = node(
        "a",
        "CREATE TABLE a(id TEXT PRIMARY KEY NOT NULL, v); CREATE TABLE b(id TEXT PRIMARY KEY NOT NULL, v);
         SELECT crdt_enable('a'); SELECT crdt_enable('b');",
    );
    for i in 0..4 {
        run(&a, &format!("INSERT INTO b VALUES ('{i}', 1); INSERT INTO a VALUES ('{i}', 1)"));
    }
    run(&a, "INSERT INTO b VALUES ('z', 1); SELECT crdt_disable('a', 'purge')");
    let (mut cursor, mut keys) = (None::<String>, Vec::new());
    for _ in 0..20 {
        let next = page(&text(&a, "SELECT crdt_changes_since(?1, NULL, 1)", [&cursor]));
        keys.extend(next.changes.iter().map(|change| change["pk"].as_str().unwrap().to_string()));
        cursor = Some(next.cursor);
        if !next.more {
            break;
        }
    }
    assert_eq!(keys, ["0", "1", "2", "3", "z"]);
}

#[test]
fn a_changed_filter_starts_from_the_beginning() {
    let a = node("a", "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v); SELECT crdt_enable('t')");
    run(&a, "INSERT INTO t VALUES ('a', 1), ('b', 2)");
    let pull = |request: serde_json::Value| page(&text(&a, "SELECT crdt_pull(?1)", [request.to_string()]));
    let first = pull(json!({"filter": {"pk_filter": ["a"]}}));
    let cursor: serde_json::Value = serde_json::from_str(&first.cursor).unwrap();
    let other = pull(json!({"filter": {"pk_filter": ["b"]}, "since": cursor}));
    assert_eq!(other.fields(), ["b.v"]);
    // The same filter goes on.
    let again = pull(json!({"filter": {"pk_filter": ["a"]}, "since": cursor}));
    assert_eq!(again.fields(), [""; 0]);
}

#[test]
fn rows_taken_in_by_enable_reach_who_comes_with_a_plain_stamp() {
    let a = node("a", "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v); INSERT INTO t VALUES ('a', 1)");
    let before = json!({"ts": now(&a), "c": 0, "node": "peer"}).to_string();
    std::thread::sleep(std::time::Duration::from_millis(5));
    run(&a, "SELECT crdt_enable('t')");
    assert_eq!(since(&a, Some(&before)).fields(), ["a.v"]);
}

#[test]
fn a_transaction_can_read_page_after_page() {
    let a = node("a", "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v); SELECT crdt_enable('t')");
    run(&a, "INSERT INTO t VALUES ('1', 'x'), ('2', 'y')");
    run(&a, "BEGIN");
    let one = |cursor: Option<&str>| page(&text(&a, "SELECT crdt_changes_since(?1, NULL, 1)", [cursor]));
    let first = one(None);
    assert_eq!(one(Some(&first.cursor)).fields(), ["2.v"]);
}
