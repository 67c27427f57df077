//! Rows from before `crdt_enable`, and what changes while capture is off.

use serde_json::{json, Value};

use crate::common::{error, text};
use crate::support::*;

const SHIPPED: &str = "CREATE TABLE tasks(id TEXT PRIMARY KEY NOT NULL, title TEXT, priority INTEGER DEFAULT 0, tags TEXT DEFAULT '[]', done INTEGER DEFAULT 0);
    INSERT INTO tasks VALUES ('t1', 'shipped', 10, '[\"a\",\"b\"]', 0), ('t2', 'also', 5, '[]', 1);";
const ENABLE: &str = "SELECT crdt_enable('tasks', 'priority:counter', 'tags:set')";

fn enable(conn: &rusqlite::Connection) -> Value {
    serde_json::from_str(&text(conn, ENABLE, [])).unwrap()
}

#[test]
fn the_answer_of_enable() {
    let a = node("a", SHIPPED);
    let answer = enable(&a);
    assert_eq!(
        answer,
        json!({"table": "tasks", "fields": {"title": "lww", "priority": "counter", "tags": "set", "done": "lww"}, "rows": 2, "warnings": []})
    );
    let again = enable(&a);
    assert_eq!((&again["fields"], &again["warnings"]), (&answer["fields"], &json!([])));
    for (ddl, warned) in [
        ("id INTEGER PRIMARY KEY, v", true),
        ("id INTEGER PRIMARY KEY AUTOINCREMENT, v", true),
        ("id INT PRIMARY KEY, v", false),
    ] {
        let b = node("b", &format!("CREATE TABLE t({ddl})"));
        let answer: Value = serde_json::from_str(&text(&b, "SELECT crdt_enable('t')", [])).unwrap();
        assert_eq!(!answer["warnings"].as_array().unwrap().is_empty(), warned, "{answer}");
    }
}

#[test]
fn existing_rows_are_stamped_below_every_write() {
    let a = node("a", &format!("{SHIPPED} {ENABLE}"));
    let page = since(&a, None);
    assert!(page.fields().contains(&"t1.title".to_string()) && page.fields().contains(&"t2.priority".to_string()));
    for change in &page.changes {
        assert_eq!(change["hlc"], json!({"ts": 0, "c": 1, "node": "_base"}), "{change}");
        assert_eq!(change["node_id"], "_base");
    }
}

/// Two devices that ship the same initial data do not double it.
#[test]
fn two_devices_with_the_same_data() {
    let [a, b, c] = ["a", "b", "c"].map(|name| node(name, &format!("{SHIPPED} {ENABLE}")));
    assert_eq!(digest(&a, "tasks"), digest(&b, "tasks"), "equal before they ever met");
    run(&a, "UPDATE tasks SET priority = priority + 1, tags = '[\"b\",\"c\"]', title = 'from a' WHERE id = 't1'");
    run(&b, "UPDATE tasks SET priority = priority - 2, done = 7 WHERE id = 't1'");
    swap(&a, &b);
    assert_eq!(table(&a, "tasks")[0], "'t1', 'from a', 9, '[\"b\",\"c\"]', 7");
    same(&a, &b, "tasks");
    send(&a, &c);
    same(&a, &c, "tasks");
}

/// Stale data never beats an edit, not even one made long before.
#[test]
fn stale_data_never_beats_an_edit() {
    let a = node("a", TASKS);
    take(&a, &[lww("title", (1, 0, "x"), "edited in 1970")]);
    let b = node("b", &format!("{SHIPPED} {ENABLE}"));
    swap(&a, &b);
    assert_eq!(rows(&b, "SELECT title FROM tasks WHERE id = 't1'"), ["'edited in 1970'"]);
    same(&a, &b, "tasks");
    // Different initial data: the same on both in the end.
    let c = node(
        "c",
        &format!(
            "{} {ENABLE}",
            SHIPPED.replace("shipped", "shipped otherwise").replace("10, '[\"a\",\"b\"]'", "12, '[\"z\"]'")
        ),
    );
    swap(&b, &c);
    swap(&b, &a);
    send(&a, &c);
    same(&b, &c, "tasks");
    same(&a, &b, "tasks");
}

#[test]
fn a_disabled_table_captures_and_answers_nothing() {
    let [a, b] = nodes(["a", "b"], TASKS);
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t1', 'x')");
    send(&a, &b);
    run(&a, "SELECT crdt_disable('tasks')");
    let triggers = "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'tasks'";
    assert_eq!(rows(&a, triggers), ["0"]);
    assert!(error(&a, "SELECT crdt_merge(?1)", [export(&b)]).contains("tasks"));
    error(&a, "SELECT crdt_disable('tasks')", []);
    run(&a, "UPDATE tasks SET title = 'free', priority = 'not a number', tags = 'no array'");
}

