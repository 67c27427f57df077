//! `crdt_alter`, and DROP COLUMN.

use rusqlite::Connection;
use serde_json::Value;

use crate::common::{error, text};
use crate::support::*;

const T: &str = "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, a TEXT, b TEXT UNIQUE, n INTEGER, s TEXT, o);
    CREATE TABLE other(id TEXT PRIMARY KEY NOT NULL, v);
    SELECT crdt_enable('t', 'n:counter', 's:set'), crdt_enable('other');";

fn alter(conn: &Connection, alteration: &str) -> Value {
    serde_json::from_str(&text(conn, "SELECT crdt_alter('t', ?1)", [alteration])).unwrap()
}

/// Our triggers of a table, by name.
fn triggers(conn: &Connection, table: &str) -> Vec<String> {
    rows_with(conn, "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ?1 ORDER BY 1", [table])
}

#[test]
fn every_kind_of_alteration() {
    let [a, b] = nodes(["a", "b"], T);
    run(&a, "INSERT INTO t VALUES ('1', 'x', 'y', 1, '[\"p\"]', 'o'); UPDATE t SET a = 'xx'; INSERT INTO other VALUES ('1', 'v')");
    for conn in [&a, &b] {
        assert_eq!(alter(conn, "ADD COLUMN later DEFAULT 'd'")["fields"]["later"], "lww");
        assert_eq!(alter(conn, "DROP COLUMN a")["fields"].get("a"), None);
        assert_eq!(alter(conn, "RENAME n TO votes")["fields"]["votes"], "counter");
        assert_eq!(alter(conn, "drop column s -- a comment\n;")["fields"]["o"], "lww");
        assert_eq!(alter(conn, "RENAME TO \"t \"\"2\"")["table"], "t \"2");
    }
    let expected = ["'1', 'y', 1, 'o', 'd'"];
    assert_eq!(table(&a, "t \"2"), expected);
    send(&a, &b);
    assert_eq!(table(&b, "t \"2"), expected);
    same(&a, &b, "t \"2");
    same(&a, &b, "other");
    assert_eq!(
        rows(&a, "SELECT name FROM sqlite_schema WHERE type = 'view' AND name NOT GLOB '_crdt_*' ORDER BY 1"),
        ["'_other_crdt'", "'_t \"2_crdt'"]
    );
    run(&b, "UPDATE \"t \"\"2\" SET votes = votes + 1, later = 'now', o = 'b'");
    run(&b, "INSERT INTO \"t \"\"2\" VALUES ('2', 'unique', 3, 'o', 'l')");
    send(&b, &a);
    same(&a, &b, "t \"2");
    assert_eq!(table(&a, "t \"2"), ["'1', 'y', 2, 'b', 'now'", "'2', 'unique', 3, 'o', 'l'"]);
    assert_eq!(rows(&a, "SELECT count(*) FROM crdt_pending()"), ["0"]);
}

/// Dropping exports nothing of the table anew, and does not touch another table's triggers.
#[test]
fn dropping_a_column_exports_nothing() {
    let a = node("a", T);
    run(&a, "INSERT INTO t VALUES ('1', 'x', 'y', 1, '[\"p\"]', 'o')");
    let (place, before) = (mark(&a), triggers(&a, "other"));
    for column in ["a", "n", "s"] {
        alter(&a, &format!("DROP COLUMN {column}"));
    }
    assert_eq!(since(&a, Some(&place)).changes.len(), 0);
    assert_eq!(triggers(&a, "other"), before);
    assert!(!triggers(&a, "t").iter().any(|name| name.contains("field")), "{:?}", triggers(&a, "t"));
    sound(&a);
}

/// A plain DROP COLUMN is refused by SQLite, and nothing is changed by that.
#[test]
fn a_plain_drop_is_refused() {
    let a = node("a", T);
    run(&a, "INSERT INTO t(id, a) VALUES ('1', 'x')");
    let before = contents(&a);
    assert!(error(&a, "ALTER TABLE t DROP COLUMN a", []).contains("trigger"));
    assert_eq!(contents(&a), before);
    run(&a, "UPDATE t SET a = 'written on'");
    assert_eq!(since(&a, None).change("a")["value"], "written on");
}

