//! Hooks on the way in: what they see, skip and abort.

use serde_json::{json, Value};

use crate::common::text;
use crate::support::*;
use crate::{hook, merge_error};

/// One change of each kind; what the parameters say of each.
#[test]
fn what_the_parameters_are() {
    let a = node("a", TASKS);
    run(&a, "CREATE TABLE seen(change, tbl, pk, field, crdt_type, node_id, value)");
    let columns = ":change, :table, :pk, :field, :crdt_type, :node_id, :value";
    hook(&a, "see", "after_inbound", &format!("INSERT INTO seen VALUES ({columns})"));
    take(
        &a,
        &[
            lww("title", (1, 0, "x"), "é"),
            lww("TITLE", (2, 0, "x"), json!({"$blob": "00ff"})),
            lww("title", (3, 0, "x"), json!(null)),
            lww("title", (4, 0, "x"), json!(1.0)),
            lww("title", (5, 0, "x"), json!({"$real": "Infinity"})),
            lww("title", (6, 0, "x"), json!([1, {"a": 2}])),
            lww("done", (7, 0, "y"), json!(i64::MIN)),
            counter((8, 0, "y"), 3, 1),
            set("add", (9, 0, "y"), json!(["b", 1])),
            set("remove", (10, 0, "y"), json!(["b"])),
            change("_row", (11, 0, "y"), json!({"value": true})),
            change("steps", (12, 0, "y"), json!({"crdt_type": "list", "list_op": {"op": "insert"}})),
            change("", (13, 0, "z"), json!({"table": "TASKS", "tombstone": true})),
            change("later", (14, 0, "z"), json!({"value": "unknown column"})),
        ],
    );
    assert_eq!(
        rows(&a, "SELECT tbl, pk, field, crdt_type, node_id, value FROM seen ORDER BY rowid"),
        [
            "'tasks', 't1', 'title', 'lww', 'x', 'é'",
            "'tasks', 't1', 'title', 'lww', 'x', x'00ff'",
            "'tasks', 't1', 'title', 'lww', 'x', NULL",
            "'tasks', 't1', 'title', 'lww', 'x', 1.0",
            "'tasks', 't1', 'title', 'lww', 'x', inf",
            "'tasks', 't1', 'title', 'lww', 'x', '[1,{\"a\":2}]'",
            "'tasks', 't1', 'done', 'lww', 'y', -9223372036854775808",
            "'tasks', 't1', 'priority', 'counter', 'y', '{\"inc\":3,\"dec\":1}'",
            "'tasks', 't1', 'tags', 'set', 'y', '{\"op\":\"add\",\"elements\":[\"b\",1]}'",
            "'tasks', 't1', 'tags', 'set', 'y', '{\"op\":\"remove\",\"elements\":[\"b\"]}'",
            "'tasks', 't1', '_row', 'lww', 'y', 1",
            "'tasks', 't1', 'steps', 'list', 'y', NULL",
            "'tasks', 't1', '_tombstone', '', 'z', NULL",
            "'tasks', 't1', 'later', 'lww', 'z', 'unknown column'",
        ]
    );
    let changes = rows(&a, "SELECT json_extract(change, '$.hlc.ts') FROM seen WHERE json_valid(change) ORDER BY rowid");
    assert_eq!(changes, (1..=14).map(|ts: i64| ts.to_string()).collect::<Vec<_>>());
}

#[test]
fn skipping() {
    let a = node("a", TASKS);
    hook(&a, "no drafts", "before_inbound", "SELECT :change WHERE :field <> 'title' OR :value NOT LIKE 'draft%'");
    let changes = [
        lww("title", (1, 0, "x"), "draft 1"),
        lww("done", (2, 0, "x"), 1),
        counter((3, 0, "x"), 5, 0),
        set("add", (4, 0, "x"), json!(["a"])),
    ];
    let answer = take(&a, &changes);
    assert_eq!((&answer["merged"], &answer["unchanged"], &answer["skipped"]), (&json!(3), &json!(0), &json!(1)));
    assert_eq!(table(&a, "tasks"), ["'t1', NULL, 5, '[\"a\"]', 1"]);
    // What was skipped is not known: it is asked for again, and taken when the hook is gone.
    assert_eq!(take(&a, &changes)["skipped"], 1);
    text(&a, "SELECT crdt_unhook('no drafts')", []);
    let answer = take(&a, &changes);
    assert_eq!((&answer["merged"], answer.get("skipped")), (&json!(1), None));
    assert_eq!(text(&a, "SELECT title FROM tasks", []), "draft 1");
    sound(&a);
}

