//! What waits is tried again by itself, and by `crdt_retry()`.

use rusqlite::Connection;
use serde_json::Value;

use crate::common::text;
use crate::support::{export, merge, node, nodes, page, rows, run, same, send, sound, table, take};

const LOOSE: &str = "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v, w); SELECT crdt_enable('t');";

fn waiting(conn: &Connection) -> Vec<String> {
    rows(conn, "SELECT pk FROM crdt_pending() ORDER BY 1").into_iter().map(|pk| pk.replace('\'', "")).collect()
}

fn retry(conn: &Connection) -> String {
    text(conn, "SELECT crdt_retry()", [])
}

/// The changes of one table.
fn of(from: &Connection, table: &str) -> Vec<Value> {
    page(&export(from)).changes.into_iter().filter(|change| change["table"] == table).collect()
}

#[test]
fn after_an_index_is_dropped() {
    let a = node("a", LOOSE);
    run(&a, "INSERT INTO t VALUES ('1', 'x', 1), ('2', 'x', 2), ('3', 'x', 3)");
    let b = node("b", &format!("{LOOSE} CREATE UNIQUE INDEX i ON t(v); SELECT crdt_enable('t')"));
    send(&a, &b);
    assert_eq!(waiting(&b), ["2", "3"]);
    assert_eq!(retry(&b), "0");
    run(&b, "DROP INDEX i");
    assert_eq!(retry(&b), "2", "{:?}", rows(&b, "SELECT * FROM crdt_pending()"));
    same(&a, &b, "t");
    assert_eq!(retry(&b), "0");
}

#[test]
fn after_a_table_is_rebuilt_with_a_wider_check() {
    let a = node("a", LOOSE);
    run(&a, "INSERT INTO t VALUES ('1', 1, 1), ('2', 7, 2), ('3', NULL, 3)");
    let ddl = |name: &str, check: &str| format!("CREATE TABLE {name}(id TEXT PRIMARY KEY NOT NULL, v {check}, w);");
    let b = node("b", &format!("{} SELECT crdt_enable('t')", ddl("t", "NOT NULL CHECK (v < 5)")));
    send(&a, &b);
    assert_eq!(waiting(&b), ["2", "3"]);
    for (check, left) in [("NOT NULL", &["3"][..]), ("", &[])] {
        let new = ddl("new", check);
        run(
            &b,
            &format!("{new} INSERT INTO new SELECT * FROM t; DROP TABLE t; ALTER TABLE new RENAME TO t; SELECT crdt_enable('t')"),
        );
        assert_eq!(waiting(&b), left, "{check}");
        sound(&b);
    }
    let changes = page(&export(&b)).changes;
    assert!(changes.iter().all(|change| change["pk"] != "3" || change["node_id"] == "a"), "none is a local write");
    send(&b, &a);
    same(&a, &b, "t");
}

#[test]
fn after_a_parent_that_is_not_synced_is_filled() {
    let a = node("a", LOOSE);
    run(&a, "INSERT INTO t VALUES ('1', 'p', 1), ('2', 'q', 2)");
    let b = node(
        "b",
        "PRAGMA foreign_keys = ON; CREATE TABLE p(id TEXT PRIMARY KEY);
         CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v REFERENCES p(id), w); SELECT crdt_enable('t')",
    );
    send(&a, &b);
    assert_eq!(waiting(&b), ["1", "2"]);
    run(&b, "INSERT INTO p VALUES ('p')");
    assert_eq!(retry(&b), "1");
    assert_eq!(waiting(&b), ["2"]);
    run(&b, "INSERT INTO p VALUES ('q'); INSERT INTO t VALUES ('3', NULL, NULL)");
    assert_eq!(waiting(&b).len(), 0, "with the next write of a table that is synced");
}

/// For every reason: a local write that makes room is enough, and so is a merged one.
#[test]
fn after_a_local_write_and_after_a_merge() {
    let strict = |column: &str| {
        format!(
            "PRAGMA foreign_keys = ON;
             CREATE TABLE p(id TEXT PRIMARY KEY NOT NULL, n); SELECT crdt_enable('p');
             CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, {column}, w); SELECT crdt_enable('t');"
        )
    };
    let guard = "CREATE TRIGGER g BEFORE INSERT ON t WHEN NOT EXISTS (SELECT 1 FROM p WHERE id = 'p')
                 BEGIN SELECT RAISE(ABORT, 'not yet'); END;";
    for (column, more, bad, reason, remedy) in [
        (
            "v UNIQUE",
            "INSERT INTO t VALUES ('0', 'p', 0)",
            "'p'",
            "UNIQUE constraint failed: t.v",
            "DELETE FROM t WHERE id = '0'",
        ),
        (
            "v UNIQUE",
            "INSERT INTO t VALUES ('0', 'p', 0)",
            "'p'",
            "UNIQUE constraint failed: t.v",
            "UPDATE t SET v = 'free' WHERE id = '0'",
        ),
        ("v REFERENCES p", "", "'p'", "FOREIGN KEY constraint failed", "INSERT INTO p VALUES ('p', 1)"),
        (
            "v REFERENCES p DEFERRABLE INITIALLY DEFERRED",
            "",
            "'p'",
            "FOREIGN KEY constraint failed",
            "INSERT INTO p VALUES ('p', 1)",
        ),
        ("v NOT NULL", "", "NULL", "NOT NULL constraint failed: t.v", "REPLACE INTO t VALUES ('1', 'p', 9)"),
        ("v CHECK (v <> 'p')", "", "'p'", "CHECK constraint failed: v <> 'p'", "REPLACE INTO t VALUES ('1', 'q', 9)"),
        ("v", guard, "'p'", "not yet", "INSERT INTO p VALUES ('p', 1)"),
    ] {
        for local in [true, false] {
            let a = node(
                "a",
                &format!("CREATE TABLE p(id TEXT PRIMARY KEY NOT NULL, n); SELECT crdt_enable('p'); {LOOSE}"),
            );
            let [b, c] = nodes(["b", "c"], &strict(column));
            run(&b, more);
            std::thread::sleep(std::time::Duration::from_millis(3));
            run(&a, &format!("INSERT INTO t VALUES ('1', {bad}, 1)"));
            merge(&b, &export(&a));
            assert_eq!(waiting(&b), ["1"], "{column} {reason}");
            let told = text(&b, "SELECT reason FROM crdt_pending()", []);
            assert!(told.starts_with(reason), "{reason}: {told}");
            if reason.starts_with("UNIQUE") {
                assert!(told.contains("'0'"), "who holds it: {told}");
            }
            if local {
                run(&b, remedy);
            } else {
                send(&b, &c);
                run(&c, remedy);
                send(&c, &b);
            }
            assert_eq!(
                waiting(&b).len(),
                0,
                "{column} {remedy} local {local}: {:?}",
                rows(&b, "SELECT * FROM crdt_pending()")
            );
            assert!(table(&b, "t").iter().any(|row| row.starts_with("'1', ")), "{column} {remedy}");
            sound(&b);
        }
    }
}

