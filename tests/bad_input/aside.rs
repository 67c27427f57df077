//! Unusual input that is kept aside and passed on, never refused: it fails nothing and blocks nobody.

use serde_json::{json, Value};

use crate::common::text;
use crate::support::*;

/// Merges `odd` with a good change; the good one shows, `odd` is counted as pending, listed, and reaches a third node.
#[track_caller]
fn kept(odd: &Value) {
    let [a, b, c] = nodes(["a", "b", "c"], TASKS);
    let good = change("title", (5000, 0, "x"), json!({"pk": "t9", "value": "good"}));
    let answer = take(&a, &[good.clone(), odd.clone(), good]);
    assert_eq!(rows(&a, "SELECT title FROM tasks WHERE id = 't9'"), ["'good'"]);
    assert_eq!(answer["pending"], 1, "{odd}: {answer}");
    assert_eq!(rows(&a, "SELECT count(*) FROM crdt_pending()"), ["1"], "{odd}");
    send(&a, &b);
    send(&b, &c);
    assert!(
        since(&c, None).changes.iter().any(|change| change["field"] == odd["field"] && change["hlc"] == odd["hlc"]),
        "{odd}"
    );
    same(&a, &b, "tasks");
    same(&a, &c, "tasks");
}

#[test]
fn unknown_fields_and_types() {
    let body = |value: Value| change("title", (1000, 0, "x"), value);
    kept(&change("no such column", (1000, 0, "x"), json!({"value": "kept"})));
    kept(&change(
        "no such column",
        (1000, 0, "x"),
        json!({"crdt_type": "counter", "counter_delta": {"inc": 1, "dec": 0}}),
    ));
    kept(&change(
        "no such column",
        (1000, 0, "x"),
        json!({"crdt_type": "set", "set_op": {"op": "add", "elements": [1]}}),
    ));
    kept(&body(json!({"crdt_type": "counter", "counter_delta": {"inc": 1, "dec": 2}})));
    kept(&body(json!({"crdt_type": "set", "set_op": {"op": "add", "elements": ["e"]}})));
    kept(&body(json!({"crdt_type": "weird", "value": {"any": ["thing", 1.50]}})));
    kept(&body(json!({"crdt_type": "list", "list_op": {"op": "delete", "node_id": {"ts": 1, "c": 0, "node": "x"}}})));
    kept(&change("priority", (1000, 0, "x"), json!({"value": 7})));
    kept(&change("tags", (1000, 0, "x"), json!({"value": ["a"]})));
}

/// A key that no row of the table can have.
#[test]
fn keys_that_no_row_can_have() {
    let numbers = "CREATE TABLE n(id INTEGER PRIMARY KEY, v); SELECT crdt_enable('n');
                   CREATE TABLE pair(a TEXT, b INTEGER, v, PRIMARY KEY(a, b)); SELECT crdt_enable('pair')";
    for (table, pk) in [
        ("n", "text"),
        ("n", "1.5"),
        ("n", "01"),
        ("n", ""),
        ("pair", "[]"),
        ("pair", "[1]"),
        ("pair", "x"),
        ("pair", "[1,2,3]"),
    ] {
        let [a, b] = nodes(["a", "b"], numbers);
        let odd = change("v", (1000, 0, "x"), json!({"table": table, "pk": pk, "value": 1}));
        let good = change("v", (1000, 0, "x"), json!({"table": "n", "pk": "7", "value": 1}));
        assert_eq!(take(&a, &[odd, good])["pending"], 1, "{table} {pk}");
        assert_eq!(rows(&a, "SELECT id FROM n"), ["7"]);
        send(&a, &b);
        same(&a, &b, table);
    }
}

#[test]
fn stamps_beyond_the_drift_limit() {
    let a = node("a", TASKS);
    let far = i64::MAX - 5;
    let minutes = now(&a) + 600_000_000_000;
    for (i, ts) in [minutes, far].into_iter().enumerate() {
        let answer = take(&a, &[lww("title", (ts, 0, "fast"), "future"), lww("done", (1000, 0, "x"), i as i64)]);
        assert_eq!(answer["pending"], 1, "{answer}");
    }
    assert_eq!(rows(&a, "SELECT title FROM tasks"), ["NULL"]);
    assert!(now(&a) < minutes);
    let listed = rows(&a, "SELECT * FROM crdt_pending()");
    assert_eq!(listed.len(), 2, "{listed:?}");
    let request = json!({"node_id": "fast", "changes": [lww("title", (far, 1, "fast"), "x")]}).to_string();
    let answer: Value = serde_json::from_str(&text(&a, "SELECT crdt_push(?1)", [&request])).unwrap();
    assert_eq!(answer["rejected"], json!([]));
    // The same again is no second one.
    take(&a, &[lww("title", (minutes, 0, "fast"), "future")]);
    assert_eq!(rows(&a, "SELECT count(*) FROM crdt_pending()"), ["3"]);
}

/// Large but honest input is taken.
#[test]
fn large_but_honest() {
    let [a, b] = nodes(["a", "b"], TASKS);
    let long = "n".repeat(1 << 20);
    let elements: Vec<_> = (0..10_000).collect();
    let nested = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    take(&a, &[lww("title", (1000, 0, "x"), long.as_str()), set("add", (1001, 0, "x"), json!(elements))]);
    take(&a, &[change("title", (1000, 0, "x"), json!({"pk": "k".repeat(10_000), "value": 1}))]);
    merge(&a, &format!("[{}]", set("add", (1002, 0, "x"), json!(["HERE"])).to_string().replace("\"HERE\"", &nested)));
    take(&a, &[lww("title", (2000, 0, &"x".repeat(255)), "a node id of 255 bytes")]);
    send(&a, &b);
    same(&a, &b, "tasks");
    assert_eq!(rows(&b, "SELECT json_array_length(tags) FROM tasks WHERE id = 't1'"), ["10001"]);
}
