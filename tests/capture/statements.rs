//! Statements of every kind: UPSERT, conflict clauses, keys that change, cascades, savepoints.

use super::follow::{changed, follow};
use crate::support::*;

const T: &str = "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, u UNIQUE, v, n INTEGER DEFAULT 0, s TEXT DEFAULT '[]')";
const ENABLE_T: &str = "SELECT crdt_enable('t', 'n:counter', 's:set')";

#[test]
fn upsert() {
    let steps = [
        "INSERT INTO t(id, u, v) VALUES ('1', 'a', 1), ('2', 'b', 2)",
        "INSERT INTO t(id, v) VALUES ('1', 'new') ON CONFLICT(id) DO UPDATE SET v = excluded.v, n = n + 1",
        "INSERT INTO t(id, u) VALUES ('3', 'b') ON CONFLICT(u) DO UPDATE SET s = '[1]', id = 'moved'",
        "INSERT INTO t(id, u) VALUES ('4', 'a') ON CONFLICT(id) DO NOTHING ON CONFLICT(u) DO UPDATE SET v = NULL",
        "INSERT INTO t(id, u) VALUES ('1', 'z'), ('5', 'z') ON CONFLICT DO NOTHING",
        "INSERT INTO t(id, u, v) SELECT id, u, v FROM t WHERE true ON CONFLICT(id) DO UPDATE SET v = excluded.u WHERE t.v IS NULL",
    ];
    follow(T, ENABLE_T, &steps);
}

#[test]
fn upsert_exports_what_it_changed() {
    let setup = format!("{T}; {ENABLE_T}");
    let before = "INSERT INTO t(id, u, v) VALUES ('1', 'a', 1)";
    for (sql, fields) in [
        ("INSERT INTO t(id, v) VALUES ('1', 2) ON CONFLICT(id) DO UPDATE SET v = excluded.v", &["1.v"][..]),
        ("INSERT INTO t(id, v) VALUES ('1', 1) ON CONFLICT(id) DO UPDATE SET v = excluded.v", &[]),
        ("INSERT INTO t(id, v) VALUES ('1', 2) ON CONFLICT(id) DO NOTHING", &[]),
        ("INSERT INTO t(id, v) VALUES ('1', 2) ON CONFLICT(id) DO UPDATE SET v = 3 WHERE false", &[]),
        ("INSERT INTO t(id) VALUES ('1') ON CONFLICT(id) DO UPDATE SET n = n + 2", &["1.n"]),
        ("INSERT OR IGNORE INTO t(id, v) VALUES ('1', 2)", &[]),
        ("INSERT OR IGNORE INTO t(id, u) VALUES ('2', 'a')", &[]),
        ("UPDATE t SET v = 1, u = 'a', n = 0, s = '[]', id = '1'", &[]),
        ("UPDATE t SET v = 2, u = u", &["1.v"]),
        ("DELETE FROM t WHERE false", &[]),
    ] {
        assert_eq!(changed(&setup, before, sql), fields, "{sql}");
    }
}

#[test]
fn conflict_clauses() {
    let steps = [
        "INSERT INTO t(id, u) VALUES ('1', 'a'), ('2', 'b')",
        "!INSERT OR FAIL INTO t(id, u) VALUES ('3', 'c'), ('4', 'a'), ('5', 'd')",
        "!INSERT OR ABORT INTO t(id, u) VALUES ('6', 'e'), ('7', 'a'), ('8', 'f')",
        "BEGIN; INSERT INTO t(id) VALUES ('rolled back')",
        "!INSERT OR ROLLBACK INTO t(id, u) VALUES ('9', 'a')",
        "!UPDATE OR FAIL t SET u = 'x'",
        "UPDATE OR IGNORE t SET u = 'y'",
        "INSERT OR IGNORE INTO t(id, u) VALUES ('10', 'g'), ('11', 'g'), ('10', 'h')",
        "!INSERT INTO t(id) VALUES (NULL)",
    ];
    follow(T, ENABLE_T, &steps);
}

