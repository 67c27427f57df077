//! Changes whose time has not come: they meet the hooks when it has, and one that is refused blocks nobody.

use rusqlite::Connection;
use serde_json::json;

use crate::common::text;
use crate::hook;
use crate::support::*;

/// Puts changes aside that are due as soon as `max_drift` is raised.
fn aside(conn: &Connection, changes: &[serde_json::Value]) {
    run(conn, "SELECT crdt_pragma('max_drift', '1s')");
    assert_eq!(take(conn, changes)["pending"], changes.len());
    run(conn, "SELECT crdt_pragma('max_drift', '10d')");
}

fn soon(conn: &Connection) -> i64 {
    now(conn) + 86_400_000_000_000
}

#[test]
fn hooks_run_when_the_time_has_come() {
    let a = node("a", TASKS);
    run(&a, "CREATE TABLE audit(pk, field, value)");
    hook(&a, "in", "before_inbound", "SELECT json_set(:change, '$.value', upper(:value)) WHERE :field <> 'done'");
    hook(&a, "after", "after_inbound", "INSERT INTO audit VALUES (:pk, :field, :value)");
    let ts = soon(&a);
    aside(&a, &[lww("title", (ts, 0, "x"), "milk"), lww("done", (ts, 0, "x"), 1)]);
    assert_eq!(since(&a, None).change("title")["value"], "MILK");
    assert_eq!(table(&a, "tasks"), ["'t1', 'MILK', NULL, '[]', 0"]);
    assert_eq!(table(&a, "audit"), ["'t1', 'title', 'MILK'"]);
    assert_eq!(rows(&a, "SELECT count(*) FROM crdt_pending()"), ["0"]);
    sound(&a);
}

/// Calls that have nothing to do with it go on; the others that are due are taken; it is tried again.
#[test]
fn one_that_is_refused_goes_on_waiting() {
    let a = node("a", TASKS);
    hook(&a, "no", "before_inbound", "SELECT CASE :field WHEN 'title' THEN 'no titles' ELSE :change END");
    hook(&a, "after", "after_inbound", "SELECT json('{') WHERE :value = 99");
    let ts = soon(&a);
    let other = |n: u32| change("done", (ts, n, "a new node"), json!({"pk": format!("t{n}"), "value": n}));
    aside(&a, &[other(2), lww("title", (ts, 3, "x"), "t"), other(99), other(4)]);
    for _ in 0..2 {
        assert_eq!(since(&a, None).fields(), ["t2.done", "t4.done"]);
        assert_eq!(rows(&a, "SELECT count(*) FROM crdt_pending() WHERE reason LIKE '%a hook refuses it%'"), ["2"]);
        run(&a, "SELECT crdt_digest('tasks'); SELECT crdt_now()");
        sound(&a);
    }
    take(&a, &[lww("done", (1, 0, "another"), 1)]);
    assert_eq!(
        rows(&a, "SELECT node FROM _crdt_node WHERE node IN ('another', 'a new node') ORDER BY 1"),
        ["'a new node'", "'another'"]
    );
    text(&a, "SELECT crdt_unhook('no')", []);
    text(&a, "SELECT crdt_unhook('after')", []);
    assert_eq!(since(&a, None).of("t1", "title")["value"], "t");
    assert_eq!(rows(&a, "SELECT count(*) FROM crdt_pending()"), ["0"]);
    sound(&a);
}

/// What an after_inbound hook wrote when waiting changes were released is in the very answer that released them.
#[test]
fn writes_of_hooks_at_a_release() {
    let a = node("a", TASKS);
    hook(&a, "copy", "after_inbound", "INSERT INTO tasks(id, title) VALUES ('copy of ' || :pk, :value)");
    let ts = soon(&a);
    aside(&a, &[lww("title", (ts, 0, "x"), "milk")]);
    assert_eq!(since(&a, None).of("copy of t1", "title")["value"], "milk");
    sound(&a);
}

