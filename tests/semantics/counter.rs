//! Counters: the column shows the sum of every node's parts.

use serde_json::{json, Value};

use crate::common::text;
use crate::support::*;

#[test]
fn writes_are_differences() {
    let [a, b] = nodes(["a", "b"], TASKS);
    run(&a, "INSERT INTO tasks(id, priority) VALUES ('t1', 10)");
    swap(&a, &b);
    run(&a, "UPDATE tasks SET priority = priority + 5; UPDATE tasks SET priority = priority - 2");
    run(&b, "UPDATE tasks SET priority = 3");
    swap(&a, &b);
    assert_eq!(rows(&a, "SELECT priority FROM tasks"), ["6"], "10 + 5 - 2, and b's 10 to 3");
    same(&a, &b, "tasks");
    let page = since(&a, None);
    let part =
        |node: &str| page.changes.iter().find(|c| c["crdt_type"] == "counter" && c["node_id"] == node).unwrap().clone();
    assert_eq!(part("a")["counter_delta"], json!({"inc": 15, "dec": 2}), "running totals");
    assert_eq!(part("b")["counter_delta"], json!({"inc": 0, "dec": 7}));
}

#[test]
fn totals_merge_by_maximum_in_any_order() {
    let parts = [
        counter((1000, 0, "x"), 5, 1),
        counter((1001, 0, "x"), 7, 1),
        counter((1002, 0, "x"), 7, 4),
        counter((1000, 0, "y"), 1, 0),
    ];
    for rotation in 0..parts.len() {
        let a = node("a", TASKS);
        for i in 0..2 * parts.len() {
            take(&a, std::slice::from_ref(&parts[(i + rotation) % parts.len()]));
        }
        assert_eq!(rows(&a, "SELECT priority FROM tasks"), ["4"]);
    }
}

/// NULL counts as 0, and the column stays NULL until a first part exists.
#[test]
fn null_counts_as_zero() {
    let setup = "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, n INTEGER); SELECT crdt_enable('t', 'n:counter')";
    let [a, b] = nodes(["a", "b"], setup);
    run(&a, "INSERT INTO t VALUES ('1', NULL)");
    send(&a, &b);
    assert_eq!(table(&b, "t"), ["'1', NULL"]);
    run(&a, "UPDATE t SET n = 4");
    run(&b, "UPDATE t SET n = coalesce(n, 0) + 1");
    swap(&a, &b);
    assert_eq!(table(&a, "t"), ["'1', 5"]);
    same(&a, &b, "t");
    run(&a, "UPDATE t SET n = NULL");
    send(&a, &b);
    assert_eq!(table(&b, "t"), ["'1', 0"], "NULL takes back what was there");
    assert_eq!(digest(&a, "t"), digest(&b, "t"));
    send(&b, &a);
    run(&b, "UPDATE t SET n = 2");
    send(&b, &a);
    same(&a, &b, "t");
}

#[test]
fn sums_saturate_without_losing_parts() {
    let [a, b] = nodes(["a", "b"], TASKS);
    take(&a, &[counter((1000, 0, "x"), i64::MAX, 0), counter((1000, 0, "y"), i64::MAX, 0)]);
    assert_eq!(rows(&a, "SELECT priority FROM tasks"), [i64::MAX.to_string()]);
    take(&a, &[counter((1001, 0, "y"), i64::MAX, i64::MAX)]);
    assert_eq!(rows(&a, "SELECT priority FROM tasks"), [i64::MAX.to_string()], "exactly one maximum is left");
    take(&a, &[counter((1000, 0, "z"), 0, 7)]);
    assert_eq!(rows(&a, "SELECT priority FROM tasks"), [(i64::MAX - 7).to_string()]);
    take(
        &a,
        &[
            counter((1001, 0, "z"), 0, i64::MAX),
            counter((1000, 0, "w"), 0, i64::MAX),
            counter((1000, 0, "v"), 0, i64::MAX),
        ],
    );
    assert_eq!(rows(&a, "SELECT priority FROM tasks"), [i64::MIN.to_string()]);
    // Local writes across the whole range: old and new are kept, not an overflowing difference.
    run(&b, "INSERT INTO tasks(id, priority) VALUES ('t1', -9223372036854775808); UPDATE tasks SET priority = 9223372036854775807");
    run(&b, "UPDATE tasks SET priority = -9223372036854775808; UPDATE tasks SET priority = 5");
    assert_eq!(rows(&b, "SELECT priority FROM tasks"), ["5"]);
    let c = node("c", TASKS);
    send(&b, &c);
    assert_eq!(rows(&c, "SELECT priority FROM tasks"), ["5"]);
    swap(&a, &b);
    send(&b, &c);
    same(&a, &b, "tasks");
    same(&a, &c, "tasks");
}

/// The option `counters: operations` adds each operation once, remembered by author and stamp, and relays it.
#[test]
fn operations_are_added_once_and_relayed() {
    let [a, b, c] = nodes(["a", "b", "c"], TASKS);
    let push = |conn: &rusqlite::Connection, change: Value| -> Value {
        let request = json!({"node_id": "js", "changes": [change]}).to_string();
        let options = r#"{"counters":"operations"}"#;
        serde_json::from_str(&text(conn, "SELECT crdt_push(?1, ?2)", [&request, options])).unwrap()
    };
    for change in [
        counter((1000, 0, "js"), 1, 0),
        counter((1001, 0, "js"), 1, 0),
        counter((1001, 1, "js"), 0, 4),
        counter((1000, 0, "js2"), 1, 0),
    ] {
        assert_eq!(push(&a, change.clone())["merged"], 1);
        push(&a, change.clone());
        push(&b, change);
    }
    assert_eq!(rows(&a, "SELECT priority FROM tasks"), ["-1"]);
    push(&b, counter((1002, 0, "js"), 10, 0));
    for _ in 0..2 {
        swap(&a, &b);
        send(&a, &c);
    }
    assert_eq!(rows(&c, "SELECT priority FROM tasks"), ["9"], "what both had taken counts once");
    same(&a, &b, "tasks");
    same(&a, &c, "tasks");
    // Totals of the same author beside its operations.
    run(&c, "UPDATE tasks SET priority = priority + 1");
    send(&c, &a);
    assert_eq!(rows(&a, "SELECT priority FROM tasks"), ["10"]);
}

/// Deltas of concurrent writers in one transaction each, several columns.
#[test]
fn several_counters_in_one_row() {
    let setup = "CREATE TABLE t(id INTEGER PRIMARY KEY, x INTEGER NOT NULL DEFAULT 0, y INTEGER, v);
                 SELECT crdt_enable('t', 'x:counter', 'y:counter')";
    let [a, b] = nodes(["a", "b"], setup);
    run(&a, "INSERT INTO t(id) VALUES (1)");
    send(&a, &b);
    run(&a, "BEGIN; UPDATE t SET x = x + 1, y = 1; UPDATE t SET x = x + 1, v = 'a'; COMMIT");
    run(&b, "BEGIN; UPDATE t SET x = x - 10, y = -1; SAVEPOINT s; UPDATE t SET x = 100; ROLLBACK TO s; COMMIT");
    swap(&a, &b);
    assert_eq!(table(&a, "t"), ["1, -8, 0, 'a'"]);
    same(&a, &b, "t");
}
