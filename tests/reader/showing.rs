//! Showing merged records: cascades, triggers, constraints, records that wait.

use super::family::{of, FAMILY};
use crate::common::text;
use crate::support::{digest, export, merge, node, nodes, page, rows, run, same, send, sound, swap, table, take};

#[test]
fn a_cascade_is_noticed_in_a_table_that_was_renamed() {
    let [a, b] = nodes(["a", "b"], FAMILY);
    run(&a, "INSERT INTO parent(id) VALUES ('1'); INSERT INTO child VALUES ('c', '1', 'hello')");
    send(&a, &b);
    run(&b, "ALTER TABLE child RENAME TO kid");
    run(&a, "DELETE FROM parent");
    take(&b, &of(&page(&export(&a)).changes, "parent"));
    // The child's delete has not come: it waits, and its values are kept.
    sound(&b);
    let kid = page(&export(&b)).changes;
    assert!(kid.iter().any(|change| change["value"] == "hello"), "{kid:?}");
}

#[test]
fn a_trigger_that_mints_keys_in_an_enabled_table_does_not_hang_a_merge() {
    let sql = "
        CREATE TABLE tasks(id TEXT PRIMARY KEY NOT NULL, title TEXT);
        CREATE TABLE audit(id TEXT PRIMARY KEY NOT NULL DEFAULT (lower(hex(randomblob(8)))), note TEXT);
        SELECT crdt_enable('tasks');
        SELECT crdt_enable('audit');
        CREATE TRIGGER noted AFTER INSERT ON tasks BEGIN INSERT INTO audit(note) VALUES ('new ' || new.id); END;";
    let [a, b] = nodes(["a", "b"], sql);
    run(&a, "INSERT INTO tasks VALUES ('1', 'x')");
    // Whoever hangs is interrupted, and fails.
    let (done, wait) = std::sync::mpsc::channel::<()>();
    let handle = b.get_interrupt_handle();
    let guard = std::thread::spawn(move || {
        if wait.recv_timeout(std::time::Duration::from_secs(60)).is_err() {
            handle.interrupt();
        }
    });
    send(&a, &b);
    let _ = done.send(());
    guard.join().unwrap();
    same(&a, &b, "audit");
}

#[test]
fn what_triggers_do_when_cells_are_put_back_is_put_back_too() {
    let sql = "
        CREATE TABLE c(id TEXT PRIMARY KEY NOT NULL, v TEXT);
        CREATE TABLE p(id TEXT PRIMARY KEY NOT NULL, n INTEGER);
        CREATE TABLE l(id TEXT PRIMARY KEY NOT NULL, v);
        SELECT crdt_enable('c'); SELECT crdt_enable('p'); SELECT crdt_enable('l');";
    let [a, b] = nodes(["a", "b"], sql);
    run(&a, "INSERT INTO c VALUES ('c', 'v'); INSERT INTO p VALUES ('p', 1)");
    send(&a, &b);
    run(
        &b,
        "CREATE TRIGGER t1 AFTER INSERT ON l BEGIN UPDATE p SET n = n + 1; END;
         CREATE TRIGGER t2 AFTER UPDATE ON p BEGIN UPDATE c SET v = v || 'x'; END;",
    );
    run(&a, "INSERT INTO l VALUES ('l', 1)");
    send(&a, &b);
    same(&a, &b, "p");
    same(&a, &b, "c");
}

#[test]
fn a_waiting_record_is_no_delete_when_its_table_is_enabled_again() {
    let [a, b] = nodes(["a", "b"], FAMILY);
    run(&a, "INSERT INTO parent(id) VALUES ('1'); INSERT INTO child VALUES ('c', '1', 'hello')");
    take(&b, &of(&page(&export(&a)).changes, "child"));
    run(&b, "SELECT crdt_disable('child'); SELECT crdt_enable('child')");
    send(&b, &a);
    assert_eq!(table(&a, "child"), ["'c', '1', 'hello'"]);
    send(&a, &b);
    same(&a, &b, "child");
}

#[test]
fn a_forgotten_record_revives_to_one_state_whatever_the_order() {
    let change = |field: &str, ts: i64| {
        serde_json::json!({"table": "t", "pk": "1", "field": field, "crdt_type": "lww",
            "hlc": {"ts": ts, "c": 0, "node": "z"}, "node_id": "z", "value": field})
    };
    let tomb = serde_json::json!({"table": "t", "pk": "1", "field": "_tombstone", "crdt_type": "", "tombstone": true,
        "hlc": {"ts": 5, "c": 0, "node": "z"}, "node_id": "z"});
    let digests = [[1, 9], [9, 1]].map(|order| {
        let b = node("b", "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, x, y); SELECT crdt_enable('t')");
        take(&b, &[change("x", 1), tomb.clone()]);
        run(&b, "SELECT crdt_pragma('tombstone_ttl', '0s')");
        assert_eq!(text(&b, "SELECT crdt_cleanup_tombstones()", []), "1");
        take(&b, &order.map(|ts| change(if ts == 1 { "x" } else { "y" }, ts)));
        (table(&b, "t"), digest(&b, "t"))
    });
    assert_eq!(digests[0], digests[1]);
}

