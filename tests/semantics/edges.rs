//! Where things get rough: triggers that refuse in their own ways, spellings, zeros, values that cannot be read.

use crate::common::error;
use crate::support::*;

const T: &str = "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v); SELECT crdt_enable('t');";

/// A trigger of the user's that rolls back ends the caller's transaction: nothing of the merge may stay.
#[test]
fn a_user_trigger_that_rolls_back() {
    for when in ["BEFORE", "AFTER"] {
        for begin in ["BEGIN", "BEGIN; INSERT INTO t VALUES ('mine', 1)"] {
            let [a, b] = nodes(["a", "b"], T);
            run(&a, "INSERT INTO t VALUES ('1', 'good'), ('2', 'bad'), ('3', 'good')");
            run(
                &b,
                &format!(
                    "CREATE TRIGGER g {when} INSERT ON t WHEN new.v = 'bad' BEGIN SELECT RAISE(ROLLBACK, 'no'); END"
                ),
            );
            run(&b, begin);
            let message = error(&b, "SELECT crdt_merge(?1)", [export(&a)]);
            assert!(message.contains("crdt_merge"), "{message}");
            assert!(b.is_autocommit());
            assert_eq!(table(&b, "t").len(), 0, "{when} {begin}: {:?}", table(&b, "t"));
            assert_eq!(since(&b, None).changes.len(), 0);
            sound(&b);
            run(&b, "DROP TRIGGER g");
            send(&a, &b);
            same(&a, &b, "t");
        }
    }
}

/// A trigger of the user's that ignores a merged row: the row is pending, not lost without a word.
#[test]
fn a_user_trigger_that_ignores_a_merged_row() {
    let [a, b] = nodes(["a", "b"], T);
    run(&b, "CREATE TRIGGER g BEFORE INSERT ON t WHEN new.v = 'bad' BEGIN SELECT RAISE(IGNORE); END");
    run(&a, "INSERT INTO t VALUES ('1', 'good'), ('2', 'bad')");
    assert_eq!(send(&a, &b)["pending"], 1);
    assert_eq!(rows(&b, "SELECT pk FROM crdt_pending()"), ["'2'"]);
    assert_eq!(digest(&a, "t"), digest(&b, "t"));
    sound(&b);
    run(&a, "UPDATE t SET v = 'fine'");
    send(&a, &b);
    same(&a, &b, "t");
}

/// 0.0 to -0.0 alone is no change (6.1): then it makes no difference to the digest either.
#[test]
fn a_zero_that_changes_its_sign_is_no_difference() {
    let [a, b] = nodes(["a", "b"], T);
    run(&a, "INSERT INTO t VALUES ('1', 0.0), ('2', -0.0)");
    send(&a, &b);
    run(&a, "UPDATE t SET v = -0.0 WHERE id = '1'; UPDATE t SET v = 0.0 WHERE id = '2'");
    assert_eq!(send(&a, &b)["merged"], 0);
    assert_eq!(digest(&a, "t"), digest(&b, "t"));
}

/// SQLite compares the names of columns without regard to case; so do tables' names in changes already.
#[test]
fn columns_named_in_another_case() {
    let a = node("a", "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, Name, N INTEGER, S TEXT); SELECT crdt_enable('t', 'N:counter', 'S:set')");
    let b = node("b", "CREATE TABLE T(ID TEXT PRIMARY KEY NOT NULL, name, n INTEGER, s TEXT); SELECT crdt_enable('t', 'n:counter', 's:set')");
    run(&a, "INSERT INTO t VALUES ('1', 'x', 3, '[1]')");
    send(&a, &b);
    assert_eq!(table(&b, "t"), ["'1', 'x', 3, '[1]'"]);
    run(&b, "UPDATE t SET name = 'y', n = 4");
    send(&b, &a);
    assert_eq!(table(&a, "t"), ["'1', 'y', 4, '[1]'"]);
}

/// A page always holds at least one record, however small `page_bytes` is.
#[test]
fn pages_smaller_than_their_own_frame() {
    let [a, b] = nodes(["a", "b"], T);
    run(&a, "INSERT INTO t VALUES ('1', 'x'), ('2', 'y'), ('3', 'z'); SELECT crdt_pragma('page_bytes', 1)");
    let mut cursor: Option<String> = None;
    for _ in 0..3 {
        let page = since(&a, cursor.as_deref());
        assert_eq!(page.changes.len(), 1, "{}", page.json);
        merge(&b, &page.json);
        cursor = Some(page.cursor);
    }
    same(&a, &b, "t");
}

/// A set that no reader can read: the fold goes on, the status names it, and the storage is sound all the same.
#[test]
fn sets_that_cannot_be_read() {
    let deep = format!("{}{}", "[".repeat(900), "]".repeat(900));
    for odd in ["[1e999]", r#"["\ud800"]"#, &deep] {
        let [a, b] = nodes(["a", "b"], TASKS);
        run(&a, "INSERT INTO tasks(id, tags) VALUES ('t1', '[1]')");
        export(&a);
        if a.execute("UPDATE tasks SET tags = ?1", [odd]).is_err() {
            continue; // refusing is as good
        }
        run(&a, "UPDATE tasks SET title = 'goes on'");
        send(&a, &b);
        assert_eq!(rows(&b, "SELECT title, tags FROM tasks"), ["'goes on', '[1]'"], "the set as it was");
        assert!(status(&a)["warnings"].to_string().contains("tags"), "{}", status(&a));
        assert_eq!(digest(&a, "tasks"), digest(&b, "tasks"));
        sound(&a);
        a.execute("UPDATE tasks SET tags = '[2]'", []).unwrap();
        send(&a, &b);
        same(&a, &b, "tasks");
    }
}

