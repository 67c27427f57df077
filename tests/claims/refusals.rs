//! Refusals of other kinds: triggers that roll back, tables with conflict rules of their own, triggers in the way.

use rusqlite::Connection;

use crate::common::{error, text};
use crate::support::{export, merge, node, nodes, rows, run, same, send, sound, table};

const T: &str = "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v, w); SELECT crdt_enable('t');";

fn waiting(conn: &Connection) -> Vec<String> {
    rows(conn, "SELECT pk FROM crdt_pending() ORDER BY 1").into_iter().map(|pk| pk.replace('\'', "")).collect()
}

#[test]
fn a_row_for_which_a_trigger_rolls_back_waits() {
    for (when, body) in [
        ("BEFORE INSERT", "SELECT RAISE(ROLLBACK, 'no')"),
        ("AFTER INSERT", "SELECT RAISE(ROLLBACK, 'no')"),
        ("AFTER INSERT", "INSERT OR ROLLBACK INTO other VALUES (1)"),
    ] {
        let [a, b] = nodes(["a", "b"], T);
        run(&a, "INSERT INTO t VALUES ('1', 'good', 1), ('2', 'bad', 2), ('3', 'bad', 3), ('4', 'good', 4)");
        run(&b, "CREATE TABLE other(x UNIQUE); INSERT INTO other VALUES (1); INSERT INTO t VALUES ('mine', 'good', 0)");
        run(&b, &format!("CREATE TRIGGER g {when} ON t WHEN new.v = 'bad' BEGIN {body}; END"));
        let answer = send(&a, &b);
        assert_eq!((&answer["merged"], &answer["pending"]), (&8.into(), &4.into()), "{when} {answer}");
        assert_eq!(waiting(&b), ["2", "3"]);
        assert_eq!(rows(&b, "SELECT id FROM t ORDER BY id"), ["'1'", "'4'", "'mine'"]);
        let reason = text(&b, "SELECT reason FROM crdt_pending()", []);
        assert!(reason.starts_with("a trigger of the application rolled the whole transaction back: "), "{reason}");
        sound(&b);
        // Others go on, with it in the way.
        run(&a, "UPDATE t SET w = 9 WHERE id = '1'");
        send(&a, &b);
        run(&b, "UPDATE t SET w = 8 WHERE id = '4'");
        send(&b, &a);
        assert_eq!(waiting(&b), ["2", "3"]);
        assert_eq!(text(&b, "SELECT crdt_retry()", []), "0");
        run(&a, "UPDATE t SET v = 'good' WHERE id = '2'");
        send(&a, &b);
        assert_eq!(waiting(&b), ["3"]);
        run(&b, "DROP TRIGGER g");
        assert_eq!(text(&b, "SELECT crdt_retry()", []), "1");
        same(&a, &b, "t");
    }
}

#[test]
fn updates_and_deletes_that_are_rolled_back_wait() {
    let [a, b] = nodes(["a", "b"], T);
    run(&a, "INSERT INTO t VALUES ('1', 'x', 1), ('2', 'x', 1), ('3', 'x', 1)");
    send(&a, &b);
    run(
        &b,
        "CREATE TRIGGER u BEFORE UPDATE ON t WHEN new.v = 'bad' BEGIN SELECT RAISE(ROLLBACK, 'no update'); END;
         CREATE TRIGGER d BEFORE DELETE ON t BEGIN SELECT RAISE(ROLLBACK, 'no delete'); END;",
    );
    run(&a, "UPDATE t SET v = 'bad' WHERE id = '1'; DELETE FROM t WHERE id = '2'; UPDATE t SET v = 'y' WHERE id = '3'");
    send(&a, &b);
    assert_eq!(waiting(&b), ["1", "2"]);
    assert_eq!(table(&b, "t"), ["'1', 'x', 1", "'2', 'x', 1", "'3', 'y', 1"], "as they were");
    assert_eq!(text(&a, "SELECT crdt_digest('t', 'full')", []), text(&b, "SELECT crdt_digest('t', 'full')", []));
    run(&b, "DROP TRIGGER u; DROP TRIGGER d");
    assert_eq!(text(&b, "SELECT crdt_retry()", []), "2");
    same(&a, &b, "t");
}

