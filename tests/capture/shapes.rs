//! Tables of every shape: keys, storage, names, generated columns.

use super::follow::{changed, follow};
use crate::common::text;
use crate::support::*;

#[test]
fn tables_of_every_shape() {
    // The table named t with a key named by `key`, columns v and w.
    let shapes = [
        ("CREATE TABLE t(k TEXT PRIMARY KEY NOT NULL, v, w)", "k"),
        ("CREATE TABLE t(k TEXT PRIMARY KEY, v, w)", "k"),
        ("CREATE TABLE t(k INTEGER PRIMARY KEY, v, w)", "k"),
        ("CREATE TABLE t(k INTEGER PRIMARY KEY AUTOINCREMENT, v, w)", "k"),
        ("CREATE TABLE t(k INT PRIMARY KEY NOT NULL, v, w)", "k"),
        ("CREATE TABLE t(k INTEGER PRIMARY KEY DESC, v, w)", "k"),
        ("CREATE TABLE t(k BLOB PRIMARY KEY NOT NULL, v, w)", "k"),
        ("CREATE TABLE t(k REAL PRIMARY KEY NOT NULL, v, w)", "k"),
        ("CREATE TABLE t(k PRIMARY KEY, v, w) WITHOUT ROWID", "k"),
        ("CREATE TABLE t(k INTEGER PRIMARY KEY, v, w) WITHOUT ROWID", "k"),
        ("CREATE TABLE t(k TEXT PRIMARY KEY NOT NULL, v ANY, w TEXT) STRICT", "k"),
        ("CREATE TABLE t(k INTEGER PRIMARY KEY, v ANY, w TEXT) STRICT, WITHOUT ROWID", "k"),
        ("CREATE TABLE t(v, w, k TEXT COLLATE NOCASE PRIMARY KEY NOT NULL)", "k"),
        ("CREATE TABLE t(k UUID PRIMARY KEY NOT NULL DEFAULT (lower(hex(randomblob(16)))), v JSON, w BOOLEAN)", "k"),
        ("CREATE TABLE t(k TEXT NOT NULL, v, w, x TEXT DEFAULT 'x' NOT NULL, PRIMARY KEY(x, k))", "k"),
        ("CREATE TABLE t(k NOT NULL, v, w, x DEFAULT 1, y DEFAULT x'00', PRIMARY KEY(x, k, y)) WITHOUT ROWID", "k"),
        ("CREATE TABLE t(\"select\" TEXT PRIMARY KEY NOT NULL, v, w)", "\"select\""),
        ("CREATE TABLE t(\"a b\"\"c'd\" TEXT PRIMARY KEY NOT NULL, v, w)", "\"a b\"\"c'd\""),
        ("CREATE TABLE t(k TEXT PRIMARY KEY NOT NULL, v, w, rowid, oid, _rowid_)", "k"),
        ("CREATE TABLE t(k TEXT PRIMARY KEY NOT NULL, v, w, old, new, t, seq, m, at, k0, v0)", "k"),
        ("CREATE TABLE t(k TEXT PRIMARY KEY NOT NULL, v, w, g AS (v || w), h AS (coalesce(w, 0)) STORED)", "k"),
        ("CREATE TABLE t(g AS (v || k) STORED UNIQUE, k TEXT PRIMARY KEY NOT NULL, v, w CHECK (w IS NOT 'bad'))", "k"),
        ("CREATE TABLE t(k TEXT PRIMARY KEY NOT NULL, v DEFAULT (1 + 2), w NOT NULL DEFAULT 'w')", "k"),
    ];
    for (ddl, key) in shapes {
        let steps = [
            "INSERT INTO t(KEY, v, w) VALUES (1, 'a', 'b'), (2, 'c', 'd'), (3, 'e', 'f')",
            "UPDATE t SET v = 'u' WHERE KEY = 2",
            "UPDATE t SET KEY = 4 WHERE KEY = 3",
            "INSERT OR REPLACE INTO t(KEY, v) VALUES (2, 'r')",
            "DELETE FROM t WHERE KEY = 1",
            "INSERT INTO t(KEY, v) VALUES (1, 'again'), (-5, x'00')",
            "INSERT INTO t(KEY, w) VALUES (1, 'up') ON CONFLICT DO UPDATE SET w = excluded.w",
            "UPDATE t SET v = v, w = w, KEY = KEY",
        ]
        .map(|step| step.replace("KEY", key));
        follow(ddl, "SELECT crdt_enable('t')", &steps.each_ref().map(String::as_str));
    }
}