/// A foreign key that is checked at the commit must not fail the merge: the child waits for its parent.
#[test]
fn a_deferred_foreign_key_waits_for_its_parent() {
    let ddl = "PRAGMA foreign_keys = ON; CREATE TABLE p(id TEXT PRIMARY KEY NOT NULL, v);
        CREATE TABLE c(id TEXT PRIMARY KEY NOT NULL, p REFERENCES p(id) DEFERRABLE INITIALLY DEFERRED);
        SELECT crdt_enable('p'); SELECT crdt_enable('c');";
    let [a, b] = nodes(["a", "b"], ddl);
    run(&a, "INSERT INTO p VALUES ('x', 1); INSERT INTO c VALUES ('1', 'x')");
    let child = crate::common::text(&a, "SELECT crdt_changes_since(NULL, 'c')", []);
    let answer = merge(&b, &child);
    assert_eq!(answer["pending"], 1, "{answer}");
    assert_eq!(table(&b, "c").len(), 0);
    assert_eq!(rows(&b, "SELECT pk, reason FROM crdt_pending()"), ["'1', 'FOREIGN KEY constraint failed'"]);
    send(&a, &b);
    assert_eq!(table(&b, "c"), ["'1', 'x'"]);
    same(&a, &b, "c");
    assert_eq!(rows(&b, "SELECT count(*) FROM crdt_pending()"), ["0"]);
}

/// A set's cell is written anew in one form after a fold, and the application's triggers fire on that. One that breaks a foreign key keeps its
/// cell as it is, and no other: also where SQLite would tell only at the commit.
#[test]
fn a_cell_whose_new_form_breaks_a_foreign_key() {
    for kind in ["", "DEFERRABLE INITIALLY DEFERRED"] {
        let a = node(
            "a",
            "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, s TEXT DEFAULT '[]', r); SELECT crdt_enable('t', 's:set')",
        );
        run(
            &a,
            &format!(
                "CREATE TABLE p(id TEXT PRIMARY KEY); CREATE TABLE aud(id INTEGER PRIMARY KEY, r REFERENCES p {kind})"
            ),
        );
        run(
            &a,
            "CREATE TRIGGER x AFTER UPDATE ON t BEGIN INSERT INTO aud(r) VALUES (new.r); END; PRAGMA foreign_keys = ON",
        );
        run(&a, "INSERT INTO p VALUES ('here')");
        run(
            &a,
            r#"INSERT INTO t VALUES ('j', '["b","a"]', 'here'), ('k', '["b","a"]', 'nobody'), ('l', '["b","a"]', 'here')"#,
        );
        let b = node(
            "b",
            "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, s TEXT DEFAULT '[]', r); SELECT crdt_enable('t', 's:set')",
        );
        send(&a, &b);
        assert_eq!(rows(&b, "SELECT s FROM t"), [r#"'["a","b"]'"#; 3], "{kind}");
        assert_eq!(rows(&a, "SELECT s FROM t"), [r#"'["a","b"]'"#, r#"'["b","a"]'"#, r#"'["a","b"]'"#], "{kind}");
        assert_eq!(rows(&a, "SELECT r FROM aud"), ["'here'", "'here'"], "{kind}");
        assert_eq!(digest(&a, "t"), digest(&b, "t"));
    }
}

/// The limits that SQLite recommends to programs that run SQL of strangers (<https://sqlite.org/security.html>), but for EXPR_DEPTH.
#[test]
fn a_connection_with_low_limits() {
    use rusqlite::limits::Limit;
    let sql = "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, a, b, c, d, n); SELECT crdt_enable('t', 'n:counter')";
    let [a, b] = nodes(["a", "b"], sql);
    for (limit, most) in [
        (Limit::SQLITE_LIMIT_LENGTH, 1_000_000),
        (Limit::SQLITE_LIMIT_SQL_LENGTH, 100_000),
        (Limit::SQLITE_LIMIT_COLUMN, 100),
        (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 3),
        (Limit::SQLITE_LIMIT_VDBE_OP, 25_000),
        (Limit::SQLITE_LIMIT_FUNCTION_ARG, 8),
        (Limit::SQLITE_LIMIT_ATTACHED, 0),
        (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 50),
        (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 10),
        (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 10),
    ] {
        a.set_limit(limit, most).unwrap();
    }
    run(&a, "INSERT INTO t VALUES ('1', 1, 2, 3, 4, 5), ('2', 1, 2, 3, 4, 5); UPDATE t SET b = 'new', n = n + 1");
    run(&a, "SELECT crdt_cursor(); DELETE FROM t WHERE id = '2'");
    swap(&a, &b);
    run(&b, "INSERT INTO t VALUES ('2', 9, 9, 9, 9, 9); UPDATE t SET a = 8");
    swap(&a, &b);
    same(&a, &b, "t");
    assert_eq!(table(&a, "t"), table(&b, "t"));
    assert_eq!(table(&a, "t").len(), 2);
}