#[test]
fn keys_that_change() {
    let steps = [
        "INSERT INTO t VALUES ('1', 'a', 'x', 3, '[1]'), ('2', 'b', 'y', 4, '[2]')",
        "UPDATE t SET id = '3' WHERE id = '1'",
        "UPDATE t SET id = '1', v = 'moved', n = n + 1, s = '[1,9]' WHERE id = '3'",
        "BEGIN; UPDATE t SET id = 'tmp' WHERE id = '1'; UPDATE t SET id = '1' WHERE id = '2'; UPDATE t SET id = '2' WHERE id = 'tmp'; COMMIT",
        "UPDATE t SET id = id || '!'",
        "UPDATE OR REPLACE t SET id = 'one'",
        "UPDATE t SET id = 'ONE'",
    ];
    follow(T, ENABLE_T, &steps);
    let collated = "CREATE TABLE t(id TEXT COLLATE NOCASE PRIMARY KEY NOT NULL, v)";
    let steps = [
        "INSERT INTO t VALUES ('a', 1)",
        "UPDATE t SET id = 'A'",
        "REPLACE INTO t VALUES ('a', 2)",
        "UPDATE t SET id = 'a'",
    ];
    follow(collated, "SELECT crdt_enable('t')", &steps);
    let untyped = "CREATE TABLE t(id PRIMARY KEY, v) WITHOUT ROWID";
    let steps = [
        "INSERT INTO t VALUES (1, 'integer'), ('1', 'text'), (x'31', 'blob')",
        "UPDATE t SET id = 1.5 WHERE id = 1",
        "UPDATE t SET id = 2.0 WHERE id = 1.5",
        "UPDATE t SET id = 2 WHERE id = 2.0",
        "DELETE FROM t WHERE id = '1'",
    ];
    follow(untyped, "SELECT crdt_enable('t')", &steps);
    let composite = "CREATE TABLE t(a TEXT NOT NULL, b INTEGER NOT NULL, v, PRIMARY KEY(b, a))";
    let steps = [
        "INSERT INTO t VALUES ('x', 1, 'p'), ('y', 1, 'q')",
        "UPDATE t SET b = 2 WHERE a = 'x'",
        "UPDATE t SET a = 'z', b = b + 1",
    ];
    follow(composite, "SELECT crdt_enable('t')", &steps);
}

/// By errors that SQLite does not reckon with in a plain table, where the row stays as it was written. Our trigger did not come to fire.
#[test]
fn a_statement_that_fails_behind_its_row_is_undone() {
    let a = node("a", "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, n INTEGER, v TEXT); SELECT crdt_enable('t')");
    run(&a, "INSERT INTO t VALUES ('1', 1, '[]'), ('2', 2, '[]'); CREATE TEMP TABLE seen(id INTEGER PRIMARY KEY)");
    let cursor = since(&a, None).cursor;
    let update = "UPDATE t SET n = n + 1, v = 'x'";
    let sum = "SELECT sum(i) FROM (SELECT 9223372036854775807 AS i UNION ALL SELECT n)";
    let behind = "CREATE TEMP TRIGGER behind AFTER UPDATE ON t BEGIN INSERT OR REPLACE INTO seen VALUES (new.v); END";
    let fails = [
        format!("{update} RETURNING (SELECT count(*) FROM json_each(v))"),
        format!("{update} RETURNING ({sum})"),
        format!("{behind}; {update}"),
    ];
    for sql in fails {
        let refused = try_run(&a, &format!("BEGIN; {sql}")).unwrap_err();
        run(&a, "COMMIT");
        assert_eq!(rows(&a, "SELECT * FROM t"), ["'1', 1, '[]'", "'2', 2, '[]'"], "{sql}: {refused}");
        assert!(since(&a, Some(&cursor)).changes.is_empty(), "{sql}");
    }
}

#[test]
fn a_key_that_changes_is_a_delete_and_an_insert() {
    let setup = format!("{T}; {ENABLE_T}");
    let before = "INSERT INTO t VALUES ('1', 'a', 'x', 3, '[1]')";
    let fields = changed(&setup, before, "UPDATE t SET id = '2'");
    for field in ["1._tombstone", "2.n", "2.s", "2.u", "2.v"] {
        assert!(fields.contains(&field.to_string()), "{field} of {fields:?}");
    }
    assert!(!fields.contains(&"2._tombstone".to_string()));
}

const FAMILY: &str = "
    CREATE TABLE parent(id TEXT PRIMARY KEY NOT NULL, name);
    CREATE TABLE child(id TEXT PRIMARY KEY NOT NULL, p TEXT REFERENCES parent(id) ON DELETE CASCADE ON UPDATE CASCADE, v);
    CREATE TABLE loose(id TEXT PRIMARY KEY NOT NULL, p TEXT DEFAULT 'd' REFERENCES parent(id) ON DELETE SET NULL ON UPDATE SET DEFAULT);
    CREATE TABLE grand(c TEXT PRIMARY KEY NOT NULL REFERENCES child(id) ON DELETE CASCADE ON UPDATE CASCADE, n INTEGER);
    CREATE TABLE strict(id TEXT PRIMARY KEY NOT NULL, p TEXT REFERENCES parent(id) ON DELETE RESTRICT)";