#[test]
fn a_trigger_that_rolls_back_leaves_nothing_of_a_merge() {
    let sql = "
        CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, s TEXT);
        SELECT crdt_enable('t', 's:set');
        CREATE TRIGGER no BEFORE UPDATE ON t BEGIN SELECT RAISE(ROLLBACK, 'no'); END;";
    let [a, b] = nodes(["a", "b"], sql);
    run(&a, "INSERT INTO t VALUES ('2', '[\"q\"]')");
    // Not canonical: the fold rewrites it.
    run(&b, "INSERT INTO t VALUES ('1', '[ \"a\"]')");
    let merged = b.query_row("SELECT crdt_merge(?1)", [export(&a)], |row| row.get::<_, String>(0));
    let left = table(&b, "t");
    assert_eq!(left.len(), if merged.is_ok() { 2 } else { 1 }, "{merged:?} {left:?}");
    assert!(b.is_autocommit());
    assert!(!text(&b, "SELECT crdt_check()", []).contains("no record"));
}

/// The fold gives a set that is spelled otherwise our spelling; a trigger that answers by rolling back, wherever it stands, costs
/// that, and nothing else.
#[test]
fn a_trigger_that_rolls_back_has_the_spelling_stay() {
    let body = "WHEN old.s IS NOT new.s BEGIN SELECT RAISE(ROLLBACK, 'no'); END";
    let touched = "CREATE TRIGGER far AFTER UPDATE ON other BEGIN SELECT RAISE(ROLLBACK, 'no'); END;
                   CREATE TRIGGER near BEFORE UPDATE OF s ON t BEGIN UPDATE other SET x = 1; END";
    for trigger in [
        format!("CREATE TRIGGER g BEFORE UPDATE OF s ON t {body}"),
        format!("CREATE TRIGGER g BEFORE UPDATE OF s ON T {body}"),
        format!("CREATE TEMP TRIGGER g BEFORE UPDATE OF s ON t {body}"),
        touched.to_owned(),
    ] {
        let sql = "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, s TEXT, v); SELECT crdt_enable('t', 's:set');
                   CREATE TABLE other(x); INSERT INTO other VALUES (0)";
        let [a, b] = nodes(["a", "b"], sql);
        run(&a, &trigger);
        run(&a, "INSERT INTO t VALUES ('1', '[\"b\", \"a\"]', 1), ('2', '[ \"c\"]', 2)");
        run(&b, "INSERT INTO t VALUES ('3', '[]', 3); UPDATE t SET v = 4");
        // In a transaction of the caller's, which such a trigger would take back, too.
        run(&a, "BEGIN; UPDATE t SET v = 5 WHERE id = '2'");
        merge(&a, &export(&b));
        run(&a, "COMMIT");
        send(&a, &b);
        assert_eq!(
            rows(&a, "SELECT id, s, v FROM t"),
            ["'1', '[\"b\", \"a\"]', 1", "'2', '[ \"c\"]', 5", "'3', '[]', 4"],
            "{trigger}"
        );
        assert_eq!(
            rows(&b, "SELECT id, s, v FROM t ORDER BY id"),
            ["'1', '[\"a\",\"b\"]', 1", "'2', '[\"c\"]', 5", "'3', '[]', 4"],
            "{trigger}"
        );
        // By itself as well.
        run(&a, "INSERT INTO t VALUES ('4', '[\"b\", \"a\"]', 1)");
        send(&a, &b);
        assert_eq!(digest(&a, "t"), digest(&b, "t"), "{trigger}");
    }
}

