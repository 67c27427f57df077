//! Triggers of the user's that write to tracked tables, and what merged rows do with them.

use super::follow::follow;
use crate::support::*;

#[test]
fn triggers_that_write_to_tracked_tables() {
    let ddl = "
        CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v, n INTEGER DEFAULT 0);
        CREATE TABLE audit(id TEXT PRIMARY KEY NOT NULL, what);
        CREATE TRIGGER noted AFTER UPDATE OF v ON t BEGIN
          INSERT OR REPLACE INTO audit VALUES (new.id || '/' || coalesce(new.v, ''), old.v); END;
        CREATE TRIGGER bumped AFTER UPDATE OF v ON t WHEN new.v = 'bump' BEGIN UPDATE t SET n = n + 1 WHERE id = new.id; END;
        CREATE TRIGGER kept BEFORE DELETE ON t WHEN old.v = 'keep' BEGIN SELECT RAISE(IGNORE); END;
        CREATE TRIGGER dropped BEFORE INSERT ON t WHEN new.v = 'drop' BEGIN SELECT RAISE(IGNORE); END;
        CREATE TRIGGER twins AFTER INSERT ON t WHEN new.v = 'twin' BEGIN
          INSERT OR IGNORE INTO t(id, v) VALUES (new.id || ' twin', 'copy'); END;
        CREATE TRIGGER chained AFTER DELETE ON t BEGIN DELETE FROM audit WHERE id GLOB old.id || '/*'; END";
    let steps = [
        "INSERT INTO t(id, v) VALUES ('1', 'a'), ('2', 'keep'), ('3', 'drop'), ('4', 'twin')",
        "UPDATE t SET v = 'b' WHERE id = '1'",
        "UPDATE t SET v = 'bump' WHERE id IN ('1', '4')",
        "DELETE FROM t WHERE id IN ('1', '2')",
        "INSERT OR REPLACE INTO t(id, v) VALUES ('4', 'drop'), ('5', 'twin')",
    ];
    follow(ddl, "SELECT crdt_enable('t', 'n:counter'); SELECT crdt_enable('audit')", &steps);
}

/// The user's triggers fire on merged rows; what they change of tracked cells is put back, what they write is no local write.
#[test]
fn triggers_fire_on_merged_rows_and_record_nothing() {
    let setup = "
        CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v, stamp);
        CREATE TABLE seen(id TEXT PRIMARY KEY NOT NULL, times INTEGER);
        CREATE TABLE untracked(id);
        CREATE VIRTUAL TABLE words USING fts5(id, v);
        CREATE TRIGGER i AFTER INSERT ON t BEGIN
          INSERT INTO words VALUES (new.id, new.v);
          INSERT INTO untracked VALUES (new.id);
          INSERT INTO seen VALUES (new.id, 1) ON CONFLICT(id) DO UPDATE SET times = times + 1;
          UPDATE t SET stamp = 'local' WHERE id = new.id; END;
        SELECT crdt_enable('t'); SELECT crdt_enable('seen');";
    let [a, b] = nodes(["a", "b"], setup);
    run(&a, "INSERT INTO t VALUES ('1', 'hello', 'given')");
    assert_eq!(table(&a, "t"), ["'1', 'hello', 'local'"]);
    run(&a, "UPDATE t SET stamp = 'from a'");
    send(&a, &b);
    assert_eq!(table(&b, "t"), ["'1', 'hello', 'from a'"], "put back");
    assert_eq!(table(&b, "seen"), ["'1', 1"], "as a has it, not counted twice");
    assert_eq!(table(&b, "untracked"), ["'1'"], "the trigger fired");
    assert_eq!(rows(&b, "SELECT id FROM words WHERE words MATCH 'hello'"), ["'1'"]);
    assert!(since(&b, None).changes.iter().all(|change| change["node_id"] == "a"), "{}", export(&b));
    same(&a, &b, "t");
    same(&a, &b, "seen");
}

const PARTS: &str = "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v, n INTEGER DEFAULT 0, s TEXT DEFAULT '[]')";
const PARTS_ENABLED: &str = "SELECT crdt_enable('t', 'n:counter', 's:set')";
const COUNTED: &str = r#"TRIGGER counted AFTER INSERT ON t BEGIN
    UPDATE t SET n = n + 10, s = '["trigger"]', v = v || '!' WHERE id = new.id; END"#;

/// What they do to a new row is logged before the row.
#[test]
fn triggers_newer_than_ours() {
    for kind in ["", "TEMP"] {
        let counted = format!("CREATE {kind} {COUNTED}");
        let moved = format!(
            r#"CREATE {kind} TRIGGER moved AFTER UPDATE OF id ON t BEGIN
            UPDATE t SET n = n + 5, s = '["moved"]', v = v || '>' WHERE id = new.id; END"#
        );
        let steps = [
            &*counted,
            &moved,
            r#"INSERT INTO t VALUES ('1', 'a', 1, '["given"]'), ('2', 'b', 2, '["trigger"]'), ('3', 'c', 3, '[]')"#,
            "DELETE FROM t WHERE id = '1'",
            r#"INSERT INTO t VALUES ('1', 'again', 5, '["new"]')"#,
            r#"BEGIN; DELETE FROM t WHERE id = '3'; INSERT INTO t VALUES ('3', 'd', 4, '["x"]'); UPDATE t SET n = n + 1; COMMIT"#,
            "UPDATE t SET id = '4' WHERE id = '2'",
            "UPDATE t SET id = '2' WHERE id = '4'",
            "UPDATE t SET n = n * 2; DELETE FROM t WHERE id = '3'; INSERT INTO t VALUES ('3', 'e', 0, '[]')",
        ];
        follow(PARTS, PARTS_ENABLED, &steps);
    }
}

/// More than the fold writes in one go.
#[test]
fn many_rows_under_a_newer_trigger() {
    let a = node("a", &format!("{PARTS}; {PARTS_ENABLED}; CREATE {COUNTED}"));
    // Four log rows for each row, and one here: where the first hundred thousand end, a row's insert is still to come.
    run(&a, "INSERT INTO t VALUES ('0', 'v', 1, '[]'); UPDATE t SET v = 'w'");
    run(
        &a,
        "WITH RECURSIVE ids(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM ids WHERE id < 26000)
         INSERT INTO t SELECT 'r' || id, 'v', 1, '[]' FROM ids",
    );
    assert_eq!(rows(&a, "SELECT n, s, count(*) FROM t GROUP BY n, s"), [r#"11, '["trigger"]', 26001"#]);
    sound(&a);
}

#[test]
fn views_with_instead_of_triggers() {
    let ddl = "
        CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v);
        CREATE VIEW shown AS SELECT id, upper(v) AS v FROM t;
        CREATE TRIGGER shown_insert INSTEAD OF INSERT ON shown BEGIN INSERT INTO t VALUES (new.id, lower(new.v)); END;
        CREATE TRIGGER shown_delete INSTEAD OF DELETE ON shown BEGIN DELETE FROM t WHERE id = old.id; END";
    let steps = ["INSERT INTO shown VALUES ('1', 'ABC'), ('2', 'DEF')", "DELETE FROM shown WHERE id = '1'"];
    follow(ddl, "SELECT crdt_enable('t')", &steps);
}
