//! REPLACE: of the same key, of rows that stand in the way in another index, of a rowid.

use super::follow::{changed, follow};
use crate::support::*;

/// Tables of id, u, v in which a value of u may stand in the way.
const UNIQUE: &[&str] = &[
    "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, u UNIQUE, v)",
    "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, u UNIQUE, v) WITHOUT ROWID",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, u UNIQUE, v)",
    "CREATE TABLE t(id PRIMARY KEY NOT NULL, u TEXT COLLATE NOCASE UNIQUE, v)",
    "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, u TEXT UNIQUE, v INTEGER) STRICT",
    "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, u, v, UNIQUE(u, v))",
    "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, u, v); CREATE UNIQUE INDEX i ON t(u)",
    "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, u, v); CREATE UNIQUE INDEX i ON t(u) WHERE v > 0",
    "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, u, v); CREATE UNIQUE INDEX i ON t(lower(u))",
    "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, u, v); CREATE UNIQUE INDEX i ON t(lower(u), v) WHERE u IS NOT 'x'",
    "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, u, v); CREATE UNIQUE INDEX i ON t(u COLLATE NOCASE)",
    "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, u UNIQUE, v, g AS (v || u) UNIQUE)",
    "CREATE TABLE t(id TEXT COLLATE NOCASE PRIMARY KEY NOT NULL, u UNIQUE, v)",
    "CREATE TABLE t(id TEXT NOT NULL, u UNIQUE, v NOT NULL DEFAULT 5, PRIMARY KEY(v, id))",
    "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL ON CONFLICT REPLACE, u UNIQUE ON CONFLICT REPLACE, v)",
];

#[test]
fn replace_evicts_rows_through_other_indexes() {
    for ddl in UNIQUE {
        let steps = [
            "INSERT INTO t(id, u, v) VALUES ('1', 'a', 1), ('2', 'b', 1), ('3', 'c', 0), ('4', NULL, 1), ('5', NULL, 1)",
            "INSERT OR REPLACE INTO t(id, u, v) VALUES ('6', 'a', 1)",
            "UPDATE OR REPLACE t SET u = 'b' WHERE id = '6'",
            "INSERT OR REPLACE INTO t(id, u, v) VALUES ('3', 'B', 1)",
            "REPLACE INTO t(id, u, v) VALUES ('7', 'x', 1), ('8', 'x', 1), ('9', 'x', 0), ('7', 'y', 1)",
            "INSERT OR REPLACE INTO t(id, u) VALUES ('4', NULL)",
            "UPDATE OR REPLACE t SET u = 'same'",
            "BEGIN; REPLACE INTO t(id, u, v) VALUES ('1', 'same', 1); INSERT INTO t(id, u, v) VALUES ('2', 'z', 2); COMMIT",
            "BEGIN; REPLACE INTO t(id, u, v) VALUES ('10', 'z', 2); SAVEPOINT s; REPLACE INTO t(id, u, v) VALUES ('11', 'z', 2);
             ROLLBACK TO s; INSERT OR IGNORE INTO t(id, u, v) VALUES ('12', 'z', 2); COMMIT",
            "INSERT INTO t(id, u, v) SELECT 2 * value + 100, 'n' || value, value FROM json_each('[1,2,3,4]')",
            "INSERT OR REPLACE INTO t(id, u, v) SELECT id + 1, u, v FROM t WHERE id > 100",
            "UPDATE OR REPLACE t SET id = '2' WHERE id = '10'",
        ];
        follow(ddl, "SELECT crdt_enable('t')", &steps);
    }
}

#[test]
fn replace_of_the_same_key_writes_every_column() {
    let setup = "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v, w DEFAULT 'd', n INTEGER NOT NULL DEFAULT 7)";
    let enable = "SELECT crdt_enable('t')";
    let steps = [
        "INSERT INTO t VALUES ('1', 'a', 'b', 1)",
        "INSERT OR REPLACE INTO t(id, v) VALUES ('1', 'c')",
        "INSERT OR REPLACE INTO t(id, n) VALUES ('1', NULL)",
        "UPDATE OR REPLACE t SET n = NULL, v = 'e'",
        "REPLACE INTO t VALUES ('1', 'x', 'y', 2); DELETE FROM t; REPLACE INTO t(id) VALUES ('1')",
    ];
    follow(setup, enable, &steps);
    let first = "INSERT INTO t VALUES ('1', 'a', 'd', 7)";
    let fields = changed(&format!("{setup}; {enable}"), first, "INSERT OR REPLACE INTO t VALUES ('1', 'a', 'd', 7)");
    assert_eq!(fields, ["1.n", "1.v", "1.w"], "a REPLACE is a write of all columns, equal as they may be");
}