/// Many of them: nothing is lost, and the merge comes to an end.
#[test]
fn many_rows_that_are_rolled_back() {
    let [a, b] = nodes(["a", "b"], T);
    run(&b, "CREATE TRIGGER g BEFORE INSERT ON t WHEN new.v = 'bad' BEGIN SELECT RAISE(ROLLBACK, 'no'); END");
    run(
        &a,
        "INSERT INTO t SELECT value, iif(value % 2, 'bad', 'good'), 1 FROM (WITH RECURSIVE n(value) AS
             (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < 300) SELECT value FROM n)",
    );
    send(&a, &b);
    assert_eq!(text(&a, "SELECT crdt_digest('t')", []), text(&b, "SELECT crdt_digest('t')", []));
    run(&b, "DROP TRIGGER g");
    text(&b, "SELECT crdt_retry()", []);
    same(&a, &b, "t");
}

/// In a transaction of the caller's it can only be an error that says so.
#[test]
fn a_rollback_within_the_callers_transaction_is_an_error() {
    let [a, b] = nodes(["a", "b"], T);
    run(&a, "INSERT INTO t VALUES ('1', 'bad', 1)");
    run(&b, "CREATE TRIGGER g BEFORE INSERT ON t WHEN new.v = 'bad' BEGIN SELECT RAISE(ROLLBACK, 'no'); END; BEGIN");
    let message = error(&b, "SELECT crdt_merge(?1)", [export(&a)]);
    assert!(message.contains("a trigger of the application rolled the whole transaction back: no"), "{message}");
    assert!(b.is_autocommit());
    send(&a, &b);
    assert_eq!(waiting(&b), ["1"]);
}

/// What a table does of its own on a conflict is for the application's writes: a merged row replaces none and never
/// vanishes.
#[test]
fn conflict_rules_of_the_table() {
    for rule in ["REPLACE", "IGNORE", "FAIL", "ROLLBACK", "ABORT"] {
        for (column, bad) in [
            ("v UNIQUE ON CONFLICT", "'x'"),
            ("v NOT NULL ON CONFLICT", "NULL"),
            ("v NOT NULL ON CONFLICT {} DEFAULT 7", "NULL"),
        ] {
            let column = if column.contains("{}") { column.replace("{}", rule) } else { format!("{column} {rule}") };
            let ddl = format!(
                "CREATE TABLE t(id TEXT NOT NULL, {column}, w, PRIMARY KEY(id) ON CONFLICT {rule}); SELECT crdt_enable('t');"
            );
            let (a, b) = (node("a", T), node("b", &ddl));
            if column.contains("UNIQUE") {
                run(&b, "INSERT INTO t VALUES ('0', 'x', 'older')");
                std::thread::sleep(std::time::Duration::from_millis(3));
            }
            run(&a, &format!("INSERT INTO t VALUES ('1', {bad}, 1), ('2', 'fine', 2)"));
            merge(&b, &export(&a));
            assert_eq!(waiting(&b), ["1"], "{column}: {:?}", table(&b, "t"));
            assert!(table(&b, "t").contains(&"'2', 'fine', 2".to_string()), "{column}");
            let older = column.contains("UNIQUE");
            assert_eq!(table(&b, "t").len(), if older { 2 } else { 1 }, "{column}");
            run(&a, &format!("UPDATE t SET v = {bad} WHERE id = '2'; UPDATE t SET v = 'good' WHERE id = '1'"));
            send(&a, &b);
            assert_eq!(waiting(&b), ["2"], "{column}: {:?}", table(&b, "t"));
            assert!(table(&b, "t").contains(&"'1', 'good', 1".to_string()), "{column}");
            sound(&b);
            send(&b, &a);
            assert_eq!(text(&a, "SELECT crdt_digest('t')", []), text(&b, "SELECT crdt_digest('t')", []), "{column}");
        }
    }
}

/// A trigger that takes away the row that was just written: it waits, with its values.
#[test]
fn a_trigger_that_deletes_the_row_just_written() {
    for recursive in ["OFF", "ON"] {
        let [a, b] = nodes(["a", "b"], T);
        run(&b, &format!("PRAGMA recursive_triggers = {recursive}"));
        run(
            &b,
            "CREATE TRIGGER i AFTER INSERT ON t WHEN new.v = 'spam' BEGIN DELETE FROM t WHERE id = new.id; END;
             CREATE TRIGGER u AFTER UPDATE ON t WHEN new.v = 'spam' BEGIN DELETE FROM t WHERE id = new.id; END;",
        );
        run(&a, "INSERT INTO t VALUES ('1', 'spam', 'a'), ('2', 'ham', 'b')");
        send(&a, &b);
        assert_eq!(waiting(&b), ["1"]);
        run(&a, "UPDATE t SET v = 'spam' WHERE id = '2'");
        send(&a, &b);
        assert_eq!(waiting(&b), ["1", "2"]);
        assert_eq!(table(&b, "t").len(), 0);
        assert_eq!(text(&a, "SELECT crdt_digest('t')", []), text(&b, "SELECT crdt_digest('t')", []));
        sound(&b);
        send(&b, &a);
        assert_eq!(table(&a, "t"), ["'1', 'spam', 'a'", "'2', 'spam', 'b'"]);
        run(&b, "DROP TRIGGER i; DROP TRIGGER u; SELECT crdt_retry()");
        same(&a, &b, "t");
    }
}

