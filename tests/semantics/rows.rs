//! Rows: alive while any field is stamped above the tombstone; deletes, revivals, rows that a table cannot hold.

use serde_json::json;

use crate::common::text;
use crate::support::*;

#[test]
fn a_later_write_revives_a_row_with_all_its_fields() {
    let [a, b] = nodes(["a", "b"], TASKS);
    let written =
        [lww("title", (1000, 0, "x"), "old"), counter((1000, 1, "x"), 3, 0), set("add", (1000, 2, "x"), json!(["e"]))];
    take(&a, &written);
    take(&a, &[tombstone((2000, 0, "y"))]);
    assert_eq!(table(&a, "tasks").len(), 0);
    take(&a, &[lww("done", (3000, 0, "z"), 1)]);
    assert_eq!(table(&a, "tasks"), [r#"'t1', 'old', 3, '["e"]', 1"#]);
    send(&a, &b);
    same(&a, &b, "tasks");
}

/// Every kind of later change revives: a cell, a counter, an add, a remove, the row itself.
#[test]
fn what_revives() {
    let tagged = json!({"op": "remove", "elements": ["e"], "tags": [{"ts": 1000, "c": 0, "node": "x"}]});
    let revivals = [
        lww("title", (3000, 0, "z"), "x"),
        lww("title", (3000, 0, "z"), serde_json::Value::Null),
        counter((3000, 0, "z"), 1, 0),
        set("add", (3000, 0, "z"), json!(["f"])),
        change("tags", (3000, 0, "z"), json!({"crdt_type": "set", "set_op": tagged})),
        change("_row", (3000, 0, "z"), json!({"value": true})),
    ];
    for revival in revivals {
        for flipped in [false, true] {
            let [a, b] = nodes(["a", "b"], TASKS);
            take(&a, &[lww("done", (1000, 0, "x"), 1)]);
            let mut later = [tombstone((2000, 0, "y")), revival.clone()];
            if flipped {
                later.reverse();
            }
            later.iter().for_each(|change| drop(take(&a, std::slice::from_ref(change))));
            assert_eq!(rows(&a, "SELECT done FROM tasks"), ["1"], "{revival}");
            send(&a, &b);
            same(&a, &b, "tasks");
        }
    }
}

#[test]
fn a_local_insert_of_a_deleted_key_is_a_new_write_of_all_fields() {
    let [a, b, c] = nodes(["a", "b", "c"], TASKS);
    run(&a, "INSERT INTO tasks VALUES ('t1', 'old', 5, '[\"old\"]', 1)");
    send(&a, &b);
    run(&a, "DELETE FROM tasks");
    send(&a, &b);
    run(&b, "INSERT INTO tasks(id, title, priority) VALUES ('t1', 'new', 2)");
    assert_eq!(table(&b, "tasks"), ["'t1', 'new', 2, '[]', 0"]);
    send(&b, &a);
    send(&b, &c);
    for node in [&a, &c] {
        assert_eq!(table(node, "tasks"), ["'t1', 'new', 2, '[]', 0"]);
        same(&b, node, "tasks");
    }
}

#[test]
fn a_tombstone_travels_with_every_export_of_its_record() {
    let a = node("a", TASKS);
    take(&a, &[lww("title", (1000, 0, "x"), "v"), tombstone((2000, 0, "y")), lww("title", (3000, 0, "z"), "w")]);
    let cursor = since(&a, None).cursor;
    run(&a, "UPDATE tasks SET done = 1");
    assert!(since(&a, Some(&cursor)).fields().contains(&"t1._tombstone".to_string()));
    run(&a, "DELETE FROM tasks");
    let page = since(&a, None);
    assert!(page.fields().contains(&"t1.title".to_string()), "the fields of a deleted record too: {}", page.json);
    assert_eq!(page.change("_tombstone")["tombstone"], true);
}

/// A delete of a row that was never here is remembered and relayed.
#[test]
fn a_delete_of_an_unknown_row() {
    let [a, b] = nodes(["a", "b"], TASKS);
    take(&a, &[tombstone((2000, 0, "y"))]);
    send(&a, &b);
    take(&b, &[lww("title", (1000, 0, "x"), "late")]);
    assert_eq!(table(&b, "tasks").len(), 0);
    send(&b, &a);
    same(&a, &b, "tasks");
}

/// Columns that no change names take their defaults, on every node alike.
#[test]
fn columns_without_a_change_take_their_defaults() {
    let a = node("a", TASKS);
    take(&a, &[lww("title", (1000, 0, "x"), "only this")]);
    assert_eq!(table(&a, "tasks"), ["'t1', 'only this', NULL, '[]', 0"], "a counter is NULL until its first part");
    take(&a, &[change("_row", (1000, 0, "x"), json!({"pk": "t2", "value": true}))]);
    assert_eq!(rows(&a, "SELECT * FROM tasks WHERE id = 't2'"), ["'t2', NULL, NULL, '[]', 0"]);
}

/// A merged row that the table cannot hold is kept, listed with SQLite's reason, relayed, and stops nothing.
#[test]
fn rows_that_the_table_cannot_hold() {
    let loose = "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v, w); SELECT crdt_enable('t')";
    for (column, reason) in [
        ("v NOT NULL, w", "NOT NULL"),
        ("v CHECK (v IS NOT NULL), w", "CHECK"),
        ("v REFERENCES parent(id), w", "FOREIGN KEY"),
        ("v, w UNIQUE", "UNIQUE"),
    ] {
        let strict = format!(
            "CREATE TABLE parent(id PRIMARY KEY); INSERT INTO parent VALUES ('x');
            CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, {column}); SELECT crdt_enable('t')"
        );
        let (a, b, c) = (node("a", loose), node("b", &strict), node("c", loose));
        let bad = if reason == "FOREIGN KEY" { "'nobody'" } else { "NULL" };
        run(&a, &format!("INSERT INTO t VALUES ('1', 'x', 1), ('2', {bad}, 2), ('3', 'x', 1), ('4', 'x', 4)"));
        if reason != "UNIQUE" {
            run(&a, "UPDATE t SET w = 3 WHERE id = '3'");
        } else {
            run(&a, "UPDATE t SET v = 'x'");
        }
        let answer = send(&a, &b);
        assert!(answer["pending"].as_i64().unwrap() > 0, "{reason}: {answer}");
        assert_eq!(rows(&b, "SELECT count(*) FROM t"), ["3"], "{reason}");
        let pending = rows(&b, "SELECT * FROM crdt_pending()");
        assert!(!pending.is_empty() && pending.iter().all(|row| row.contains(reason)), "{reason}: {pending:?}");
        send(&b, &c);
        same(&a, &c, "t");
        assert_eq!(digest(&a, "t"), digest(&b, "t"), "{reason}");
    }
}

/// A pending row is tried again when something relevant changes.
#[test]
fn a_pending_row_comes_when_it_can() {
    let loose = "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v, w); SELECT crdt_enable('t')";
    let strict = "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v NOT NULL, w); SELECT crdt_enable('t')";
    let (a, b) = (node("a", loose), node("b", strict));
    run(&a, "INSERT INTO t VALUES ('1', NULL, 'kept')");
    send(&a, &b);
    assert_eq!(table(&b, "t").len(), 0);
    run(&a, "UPDATE t SET v = 'now'");
    send(&a, &b);
    assert_eq!(table(&b, "t"), ["'1', 'now', 'kept'"]);
    assert_eq!(rows(&b, "SELECT count(*) FROM crdt_pending()"), ["0"]);
    same(&a, &b, "t");
}

/// Parents and children in one merge, whatever their order in it.
#[test]
fn foreign_keys_within_one_merge() {
    let setup = "CREATE TABLE child(id TEXT PRIMARY KEY NOT NULL, p REFERENCES parent(id));
                 CREATE TABLE parent(id TEXT PRIMARY KEY NOT NULL, up REFERENCES parent(id));
                 SELECT crdt_enable('child'); SELECT crdt_enable('parent')";
    let [a, b, c] = nodes(["a", "b", "c"], setup);
    run(&a, "INSERT INTO parent VALUES ('z', NULL), ('y', 'z'), ('x', 'y'); INSERT INTO child VALUES ('1', 'x'), ('2', 'y')");
    let mut changes = since(&a, None).changes;
    take(&b, &changes);
    changes.reverse();
    take(&c, &changes);
    for node in [&b, &c] {
        same(&a, node, "child");
        same(&a, node, "parent");
        assert_eq!(text(node, "SELECT count(*) FROM crdt_pending()", []), "0");
    }
    run(
        &a,
        "DELETE FROM child; DELETE FROM parent WHERE id = 'x'; DELETE FROM parent WHERE id = 'y'; DELETE FROM parent",
    );
    send(&a, &b);
    same(&a, &b, "parent");
    assert_eq!(table(&b, "parent").len(), 0);
}

/// Rows whose unique values were swapped: the losers go before the winners come.
#[test]
fn unique_values_that_were_swapped() {
    let setup = "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, u UNIQUE); SELECT crdt_enable('t')";
    let [a, b] = nodes(["a", "b"], setup);
    run(&a, "INSERT INTO t VALUES ('1', 'x'), ('2', 'y'), ('3', 'z')");
    send(&a, &b);
    run(&a, "UPDATE t SET u = 'tmp' WHERE id = '1'; UPDATE t SET u = 'x' WHERE id = '2'; UPDATE t SET u = 'y' WHERE id = '3';
             UPDATE t SET u = 'z' WHERE id = '1'");
    send(&a, &b);
    assert_eq!(table(&b, "t"), ["'1', 'z'", "'2', 'x'", "'3', 'y'"]);
    same(&a, &b, "t");
}