/// NULL and no row both skip; every change of a record skipped leaves nothing of it.
#[test]
fn skipping_all() {
    for sql in ["SELECT NULL", "SELECT :change WHERE 0"] {
        let a = node("a", TASKS);
        let b = node("b", TASKS);
        run(&b, "INSERT INTO tasks VALUES ('t1', 'x', 3, '[1]', 0), ('t2', 'y', 0, '[]', 1); DELETE FROM tasks WHERE id = 't2'");
        let place = mark(&a);
        hook(&a, "none", "before_inbound", sql);
        let all = since(&b, None).changes.len();
        let answer = send(&b, &a);
        assert_eq!((&answer["merged"], &answer["skipped"]), (&json!(0), &json!(all)));
        assert_eq!(table(&a, "tasks"), [] as [&str; 0]);
        assert_eq!(rows(&a, "SELECT count(*) FROM _crdt_clock"), ["0"]);
        assert_eq!(since(&a, Some(&place)).changes.len(), 0);
        sound(&a);
        text(&a, "SELECT crdt_unhook('none')", []);
        send(&b, &a);
        same(&a, &b, "tasks");
    }
}

/// A hook is asked of what would change something, and of nothing else.
#[test]
fn known_changes_are_no_business_of_hooks() {
    let a = node("a", TASKS);
    let changes = [
        lww("title", (5, 0, "x"), "x"),
        counter((5, 0, "x"), 5, 0),
        set("add", (5, 0, "x"), json!(["a"])),
        set("remove", (6, 0, "y"), json!(["b"])),
        change("_row", (9, 0, "x"), json!({"value": true})),
        tombstone((3, 0, "x")),
    ];
    take(&a, &changes);
    hook(&a, "abort", "before_inbound", "SELECT 'asked of ' || :field");
    let answer = take(&a, &changes);
    assert_eq!((&answer["merged"], &answer["unchanged"]), (&json!(0), &json!(changes.len())));
    let older = [
        lww("title", (4, 0, "y"), "y"),
        counter((5, 0, "x"), 4, 0),
        change("_row", (8, 0, "x"), json!({"value": true})),
        tombstone((2, 0, "x")),
    ];
    assert_eq!(take(&a, &older)["unchanged"], 4);
    for newer in [
        lww("title", (6, 0, "y"), "y"),
        counter((7, 0, "x"), 6, 0),
        set("add", (6, 0, "x"), json!(["a"])),
        change("_row", (10, 0, "x"), json!({"value": true})),
        tombstone((4, 0, "x")),
    ] {
        assert!(merge_error(&a, &[newer]).contains("asked of"));
    }
}

/// An error of whatever kind: nothing of the call is kept, and the message names the function and the hook.
#[test]
fn aborting() {
    for (sql, part) in [
        ("SELECT CASE WHEN :field = 'done' THEN 'done is not for you' ELSE :change END", "done is not for you"),
        ("SELECT CASE WHEN :field = 'done' THEN json('{') ELSE :change END", "JSON"),
        ("SELECT CASE WHEN :field = 'done' THEN abs(-9223372036854775808) ELSE :change END", "overflow"),
        ("SELECT CASE WHEN :field = 'done' THEN 7 ELSE :change END", "integer"),
        ("SELECT CASE WHEN :field = 'done' THEN x'7b7d' ELSE :change END", "blob"),
        ("SELECT CASE WHEN :field = 'done' THEN '{}' ELSE :change END", "not a change record"),
        ("SELECT json_set(:change, '$.pk', 't2')", "changed the pk"),
        ("SELECT json_set(:change, '$.hlc.c', 7)", "changed the stamp"),
        ("SELECT json_set(:change, '$.value', json('{}'), '$.crdt_type', 'set')", "set_op"),
    ] {
        let a = node("a", TASKS);
        run(&a, "INSERT INTO tasks(id, title) VALUES ('t0', 'mine')");
        export(&a);
        hook(&a, "the gate", "before_inbound", sql);
        let before = contents(&a);
        let message = merge_error(&a, &[lww("title", (i64::MAX / 8, 0, "x"), "x"), lww("done", (2, 0, "x"), 1)]);
        assert!(message.starts_with("crdt_merge: hook 'the gate': ") && message.contains(part), "{message}");
        assert_eq!(contents(&a), before);
        assert!(a.is_autocommit());
        let request = json!({"node_id": "x", "changes": [lww("done", (i64::MAX / 8, 0, "x"), 1)]}).to_string();
        let message = crate::common::error(&a, "SELECT crdt_push(?1)", [request]);
        assert!(message.starts_with("crdt_push: hook 'the gate': "), "{message}");
        assert_eq!(contents(&a), before);
    }
}

#[test]
fn contents_that_replicas_must_agree_on() {
    let a = node("a", TASKS);
    for (sql, change) in [
        ("SELECT json_set(:change, '$.counter_delta.inc', 9)", counter((1, 0, "x"), 1, 0)),
        ("SELECT json_set(:change, '$.set_op.elements', json('[2]'))", set("add", (1, 0, "x"), json!([1]))),
        ("SELECT json_set(:change, '$.set_op.op', 'add')", set("remove", (1, 0, "x"), json!([1]))),
    ] {
        hook(&a, "h", "before_inbound", sql);
        let message = merge_error(&a, &[change]);
        assert!(message.contains("hook 'h'") && message.contains("replicas would disagree"), "{message}");
    }
    // Written anew without a change of meaning they pass.
    hook(&a, "h", "before_inbound", "SELECT json(:change)");
    let all = [
        counter((1, 0, "x"), 1, 0),
        set("add", (1, 0, "x"), json!([1])),
        tombstone((1, 0, "x")),
        change("_row", (2, 0, "x"), json!({"value": true})),
        change("steps", (1, 0, "x"), json!({"crdt_type": "list", "list_op": {"op": "insert"}})),
    ];
    assert_eq!(take(&a, &all)["merged"], all.len());
}