#[test]
fn names_that_need_quotes() {
    for name in ["order", "select from", "it's", "a\"b", "Group", "ünï 😀", "t.x", "[x]", "-- x", "%s", "_t", "1"] {
        let (q, literal) = (quote(name), name.replace('\'', "''"));
        let columns =
            [format!("{name} k"), format!("{name} c"), format!("{name}:s"), "index".to_string()].map(|c| quote(&c));
        let [k, c, s, v] = &columns;
        let ddl = format!(
            "CREATE TABLE {q}({k} TEXT PRIMARY KEY NOT NULL, {c} INTEGER DEFAULT 0, {s} TEXT DEFAULT '[]', {v})"
        );
        let enable = format!("SELECT crdt_enable('{literal}', '{literal} c:counter', '{literal}:s:set')");
        let steps = [
            format!("INSERT INTO {q} VALUES ('1', 1, '[1]', 'a'), ('2', 2, '[2]', 'b')"),
            format!("UPDATE {q} SET {c} = {c} + 5, {s} = '[1,3]', {v} = 'x' WHERE {k} = '1'"),
            format!("REPLACE INTO {q}({k}, {v}) VALUES ('2', 'y')"),
            format!("UPDATE {q} SET {k} = '3' WHERE {k} = '2'"),
            format!("DELETE FROM {q} WHERE {k} = '1'"),
        ];
        follow(&ddl, &enable, &steps.each_ref().map(String::as_str));
    }
}

/// A table of a key and nothing else: rows come and go.
#[test]
fn key_only_tables() {
    let steps = [
        "INSERT INTO t VALUES ('a'), ('b')",
        "DELETE FROM t WHERE k = 'a'",
        "UPDATE t SET k = 'c'",
        "INSERT OR REPLACE INTO t VALUES ('c'), ('a')",
    ];
    for tail in ["", " WITHOUT ROWID"] {
        follow(&format!("CREATE TABLE t(k TEXT PRIMARY KEY NOT NULL){tail}"), "SELECT crdt_enable('t')", &steps);
    }
    let fields = changed(
        "CREATE TABLE t(k TEXT PRIMARY KEY NOT NULL); SELECT crdt_enable('t')",
        "",
        "INSERT INTO t VALUES ('a')",
    );
    assert_eq!(fields, ["a._row"]);
}

/// Keys of every kind as text on the wire; no two share one.
#[test]
fn keys_on_the_wire() {
    for (ddl, key, wire) in [
        ("CREATE TABLE t(k TEXT PRIMARY KEY, v)", "'it''s'", "it's"),
        ("CREATE TABLE t(k TEXT PRIMARY KEY, v)", "''", ""),
        ("CREATE TABLE t(k TEXT PRIMARY KEY, v)", "'7'", "7"),
        ("CREATE TABLE t(k TEXT PRIMARY KEY, v)", "x'61'", r#"[{"$blob":"61"}]"#),
        ("CREATE TABLE t(k TEXT PRIMARY KEY, v)", "'a' || char(0)", r#"[{"$text":"6100"}]"#),
        ("CREATE TABLE t(k INTEGER PRIMARY KEY, v)", "-42", "-42"),
        ("CREATE TABLE t(k INT PRIMARY KEY, v)", "'x'", r#"["x"]"#),
        ("CREATE TABLE t(k INT PRIMARY KEY, v)", "1.5", "[1.5]"),
        ("CREATE TABLE t(k PRIMARY KEY, v)", "1", "[1]"),
        ("CREATE TABLE t(k PRIMARY KEY, v)", "'1'", r#"["1"]"#),
        ("CREATE TABLE t(k REAL PRIMARY KEY, v)", "1", "[1.0]"),
        ("CREATE TABLE t(v, b INT NOT NULL DEFAULT 1, k TEXT NOT NULL, PRIMARY KEY(k, b))", "'x'", r#"["x",1]"#),
        (
            "CREATE TABLE t(v, b INT NOT NULL DEFAULT 1, k BLOB NOT NULL, PRIMARY KEY(b, k))",
            "x'00ff'",
            r#"[1,{"$blob":"00ff"}]"#,
        ),
    ] {
        let [a, b] = nodes(["a", "b"], &format!("{ddl}; SELECT crdt_enable('t')"));
        run(&a, &format!("INSERT INTO t(k, v) VALUES ({key}, 'v')"));
        assert_eq!(since(&a, None).change("v")["pk"], wire, "{ddl}: {key}");
        assert!(text(&a, "SELECT crdt_state('t', ?1)", [wire]).contains("\"v\""));
        send(&a, &b);
        same(&a, &b, "t");
    }
    let a = node("a", "CREATE TABLE t(k TEXT PRIMARY KEY, v); SELECT crdt_enable('t')");
    run(
        &a,
        r#"INSERT INTO t VALUES (x'61', 1), ('[{"$blob":"61"}]', 2), ('["[{\"$blob\":\"61\"}]"]', 3), ('a', 4), ('["a"]', 5)"#,
    );
    assert_eq!(since(&a, None).fields().len(), 5);
    let b = node("b", "CREATE TABLE t(k TEXT PRIMARY KEY, v); SELECT crdt_enable('t')");
    send(&a, &b);
    same(&a, &b, "t");
}
