//! Hooks after a merge: when they run, what they write, what stops them.

use serde_json::json;

use crate::common::text;
use crate::support::*;
use crate::{hook, merge_error};

const AUDIT: &str = "CREATE TABLE audit(pk, field, value)";

#[test]
fn once_for_each_change_taken() {
    let a = node("a", TASKS);
    run(&a, AUDIT);
    hook(&a, "audit", "after_inbound", "INSERT INTO audit VALUES (:pk, :field, :value)");
    hook(
        &a,
        "filter",
        "before_inbound",
        "SELECT CASE :field WHEN 'done' THEN NULL WHEN 'title' THEN json_set(:change, '$.value', 'T') ELSE :change END",
    );
    let changes = [
        lww("title", (2, 0, "x"), "t"),
        lww("done", (2, 0, "x"), 1),
        lww("title", (1, 0, "y"), "old"),
        counter((3, 0, "x"), 1, 0),
    ];
    take(&a, &changes);
    // Altered as it was taken; what was skipped is not there; in the order of the stamps.
    let expected = ["'t1', 'title', 'T'", "'t1', 'title', 'T'", "'t1', 'priority', '{\"inc\":1,\"dec\":0}'"];
    assert_eq!(rows(&a, "SELECT * FROM audit ORDER BY rowid"), expected);
    take(&a, &changes);
    assert_eq!(rows(&a, "SELECT count(*) FROM audit"), ["3"], "what is known is not taken again");
    let request = json!({"changes": [tombstone((9, 0, "x"))]}).to_string();
    assert!(text(&a, "SELECT crdt_push(?1)", [request]).contains("\"merged\":1"));
    assert_eq!(rows(&a, "SELECT count(*) FROM audit WHERE field = '_tombstone'"), ["1"]);
}

/// The rows are there already.
#[test]
fn after_the_rows_are_written() {
    let a = node("a", TASKS);
    run(&a, AUDIT);
    hook(
        &a,
        "audit",
        "after_inbound",
        "INSERT INTO audit SELECT :pk, :field, title || '/' || priority || '/' || tags FROM tasks WHERE id = :pk",
    );
    take(&a, &[lww("title", (1, 0, "x"), "t"), counter((2, 0, "x"), 4, 0), set("add", (3, 0, "x"), json!([1]))]);
    assert_eq!(rows(&a, "SELECT DISTINCT value FROM audit"), ["'t/4/[1]'"]);
}

/// What a hook writes to an enabled table is a local write: stamped after the merge, by this node, and sent.
#[test]
fn its_writes_are_local_writes() {
    let [a, b] = nodes(["a", "b"], TASKS);
    for conn in [&a, &b] {
        run(conn, "CREATE TABLE log(id TEXT PRIMARY KEY NOT NULL, what TEXT); SELECT crdt_enable('log')");
    }
    run(&b, "INSERT INTO tasks(id, title) VALUES ('t1', 'milk')");
    hook(&a, "log", "after_inbound", "INSERT OR IGNORE INTO log VALUES (:node_id || '/' || :pk, :table)");
    text(&a, "SELECT crdt_hook('done', 'after_inbound', 'UPDATE tasks SET done = 7 WHERE id = :pk AND :field = ''title''', 'tasks')", []);
    send(&b, &a);
    assert_eq!(table(&a, "log"), ["'b/t1', 'tasks'"]);
    let page = since(&a, None);
    assert_eq!((&page.of("t1", "done")["value"], &page.of("t1", "done")["node_id"]), (&json!(7), &json!("a")));
    assert!(stamp_of(page.of("t1", "done")) > stamp_of(page.of("t1", "title")));
    assert_eq!(page.of("b/t1", "what")["node_id"], "a");
    swap(&a, &b);
    same(&a, &b, "tasks");
    same(&a, &b, "log");
    assert_eq!(table(&b, "tasks"), ["'t1', 'milk', 0, '[]', 7"]);
}

