//! The rest of the surface: settings, status, inspection.

use serde_json::{json, Value};

use crate::common::{open, text};
use crate::support::*;

fn pragma(conn: &rusqlite::Connection, name: &str) -> String {
    text(conn, "SELECT crdt_pragma(?1)", [name])
}

#[test]
fn settings() {
    let a = open();
    assert_eq!(["tombstone_ttl", "max_drift"].map(|name| pragma(&a, name)), ["7d", "5m"]);
    assert_eq!(pragma(&a, "page_bytes"), (64 * 1024 * 1024).to_string());
    for value in ["500ms", "30s", "5m", "12h", "7d", "0s"] {
        text(&a, "SELECT crdt_pragma('tombstone_ttl', ?1)", [value]);
        assert_eq!(pragma(&a, "tombstone_ttl"), value);
    }
    run(&a, "SELECT crdt_pragma('max_drift', 90)");
    assert!(["90", "90s"].contains(&pragma(&a, "max_drift").as_str()), "whole seconds: {}", pragma(&a, "max_drift"));
    run(&a, "SELECT crdt_pragma('page_bytes', 100000)");
    assert_eq!(pragma(&a, "page_bytes"), "100000");
    assert_eq!(rows(&a, "SELECT value FROM _crdt_pragma WHERE name = 'tombstone_ttl'"), ["'0s'"]);
    for name in ["hlc", "node_id", "format"] {
        assert_ne!(pragma(&a, name), "", "{name}");
    }
    assert_eq!(pragma(&a, "node_id"), text(&a, "SELECT crdt_node_id()", []));
    run(&a, "BEGIN; SELECT crdt_pragma('max_drift', '1h'); ROLLBACK");
    assert_ne!(pragma(&a, "max_drift"), "1h");
}

#[test]
fn inspect_in_groves_format() {
    let a = node("a", TASKS);
    take(
        &a,
        &[
            lww("title", (1000, 2, "go-edge"), "Hi"),
            counter((1000, 0, "go-edge"), 5, 2),
            counter((1001, 0, "b"), 1, 0),
            set("add", (1000, 1, "go-edge"), json!(["b", "a", 1])),
        ],
    );
    let shown = text(&a, "SELECT crdt_inspect('tasks', 't1')", []);
    let lines: Vec<_> = shown.trim_end().lines().collect();
    assert_eq!(lines[0], "CRDT State for tasks[t1]");
    assert_eq!(lines[1], "  title (lww): Hi (node=go-edge, hlc=HLC{ts:1000 c:2 node:go-edge})");
    assert_eq!(lines[2], "  priority (counter): 4 [b: +1 -0, go-edge: +5 -2]");
    assert_eq!(lines[3], "  tags (set): [a b 1]");
    take(&a, &[tombstone((2000, 0, "x"))]);
    assert!(text(&a, "SELECT crdt_inspect('tasks', 't1')", []).starts_with("CRDT State for tasks[t1] [TOMBSTONED]"));
}

#[test]
fn state_is_the_same_as_json() {
    let a = node("a", TASKS);
    take(
        &a,
        &[
            lww("title", (1000, 2, "go-edge"), "Hi"),
            counter((1000, 0, "go-edge"), 5, 2),
            set("add", (1000, 1, "go-edge"), json!(["a"])),
        ],
    );
    let state = |conn: &rusqlite::Connection| -> Value {
        serde_json::from_str(&text(conn, "SELECT crdt_state('tasks', 't1')", [])).unwrap()
    };
    let shown = state(&a);
    assert_eq!((&shown["table"], &shown["pk"]), (&json!("tasks"), &json!("t1")));
    assert_ne!(shown["tombstone"], json!(true));
    let title = &shown["fields"]["title"];
    assert_eq!(title["type"], "lww");
    assert_eq!(title["value"], "Hi");
    assert_eq!(
        (&title["node_id"], &title["hlc"]),
        (&json!("go-edge"), &json!({"ts": 1000, "c": 2, "node": "go-edge"}))
    );
    assert_eq!(shown["fields"]["priority"]["type"], "counter");
    assert_eq!(shown["fields"]["priority"]["counter_state"], json!({"inc": {"go-edge": 5}, "dec": {"go-edge": 2}}));
    assert_eq!(shown["fields"]["tags"]["type"], "set");
    assert!(shown["fields"]["tags"].to_string().contains("\"a\""));
    take(&a, &[tombstone((2000, 0, "x"))]);
    let dead = state(&a);
    assert_eq!(dead["tombstone"], true);
    assert_eq!(dead["tombstone_hlc"], json!({"ts": 2000, "c": 0, "node": "x"}));
    let b = node("b", TASKS);
    send(&a, &b);
    assert_eq!(state(&a), state(&b));
}

/// A record that no one ever wrote: told, not invented.
#[test]
fn inspecting_nothing() {
    let a = node("a", TASKS);
    for function in ["inspect", "state"] {
        let shown = a.query_row(&format!("SELECT crdt_{function}('tasks', 'nobody')"), [], |row| {
            row.get::<_, Option<String>>(0)
        });
        assert!(!shown.is_ok_and(|shown| shown.is_some_and(|shown| shown.contains("lww"))));
    }
}

#[test]
fn status_tells() {
    let a = node("a", TASKS);
    run(
        &a,
        "INSERT INTO tasks(id, title) VALUES ('t1', 'x'), ('t2', 'y'), ('t3', 'z'); DELETE FROM tasks WHERE id = 't3'",
    );
    take(&a, &[change("title", (i64::MAX, 0, "fast"), json!({"pk": "t9", "value": 1}))]);
    let shown = status(&a);
    let whole = shown.to_string();
    for part in ["\"a\"", "tasks", "drift", "log", "peers", "pending", "tombstones"] {
        assert!(whole.contains(part), "{part} in {whole}");
    }
    let tables = &shown["tables"];
    let tasks = if tables.is_array() { &tables[0] } else { &tables["tasks"] };
    assert_eq!((&tasks["records"], &tasks["tombstones"]), (&json!(2), &json!(1)), "{whole}");
}

/// Many enabled tables: a poll stays one, and each is found.
#[test]
fn five_hundred_tables() {
    let [a, b] = nodes(["a", "b"], "");
    for conn in [&a, &b] {
        run(conn, "BEGIN");
        for i in 0..500 {
            run(conn, &format!("CREATE TABLE t{i}(id TEXT PRIMARY KEY NOT NULL, v); SELECT crdt_enable('t{i}')"));
        }
        run(conn, "COMMIT");
    }
    for i in (0..500).step_by(7) {
        run(&a, &format!("INSERT INTO t{i} VALUES ('k', {i})"));
    }
    let started = std::time::Instant::now();
    send(&a, &b);
    let place = mark(&a);
    for _ in 0..50 {
        assert_eq!(since(&a, Some(&place)).changes.len(), 0);
    }
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
    for i in (0..500).step_by(7) {
        same(&a, &b, &format!("t{i}"));
    }
    assert_eq!(rows(&a, "SELECT count(*) FROM crdt_tables()"), ["500"]);
    run(&a, "ALTER TABLE t3 ADD COLUMN w; SELECT crdt_enable('t3'); DROP TABLE t4; UPDATE t7 SET v = 'after'");
    assert_eq!(since(&a, Some(&place)).fields(), ["k.v"]);
}
