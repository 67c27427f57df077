//! Foreign keys checked at the commit, also in a transaction of the caller's; what a merge does to parents.

use rusqlite::Connection;
use serde_json::Value;

use super::world::change;
use crate::common::text;
use crate::support::{export, nodes, page, rows, run, same, send, sound, table, take, try_run};

fn of(from: &Connection, table: &str) -> Vec<Value> {
    page(&export(from)).changes.into_iter().filter(|change| change["table"] == table).collect()
}

fn family(tail: &str) -> String {
    format!(
        "PRAGMA foreign_keys = ON;
         CREATE TABLE p(id TEXT COLLATE NOCASE PRIMARY KEY NOT NULL, a INTEGER, b, UNIQUE(b, a));
         CREATE TABLE c(id TEXT PRIMARY KEY NOT NULL, p TEXT REFERENCES p DEFERRABLE INITIALLY DEFERRED, x TEXT, y,
           FOREIGN KEY(x, y) REFERENCES p(a, b) DEFERRABLE INITIALLY DEFERRED){tail};
         SELECT crdt_enable('c'); SELECT crdt_enable('p');"
    )
}

#[test]
fn deferred_keys_wait_with_and_without_a_rowid() {
    for tail in ["", " WITHOUT ROWID"] {
        for begin in [false, true] {
            let [a, b] = nodes(["a", "b"], &family(tail));
            run(&a, "INSERT INTO p VALUES ('x', 1, 'b'), ('y', 2, 'b');
                     INSERT INTO c VALUES ('1', 'X', NULL, 'b'), ('2', NULL, '2', 'b'), ('3', 'y', '01', 'b'), ('4', NULL, NULL, NULL)");
            if begin {
                run(&b, "BEGIN; INSERT INTO p VALUES ('mine', 3, 3)");
            }
            take(&b, &of(&a, "c"));
            if begin {
                run(&b, "COMMIT");
            }
            assert_eq!(rows(&b, "SELECT id FROM c"), ["'4'"], "{tail} {begin}");
            assert_eq!(rows(&b, "SELECT count(*) FROM crdt_pending()"), ["3"]);
            sound(&b);
            if begin {
                run(&b, "BEGIN");
            }
            send(&a, &b);
            if begin {
                run(&b, "COMMIT");
            }
            run(&b, "DELETE FROM p WHERE id = 'mine'");
            send(&b, &a);
            same(&a, &b, "c");
            same(&a, &b, "p");
            assert_eq!(rows(&b, "SELECT count(*) FROM crdt_pending()"), ["0"]);
        }
    }
}

/// Rows that the caller wrote in the transaction under way are the caller's to mend.
#[test]
fn rows_of_the_callers_that_break_a_key_stay() {
    for tail in ["", " WITHOUT ROWID"] {
        let [a, b] = nodes(["a", "b"], &family(tail));
        run(&a, "INSERT INTO p VALUES ('x', 1, 'b'); INSERT INTO c VALUES ('1', 'x', NULL, NULL)");
        run(&b, "BEGIN; INSERT INTO c VALUES ('9', 'later', NULL, NULL)");
        take(&b, &of(&a, "c"));
        assert_eq!(rows(&b, "SELECT id FROM c"), ["'9'"], "{tail}");
        assert!(try_run(&b, "COMMIT").is_err());
        run(&b, "INSERT INTO p VALUES ('later', 7, 7); COMMIT");
        send(&a, &b);
        assert_eq!(rows(&b, "SELECT id FROM c ORDER BY id"), ["'1'", "'9'"]);
        sound(&b);
    }
}

#[test]
fn checks_that_the_caller_put_off_stay_so() {
    let ddl = "PRAGMA foreign_keys = ON; CREATE TABLE p(id TEXT PRIMARY KEY NOT NULL);
        CREATE TABLE c(id TEXT PRIMARY KEY NOT NULL, p REFERENCES p); SELECT crdt_enable('c'); SELECT crdt_enable('p');";
    let [a, b] = nodes(["a", "b"], ddl);
    run(&a, "INSERT INTO p VALUES ('x'); INSERT INTO c VALUES ('1', 'x')");
    run(&b, "BEGIN; PRAGMA defer_foreign_keys = ON; INSERT INTO c VALUES ('9', 'later')");
    take(&b, &of(&a, "c"));
    assert_eq!(text(&b, "PRAGMA defer_foreign_keys", []), "1");
    assert!(try_run(&b, "COMMIT").is_err());
    run(&b, "INSERT INTO p VALUES ('later'); COMMIT");
    assert_eq!(table(&b, "c"), ["'9', 'later'"]);
    // And ours do not outlive the call.
    run(&b, "BEGIN");
    take(&b, &of(&a, "p"));
    assert_eq!(text(&b, "PRAGMA defer_foreign_keys", []), "0");
    run(&b, "COMMIT");
    assert_eq!(table(&b, "c").len(), 2);
}

/// A merged delete of a parent that a row refers to, which the deleter did not know.
#[test]
fn a_child_of_a_deleted_parent_waits_whatever_the_action() {
    for action in ["NO ACTION", "RESTRICT", "CASCADE", "SET NULL", "SET DEFAULT"] {
        for late in [false, true] {
            let ddl = format!(
                "PRAGMA foreign_keys = ON; CREATE TABLE p(id TEXT PRIMARY KEY NOT NULL);
                 CREATE TABLE c(id TEXT PRIMARY KEY NOT NULL, p REFERENCES p(id) ON DELETE {action}, v, q REFERENCES c(id) ON DELETE {action});
                 SELECT crdt_enable('p'); SELECT crdt_enable('c');"
            );
            let [a, b] = nodes(["a", "b"], &ddl);
            run(&a, "INSERT INTO p VALUES ('x')");
            send(&a, &b);
            run(&a, "DELETE FROM p");
            run(&b, "INSERT INTO c VALUES ('1', 'x', 'kept', NULL), ('2', NULL, 'too', '1')");
            for (from, to) in if late { [(&b, &a), (&a, &b)] } else { [(&a, &b), (&b, &a)] } {
                send(from, to);
            }
            for node in [&a, &b] {
                assert_eq!(table(node, "p").len() + table(node, "c").len(), 0, "{action} {late}");
                assert_eq!(rows(node, "SELECT pk FROM crdt_pending() ORDER BY pk"), ["'1'", "'2'"], "{action} {late}");
            }
            same(&a, &b, "c");
            let changes = page(&export(&a)).changes;
            let body = |pk: &str| changes.iter().find(|c| c["pk"] == pk && c["field"] == "v").unwrap()["value"].clone();
            assert_eq!((body("1"), body("2")), ("kept".into(), "too".into()));
            assert!(
                changes.iter().all(|c| c["table"] != "c" || c["field"] != "_tombstone"),
                "no cascade is a local write"
            );
            run(&a, "INSERT INTO p VALUES ('x')");
            send(&a, &b);
            for node in [&a, &b] {
                assert_eq!(table(node, "c"), ["'1', 'x', 'kept', NULL", "'2', NULL, 'too', '1'"]);
            }
            same(&a, &b, "c");
        }
    }
}

/// Rows of a table that is not synced are not ours to take away: the deleted parent stays until they go.
#[test]
fn a_parent_that_other_tables_refer_to_stays() {
    for key in ["", " ON DELETE RESTRICT", " DEFERRABLE INITIALLY DEFERRED"] {
        let [a, b] = nodes(
            ["a", "b"],
            "PRAGMA foreign_keys = ON; CREATE TABLE p(id TEXT PRIMARY KEY NOT NULL, v); SELECT crdt_enable('p');",
        );
        run(&b, &format!("CREATE TABLE mine(id INTEGER PRIMARY KEY, p REFERENCES p(id){key})"));
        run(&a, "INSERT INTO p VALUES ('x', 1)");
        send(&a, &b);
        run(&b, "INSERT INTO mine VALUES (1, 'x')");
        run(&a, "DELETE FROM p");
        assert_eq!(send(&a, &b)["pending"], 1, "{key}");
        assert_eq!(rows(&b, "SELECT reason FROM crdt_pending()"), ["'FOREIGN KEY constraint failed'"]);
        assert_eq!(table(&b, "p").len(), 1);
        assert_eq!(rows(&b, "SELECT count(*) FROM pragma_foreign_key_check"), ["0"]);
        run(&b, "DELETE FROM mine");
        assert_eq!(text(&b, "SELECT crdt_retry()", []), "1");
        same(&a, &b, "p");
    }
}

/// A cascade comes with the merge that it belongs to: cells of which nothing was ever written keep their default.
#[test]
fn a_cascade_leaves_defaults_alone() {
    let ddl = "PRAGMA foreign_keys = ON;
        CREATE TABLE p(id TEXT PRIMARY KEY NOT NULL, n DEFAULT 1, up REFERENCES p(id) ON DELETE SET NULL); SELECT crdt_enable('p');";
    let [a, b] = nodes(["a", "b"], ddl);
    let up = serde_json::json!({"table": "p", "pk": "a", "field": "up", "crdt_type": "lww", "value": "b",
        "hlc": {"ts": 1, "c": 0, "node": "x"}, "node_id": "x"});
    run(&a, "INSERT INTO p(id) VALUES ('b')");
    take(&a, &[up]);
    send(&a, &b);
    run(&a, "DELETE FROM p WHERE id = 'b'");
    send(&a, &b);
    assert_eq!(table(&b, "p"), ["'a', 1, NULL"]);
    same(&a, &b, "p");
}

/// SQLite lets a row take its parent's place by a REPLACE though one row refers to it by its old key: that row names no
/// parent then. It stays where that was done, waits elsewhere, and no merge fails for it.
#[test]
fn an_orphan_that_sqlite_leaves_stays_here_and_waits_elsewhere() {
    let ddl = "PRAGMA foreign_keys = ON;
        CREATE TABLE tree(id TEXT PRIMARY KEY NOT NULL, up TEXT REFERENCES tree(id), v); SELECT crdt_enable('tree');";
    let dangling = |node: &Connection| text(node, "SELECT count(*) FROM pragma_foreign_key_check", []);
    let wait = |node: &Connection| rows(node, "SELECT pk FROM crdt_pending()");
    for news in [("v", "new", "'c', 'a', 'new'"), ("up", "e", "'c', 'e', 3")] {
        let [a, b] = nodes(["a", "b"], ddl);
        run(&a, "INSERT INTO tree VALUES ('b', NULL, 1), ('a', 'b', 2), ('c', 'a', 3)");
        run(&a, "UPDATE OR REPLACE tree SET id = 'b' WHERE id = 'a'");
        assert_eq!(table(&a, "tree"), ["'b', 'b', 2", "'c', 'a', 3"]);
        assert_eq!(dangling(&a), "1");
        send(&a, &b);
        assert_eq!((table(&b, "tree"), wait(&b)), (vec!["'b', 'b', 2".into()], vec!["'c'".into()]));
        let (field, value, shown) = news;
        let stamp = text(&a, "SELECT crdt_now()", []);
        let stamp: Value = serde_json::from_str(&stamp.replace("\"a\"", "\"x\"")).unwrap();
        let change = serde_json::json!({"table": "tree", "pk": "c", "field": field, "crdt_type": "lww", "value": value,
            "hlc": stamp, "node_id": "x"});
        take(&a, std::slice::from_ref(&change));
        take(&b, &[change]);
        // With another parent, which is not there either, it waits here too.
        let here = if field == "up" { "1" } else { "0" };
        assert_eq!(text(&a, "SELECT count(*) FROM crdt_pending()", []), here);
        run(&b, "INSERT INTO tree VALUES ('a', NULL, 5), ('e', 'a', 6)");
        send(&b, &a);
        send(&a, &b);
        for node in [&a, &b] {
            assert_eq!(table(node, "tree"), ["'a', NULL, 5", "'b', 'b', 2", shown, "'e', 'a', 6"]);
            assert_eq!(dangling(node), "0");
        }
        same(&a, &b, "tree");
    }
}

/// A parent that a trigger makes in a merge goes again at its end: rows of the merge that refer to it wait, as where there is no trigger.
#[test]
fn children_of_a_parent_that_a_trigger_made_wait_for_the_true_one() {
    for action in ["CASCADE", "SET NULL", "SET DEFAULT"] {
        for checked in ["", " DEFERRABLE INITIALLY DEFERRED"] {
            let ddl = format!(
                "PRAGMA foreign_keys = ON; CREATE TABLE p(id TEXT PRIMARY KEY NOT NULL, v); CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v);
                 CREATE TABLE c(id TEXT PRIMARY KEY NOT NULL, p TEXT REFERENCES p ON DELETE {action}{checked}, v);
                 SELECT crdt_enable('t'); SELECT crdt_enable('p'); SELECT crdt_enable('c');"
            );
            let [a, b] = nodes(["a", "b"], &ddl);
            run(
                &b,
                "CREATE TRIGGER makes AFTER INSERT ON t BEGIN INSERT OR IGNORE INTO p VALUES (new.id, 'made'); END",
            );
            let at = |table, field, ts, value| change(table, "1", field, (ts, 0, "x"), &Value::from(value));
            let (merged, parent) =
                ([at("t", "v", 1, "t"), at("c", "p", 1, "1"), at("c", "v", 1, "kept")], at("p", "v", 2, "true"));
            let news = at("c", "v", 3, "news");
            for node in [&a, &b] {
                take(node, &merged);
                assert_eq!((table(node, "p").len(), table(node, "c").len()), (0, 0), "{action}{checked}");
                assert_eq!(rows(node, "SELECT pk, \"table\" FROM crdt_pending()"), ["'1', 'c'"], "{action}{checked}");
            }
            same(&a, &b, "c");
            assert_eq!(of(&a, "c"), of(&b, "c"), "{action}{checked}");
            for node in [&a, &b] {
                take(node, &[parent.clone(), news.clone()]);
                assert_eq!(table(node, "c"), ["'1', '1', 'news'"], "{action}{checked}");
            }
            same(&a, &b, "p");
            same(&a, &b, "c");
        }
    }
}

/// Rows that refer to each other have the checks put off; a key of a table that is not enabled is not broken unseen meanwhile, nor at the
/// commit.
#[test]
fn a_value_that_another_table_needs_while_checks_are_put_off() {
    let ddl = "PRAGMA foreign_keys = ON;
        CREATE TABLE a(id TEXT PRIMARY KEY NOT NULL, b REFERENCES b(id)); CREATE TABLE b(id TEXT PRIMARY KEY NOT NULL, a REFERENCES a(id));
        CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, u TEXT COLLATE NOCASE UNIQUE);
        SELECT crdt_enable('a'); SELECT crdt_enable('b'); SELECT crdt_enable('t');";
    for check in ["", "ON UPDATE RESTRICT", "DEFERRABLE INITIALLY DEFERRED"] {
        let [a, b] = nodes(["a", "b"], ddl);
        run(&a, "INSERT INTO t VALUES ('x', 'three'), ('y', 'other')");
        send(&a, &b);
        run(&b, &format!("CREATE TABLE c(u REFERENCES t(u) {check}); INSERT INTO c VALUES ('three')"));
        run(&a, "BEGIN; PRAGMA defer_foreign_keys = ON; INSERT INTO a VALUES ('1', '1'); INSERT INTO b VALUES ('1', '1'); COMMIT");
        run(&a, "UPDATE t SET u = 'four' WHERE id = 'x'; UPDATE t SET u = 'five' WHERE id = 'y'");
        send(&a, &b);
        assert_eq!(rows(&b, "PRAGMA foreign_key_check"), [""; 0], "{check}");
        assert_eq!(
            rows(&b, "SELECT pk, reason FROM crdt_pending()"),
            ["'x', 'FOREIGN KEY constraint failed'"],
            "{check}"
        );
        assert_eq!(rows(&b, "SELECT u FROM t ORDER BY id"), ["'three'", "'five'"]);
        sound(&b);
        // What the key finds equal is no change to it.
        run(&a, "UPDATE t SET u = 'THREE' WHERE id = 'x'");
        send(&a, &b);
        assert_eq!(rows(&b, "SELECT u FROM t ORDER BY id"), ["'THREE'", "'five'"], "{check}");
        send(&b, &a);
        same(&a, &b, "t");
    }
}