/// A local write that a trigger deletes at once: whatever is captured is what other nodes get.
#[test]
fn a_local_row_that_a_trigger_deletes_at_once() {
    let ddl = format!(
        "{T} CREATE TRIGGER i AFTER INSERT ON t WHEN new.v = 'spam' BEGIN DELETE FROM t WHERE id = new.id; END;"
    );
    let early = "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v, w);
        CREATE TRIGGER i AFTER INSERT ON t WHEN new.v = 'spam' BEGIN DELETE FROM t WHERE id = new.id; END; SELECT crdt_enable('t')";
    for ddl in [&*ddl, early] {
        let a = node("a", ddl);
        let b = node("b", T);
        run(&a, "INSERT INTO t VALUES ('1', 'spam', 'a'), ('2', 'ham', 'b')");
        send(&a, &b);
        assert_eq!(table(&b, "t"), ["'2', 'ham', 'b'"], "{ddl}");
        sound(&a);
        same(&a, &b, "t");
    }
}

/// A trigger that writes into another enabled table, where merged rows are in the way of what it writes.
#[test]
fn a_trigger_whose_own_writes_fail_makes_the_row_wait() {
    let ddl = format!(
        "{T} CREATE TABLE log(id TEXT PRIMARY KEY NOT NULL, n INTEGER CHECK (n < 3)); SELECT crdt_enable('log');
         CREATE TRIGGER l AFTER INSERT ON t BEGIN INSERT INTO log VALUES (new.id, new.w); END;"
    );
    let a =
        node("a", &format!("{T} CREATE TABLE log(id TEXT PRIMARY KEY NOT NULL, n INTEGER); SELECT crdt_enable('log')"));
    let b = node("b", &ddl);
    run(&a, "INSERT INTO t VALUES ('1', 'x', 1), ('2', 'x', 5), ('3', 'x', 2)");
    send(&a, &b);
    assert_eq!(waiting(&b), ["2"], "{:?}", rows(&b, "SELECT * FROM crdt_pending()"));
    assert_eq!(table(&b, "log").len(), 0, "what the trigger wrote is no write of this node's");
    run(&a, "INSERT INTO log VALUES ('1', 1), ('2', 1), ('3', 1)");
    send(&a, &b);
    same(&a, &b, "log");
    run(&b, "DROP TRIGGER l; SELECT crdt_retry()");
    same(&a, &b, "t");
}

/// INSTEAD OF triggers write tables that are enabled, under `recursive_triggers` too.
#[test]
fn views_over_tables_with_constraints() {
    let ddl = format!(
        "PRAGMA recursive_triggers = ON; {T} CREATE UNIQUE INDEX i ON t(v); SELECT crdt_enable('t');
         CREATE VIEW shown AS SELECT id, v FROM t;
         CREATE TRIGGER s INSTEAD OF INSERT ON shown BEGIN INSERT OR REPLACE INTO t VALUES (new.id, new.v, 'view'); END;"
    );
    let [a, b] = nodes(["a", "b"], &ddl);
    run(&a, "INSERT INTO shown VALUES ('1', 'x')");
    std::thread::sleep(std::time::Duration::from_millis(3));
    run(&b, "INSERT INTO shown VALUES ('2', 'x')");
    send(&a, &b);
    send(&b, &a);
    assert_eq!(waiting(&b), ["2"]);
    same(&a, &b, "t");
    run(&a, "INSERT INTO shown VALUES ('3', 'x')");
    send(&a, &b);
    same(&a, &b, "t");
    assert_eq!(table(&b, "t"), ["'2', 'x', 'view'"], "the first has gone, and the second has the older claim");
    assert_eq!(waiting(&b), ["3"]);
}