#[test]
fn an_error_takes_everything_back() {
    for (sql, part) in [
        ("INSERT INTO guard VALUES (:field)", "no titles here"),
        ("INSERT INTO single VALUES (1)", "UNIQUE"),
        ("SELECT json('{') WHERE :field = 'title'", "JSON"),
        ("INSERT INTO gone VALUES (:pk)", "no such table"),
    ] {
        let a = node("a", TASKS);
        run(&a, "CREATE TABLE guard(f); CREATE TABLE single(x UNIQUE); CREATE TABLE gone(x);
            CREATE TRIGGER no BEFORE INSERT ON guard WHEN new.f = 'title' BEGIN SELECT RAISE(ABORT, 'no titles here'); END");
        hook(&a, "a guard", "after_inbound", sql);
        run(&a, "DROP TABLE gone");
        export(&a);
        let before = contents(&a);
        let message = merge_error(&a, &[lww("done", (1, 0, "x"), 1), lww("title", (2, 0, "x"), "t")]);
        assert!(message.starts_with("crdt_merge: hook 'a guard': ") && message.contains(part), "{message}");
        assert_eq!(contents(&a), before);
        assert!(a.is_autocommit());
        // In a transaction of the caller's it goes on.
        run(&a, "BEGIN; INSERT INTO tasks(id) VALUES ('mine')");
        merge_error(&a, &[lww("done", (1, 0, "x"), 1), lww("title", (2, 0, "x"), "t")]);
        run(&a, "COMMIT");
        assert_eq!(table(&a, "tasks"), ["'mine', NULL, 0, '[]', 0"]);
        sound(&a);
    }
}

/// A trigger that rolls everything back ends the call with an error, and nothing is left open.
#[test]
fn raise_rollback() {
    let a = node("a", TASKS);
    run(&a, "CREATE TABLE guard(f); CREATE TRIGGER no BEFORE INSERT ON guard BEGIN SELECT RAISE(ROLLBACK, 'all of it'); END");
    hook(&a, "guard", "after_inbound", "INSERT INTO guard VALUES (1)");
    export(&a);
    let before = contents(&a);
    assert!(merge_error(&a, &[lww("done", (1, 0, "x"), 1)]).contains("hook 'guard': all of it"));
    assert!(a.is_autocommit());
    assert_eq!(contents(&a), before);
    text(&a, "SELECT crdt_unhook('guard')", []);
    assert_eq!(take(&a, &[lww("done", (1, 0, "x"), 1)])["merged"], 1);
}

/// It is told of what is taken and not shown, too.
#[test]
fn pending_changes_are_taken() {
    let a =
        node("a", "CREATE TABLE strict(id TEXT PRIMARY KEY NOT NULL, v CHECK (v < 5)); SELECT crdt_enable('strict')");
    run(&a, AUDIT);
    hook(&a, "audit", "after_inbound", "INSERT INTO audit VALUES (:pk, :field, :value)");
    let v = change("v", (1, 0, "x"), json!({"table": "strict", "value": 9}));
    assert_eq!(take(&a, &[v])["pending"], 1);
    assert_eq!(table(&a, "audit"), ["'t1', 'v', 9"]);
    sound(&a);
}

#[test]
fn last_insert_rowid_stays() {
    let a = node("a", TASKS);
    run(&a, AUDIT);
    run(&a, "INSERT INTO audit(rowid, pk) VALUES (77, 'mine')");
    hook(&a, "audit", "after_inbound", "INSERT INTO audit VALUES (:pk, :field, :value)");
    take(&a, &[lww("title", (1, 0, "x"), 1)]);
    assert_eq!(text(&a, "SELECT last_insert_rowid()", []), "77");
}

/// A foreign key that is checked at the commit: the call fails with the hook's name, unless a later hook makes it whole again.
#[test]
fn a_key_that_is_checked_at_the_commit() {
    for enable in ["", "SELECT crdt_enable('c')"] {
        let a = node("a", TASKS);
        run(
            &a,
            &format!(
                "PRAGMA foreign_keys = ON; CREATE TABLE p(id TEXT PRIMARY KEY NOT NULL);
                 CREATE TABLE c(id TEXT PRIMARY KEY NOT NULL, p TEXT REFERENCES p DEFERRABLE INITIALLY DEFERRED); {enable}"
            ),
        );
        hook(&a, "silent", "after_inbound", "SELECT 1");
        hook(&a, "breaks", "after_inbound", "INSERT OR IGNORE INTO c VALUES (:pk, 'nobody')");
        export(&a);
        let before = contents(&a);
        let message = merge_error(&a, &[lww("title", (2, 0, "x"), "t")]);
        assert!(message.starts_with("crdt_merge: hook 'breaks': FOREIGN KEY"), "{message}");
        assert_eq!(contents(&a), before);
        hook(&a, "mends", "after_inbound", "INSERT OR IGNORE INTO p VALUES ('nobody')");
        take(&a, &[lww("title", (2, 0, "x"), "t")]);
        assert_eq!(table(&a, "c"), ["'t1', 'nobody'"]);
        sound(&a);
    }
}