#[test]
fn what_is_refused_changes_nothing() {
    let a = node(
        "a",
        &format!("{T} CREATE TABLE plain(id TEXT PRIMARY KEY NOT NULL, v); CREATE VIEW v AS SELECT o FROM t"),
    );
    run(&a, "INSERT INTO t VALUES ('1', 'x', 'y', 1, '[\"p\"]', 'o')");
    export(&a);
    let before = contents(&a);
    for (alteration, why) in [
        ("DROP COLUMN nope", "no such column"),
        ("DROP COLUMN b", "UNIQUE"),
        ("DROP COLUMN id", "PRIMARY KEY"),
        ("DROP COLUMN o", "error in view v"),
        ("ADD COLUMN x NOT NULL", "NOT NULL"),
        ("ADD COLUMN a", "duplicate column"),
        ("ADD COLUMN _row", "_row"),
        ("RENAME COLUMN a TO o", "duplicate column"),
        ("RENAME TO other", "already"),
        ("RENAME TO _crdt_mine", "_crdt"),
        ("ADD COLUMN x; DROP TABLE plain", "one statement"),
        ("ADD COLUMN x; DROP", "one statement"),
        ("ADD COLUMN x; /* */ ;; SELECT 1", "one statement"),
        ("", "incomplete"),
        ("-- nothing", "incomplete"),
        ("EXPLODE", "syntax"),
    ] {
        let message = error(&a, "SELECT crdt_alter('t', ?1)", [alteration]);
        assert!(message.contains(why) && message.starts_with("crdt_alter: "), "{alteration}: {message}");
        assert_eq!(contents(&a), before, "{alteration}");
    }
    for (table, why) in
        [("plain", "not enabled"), ("nope", "not enabled"), ("other\"; DROP TABLE plain; --", "not enabled")]
    {
        let message = error(&a, "SELECT crdt_alter(?1, 'ADD COLUMN x')", [table]);
        assert!(message.contains(why), "{message}");
    }
    for call in [
        "crdt_alter()",
        "crdt_alter('t')",
        "crdt_alter('t', NULL)",
        "crdt_alter(1, 'x')",
        "crdt_alter('t', 'ADD COLUMN x' || char(0))",
    ] {
        assert!(error(&a, &format!("SELECT {call}"), []).contains("crdt_alter"), "{call}");
    }
    assert_eq!(contents(&a), before);
    run(&a, "UPDATE t SET a = 'captured', n = 5; BEGIN; SELECT crdt_alter('t', 'DROP COLUMN a'); ROLLBACK");
    assert_eq!(since(&a, None).change("a")["value"], "captured");
    sound(&a);
}

/// A disabled table, or one whose triggers are gone, is not altered this way.
#[test]
fn of_tables_that_are_not_captured() {
    let a = node("a", T);
    run(&a, "SELECT crdt_disable('t')");
    assert!(error(&a, "SELECT crdt_alter('t', 'ADD COLUMN x')", []).contains("not enabled"));
    run(&a, "ALTER TABLE t DROP COLUMN a; SELECT crdt_enable('t'); DROP TABLE other; CREATE TABLE other(id TEXT PRIMARY KEY NOT NULL)");
    assert!(error(&a, "SELECT crdt_alter('other', 'ADD COLUMN x')", []).contains("crdt_enable"));
    assert!(text(&a, "SELECT crdt_check()", []).contains("crdt_enable('other')"));
    run(&a, "SELECT crdt_enable('other')");
    sound(&a);
}

