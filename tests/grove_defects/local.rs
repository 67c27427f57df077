//! H1 to H9: local writes, and what is recorded of them.

use rusqlite::Connection;

use crate::common::text;
use crate::support::*;

#[test]
fn h1_local_writes_need_a_context_that_no_driver_sets() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let a = file_node(&path, "a", TASKS);
    // A connection that has never heard of the extension.
    let bare = Connection::open(&path).unwrap();
    run(&bare, "PRAGMA trusted_schema = OFF; INSERT INTO tasks(id, title, priority) VALUES ('t1', 'x', 2)");
    assert!(try_run(&bare, "SELECT crdt_version()").is_err());
    let page = since(&a, None);
    assert_eq!(page.change("title")["value"], "x");
    assert_eq!(page.change("priority")["counter_delta"]["inc"], 2);
}

#[test]
fn h2_every_call_fails_until_an_adapter_is_set() {
    let empty = crate::common::open();
    assert_eq!(since(&empty, None).changes.len(), 0);
    assert_eq!(merge(&empty, "[]")["merged"], 0);
    for sql in ["SELECT crdt_status()", "SELECT crdt_cursor()", "SELECT crdt_now()", "SELECT crdt_cleanup_tombstones()"]
    {
        assert_ne!(text(&empty, sql, []), "");
    }
    let pulled = page(&text(&empty, "SELECT crdt_pull('{\"tables\":[],\"node_id\":\"x\"}')", []));
    assert_eq!(pulled.changes.len(), 0);
    run(&empty, TASKS);
    run(&empty, "INSERT INTO tasks(id, title) VALUES ('t1', 'x')");
    assert!(!since(&empty, None).changes.is_empty());
}

#[test]
fn h3_the_base_table_is_never_written() {
    let [a, b] = nodes(["a", "b"], TASKS);
    run(&a, "INSERT INTO tasks VALUES ('t1', 'x', 3, '[\"y\"]', 1)");
    send(&a, &b);
    assert_eq!(table(&b, "tasks"), ["'t1', 'x', 3, '[\"y\"]', 1"]);
    run(&a, "UPDATE tasks SET title = NULL, priority = 1; INSERT INTO tasks(id) VALUES ('t2'); DELETE FROM tasks WHERE id = 't2'");
    send(&a, &b);
    assert_eq!(table(&b, "tasks"), ["'t1', NULL, 1, '[\"y\"]', 1"]);
}

#[test]
fn h4_columns_that_an_update_does_not_name_become_null() {
    let [a, b] = nodes(["a", "b"], TASKS);
    run(&a, "INSERT INTO tasks(id, title, done) VALUES ('t1', 'x', 1)");
    send(&a, &b);
    let before = mark(&a);
    run(&a, "UPDATE tasks SET done = 2");
    let page = since(&a, Some(&before));
    assert_eq!(page.fields(), ["t1.done"]);
    merge(&b, &page.json);
    assert_eq!(rows(&b, "SELECT title, done FROM tasks"), ["'x', 2"]);
}

#[test]
fn h5_a_local_increment_takes_back_remote_ones() {
    let [a, b] = nodes(["a", "b"], TASKS);
    run(&a, "INSERT INTO tasks(id) VALUES ('t1')");
    send(&a, &b);
    run(&b, "UPDATE tasks SET priority = priority + 3");
    send(&b, &a);
    let before = mark(&a);
    run(&a, "UPDATE tasks SET priority = priority + 1");
    let page = since(&a, Some(&before));
    let own: Vec<_> = page.changes.iter().filter(|c| c["node_id"] == "a").collect();
    assert_eq!(own.len(), 1);
    assert_eq!(own[0]["counter_delta"], serde_json::json!({"inc": 1, "dec": 0}));
    swap(&a, &b);
    assert_eq!(rows(&b, "SELECT priority FROM tasks"), ["4"]);
    same(&a, &b, "tasks");
}

#[test]
fn h6_sets_record_adds_only_and_every_update_adds_again() {
    let [a, b] = nodes(["a", "b"], TASKS);
    run(&a, r#"INSERT INTO tasks(id, tags) VALUES ('t1', '["x","y"]')"#);
    send(&a, &b);
    let before = mark(&a);
    run(&a, "UPDATE tasks SET tags = tags, title = 'other'");
    assert_eq!(since(&a, Some(&before)).fields(), ["t1.title"]);
    run(&a, r#"UPDATE tasks SET tags = '["x","z"]'"#);
    let page = since(&a, Some(&before));
    let operations: Vec<_> = page.changes.iter().filter(|c| c["crdt_type"] == "set").map(|c| &c["set_op"]).collect();
    let has = |op, element| operations.iter().any(|o| o["op"] == op && o["elements"] == serde_json::json!([element]));
    assert!(has("add", "z") && has("remove", "y"), "{}", page.json);
    // No fresh tag for what stays: a remove elsewhere that saw the first tag still removes it.
    run(&b, r#"UPDATE tasks SET tags = '["y"]'"#);
    swap(&a, &b);
    assert_eq!(rows(&a, "SELECT tags FROM tasks"), [r#"'["z"]'"#]);
    same(&a, &b, "tasks");
}

#[test]
fn h8_bulk_writes_are_ignored_and_the_hook_is_outside_the_transaction() {
    let [a, b] = nodes(["a", "b"], TASKS);
    let thousand = "INSERT INTO tasks(id, title) WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
                    SELECT 't' || i, i FROM n";
    run(&a, &format!("BEGIN; {thousand}; ROLLBACK"));
    assert_eq!(since(&a, None).changes.len(), 0);
    run(
        &a,
        &format!(
            "BEGIN; {thousand}; SAVEPOINT s; UPDATE tasks SET title = 'no'; DELETE FROM tasks; ROLLBACK TO s; COMMIT"
        ),
    );
    send(&a, &b);
    assert_eq!(rows(&b, "SELECT count(*), sum(CAST(title AS INTEGER)) FROM tasks"), ["1000, 500500"]);
    same(&a, &b, "tasks");
    run(&a, "UPDATE tasks SET title = 'all'; DELETE FROM tasks WHERE done = 0 AND rowid % 2");
    send(&a, &b);
    assert_eq!(rows(&b, "SELECT count(*) FROM tasks WHERE title = 'all'"), ["500"]);
    same(&a, &b, "tasks");
}

#[test]
fn h9_every_column_is_stamped_on_every_update() {
    let [a, b] = nodes(["a", "b"], TASKS);
    run(&a, "INSERT INTO tasks VALUES ('t1', 'x', 1, '[1]', 0)");
    send(&a, &b);
    // Both write whole rows, as an ORM does, but change different columns.
    run(&a, "UPDATE tasks SET title = 'from a', priority = 1, tags = '[1]', done = 0");
    run(&b, "UPDATE tasks SET title = 'x', priority = 1, tags = '[1]', done = 7");
    assert_eq!(send(&a, &b)["conflicts"], 0);
    send(&b, &a);
    assert_eq!(table(&a, "tasks"), ["'t1', 'from a', 1, '[1]', 7"]);
    same(&a, &b, "tasks");
}