const ENABLE_FAMILY: &str = "SELECT crdt_enable('parent'); SELECT crdt_enable('child'); SELECT crdt_enable('loose');
    SELECT crdt_enable('grand', 'n:counter'); SELECT crdt_enable('strict')";

#[test]
fn foreign_key_cascades() {
    let steps = [
        "INSERT INTO parent VALUES ('a', 1), ('b', 2), ('c', 3), ('d', 4), ('e', 5)",
        "INSERT INTO child VALUES ('1', 'a', 'x'), ('2', 'b', 'y'), ('3', 'b', 'z')",
        "INSERT INTO loose VALUES ('1', 'a'), ('2', 'b'), ('3', 'c')",
        "INSERT INTO grand VALUES ('1', 1), ('2', 2)",
        "INSERT INTO strict VALUES ('1', 'e')",
        "DELETE FROM parent WHERE id = 'a'",
        "UPDATE parent SET id = 'bb' WHERE id = 'b'",
        "UPDATE child SET id = '22' WHERE id = '2'",
        "!DELETE FROM parent WHERE id = 'e'",
        "INSERT OR REPLACE INTO parent VALUES ('c', 'replaced')",
        "BEGIN; PRAGMA defer_foreign_keys = ON; INSERT INTO child VALUES ('9', 'late', 1); INSERT INTO parent VALUES ('late', 0); COMMIT",
        "!INSERT INTO child VALUES ('10', 'nobody', 1)",
        "DELETE FROM parent WHERE id = 'bb'",
    ];
    follow(FAMILY, ENABLE_FAMILY, &steps);
}

#[test]
fn savepoints_and_rollbacks() {
    let steps = [
        "INSERT INTO t VALUES ('1', 'a', 'x', 3, '[1]')",
        "BEGIN; UPDATE t SET v = 'lost', n = 9, s = '[]'; DELETE FROM t; INSERT INTO t(id) VALUES ('2'); ROLLBACK",
        "SAVEPOINT a; UPDATE t SET v = 'kept'; SAVEPOINT b; UPDATE t SET n = n + 1; ROLLBACK TO b; UPDATE t SET s = '[1,2]'; RELEASE a",
        "BEGIN; SAVEPOINT a; DELETE FROM t; ROLLBACK TO a; RELEASE a; INSERT INTO t(id) VALUES ('3'); COMMIT",
        "BEGIN; SAVEPOINT a; INSERT INTO t(id) VALUES ('4'); SAVEPOINT b; INSERT INTO t(id) VALUES ('5'); RELEASE b; ROLLBACK TO a; COMMIT",
        "BEGIN; INSERT INTO t(id) VALUES ('6'); DELETE FROM t WHERE id = '6'; INSERT INTO t(id, v) VALUES ('6', 2); COMMIT",
    ];
    follow(T, ENABLE_T, &steps);
}

/// Values that counters and sets take, and those that they refuse, also from a connection without the extension.
#[test]
fn counters_and_sets() {
    let steps = [
        "INSERT INTO t(id, n, s) VALUES ('1', 5, '[1,2]'), ('2', NULL, NULL), ('3', '7', '[]')",
        "UPDATE t SET n = n - 9, s = '[2,3]' WHERE id = '1'",
        "UPDATE t SET n = 4, s = '[\"x\"]' WHERE id = '2'",
        "UPDATE t SET n = 2.0 WHERE id = '3'",
        "INSERT OR REPLACE INTO t(id, n, s) VALUES ('1', 100, '[7]'), ('2', -100, '[8]')",
        "DELETE FROM t WHERE id = '1'; INSERT INTO t(id, n, s) VALUES ('1', 1, '[1]')",
        "UPDATE t SET n = 9223372036854775807 WHERE id = '1'; UPDATE t SET n = -9223372036854775808 WHERE id = '1'",
    ];
    let a = node("a", &format!("{T}; {ENABLE_T}"));
    for sql in [
        "n = 'x'",
        "n = 1.5",
        "n = x'00'",
        "s = '{}'",
        "s = 'x'",
        "s = '1'",
        "s = x'5b5d'",
        "s = ''",
        "s = '[1'",
        "id = NULL",
    ] {
        run(&a, "INSERT OR IGNORE INTO t(id) VALUES ('1')");
        assert!(try_run(&a, &format!("UPDATE t SET {sql}")).is_err(), "{sql}");
    }
    follow(T, ENABLE_T, &steps);
}