/// A trigger that writes another column of the merged row, one that the merge did not bring, does not write it for the author.
#[test]
fn a_trigger_writes_no_other_column_of_a_merged_row() {
    let [a, b] = nodes(["a", "b"], "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v, w); SELECT crdt_enable('t')");
    run(&a, "INSERT INTO t VALUES ('1', 'x', NULL), ('2', 'x', 7)");
    send(&a, &b);
    run(&b, "CREATE TRIGGER touch AFTER UPDATE OF v ON t BEGIN UPDATE t SET w = 'touched' WHERE id = new.id; END");
    run(&a, "UPDATE t SET v = 'y'");
    swap(&a, &b);
    for node in [&a, &b] {
        assert_eq!(rows(node, "SELECT * FROM t"), ["'1', 'y', NULL", "'2', 'y', 7"]);
        assert_eq!(digest(node, "t"), digest(&a, "t"));
        assert_eq!(text(node, "SELECT crdt_check()", []), "ok");
    }
    assert_eq!(
        (text(&a, "SELECT crdt_node_id()", []), text(&b, "SELECT crdt_node_id()", [])),
        ("a".into(), "b".into())
    );
    // What the trigger writes after a local write is one.
    run(&b, "UPDATE t SET v = 'z' WHERE id = '1'");
    swap(&a, &b);
    assert_eq!(rows(&a, "SELECT * FROM t WHERE id = '1'"), ["'1', 'z', 'touched'"]);
}

/// Also where the column's affinity makes something else of a value, or might.
#[test]
fn what_a_trigger_makes_of_a_value_is_put_back_whatever_the_column() {
    for (column, value, shown) in [
        ("TEXT", "'2024-01-01'", "'2024-01-01'"),
        ("DATETIME", "'2024-01-01 10:00:00'", "'2024-01-01 10:00:00'"),
        ("DECIMAL(10,2)", "9.99", "9.99"),
        ("DECIMAL(10,2)", "'9.50'", "9.5"),
        ("NUMERIC", "''", "''"),
        ("INTEGER", "'12:30'", "'12:30'"),
        ("INTEGER", "1.5", "1.5"),
        ("REAL", "0.0", "0.0"),
        ("REAL", "3", "3.0"),
        ("", "'7'", "'7'"),
    ] {
        let sql = format!("CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, body, v {column}); SELECT crdt_enable('t')");
        let [a, b] = nodes(["a", "b"], &sql);
        run(&b, "CREATE TRIGGER x AFTER UPDATE ON t BEGIN UPDATE t SET v = 77 WHERE id = new.id; END");
        run(&a, "INSERT INTO t VALUES ('1', 'one', 1)");
        send(&a, &b);
        run(&a, &format!("UPDATE t SET v = {value}"));
        send(&a, &b);
        run(&a, "UPDATE t SET body = 'two'");
        send(&a, &b);
        for node in [&a, &b] {
            assert_eq!(rows(node, "SELECT body, v FROM t"), [format!("'two', {shown}")], "{column} {value}");
        }
        same(&a, &b, "t");
    }
}

/// A REPLACE in a trigger takes a row that has nothing to do with the merge: only the trigger that notes such rows tells.
#[test]
fn what_a_triggers_replace_removes_is_put_back() {
    let sql = "
        CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, b);
        CREATE TABLE l(id TEXT PRIMARY KEY NOT NULL, u UNIQUE, w);
        CREATE TABLE r(id TEXT PRIMARY KEY NOT NULL, w);
        SELECT crdt_enable('t'); SELECT crdt_enable('l'); SELECT crdt_enable('r');";
    for trigger in [
        "AFTER UPDATE OF b ON t BEGIN INSERT OR REPLACE INTO l(id, u) VALUES (new.id || 'z', new.b); END",
        "BEFORE UPDATE OF b ON t BEGIN INSERT OR REPLACE INTO l(id, u) VALUES ('a', new.b); END",
        "AFTER UPDATE OF b ON t BEGIN UPDATE OR REPLACE l SET u = new.b WHERE id = 'other'; END",
        "AFTER UPDATE OF b ON t BEGIN
           INSERT OR REPLACE INTO l(id, u) VALUES ('z', new.b); DELETE FROM l WHERE id = 'z'; END",
        "AFTER UPDATE OF b ON t BEGIN INSERT OR REPLACE INTO r(rowid, id) VALUES (1, 'z'); END",
    ] {
        let [a, b] = nodes(["a", "b"], sql);
        run(
            &a,
            "INSERT INTO l VALUES ('keep', 5, 'precious'), ('other', 6, 'x'); INSERT INTO r VALUES ('keep', 'too')",
        );
        run(&a, &format!("INSERT INTO t VALUES ('r', 0); CREATE TRIGGER mine {trigger}"));
        send(&a, &b);
        run(&b, "UPDATE t SET b = 5");
        send(&b, &a);
        for name in ["t", "l", "r"] {
            same(&a, &b, name);
        }
        assert_eq!(table(&a, "l"), ["'keep', 5, 'precious'", "'other', 6, 'x'"], "{trigger}");
        assert_eq!(table(&a, "r"), ["'keep', 'too'"], "{trigger}");
        sound(&a);
    }
}
