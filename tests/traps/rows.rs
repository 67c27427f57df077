//! Rows: replaced, deleted, written twice, relayed, forgotten.

use crate::common::{error, open_file, text};
use crate::support::*;

const PLAIN: &str = "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v, u UNIQUE); SELECT crdt_enable('t');";

/// Source: sqlite-sync PR #68.
#[test]
fn insert_or_replace_bypasses_delete_capture() {
    for recursive in ["OFF", "ON"] {
        let [a, b] = nodes(["a", "b"], PLAIN);
        run(&a, &format!("PRAGMA recursive_triggers = {recursive}"));
        run(&a, "INSERT INTO t VALUES ('1', 'stale', 'x'), ('2', 'evicted', 'y')");
        send(&a, &b);
        run(&a, "INSERT OR REPLACE INTO t(id, u) VALUES ('1', 'y')");
        send(&a, &b);
        assert_eq!(table(&b, "t"), ["'1', NULL, 'y'"], "no stale cell, no evicted row");
        same(&a, &b, "t");
    }
}

/// Source: sqlite-sync PR #68.
#[test]
fn upsert_bypasses_capture() {
    let [a, b] = nodes(["a", "b"], PLAIN);
    run(&a, "INSERT INTO t VALUES ('1', 'old', 'x')");
    send(&a, &b);
    let before = mark(&a);
    run(&a, "INSERT INTO t VALUES ('1', 'new', 'x') ON CONFLICT(id) DO UPDATE SET v = excluded.v");
    let page = since(&a, Some(&before));
    assert_eq!(page.fields(), ["1.v"]);
    merge(&b, &page.json);
    same(&a, &b, "t");
    assert_eq!(table(&b, "t"), ["'1', 'new', 'x'"]);
}

/// Source: sqlite-data #418; Dotmim #175, #710.
#[test]
fn delete_then_insert_of_the_same_key() {
    let again = "DELETE FROM t WHERE id = '1'; INSERT INTO t VALUES ('1', 'new', 'y');";
    let gone = "INSERT INTO t VALUES ('9', 'x', 'z'); DELETE FROM t WHERE id = '9';";
    for sql in [format!("BEGIN; {again} COMMIT"), again.to_string(), format!("{again} {again}"), gone.to_string()] {
        let [a, b, c, d] = nodes(["a", "b", "c", "d"], PLAIN);
        run(&a, "INSERT INTO t VALUES ('1', 'old', 'x')");
        let first = since(&a, None);
        let [b, c] = [b, c].map(|node| {
            merge(&node, &first.json);
            node
        });
        run(&a, &sql);
        let second = since(&a, Some(&first.cursor));
        merge(&b, &second.json);
        // In the other order, and one change at a time from the last to the first.
        for change in second.changes.iter().rev() {
            take(&c, std::slice::from_ref(change));
        }
        merge(&d, &second.json);
        merge(&d, &first.json);
        for node in [&b, &c, &d] {
            same(&a, node, "t");
        }
        assert_eq!(table(&b, "t").len(), 1, "{sql}");
    }
}

/// Source: cr-sqlite #413, PR #415; corrosion #128, #136.
#[test]
fn equal_values_from_two_nodes_count_as_no_change() {
    let [a, b, c] = nodes(["a", "b", "c"], TASKS);
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t1', 'old')");
    send(&a, &b);
    send(&a, &c);
    for node in [&a, &b] {
        run(node, "UPDATE tasks SET title = 'new'");
    }
    let seen = since(&a, None);
    merge(&c, &seen.json);
    send(&b, &a);
    // The value is the one that `a` showed before, but its stamp is another: c must hear of it through a.
    let later = since(&a, Some(&seen.cursor));
    assert_eq!(later.fields(), ["t1.title"]);
    merge(&c, &later.json);
    same(&a, &c, "tasks");
    send(&a, &b);
    same(&a, &b, "tasks");
}

/// Source: corrosion PR #352.
#[test]
fn two_nodes_delete_the_same_row_and_the_third_keeps_it() {
    let [a, b, c] = nodes(["a", "b", "c"], TASKS);
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t1', 'x'), ('t2', 'y')");
    send(&a, &b);
    send(&a, &c);
    for node in [&a, &b] {
        run(node, "DELETE FROM tasks WHERE id = 't1'");
    }
    swap(&a, &b);
    send(&b, &c);
    assert_eq!(rows(&c, "SELECT id FROM tasks"), ["'t2'"]);
    send(&b, &a);
    same(&a, &b, "tasks");
    same(&b, &c, "tasks");
}