#[test]
fn globs_choose_tables() {
    let a = node("a", TASKS);
    run(&a, "CREATE TABLE notes(id TEXT PRIMARY KEY NOT NULL, body); SELECT crdt_enable('notes')");
    text(&a, "SELECT crdt_hook('h', 'before_inbound', 'SELECT NULL', 'no*')", []);
    let body = |table: &str, ts: i64| change("body", (ts, 0, "x"), json!({"table": table, "value": "v"}));
    let answer = take(&a, &[body("notes", 1), body("NOTES", 2), lww("title", (1, 0, "x"), 1)]);
    assert_eq!((&answer["merged"], &answer["skipped"]), (&json!(1), &json!(2)));
    run(&a, "ALTER TABLE notes RENAME TO papers; SELECT crdt_enable('papers')");
    assert_eq!(take(&a, &[body("papers", 3)])["merged"], 1, "the glob is of the present name");
}

/// The hook sees the database as it was before the merge, also in a transaction of the caller's.
#[test]
fn hooks_look_at_tables() {
    let a = node("a", TASKS);
    run(&a, "CREATE TABLE blocked(node TEXT); INSERT INTO blocked VALUES ('spam')");
    hook(&a, "blocked", "before_inbound", "SELECT :change WHERE :node_id NOT IN (SELECT node FROM blocked)");
    let changes = [lww("title", (1, 0, "spam"), "buy"), lww("done", (1, 0, "x"), 1)];
    assert_eq!(take(&a, &changes)["skipped"], 1);
    run(&a, "BEGIN; DELETE FROM blocked");
    assert_eq!(take(&a, &changes)["merged"], 1);
    run(&a, "ROLLBACK");
    assert_eq!(table(&a, "tasks"), ["'t1', NULL, NULL, '[]', 1"]);
    // A table that is gone stops everything in, and says so; nothing passes unfiltered.
    run(&a, "DROP TABLE blocked");
    let message = merge_error(&a, &[lww("title", (2, 0, "y"), "hi")]);
    assert!(message.contains("hook 'blocked'") && message.contains("no such table"), "{message}");
    assert_eq!(status(&a)["hooks"][0]["error"], "sql: no such table: blocked");
    text(&a, "SELECT crdt_unhook('blocked')", []);
    take(&a, &[lww("title", (2, 0, "y"), "hi")]);
}

/// Keys of every shape, WITHOUT ROWID, quoted names.
#[test]
fn every_shape_of_table() {
    let b = node("b", "");
    let a = node("a", "");
    let setup =
        "CREATE TABLE numbers(id INTEGER PRIMARY KEY, v); CREATE TABLE pairs(a, b, v, PRIMARY KEY(a, b)) WITHOUT ROWID;
        CREATE TABLE \"the \"\"select\"\" 'table'\"(\"from\" TEXT PRIMARY KEY NOT NULL, \"a 'b'\" BLOB);
        SELECT crdt_enable('numbers'), crdt_enable('pairs'), crdt_enable('the \"select\" ''table''')";
    for conn in [&a, &b] {
        run(conn, setup);
    }
    run(
        &b,
        "INSERT INTO numbers VALUES (-5, 1), (7, 2); INSERT INTO pairs VALUES (1, 'x', 1), (1.0, x'00', 2);
        INSERT INTO \"the \"\"select\"\" 'table'\" VALUES ('k', x'01'), ('[l]', 'y')",
    );
    run(&a, "CREATE TABLE seen(tbl, pk, field, value)");
    hook(&a, "pass", "before_inbound", "SELECT :change WHERE :pk NOT IN ('7', '[l]') AND :pk NOT LIKE '%blob%'");
    hook(&a, "see", "after_inbound", "INSERT INTO seen VALUES (:table, :pk, :field, :value)");
    send(&b, &a);
    assert_eq!(
        rows(&a, "SELECT * FROM seen ORDER BY 1, 2"),
        ["'numbers', '-5', 'v', 1", "'pairs', '[1,\"x\"]', 'v', 1", "'the \"select\" 'table'', 'k', 'a 'b'', x'01'"]
    );
    assert_eq!(rows(&a, "SELECT count(*) FROM numbers UNION ALL SELECT count(*) FROM pairs"), ["1", "1"]);
    sound(&a);
}

/// A stamp that is known by many changes of one record in one call: each is weighed after the ones before it.
#[test]
fn one_call_many_changes_of_a_field() {
    let a = node("a", TASKS);
    hook(&a, "odd", "before_inbound", "SELECT :change WHERE :value % 2");
    let changes: Vec<Value> = (1..=6).map(|ts: i64| lww("done", (ts, 0, "x"), ts)).rev().collect();
    let answer = take(&a, &changes);
    assert_eq!((&answer["merged"], &answer["skipped"]), (&json!(3), &json!(3)));
    assert_eq!(text(&a, "SELECT done FROM tasks", []), "5");
}
