//! Foreign keys checked at once and at the commit, in one database: what is broken is counted right, and no merge fails for it.

use serde_json::{json, Value};

use super::world::change;
use crate::support::{nodes, rows, run, same, send, sound, table, take};

const LATE: &str = "DEFERRABLE INITIALLY DEFERRED";

/// The peer deleted both parents of a row, of which it does not know.
#[test]
fn a_row_that_loses_a_parent_of_each_kind_waits() {
    for (at_once, late) in [("ON DELETE CASCADE", LATE), ("ON DELETE SET NULL", LATE), ("", LATE), (LATE, LATE)] {
        for begin in [false, true] {
            let ddl = format!(
                "PRAGMA foreign_keys = ON;
                 CREATE TABLE p(id TEXT PRIMARY KEY NOT NULL); CREATE TABLE q(id TEXT PRIMARY KEY NOT NULL);
                 CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, q TEXT REFERENCES q {at_once}, p TEXT REFERENCES p {late});
                 SELECT crdt_enable('p'); SELECT crdt_enable('q'); SELECT crdt_enable('t');"
            );
            let [a, b] = nodes(["a", "b"], &ddl);
            run(&a, "INSERT INTO p VALUES ('x'); INSERT INTO q VALUES ('y')");
            send(&a, &b);
            run(&a, "DELETE FROM q; DELETE FROM p; INSERT INTO p VALUES ('new')");
            run(&b, "INSERT INTO t VALUES ('1', 'y', 'x')");
            if begin {
                run(&b, "BEGIN");
            }
            send(&a, &b);
            if begin {
                run(&b, "COMMIT");
            }
            assert_eq!((table(&b, "p"), table(&b, "t").len()), (vec!["'new'".into()], 0), "{at_once} {begin}");
            assert_eq!(rows(&b, "SELECT pk FROM crdt_pending()"), ["'1'"], "{at_once} {begin}");
            sound(&b);
            send(&b, &a);
            run(&a, "INSERT INTO q VALUES ('y'); INSERT INTO p VALUES ('x')");
            send(&a, &b);
            assert_eq!(table(&b, "t"), ["'1', 'y', 'x'"], "{at_once} {begin}");
            same(&a, &b, "t");
        }
    }
}

#[test]
fn rows_under_a_row_that_went_wait_with_it() {
    let kinds = [
        ("ON DELETE CASCADE", LATE),
        ("ON DELETE SET NULL", LATE),
        ("ON DELETE RESTRICT DEFERRABLE INITIALLY DEFERRED", ""),
    ];
    for (up, other) in kinds {
        let ddl = format!(
            "PRAGMA foreign_keys = ON; CREATE TABLE p(id TEXT PRIMARY KEY NOT NULL);
             CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, up TEXT REFERENCES t {up}, p TEXT REFERENCES p {other});
             SELECT crdt_enable('p'); SELECT crdt_enable('t');"
        );
        let [a, b] = nodes(["a", "b"], &ddl);
        run(&a, "INSERT INTO p VALUES ('x'); INSERT INTO t VALUES ('A', NULL, NULL)");
        send(&a, &b);
        run(&a, "DELETE FROM t; DELETE FROM p");
        run(&b, "INSERT INTO t VALUES ('B', 'A', NULL); INSERT INTO t VALUES ('C', 'B', 'x'); BEGIN");
        send(&a, &b);
        run(&b, "COMMIT");
        send(&b, &a);
        for node in [&a, &b] {
            assert_eq!(table(node, "t").len() + table(node, "p").len(), 0, "{up}");
            assert_eq!(rows(node, "SELECT pk FROM crdt_pending() ORDER BY pk"), ["'B'", "'C'"], "{up}");
            sound(node);
        }
        same(&a, &b, "t");
    }
}

/// The row without a parent is taken away while the checks are put off for the circle.
#[test]
fn a_row_without_its_parent_beside_a_circle() {
    let ddl = format!(
        "PRAGMA foreign_keys = ON; CREATE TABLE p(id TEXT PRIMARY KEY NOT NULL);
         CREATE TABLE c(id TEXT PRIMARY KEY NOT NULL, p TEXT REFERENCES p {LATE});
         CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, up TEXT REFERENCES t);
         SELECT crdt_enable('p'); SELECT crdt_enable('c'); SELECT crdt_enable('t');"
    );
    let [a] = nodes(["a"], &ddl);
    let at = |table: &str, pk: &str, field: &str, value: &Value| change(table, pk, field, (1, 0, "x"), value);
    run(&a, "BEGIN");
    take(&a, &[at("c", "1", "p", &json!("none")), at("t", "1", "up", &json!("2")), at("t", "2", "up", &json!("1"))]);
    run(&a, "COMMIT");
    assert_eq!((table(&a, "c").len(), table(&a, "t").len()), (0, 2));
    assert_eq!(rows(&a, "SELECT pk, \"table\" FROM crdt_pending()"), ["'1', 'c'"]);
    sound(&a);
}

/// A transaction of the caller's, in which a row of the caller's breaks a key before the merge and is mended after it.
#[test]
fn a_row_of_the_callers_that_breaks_a_key_can_still_be_mended() {
    let ddl = format!(
        "PRAGMA foreign_keys = ON;
         CREATE TABLE p(id TEXT PRIMARY KEY NOT NULL); CREATE TABLE q(id TEXT PRIMARY KEY NOT NULL);
         CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, q TEXT REFERENCES q ON DELETE CASCADE, p TEXT REFERENCES p {LATE});
         SELECT crdt_enable('p'); SELECT crdt_enable('q'); SELECT crdt_enable('t');"
    );
    let [a, b] = nodes(["a", "b"], &ddl);
    run(&a, "INSERT INTO p VALUES ('x'); INSERT INTO q VALUES ('y')");
    send(&a, &b);
    run(&a, "DELETE FROM q; DELETE FROM p");
    run(&b, "INSERT INTO t VALUES ('1', 'y', 'x'); BEGIN; INSERT INTO t VALUES ('9', NULL, 'later')");
    send(&a, &b);
    run(&b, "INSERT INTO p VALUES ('later'); COMMIT");
    assert_eq!(table(&b, "t"), ["'9', NULL, 'later'"]);
    assert_eq!(rows(&b, "SELECT pk FROM crdt_pending()"), ["'1'"]);
    sound(&b);
}