/// A claim that no definition tells, as on a generated column: our triggers name the row that stands in its way.
#[test]
fn claims_on_generated_columns() {
    for index in ["t(g)", "t(w, g)", "t(g || 'x')", "t(w) WHERE g <> 'free'"] {
        let ddl = "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v, w, g AS (lower(v)));";
        let [a, b] = nodes(["a", "b"], &format!("{ddl} CREATE UNIQUE INDEX i ON {index}; SELECT crdt_enable('t');"));
        run(&a, "INSERT INTO t(id, v, w) VALUES ('1', 'X', 1)");
        std::thread::sleep(std::time::Duration::from_millis(3));
        run(&b, "INSERT INTO t(id, v, w) VALUES ('2', 'x', 1)");
        send(&a, &b);
        send(&b, &a);
        for node in [&a, &b] {
            assert_eq!(rows(node, "SELECT id FROM t"), ["'1'"], "{index}: the older claim is shown");
            assert_eq!(waiting(node), ["2"], "{index}");
        }
        run(&a, "UPDATE t SET v = 'free' WHERE id = '1'");
        send(&a, &b);
        same(&a, &b, "t");
        assert_eq!(waiting(&b).len(), 0, "{index}: {:?}", rows(&b, "SELECT * FROM crdt_pending()"));
    }
}

/// It waits since it first waited, whatever is tried in between; and anew once it has been shown.
#[test]
fn since_when() {
    let family = "PRAGMA foreign_keys = ON;
        CREATE TABLE p(id TEXT PRIMARY KEY NOT NULL, n); CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL,
        v REFERENCES p(id) DEFERRABLE INITIALLY DEFERRED, w); SELECT crdt_enable('p'); SELECT crdt_enable('t');";
    let [a, b] = nodes(["a", "b"], family);
    run(&a, "INSERT INTO p VALUES ('x', 1); INSERT INTO t VALUES ('1', 'x', 1)");
    let since = |conn: &Connection| text(conn, "SELECT coalesce(max(since), '') FROM crdt_pending()", []);
    take(&b, &of(&a, "t"));
    let first = since(&b);
    std::thread::sleep(std::time::Duration::from_millis(5));
    run(&a, "UPDATE t SET w = 2");
    take(&b, &of(&a, "t"));
    assert_eq!(retry(&b), "0");
    run(&b, "INSERT INTO p VALUES ('other', 1)");
    assert_eq!(since(&b), first);
    take(&b, &of(&a, "p"));
    assert_eq!(since(&b), "");
    run(&a, "DELETE FROM t; DELETE FROM p; INSERT INTO p VALUES ('y', 1); INSERT INTO t VALUES ('2', 'y', 1)");
    take(&b, &of(&a, "t"));
    assert!(since(&b) > first);
}

/// Circles of rows that refer to each other are shown once they are whole.
#[test]
fn circles() {
    let ddl = "PRAGMA foreign_keys = ON;
        CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, next REFERENCES t(id)); SELECT crdt_enable('t');";
    let [a, b] = nodes(["a", "b"], ddl);
    run(&a, "INSERT INTO t VALUES ('1', NULL), ('2', '1'), ('3', '2'); UPDATE t SET next = '3' WHERE id = '1'");
    let changes = page(&export(&a)).changes;
    let (one, rest): (Vec<_>, Vec<_>) = changes.into_iter().partition(|change| change["pk"] == "2");
    take(&b, &rest);
    assert_eq!(waiting(&b), ["1", "3"]);
    assert_eq!(table(&b, "t").len(), 0);
    take(&b, &one);
    same(&a, &b, "t");
    assert_eq!(waiting(&b).len(), 0);
    run(&a, "UPDATE t SET next = NULL; DELETE FROM t WHERE id = '2'");
    send(&a, &b);
    same(&a, &b, "t");
}