#[test]
fn purge_forgets_the_state_and_keeps_the_rows() {
    let a = node("a", TASKS);
    run(&a, "INSERT INTO tasks VALUES ('t1', 'x', 1, '[1]', 0); DELETE FROM tasks; INSERT INTO tasks VALUES ('t1', 'y', 2, '[2]', 1)");
    run(&a, "SELECT crdt_disable('tasks', 'purge')");
    assert_eq!(table(&a, "tasks"), ["'t1', 'y', 2, '[2]', 1"]);
    assert_eq!(rows(&a, "SELECT count(*) FROM sqlite_schema WHERE name LIKE '%tasks_crdt%'"), ["0"]);
    enable(&a);
    let page = since(&a, None);
    assert!(page.changes.iter().all(|change| change["node_id"] == "_base"), "{}", page.json);
    assert_eq!(page.change("title")["value"], "y");
}

/// The script of `crdt_schema`, run by a client that has not loaded the extension, captures.
#[test]
fn the_script_of_crdt_schema() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let bare = rusqlite::Connection::open(&path).unwrap();
    let ddl = TASKS.split("SELECT").next().unwrap();
    run(&bare, ddl);
    let scratch = crate::common::open();
    run(&scratch, ddl);
    let script = text(&scratch, "SELECT crdt_schema('tasks', 'priority:counter', 'tags:set')", []);
    assert_eq!(rows(&scratch, "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'"), ["0"], "it only tells");
    run(&bare, &script);
    run(&bare, "INSERT INTO tasks VALUES ('t1', 'x', 3, '[\"e\"]', 0); UPDATE tasks SET priority = 5; PRAGMA trusted_schema = OFF; UPDATE tasks SET title = 'y'");
    assert!(try_run(&bare, "UPDATE tasks SET priority = 'x'").is_err());
    bare.close().unwrap();
    let a = crate::common::open_file(&path);
    let b = node("b", TASKS);
    send(&a, &b);
    assert_eq!(table(&b, "tasks"), ["'t1', 'y', 5, '[\"e\"]', 0"]);
    same(&a, &b, "tasks");
    enable(&a);
    run(&a, "UPDATE tasks SET done = 1");
    send(&a, &b);
    same(&a, &b, "tasks");
}

/// What changed while capture was off is recorded as local writes when it is on again.
#[test]
fn disable_keeps_the_state_and_enable_catches_up() {
    let [a, b] = nodes(["a", "b"], TASKS);
    run(&a, "INSERT INTO tasks VALUES ('t1', 'x', 1, '[1]', 0), ('t2', 'y', 2, '[2]', 0), ('t3', 'z', 3, '[3]', 0)");
    send(&a, &b);
    let place = mark(&a);
    run(&a, "SELECT crdt_disable('tasks')");
    run(&a, "UPDATE tasks SET title = 'meanwhile', priority = 11, tags = '[1,9]' WHERE id = 't1'; DELETE FROM tasks WHERE id = 't2'");
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t4', 'new')");
    assert_eq!(table(&a, "tasks").len(), 3, "the user's rows stay");
    enable(&a);
    let page = since(&a, Some(&place));
    for field in ["t1.title", "t1.priority", "t1.tags", "t2._tombstone", "t4.title"] {
        assert!(page.fields().contains(&field.to_string()), "{field}: {:?}", page.fields());
    }
    assert!(!page.fields().iter().any(|field| field.starts_with("t3.") || field == "t1.done"), "{:?}", page.fields());
    merge(&b, &page.json);
    same(&a, &b, "tasks");
}

/// New columns and changed types; everything else stays.
#[test]
fn enabling_again_with_other_types() {
    let [a, b] = nodes(
        ["a", "b"],
        "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, n INTEGER, v, local); SELECT crdt_enable('t', 'local:none')",
    );
    run(&a, "INSERT INTO t VALUES ('1', 5, 'x', 'mine')");
    send(&a, &b);
    assert_eq!(table(&b, "t"), ["'1', 5, 'x', NULL"], "a column of type none is not synced");
    let place = mark(&a);
    run(&a, "UPDATE t SET local = 'still mine'");
    assert_eq!(since(&a, Some(&place)).changes.len(), 0);
    for conn in [&a, &b] {
        run(conn, "SELECT crdt_enable('t', 'n:counter', 'local:none')");
    }
    let kept = since(&a, Some(&place));
    assert!(!kept.fields().contains(&"1.v".to_string()), "{}", kept.json);
    swap(&a, &b);
    run(&a, "UPDATE t SET n = n + 1");
    run(&b, "UPDATE t SET n = n + 10");
    swap(&a, &b);
    assert_eq!(rows(&a, "SELECT n FROM t"), ["16"]);
    assert_eq!(rows(&b, "SELECT n FROM t"), ["16"]);
}

/// The script of `crdt_schema` runs on another database also when this one has our tables already.
#[test]
fn a_script_from_a_database_in_use() {
    let a = node("a", &format!("{TASKS} CREATE TABLE u(id TEXT PRIMARY KEY NOT NULL, v)"));
    let script = text(&a, "SELECT crdt_schema('u')", []);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("b.db");
    let bare = rusqlite::Connection::open(&path).unwrap();
    run(&bare, "CREATE TABLE u(id TEXT PRIMARY KEY NOT NULL, v)");
    run(&bare, &script);
    run(&bare, "INSERT INTO u VALUES ('1', 'x')");
    bare.close().unwrap();
    assert_eq!(since(&crate::common::open_file(&path), None).of("1", "v")["value"], json!("x"));
}
