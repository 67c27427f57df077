//! Nodes that lie: they spoil the records that they write, and no more. Honest nodes go on: they export, merge, agree, and keep
//! their clocks near the wall clock.

use rusqlite::Connection;
use serde_json::{json, Value};

use crate::common::text;
use crate::support::*;

const DRIFT: i64 = 300_000_000_000;

fn wall() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_nanos()).unwrap()
}

/// Two honest nodes with rows of their own, where the first has been lied to: they still agree, and their clocks are sane.
#[track_caller]
fn honest(told: &Connection, other: &Connection) {
    run(told, "INSERT OR REPLACE INTO tasks VALUES ('mine', 'told', 1, '[1]', 0)");
    run(other, "INSERT OR REPLACE INTO tasks VALUES ('yours', 'other', 2, '[2]', 1)");
    for _ in 0..2 {
        swap(told, other);
    }
    same(told, other, "tasks");
    for conn in [told, other] {
        assert_eq!(
            rows(conn, "SELECT title FROM tasks WHERE id IN ('mine', 'yours') ORDER BY id"),
            ["'told'", "'other'"]
        );
        let ahead = now(conn) - wall();
        assert!(ahead <= DRIFT + 1_000_000, "the clock is {ahead} ns ahead");
    }
    // What is written after the lie holds: it is stamped later than all that was taken in.
    run(told, "UPDATE tasks SET title = 'after' WHERE id = 'mine'");
    swap(told, other);
    assert_eq!(rows(other, "SELECT title FROM tasks WHERE id = 'mine'"), ["'after'"]);
    let third = node("third", TASKS);
    send(other, &third);
    same(told, &third, "tasks");
}

/// The same lie by merge and by push.
#[track_caller]
fn lie(changes: &[Value]) {
    for push in [false, true] {
        let [told, other] = nodes(["told", "other"], TASKS);
        run(&told, "INSERT INTO tasks VALUES ('t1', 'honest', 3, '[\"tag\"]', 0), ('mine', 'm', 0, '[]', 0)");
        swap(&told, &other);
        if push {
            let request = json!({"node_id": "liar", "changes": changes}).to_string();
            text(&told, "SELECT crdt_push(?1)", [request]);
        } else {
            take(&told, changes);
        }
        honest(&told, &other);
    }
}

#[test]
fn stamps_at_the_edges() {
    let near = wall() + DRIFT - 5_000_000_000;
    for (ts, c) in [
        (0, 0),
        (0, u32::MAX),
        (i64::MAX, u32::MAX),
        (i64::MAX - 1, 0),
        (near, 0),
        (near, u32::MAX),
        (near + 1, u32::MAX),
    ] {
        lie(&[
            lww("title", (ts, c, "liar"), "lie"),
            counter((ts, c, "liar"), 1, 0),
            set("add", (ts, c, "liar"), json!(["lie"])),
        ]);
        lie(&[tombstone((ts, c, "liar"))]);
        lie(&[change("_row", (ts, c, "liar"), json!({"pk": "mine", "value": true}))]);
    }
}

/// A clock cannot be walked ahead by telling it so again and again.
#[test]
fn a_clock_is_not_walked_ahead() {
    let [told, other] = nodes(["told", "other"], TASKS);
    for i in 0..200 {
        let ahead = now(&told).max(wall()) + DRIFT - 1_000_000;
        take(&told, &[lww("title", (ahead, u32::MAX, "liar"), i)]);
        run(&told, "INSERT OR REPLACE INTO tasks(id) VALUES ('local')");
    }
    honest(&told, &other);
}

#[test]
fn ids_of_others() {
    let ts = wall();
    for node in ["other", "third", "_base", "other~7.00000000", "told~1.00000000", "\0", &"n".repeat(255)] {
        lie(&[
            lww("title", (ts, 7, node), "lie"),
            counter((ts, 7, node), 1 << 60, 0),
            set("remove", (ts, 7, node), json!(["tag"])),
        ]);
        lie(&[tombstone((ts, 7, node))]);
    }
}

/// A liar who writes as the node that it speaks to: the node takes another id each time, and goes on.
#[test]
fn the_own_id_comes_back_from_a_liar() {
    let [told, other] = nodes(["told", "other"], TASKS);
    let mut ids = vec!["told".to_owned()];
    for i in 0..5 {
        let me = text(&told, "SELECT crdt_node_id()", []);
        take(&told, &[lww("title", (wall(), i, &me), "not mine"), counter((wall(), i, &me), 1 << 40, 0)]);
        ids.push(text(&told, "SELECT crdt_node_id()", []));
        honest(&told, &other);
    }
    ids.dedup();
    assert_eq!(ids.len(), 6, "{ids:?}");
}

