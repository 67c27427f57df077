//! Schemas that change under us.

use crate::common::text;
use crate::support::{export, node, nodes, page, rows, run, send, sound, status};

#[test]
fn a_renamed_table_keeps_its_records_when_another_takes_its_name() {
    let a = node("a", "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v); SELECT crdt_enable('t')");
    run(
        &a,
        "INSERT INTO t VALUES ('1', 'x'); ALTER TABLE t RENAME TO t2;
         CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, w); SELECT crdt_enable('t');
         INSERT INTO t2 VALUES ('2', 'y'); INSERT INTO t VALUES ('3', 'z')",
    );
    assert_eq!(page(&export(&a)).fields(), ["1.v", "2.v", "3.w"]);
    assert_eq!(rows(&a, "SELECT \"table\", records FROM crdt_tables() ORDER BY 1"), ["'t', 1", "'t2', 2"]);
    sound(&a);
}

#[test]
fn a_row_replaced_through_a_generated_column_is_a_delete() {
    let a = node(
        "a",
        "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, e TEXT, l TEXT GENERATED ALWAYS AS (lower(e)) VIRTUAL);
         CREATE UNIQUE INDEX i ON t(l);
         SELECT crdt_enable('t');
         INSERT INTO t(id, e) VALUES ('1', 'A'), ('2', 'B');",
    );
    export(&a);
    run(&a, "UPDATE OR REPLACE t SET e = 'a' WHERE id = '2'");
    assert_eq!(rows(&a, "SELECT id FROM t"), ["'2'"]);
    sound(&a);
    assert!(page(&export(&a)).changes.iter().any(|change| change["pk"] == "1" && change["tombstone"] == true));
}

#[test]
fn ones_own_changes_of_a_renamed_column_come_back_without_a_fork() {
    let [a, b] = nodes(["a", "b"], "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, b, c); SELECT crdt_enable('t')");
    run(&a, "INSERT INTO t VALUES ('1', 'x', 'y')");
    send(&a, &b);
    run(&a, "ALTER TABLE t RENAME COLUMN b TO bb");
    let answer = send(&b, &a);
    assert_eq!((&answer["conflicts"], text(&a, "SELECT crdt_node_id()", [])), (&0.into(), "a".to_string()));
    assert_eq!(status(&a)["forks"], 0);
}

#[test]
fn a_schema_script_that_changes_a_type_loses_no_write_before_it() {
    let a = node(
        "a",
        "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, a INTEGER, b TEXT); SELECT crdt_enable('t', 'a:counter', 'b:set')",
    );
    run(&a, "INSERT INTO t VALUES ('1', 5, '[\"x\"]')");
    let script = text(&a, "SELECT crdt_schema('t', 'a:lww')", []);
    run(&a, &script);
    let changes = page(&export(&a)).changes;
    assert!(changes.iter().any(|change| change["set_op"]["elements"][0] == "x"), "{changes:?}");
    sound(&a);
}

#[test]
fn a_value_that_only_looks_like_the_default_is_a_write() {
    let [a, b] = nodes(["a", "b"], "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v); SELECT crdt_enable('t')");
    run(&a, "INSERT INTO t VALUES ('1', 'x')");
    send(&a, &b);
    let added = "ALTER TABLE t ADD COLUMN s TEXT DEFAULT 'ABC' COLLATE NOCASE;";
    run(&a, &format!("{added} UPDATE t SET s = 'abc'; SELECT crdt_enable('t')"));
    run(&b, &format!("{added} SELECT crdt_enable('t')"));
    send(&a, &b);
    assert_eq!(rows(&b, "SELECT s FROM t"), ["'abc'"]);
}

#[test]
fn a_table_put_in_the_place_of_another_is_captured_once() {
    let create = |name| format!("CREATE TABLE {name}(id TEXT PRIMARY KEY NOT NULL, v); SELECT crdt_enable('{name}');");
    let a = node("a", &format!("{}{}", create("t"), create("n")));
    run(
        &a,
        "INSERT INTO t VALUES ('1', 'x'); INSERT INTO n SELECT * FROM t; DROP TABLE t; ALTER TABLE n RENAME TO t;
         SELECT crdt_enable('t'); INSERT INTO t VALUES ('2', 'y')",
    );
    let changes = page(&export(&a)).changes;
    assert_eq!(changes.iter().filter(|change| change["pk"] == "2").count(), 1, "{changes:?}");
}