/// Source: cr-sqlite #30.
#[test]
fn relay_takes_the_authorship() {
    let [a, b, c] = nodes(["a", "b", "c"], TASKS);
    run(&a, "INSERT INTO tasks VALUES ('t1', 'Milk', 2, '[\"x\"]', 0); UPDATE tasks SET priority = priority - 1");
    send(&a, &b);
    send(&b, &c);
    let sorted = |conn| {
        let mut changes: Vec<_> = since(conn, None).changes.iter().map(ToString::to_string).collect();
        changes.sort();
        changes
    };
    assert!(sorted(&a).iter().all(|change| change.contains(r#""node_id":"a""#)));
    assert_eq!(sorted(&a), sorted(&b));
    assert_eq!(sorted(&a), sorted(&c));
}

/// Source: cr-sqlite PR #76.
#[test]
fn the_receiver_does_not_advance_its_clock() {
    let a = node("a", TASKS);
    let ahead = now(&a) + 120_000_000_000;
    take(&a, &[lww("title", (ahead, 7, "z"), "theirs")]);
    run(&a, "UPDATE tasks SET title = 'mine'");
    let page = since(&a, None);
    assert!(stamp_of(page.change("title")) > (ahead, 7, "z".to_string()), "{}", page.json);
    take(&a, &[lww("title", (ahead, 7, "z"), "theirs")]);
    assert_eq!(rows(&a, "SELECT title FROM tasks"), ["'mine'"]);
}

/// Source: cr-sqlite PR #386, reverted in #405 and #407.
#[test]
fn a_global_version_serves_as_the_version_of_a_cell() {
    let [a, b] = nodes(["a", "b"], TASKS);
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t1', 'first')");
    send(&a, &b);
    // b's clock runs far ahead, and it writes the record, but not the title.
    let ahead = now(&b) + 240_000_000_000;
    take(&b, &[change("title", (ahead, 0, "z"), serde_json::json!({"pk": "t2", "value": "other"}))]);
    run(&b, "UPDATE tasks SET done = 1, title = title WHERE id = 't1'");
    run(&a, "UPDATE tasks SET title = 'second' WHERE id = 't1'");
    swap(&a, &b);
    assert_eq!(rows(&b, "SELECT title, done FROM tasks WHERE id = 't1'"), ["'second', 1"]);
    same(&a, &b, "tasks");
}

/// Source: cr-sqlite #354.
#[test]
fn null_in_a_primary_key() {
    for (ddl, bad) in [
        ("CREATE TABLE t(id TEXT PRIMARY KEY, v)", "INSERT INTO t VALUES (NULL, 1)"),
        ("CREATE TABLE t(a, b, v, PRIMARY KEY(a, b))", "INSERT INTO t VALUES (1, NULL, 1)"),
        ("CREATE TABLE t(a, b, v, PRIMARY KEY(a, b))", "INSERT INTO t VALUES (1, 2, 3); UPDATE t SET a = NULL"),
    ] {
        let a = node("a", &format!("{ddl}; SELECT crdt_enable('t')"));
        run(&a, "BEGIN");
        let refused = try_run(&a, bad).expect_err(bad);
        assert!(refused.to_lowercase().contains("null"), "{refused}");
        run(&a, "ROLLBACK");
        assert_eq!(since(&a, None).changes.len(), 0);
    }
}

/// Source: corrosion #541.
#[test]
fn forgetting_races_a_revived_row() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let a = file_node(&path, "a", &format!("PRAGMA journal_mode = WAL; {TASKS}"));
    run(&a, "SELECT crdt_pragma('tombstone_ttl', '0s')");
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t1', 'x'); DELETE FROM tasks");
    export(&a);
    let other = open_file(&path);
    run(&a, "PRAGMA busy_timeout = 0; PRAGMA wal_autocheckpoint = 0");
    run(&other, "BEGIN IMMEDIATE; INSERT INTO tasks(id, title) VALUES ('t1', 'revived')");
    error(&a, "SELECT crdt_cleanup_tombstones()", []);
    run(&other, "COMMIT");
    assert_eq!(text(&a, "SELECT crdt_cleanup_tombstones()", []), "0");
    let b = node("b", TASKS);
    send(&a, &b);
    assert_eq!(rows(&b, "SELECT id, title FROM tasks"), ["'t1', 'revived'"]);
    same(&a, &b, "tasks");
}

/// Source: corrosion #541.
#[test]
fn forgetting_loses_to_a_revival_that_arrives_after_it() {
    let [a, b] = nodes(["a", "b"], TASKS);
    run(&a, "INSERT INTO tasks(id, title, done) VALUES ('t1', 'x', 1)");
    send(&a, &b);
    run(&a, "DELETE FROM tasks");
    send(&a, &b);
    run(&b, "INSERT INTO tasks(id, title) VALUES ('t1', 'revived')");
    run(&a, "SELECT crdt_pragma('tombstone_ttl', '0s')");
    std::thread::sleep(std::time::Duration::from_millis(5));
    assert_eq!(text(&a, "SELECT crdt_cleanup_tombstones('tasks')", []), "1");
    send(&b, &a);
    assert_eq!(rows(&a, "SELECT title, done FROM tasks"), ["'revived', 0"]);
    send(&a, &b);
    assert_eq!(digest(&a, "tasks"), digest(&b, "tasks"));
    assert_eq!(table(&a, "tasks"), table(&b, "tasks"));
}

/// Source: ADE #1063.
#[test]
fn compaction_resets_versions() {
    let [a, b] = nodes(["a", "b"], TASKS);
    run(&a, "INSERT INTO tasks VALUES ('t1', 'x', 1, '[1]', 0), ('t2', 'y', 2, '[2]', 1)");
    run(&a, "UPDATE tasks SET title = 'z', priority = priority + 1; DELETE FROM tasks WHERE id = 't2'");
    send(&a, &b);
    let live = |page: Page| -> Vec<_> { page.changes.into_iter().filter(|c| c["pk"] == "t1").collect() };
    let before = live(since(&a, None));
    run(&a, "SELECT crdt_pragma('tombstone_ttl', '0s')");
    std::thread::sleep(std::time::Duration::from_millis(5));
    run(&a, "SELECT crdt_cleanup_tombstones(); VACUUM; SELECT crdt_disable('tasks')");
    run(&a, "SELECT crdt_enable('tasks', 'priority:counter', 'tags:set'); VACUUM");
    assert_eq!(live(since(&a, None)), before);
    assert_eq!(digest(&a, "tasks"), digest(&b, "tasks"));
}