#[test]
fn false_tales_of_what_was_known() {
    let ts = wall();
    let far = json!({"ts": i64::MAX, "c": u32::MAX, "node": "other"});
    let tale = |key: &str, value: Value| {
        let mut change = lww("title", (ts, 0, "liar"), "lie");
        change[key] = value;
        change
    };
    lie(&[tale("prev", far.clone())]);
    lie(&[tale("seen", json!([far, far, {"ts": i64::MAX, "c": 0, "node": "told"}]))]);
    lie(&[tale("altered", json!(true))]);
    let mut delete = tombstone((ts, 0, "liar"));
    delete["seen"] = json!([far, {"ts": i64::MAX, "c": 0, "node": "told"}]);
    lie(&[delete.clone()]);
    delete["forgotten"] = json!({"ts": ts, "c": 0, "node": "liar"});
    lie(&[delete]);
    let mut born = counter((ts, 0, "other"), 5, 0);
    born["born"] = json!({"ts": ts, "c": 0, "node": "other"});
    lie(&[born]);
    lie(&[counter((ts, 1, "liar"), i64::MAX, 0), counter((ts, 2, "other"), i64::MAX, 0)]);
    lie(&[change(
        "priority",
        (ts, 0, "liar"),
        json!({"crdt_type": "counter", "counter_delta": {"inc": u64::MAX, "dec": u64::MAX}}),
    )]);
}

/// The second value of a liar under one stamp, told to another node.
#[test]
fn two_tongues() {
    let ts = wall();
    for (one, two) in [
        (lww("title", (ts, 0, "liar"), 1), lww("title", (ts, 0, "liar"), "two")),
        (counter((ts, 0, "liar"), 1, 9), counter((ts, 0, "liar"), 9, 1)),
        (set("add", (ts, 0, "liar"), json!([1])), set("remove", (ts, 0, "liar"), json!([1, "tag"]))),
        (set("add", (ts, 0, "liar"), json!([1])), set("add", (ts, 0, "liar"), json!([2]))),
        (tombstone((ts, 0, "liar")), lww("title", (ts, 0, "liar"), "alive")),
        (
            change("title", (ts, 0, "liar"), json!({"crdt_type": "mv", "value": 1})),
            change("title", (ts, 0, "liar"), json!({"crdt_type": "mv", "value": 2})),
        ),
    ] {
        let [told, other] = nodes(["told", "other"], TASKS);
        take(&told, &[one]);
        take(&other, &[two]);
        honest(&told, &other);
    }
}

/// `_left` by a push takes nothing away; in an export that is merged, a record at most until it is sent again.
#[test]
fn left_is_forged() {
    let left = change(
        "_left",
        (0, 0, ""),
        json!({"crdt_type": "", "knows": {"told": {"ts": i64::MAX, "c": 0}, "other": {"ts": i64::MAX, "c": 0}}}),
    );
    lie(std::slice::from_ref(&left));
    let [told, other] = nodes(["told", "other"], TASKS);
    run(&told, "INSERT INTO tasks(id, title) VALUES ('t1', 'honest')");
    let request = json!({"node_id": "liar", "changes": [left]}).to_string();
    assert!(text(&told, "SELECT crdt_push(?1)", [request]).contains("\"rejected\":[{\"index\":0"));
    assert_eq!(rows(&told, "SELECT title FROM tasks"), ["'honest'"]);
    honest(&told, &other);
}

/// A peer that says it has everything, under its own name or another's, prunes nothing that others need.
#[test]
fn acknowledgements_that_lie() {
    let [told, other] = nodes(["told", "other"], TASKS);
    run(&told, "INSERT INTO tasks(id, title) VALUES ('t1', 'one'), ('t2', 'two')");
    let first = page(&text(&told, "SELECT crdt_pull('{\"node_id\":\"other\"}')", []));
    merge(&other, &first.json);
    run(&told, "UPDATE tasks SET title = 'later'; DELETE FROM tasks WHERE id = 't2'");
    let end = mark(&told);
    for node in ["liar", "other", "other", "third"] {
        text(&told, "SELECT crdt_pull(?1)", [format!("{{\"node_id\":\"{node}\",\"since\":{end}}}")]);
        let beyond = r#"{"ts":1,"c":0,"node":"told~9223372036854775807.00000000"}"#;
        text(&told, "SELECT crdt_pull(?1)", [format!("{{\"node_id\":\"{node}\",\"since\":{beyond}}}")]);
    }
    run(&told, "SELECT crdt_pragma('tombstone_ttl', '0s'); SELECT crdt_cleanup_tombstones()");
    for round in 0..3 {
        for i in 0..700 {
            run(&told, &format!("INSERT OR REPLACE INTO tasks(id, title) VALUES ('r{}', {round})", i % 40));
        }
        run(&told, "SELECT crdt_status()");
    }
    run(&told, "SELECT crdt_cleanup_tombstones()");
    // The honest one comes with the cursor that it really had.
    let request = format!("{{\"node_id\":\"other\",\"since\":{}}}", first.cursor);
    merge(&other, &text(&told, "SELECT crdt_pull(?1)", [request]));
    assert_eq!(table(&told, "tasks"), table(&other, "tasks"));
    // What one has forgotten, and the other not yet, tells their full digests apart.
    assert_eq!(digest(&told, "tasks"), digest(&other, "tasks"));
    run(&other, "SELECT crdt_pragma('tombstone_ttl', '0s'); SELECT crdt_cleanup_tombstones()");
    honest(&told, &other);
}

/// What a peer calls its latest stamp is not looked at.
#[test]
fn a_latest_stamp_of_the_future() {
    let [told, other] = nodes(["told", "other"], TASKS);
    merge(
        &told,
        r#"{"changes":[],"latest_hlc":{"ts":9223372036854775807,"c":4294967295,"node":"liar"},"has_more":true}"#,
    );
    honest(&told, &other);
}