#[test]
fn replace_names_the_evicted_row() {
    let setup = "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, u UNIQUE, v); SELECT crdt_enable('t')";
    let before = "INSERT INTO t VALUES ('1', 'a', 1), ('2', 'b', 2), ('3', 'c', 3)";
    for (sql, tombstones) in [
        ("REPLACE INTO t VALUES ('9', 'a', 0)", &["1"][..]),
        ("UPDATE OR REPLACE t SET u = 'b' WHERE id = '1'", &["2"]),
        ("UPDATE OR REPLACE t SET u = 'q'", &["1", "2"]),
        ("INSERT OR IGNORE INTO t VALUES ('9', 'a', 0)", &[]),
        ("INSERT INTO t VALUES ('9', 'a', 0) ON CONFLICT DO NOTHING", &[]),
        ("INSERT INTO t VALUES ('9', 'a', 0) ON CONFLICT(u) DO UPDATE SET v = 9", &[]),
        ("REPLACE INTO t VALUES ('1', 'a', 0)", &[]),
    ] {
        let gone: Vec<_> =
            changed(setup, before, sql).into_iter().filter(|field| field.ends_with("._tombstone")).collect();
        let expected: Vec<_> = tombstones.iter().map(|key| format!("{key}._tombstone")).collect();
        assert_eq!(gone, expected, "{sql}");
    }
}

/// REPLACE puts the default in place of a NULL that is refused: the row in the way is the one that has the default.
#[test]
fn replace_by_a_default() {
    for ddl in [
        "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, u INTEGER NOT NULL DEFAULT 7 UNIQUE, v)",
        "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, u TEXT NOT NULL DEFAULT \"7\", v, UNIQUE(u, v))",
        "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, u NOT NULL DEFAULT '(7', v); CREATE UNIQUE INDEX i ON t(u) WHERE v",
        "CREATE TABLE t(id TEXT COLLATE NOCASE NOT NULL DEFAULT 'x' PRIMARY KEY, u INTEGER NOT NULL DEFAULT 7 UNIQUE, v)",
        "CREATE TABLE t(id TEXT NOT NULL DEFAULT 'x' PRIMARY KEY, u DEFAULT (7), v, UNIQUE(u)) WITHOUT ROWID",
    ] {
        follow(ddl, "SELECT crdt_enable('t')", &[
            "INSERT INTO t(id, v) VALUES ('1', 1); INSERT INTO t VALUES ('2', 8, 1), ('X', 9, 1)",
            "INSERT OR REPLACE INTO t VALUES ('3', NULL, 1)",
            "UPDATE OR REPLACE t SET u = NULL WHERE id = '2'",
            "REPLACE INTO t VALUES (coalesce((SELECT NULL WHERE 0), 'X'), NULL, 1), ('5', 10, 1)",
            "INSERT OR REPLACE INTO t(id, u, v) VALUES ('6', 10, 1), ('7', NULL, 2), ('8', NULL, 1)",
        ]);
    }
    // What only this connection has is not called by others.
    let a = node(
        "a",
        "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, u NOT NULL DEFAULT (mine(1)) UNIQUE); SELECT crdt_enable('t')",
    );
    run(&a, "INSERT INTO t VALUES ('1', 1), ('2', 2); UPDATE t SET u = u + 2");
    assert_eq!(table(&a, "t"), ["'1', 3", "'2', 4"]);
    sound(&a);
}

#[test]
fn replace_of_a_rowid() {
    for ddl in [
        "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v)",
        "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, rowid, v)",
        "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v TEXT COLLATE NOCASE)",
        "CREATE TABLE t(id, part INTEGER NOT NULL DEFAULT 1, v, PRIMARY KEY (id, part))",
    ] {
        let rowid = if ddl.contains("rowid") { "_rowid_" } else { "rowid" };
        let steps = [
            "INSERT INTO t(id, v) VALUES ('1', 'a'), ('2', 'b'), ('3', 'c'), ('4', 'd')",
            "INSERT OR REPLACE INTO t(rowid, id, v) VALUES (1, 'new', 'x')",
            "UPDATE OR REPLACE t SET rowid = 2 WHERE id = '3'",
            "REPLACE INTO t(rowid, id, v) VALUES (4, '3', 'two rows at once')",
            "UPDATE t SET rowid = rowid + 100",
            "INSERT OR REPLACE INTO t(rowid, id, v) VALUES (-1, 'minus one', 1)",
            "INSERT OR REPLACE INTO t(rowid, id, v) VALUES (0, 'zero', 1), (0, 'zero again', 2)",
            "UPDATE OR REPLACE t SET rowid = -1 WHERE id = 'zero again'",
        ]
        .map(|step| step.replace("rowid", rowid));
        follow(ddl, "SELECT crdt_enable('t')", &steps.each_ref().map(String::as_str));
    }
}

