//! Triggers that put a row back when it is deleted. Newer than ours, or temporary, they fire before ours: the delete is logged after
//! the insert.

use super::follow::follow;
use crate::common::text;
use crate::support::*;

const T: &str = "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v, w)";
const PARTS: &str = "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v, w, n INTEGER DEFAULT 0, s TEXT DEFAULT '[]')";
const PARTS_ENABLED: &str = "SELECT crdt_enable('t', 'n:counter', 's:set')";

/// What every step leaves is compared.
fn follow_each(ddl: &str, enable: &str, steps: &[&str]) {
    for to in 2..=steps.len() {
        follow(ddl, enable, &steps[..to]);
    }
}

#[test]
fn rows_put_back_as_they_are_deleted() {
    for kind in ["", "TEMP"] {
        let back = format!(
            "CREATE {kind} TRIGGER back AFTER DELETE ON t WHEN old.v LIKE 'keep%' BEGIN
               INSERT INTO t(id, v, w) VALUES (old.id, old.v || '!', 'back'); END"
        );
        let steps = [
            &*back,
            "INSERT INTO t VALUES ('1', 'keep', 1), ('2', 'go', 2), ('3', 'keep', 3), ('4', 'keep', 4), ('5', 'keep', 5)",
            "DELETE FROM t WHERE id IN ('1', '2')",
            "UPDATE t SET w = 'later' WHERE id = '1'",
            "BEGIN; DELETE FROM t WHERE id = '3'; UPDATE t SET w = 'at once' WHERE id = '3'; COMMIT",
            "BEGIN; DELETE FROM t WHERE id = '4'; DELETE FROM t WHERE id = '4'; COMMIT",
            "BEGIN; DELETE FROM t WHERE id = '5'; UPDATE t SET v = 'go' WHERE id = '5'; DELETE FROM t WHERE id = '5'; COMMIT",
            "DELETE FROM t",
            "UPDATE t SET v = 'go'; DELETE FROM t; INSERT INTO t VALUES ('1', 'keep', 1)",
            "DELETE FROM t; UPDATE t SET v = 'go'; DELETE FROM t",
        ];
        follow_each(T, "SELECT crdt_enable('t')", &steps);
    }
}

#[test]
fn counters_and_sets_put_back() {
    for kind in ["", "TEMP"] {
        for values in ["old.n, old.s", "0, '[]'", r#"old.n + 5, '["back"]'"#] {
            let back = format!(
                "CREATE {kind} TRIGGER back AFTER DELETE ON t WHEN old.v = 'keep' BEGIN
                   INSERT INTO t VALUES (old.id, old.v, 'back', {values}); END"
            );
            let counted = format!(
                r#"CREATE {kind} TRIGGER counted AFTER INSERT ON t WHEN new.w = 'back' BEGIN
                     UPDATE t SET n = n + 10, s = '["trigger"]', w = 'counted' WHERE id = new.id; END"#
            );
            for more in ["SELECT 1", &*counted] {
                let steps = [
                    &*back,
                    more,
                    r#"INSERT INTO t VALUES ('1', 'keep', 1, 1, '["a"]'), ('2', 'go', 2, 2, '["b"]')"#,
                    "DELETE FROM t",
                    "UPDATE t SET n = n + 1",
                    "BEGIN; UPDATE t SET n = n + 3, s = '[\"x\"]'; DELETE FROM t; UPDATE t SET n = n + 7; COMMIT",
                    "BEGIN; UPDATE t SET n = n + 3, s = '[\"x\",\"y\"]'; DELETE FROM t; COMMIT",
                    "UPDATE t SET v = 'go'; DELETE FROM t",
                ];
                for to in if kind.is_empty() { 7..8 } else { 6..9 } {
                    follow(PARTS, PARTS_ENABLED, &steps[..to]);
                }
            }
        }
    }
}

/// A key that changes is a delete of the old one.
#[test]
fn rows_put_back_as_their_key_changes() {
    for kind in ["", "TEMP"] {
        let back = format!(
            "CREATE {kind} TRIGGER back AFTER UPDATE OF id ON t WHEN new.id <> old.id BEGIN
               INSERT OR IGNORE INTO t VALUES (old.id, 'stand-in', old.w); END"
        );
        let steps = [
            &*back,
            "INSERT INTO t VALUES ('1', 'a', 1), ('2', 'b', 2)",
            "UPDATE t SET id = '3' WHERE id = '1'",
            "UPDATE t SET w = 9",
            "DELETE FROM t WHERE id = '1'; UPDATE t SET id = '1' WHERE id = '3'",
        ];
        follow_each(T, "SELECT crdt_enable('t')", &steps);
    }
}

