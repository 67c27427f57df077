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