/// Triggers know the rows `new` and `old`, and ours call the row in the way `o`.
#[test]
fn tables_and_columns_named_as_the_rows_of_a_trigger() {
    for name in ["new", "old", "o"] {
        let ddl = format!("CREATE TABLE {name}(id TEXT PRIMARY KEY NOT NULL, new UNIQUE, old, o)");
        let steps = [
            "INSERT INTO t VALUES ('1', 'a', 'b', 'c'), ('2', 'd', 'e', 'f'), ('3', NULL, NULL, NULL)",
            "INSERT OR REPLACE INTO t(rowid, id, new, old, o) VALUES (1, '4', 'x', 'y', 'z')",
            "REPLACE INTO t VALUES ('5', 'd', 'by its index', 1)",
            "UPDATE OR REPLACE t SET rowid = 3, old = 'moved' WHERE id = '4'",
            "UPDATE OR REPLACE t SET new = 'd', o = 2 WHERE id = '4'",
        ]
        .map(|step| step.replace(" t", &format!(" {name}")));
        follow(&ddl, &format!("SELECT crdt_enable('{name}')"), &steps.each_ref().map(String::as_str));
    }
}

/// The row that went is kept as it was: a write that did not know of it brings all of it back.
#[test]
fn an_evicted_row_comes_back_whole() {
    let setup = "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, u UNIQUE, v, w, n INTEGER DEFAULT 0); SELECT crdt_enable('t', 'n:counter')";
    for evict in [
        "INSERT OR REPLACE INTO t(rowid, id) VALUES (1, '9')",
        "UPDATE OR REPLACE t SET rowid = 1 WHERE id = '2'",
        "INSERT OR REPLACE INTO t(id, u) VALUES ('9', 'a'); UPDATE t SET u = NULL",
        "UPDATE OR REPLACE t SET u = 'a' WHERE id = '2'; UPDATE t SET u = NULL",
    ] {
        let [a, b] = nodes(["a", "b"], setup);
        run(&a, "INSERT INTO t VALUES ('1', 'a', 1.5, x'00ff', 3), ('2', 'b', NULL, 'two', 4)");
        send(&a, &b);
        run(&a, evict);
        assert_eq!(rows(&a, "SELECT count(*) FROM t WHERE id = '1'"), ["0"], "{evict}");
        send(&a, &b);
        assert_eq!(rows(&b, "SELECT count(*) FROM t WHERE id = '1'"), ["0"], "{evict}");
        let late = r#"[{"table":"t","pk":"1","field":"v","crdt_type":"lww","value":"anew","hlc":{"ts":4000000000000000000,"c":0,"node":"z"}}]"#;
        run(&a, "SELECT crdt_pragma('max_drift', '40000d')");
        merge(&a, late);
        assert_eq!(rows(&a, "SELECT u, v, w, n FROM t WHERE id = '1'"), ["'a', 'anew', x'00ff', 3"], "{evict}");
        sound(&a);
        run(&b, "SELECT crdt_pragma('max_drift', '40000d')");
        send(&a, &b);
        same(&a, &b, "t");
    }
}

/// A REPLACE that names the rowid which its key has anyway removes no other row.
#[test]
fn replace_of_the_same_row_by_its_rowid() {
    let setup =
        "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v, n INTEGER DEFAULT 0); SELECT crdt_enable('t', 'n:counter')";
    let before = "INSERT INTO t(rowid, id, v, n) VALUES (7, '1', 'a', 5)";
    for sql in
        ["REPLACE INTO t(rowid, id, v, n) VALUES (7, '1', 'b', 6)", "UPDATE OR REPLACE t SET rowid = 7, v = 'b', n = 6"]
    {
        assert_eq!(changed(setup, before, sql), ["1.n", "1.v"], "{sql}");
        let a = node("a", &format!("{setup}; {before}; {sql}"));
        assert_eq!(rows(&a, "SELECT count(*) FROM _crdt_log WHERE m = -3"), ["0"], "{sql}");
        assert_eq!(rows(&a, "SELECT count(*) FROM _crdt_grave"), ["0"], "{sql}");
    }
}