/// Rows that came and went for good, in one fold, are gone.
#[test]
fn rows_that_come_and_go() {
    let steps = [
        "CREATE TEMP TRIGGER back AFTER DELETE ON t WHEN old.v = 'keep' BEGIN INSERT INTO t VALUES (old.id, 'go', 'back'); END",
        "INSERT INTO t VALUES ('1', 'go', 1); DELETE FROM t",
        "INSERT INTO t VALUES ('1', 'keep', 1); DELETE FROM t; DELETE FROM t",
        "BEGIN; INSERT INTO t VALUES ('1', 'keep', 1); DELETE FROM t; COMMIT; BEGIN; DELETE FROM t; COMMIT",
        "INSERT INTO t VALUES ('1', 'keep', 1); DELETE FROM t; DELETE FROM t; INSERT INTO t VALUES ('1', 'keep', 2); DELETE FROM t",
    ];
    follow_each(T, "SELECT crdt_enable('t')", &steps);
}

/// Who cannot write, or must not, sees the same.
#[test]
fn what_a_fold_in_memory_tells() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let a = file_node(&path, "a", &format!("{T}; SELECT crdt_enable('t')"));
    run(&a, "CREATE TEMP TRIGGER back AFTER DELETE ON t BEGIN INSERT INTO t VALUES (old.id, 'back', 1); END");
    run(&a, "INSERT INTO t VALUES ('1', 'a', 1); SELECT crdt_digest('t'); BEGIN; DELETE FROM t");
    let digest_within = digest(&a, "t");
    run(&a, "COMMIT");
    let reader = crate::common::open_file(&path);
    run(&reader, "PRAGMA query_only = ON");
    let told = export(&reader);
    assert_eq!(page(&told).change("v")["value"], "back");
    assert_eq!(digest(&reader, "t"), digest_within);
    assert_eq!(page(&export(&a)).changes, page(&told).changes, "stamps too");
    assert_eq!(digest(&a, "t"), digest_within);
    sound(&reader);
    sound(&a);
}

/// Where a delete is merged the merged state holds: the row is gone. Temporary triggers cannot be kept from it, and the delete waits.
#[test]
fn a_merged_delete_is_not_put_back() {
    for kind in ["", "TEMP"] {
        let [a, b] = nodes(["a", "b"], &format!("{T}; SELECT crdt_enable('t')"));
        let back = format!(
            "CREATE TABLE log(id); CREATE {kind} TRIGGER back AFTER DELETE ON t BEGIN
               INSERT INTO t VALUES (old.id, 'back', 1); INSERT INTO log VALUES (old.id); END"
        );
        run(&b, &back);
        run(&a, "INSERT INTO t VALUES ('1', 'a', 1), ('2', 'b', 2), ('3', 'c', 3)");
        send(&a, &b);
        run(&a, "DELETE FROM t WHERE id <> '3'");
        let answer = send(&a, &b);
        assert_eq!(rows(&b, "SELECT DISTINCT id FROM log ORDER BY 1"), ["'1'", "'2'"]);
        assert_eq!(digest(&a, "t"), digest(&b, "t"));
        sound(&b);
        if !kind.is_empty() {
            assert_eq!(answer["pending"], 2);
            let reason = "'a trigger of the application put the row back'";
            assert_eq!(
                rows(&b, "SELECT pk, reason FROM crdt_pending()"),
                [format!("'1', {reason}"), format!("'2', {reason}")]
            );
            run(&b, "DROP TRIGGER back");
            assert_eq!(text(&b, "SELECT crdt_retry()", []), "2");
            run(&b, &back.replace("CREATE TABLE log(id);", ""));
        }
        assert_eq!(rows(&b, "SELECT id FROM t"), ["'3'"], "{kind}");
        same(&a, &b, "t");
        // Its own deletes are put back, for all.
        run(&b, "DELETE FROM t");
        send(&b, &a);
        assert_eq!(rows(&a, "SELECT id, v FROM t"), ["'3', 'back'"]);
        same(&a, &b, "t");
    }
}

/// More than the fold writes in one go.
#[test]
fn many_rows_put_back() {
    let a = node("a", &format!("{T}; SELECT crdt_enable('t')"));
    run(&a, "CREATE TEMP TRIGGER back AFTER DELETE ON t WHEN old.v = 'keep' BEGIN INSERT INTO t VALUES (old.id, 'back', 1); END");
    // One log row here, and two for each row deleted: where the first hundred thousand end, the delete is still to come.
    run(
        &a,
        "WITH RECURSIVE ids(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM ids WHERE id < 51000)
         INSERT INTO t SELECT 'r' || id, 'keep', 1 FROM ids",
    );
    text(&a, "SELECT crdt_digest('t')", []);
    run(&a, "UPDATE t SET w = 2 WHERE id = 'r1'; DELETE FROM t");
    text(&a, "SELECT crdt_digest('t')", []);
    assert_eq!(rows(&a, "SELECT v, count(*) FROM t GROUP BY v"), ["'back', 51000"]);
    sound(&a);
}