/// A hook that breaks a foreign key which is checked at the commit: no other call fails, and the hook can be taken away.
#[test]
fn one_whose_hook_breaks_a_key_that_is_checked_late() {
    for enable in ["", "SELECT crdt_enable('c')"] {
        let a = node("a", TASKS);
        run(
            &a,
            &format!(
                "PRAGMA foreign_keys = ON; CREATE TABLE p(id TEXT PRIMARY KEY NOT NULL);
                 CREATE TABLE c(id TEXT PRIMARY KEY NOT NULL, p TEXT REFERENCES p DEFERRABLE INITIALLY DEFERRED); {enable}"
            ),
        );
        hook(&a, "log", "after_inbound", "INSERT INTO c SELECT :pk, 'nobody' WHERE :field = 'title'");
        let ts = soon(&a);
        aside(&a, &[lww("title", (ts, 0, "x"), "milk"), lww("done", (ts, 0, "x"), 1)]);
        for call in
            ["crdt_changes_since(NULL)", "crdt_digest('tasks')", "crdt_status()", "crdt_merge('[]')", "crdt_now()"]
        {
            run(&a, &format!("SELECT {call}"));
        }
        assert_eq!(rows(&a, "SELECT field FROM crdt_pending() WHERE reason LIKE '%a hook refuses it%'"), ["'title'"]);
        assert_eq!(table(&a, "tasks"), ["'t1', NULL, NULL, '[]', 1"]);
        text(&a, "SELECT crdt_unhook('log')", []);
        assert_eq!(since(&a, None).of("t1", "title")["value"], "milk");
        assert_eq!((rows(&a, "SELECT count(*) FROM crdt_pending()"), table(&a, "c").len()), (vec!["0".into()], 0));
        sound(&a);
    }
}

/// What a hook refuses is let be for a while: it keeps nobody from writing, filtered pulls neither. Then, or with crdt_retry, it is tried again.
#[test]
fn one_that_is_refused_is_let_be_for_a_while() {
    const NOW: i64 = 1_780_000_000_000;
    clock::set(NOW);
    let a = named(clock::open(":memory:"), "a", TASKS);
    run(&a, "CREATE TABLE open(v); SELECT crdt_filter('tasks', 'done = 1')");
    hook(&a, "no", "before_inbound", "SELECT CASE WHEN EXISTS (SELECT 1 FROM open) THEN :change ELSE 'not yet' END");
    let late = |n: i64| lww("title", ((NOW + 600_000 + n) * 1_000_000, 0, "x"), n);
    let waiting = |a: &Connection| rows(a, "SELECT count(*) FROM crdt_pending()");
    assert_eq!(take(&a, &[late(1)])["pending"], 1);
    let mut cursor = since(&a, None).cursor;
    clock::set(NOW + 700_000);
    for done in ["t2.done", "t3.done"] {
        run(&a, &format!("INSERT INTO tasks(id, done) VALUES ('{}', 1)", &done[..2]));
        let page = since(&a, Some(&cursor));
        assert!(page.fields().contains(&done.to_owned()), "{}", page.json);
        cursor = page.cursor;
    }
    run(&a, "INSERT INTO open VALUES (1); SELECT crdt_digest('tasks')");
    assert_eq!(waiting(&a), ["1"], "it was tried a moment ago");
    clock::set(NOW + 761_000);
    run(&a, "SELECT crdt_digest('tasks')");
    assert_eq!(waiting(&a), ["0"]);
    run(&a, "DELETE FROM open");
    assert_eq!(take(&a, &[late(900_000)])["pending"], 1);
    clock::set(NOW + 1_600_000);
    run(&a, "SELECT crdt_digest('tasks'); INSERT INTO open VALUES (1); SELECT crdt_digest('tasks')");
    assert_eq!(waiting(&a), ["1"]);
    run(&a, "SELECT crdt_retry()");
    assert_eq!(waiting(&a), ["0"]);
    sound(&a);
}

/// A hook whose write makes a trigger roll everything back: no other call fails for it, and the other changes are taken.
#[test]
fn one_whose_hook_rolls_back() {
    let a = node("a", TASKS);
    run(
        &a,
        "CREATE TABLE audit(v); CREATE TRIGGER strict BEFORE INSERT ON audit WHEN new.v = 'bad' BEGIN SELECT RAISE(ROLLBACK, 'no'); END",
    );
    hook(&a, "audit", "after_inbound", "INSERT INTO audit VALUES (:value)");
    let ts = soon(&a);
    let of = |pk: &str, value: &str| change("title", (ts, 0, "x"), json!({"pk": pk, "value": value}));
    aside(&a, &[of("t1", "good"), of("t2", "bad"), of("t3", "fine"), of("t4", "bad"), of("t5", "well")]);
    run(&a, "SELECT crdt_digest('tasks')");
    assert_eq!(rows(&a, "SELECT title FROM tasks ORDER BY id"), ["'good'", "'fine'", "'well'"]);
    assert_eq!(rows(&a, "SELECT pk FROM crdt_pending() ORDER BY 1"), ["'t2'", "'t4'"]);
    text(&a, "SELECT crdt_unhook('audit')", []);
    run(&a, "SELECT crdt_digest('tasks')");
    assert_eq!(rows(&a, "SELECT count(*) FROM tasks"), ["5"]);
    sound(&a);
}