/// Dropped here and not there: what others write in it is kept and passed on, and shown when it is there again.
#[test]
fn dropped_at_one_node_only() {
    let [a, b, c] = nodes(["a", "b", "c"], T);
    run(&a, "INSERT INTO t VALUES ('1', 'x', 'y', 1, '[\"p\"]', 'o'), ('2', 'x', 'z', 1, '[\"p\"]', 'o')");
    send(&a, &b);
    for column in ["a", "n", "s"] {
        alter(&a, &format!("DROP COLUMN {column}"));
    }
    assert_eq!(rows(&a, "SELECT count(*) FROM crdt_pending()"), ["0"], "nothing waits: it was dropped");
    run(&b, "UPDATE t SET a = 'b', n = n + 1, s = '[\"q\"]' WHERE id = '1'");
    send(&b, &a);
    assert_eq!(
        rows(&a, "SELECT pk, field FROM crdt_pending() ORDER BY 1, 2"),
        ["'1', 'a'", "'1', 'n'", "'1', 's'", "'2', 'a'"]
    );
    assert_eq!(status(&a)["forks"], 0, "its own changes came back and are no other's");
    send(&a, &c);
    same(&b, &c, "t");
    run(&a, "SELECT crdt_alter('t', 'ADD COLUMN a TEXT'), crdt_alter('t', 'ADD COLUMN n INTEGER DEFAULT 0')");
    run(&a, "ALTER TABLE t ADD COLUMN s TEXT; SELECT crdt_enable('t', 'n:counter', 's:set')");
    assert_eq!(rows(&a, "SELECT id, a, n, s FROM t ORDER BY 1"), ["'1', 'b', 2, '[\"q\"]'", "'2', 'x', 1, '[\"p\"]'"]);
    assert_eq!(rows(&a, "SELECT count(*) FROM crdt_pending()"), ["0"]);
    swap(&a, &b);
    assert_eq!(digest(&a, "t"), digest(&b, "t"));
    sound(&a);
    assert_eq!(status(&a)["forks"], 0);
}

/// A value that was told before a peer dropped its column is not told again by cursor: a whole export brings it back.
#[test]
fn what_others_kept_comes_back_with_a_whole_export() {
    let [a, b] = nodes(["a", "b"], "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v, w); SELECT crdt_enable('t');");
    alter(&b, "DROP COLUMN v");
    run(&a, "INSERT INTO t VALUES ('1', 'x', 'y')");
    send(&a, &b);
    let told = since(&b, None);
    merge(&a, &told.json);
    alter(&a, "DROP COLUMN v");
    merge(&a, &since(&b, Some(&told.cursor)).json);
    let kept = "SELECT pk, field FROM crdt_pending()";
    assert_eq!((rows(&a, kept), rows(&b, kept)), (vec![], vec!["'1', 'v'".to_string()]));
    assert_eq!(table(&a, "t"), table(&b, "t"));
    send(&b, &a);
    assert_eq!(rows(&a, kept), rows(&b, kept));
    same(&a, &b, "t");
    assert_eq!(status(&a)["forks"], 0);
}

/// Nodes that have dropped a column agree with one that never had it, also where only that column had the latest stamp.
#[test]
fn a_node_that_never_had_the_column() {
    let [a, b] = nodes(["a", "b"], "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v, w); SELECT crdt_enable('t');");
    run(&a, "INSERT INTO t VALUES ('1', 'x', 'y'), ('2', 'x', 'y')");
    send(&a, &b);
    run(&a, "DELETE FROM t WHERE id = '2'");
    run(&b, "UPDATE t SET w = 'revives' WHERE id = '2'; UPDATE t SET v = 'late' WHERE id = '1'");
    swap(&a, &b);
    for conn in [&a, &b] {
        run(conn, "SELECT crdt_alter('t', 'DROP COLUMN w'), crdt_alter('t', 'DROP COLUMN v')");
        sound(conn);
        assert_eq!(table(conn, "t"), ["'1'", "'2'"]);
    }
    same(&a, &b, "t");
    let c = node("c", "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL); SELECT crdt_enable('t')");
    send(&a, &c);
    assert_eq!(table(&c, "t"), ["'1'", "'2'"]);
    same(&a, &c, "t");
}

/// A table of every shape.
#[test]
fn keys_of_all_shapes() {
    for ddl in [
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b, g AS (b || 'x'))",
        "CREATE TABLE t(k, l TEXT, a, b, PRIMARY KEY (l, k)) WITHOUT ROWID",
        "CREATE TABLE t(\"k \"\"k\" TEXT PRIMARY KEY NOT NULL, a TEXT, b TEXT) STRICT",
    ] {
        let [a, b] = nodes(["a", "b"], &format!("{ddl}; SELECT crdt_enable('t');"));
        let key = if ddl.contains("l TEXT") { "1, 'x'" } else { "1" };
        run(&a, &format!("INSERT INTO t VALUES ({key}, 'a', 'b')"));
        alter(&a, "DROP COLUMN a");
        run(&a, &format!("UPDATE t SET b = 'bb'; INSERT INTO t VALUES ({}, 'c')", key.replace('1', "2")));
        alter(&b, "DROP COLUMN a");
        send(&a, &b);
        same(&a, &b, "t");
        assert_eq!(table(&b, "t").len(), 2);
    }
}
