//! Forgetting: deleted records by age, with an epitaph that stays.

use serde_json::json;

use crate::common::text;
use crate::support::*;

const T0: i64 = 1_780_000_000_000;
const DAY: i64 = 86_400_000;

fn cleanup(conn: &rusqlite::Connection) -> String {
    text(conn, "SELECT crdt_cleanup_tombstones()", [])
}

#[test]
fn by_age() {
    clock::set(T0);
    let a = named(clock::open(":memory:"), "a", TASKS);
    run(
        &a,
        "INSERT INTO tasks(id, title) VALUES ('t1', 'x'), ('t2', 'y'), ('t3', 'z'); DELETE FROM tasks WHERE id = 't1'",
    );
    clock::set(T0 + 3 * DAY);
    run(&a, "DELETE FROM tasks WHERE id = 't2'");
    for (wall, forgotten) in [
        (T0 + 6 * DAY, "0"),
        (T0 + 7 * DAY + 60_000, "1"),
        (T0 + 8 * DAY, "0"),
        (T0 + 11 * DAY, "1"),
        (T0 + 90 * DAY, "0"),
    ] {
        clock::set(wall);
        assert_eq!(cleanup(&a), forgotten, "day {}", (wall - T0) / DAY);
    }
    assert_eq!(rows(&a, "SELECT id FROM tasks"), ["'t3'"]);
    assert_eq!(
        since(&a, None).changes.iter().filter(|change| change["pk"] != "t3").count(),
        2,
        "epitaphs: {}",
        export(&a)
    );
}

#[test]
fn of_one_table_or_all() {
    let two = "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v); SELECT crdt_enable('t');
               CREATE TABLE u(id TEXT PRIMARY KEY NOT NULL, v); SELECT crdt_enable('u'); SELECT crdt_pragma('tombstone_ttl', '0s')";
    let a = node("a", two);
    run(&a, "INSERT INTO t VALUES ('1', 1), ('2', 2); INSERT INTO u VALUES ('1', 1); DELETE FROM t; DELETE FROM u");
    std::thread::sleep(std::time::Duration::from_millis(5));
    assert_eq!(text(&a, "SELECT crdt_cleanup_tombstones('u')", []), "1");
    assert_eq!(cleanup(&a), "2");
    assert_eq!(cleanup(&a), "0");
}

/// A late or replayed change never brings a forgotten record back; a later write makes a new record.
#[test]
fn epitaphs() {
    let [a, b] = nodes(["a", "b"], TASKS);
    run(&a, "SELECT crdt_pragma('tombstone_ttl', '0s')");
    take(
        &a,
        &[
            lww("title", (1000, 0, "x"), "v"),
            counter((1000, 0, "x"), 5, 0),
            set("add", (1000, 0, "x"), json!(["e"])),
            tombstone((2000, 0, "y")),
        ],
    );
    assert_eq!(cleanup(&a), "1");
    let late = [
        lww("title", (1000, 0, "x"), "v"),
        lww("done", (1999, 9, "z"), 1),
        counter((1500, 0, "x"), 9, 0),
        set("add", (1500, 0, "x"), json!(["late"])),
        tombstone((1500, 0, "x")),
        tombstone((2000, 0, "y")),
    ];
    for change in late {
        take(&a, std::slice::from_ref(&change));
        assert_eq!(table(&a, "tasks").len(), 0, "{change}");
    }
    send(&a, &b);
    assert_eq!(table(&b, "tasks").len(), 0);
    take(&a, &[lww("title", (3000, 0, "z"), "new record")]);
    assert_eq!(table(&a, "tasks"), ["'t1', 'new record', NULL, '[]', 0"], "counters and sets start anew");
    send(&a, &b);
    assert_eq!(table(&b, "tasks"), table(&a, "tasks"));
}

/// A counter of a forgotten and revived record starts anew on every node, whatever each remembers.
#[test]
fn a_revived_counter_starts_anew() {
    let [a, b] = nodes(["a", "b"], TASKS);
    run(&a, "INSERT INTO tasks(id, priority) VALUES ('t1', 7)");
    send(&a, &b);
    run(&a, "DELETE FROM tasks; SELECT crdt_pragma('tombstone_ttl', '0s')");
    send(&a, &b);
    std::thread::sleep(std::time::Duration::from_millis(5));
    assert_eq!(cleanup(&a), "1");
    run(&a, "INSERT INTO tasks(id, priority) VALUES ('t1', 2)");
    swap(&a, &b);
    for node in [&a, &b] {
        assert_eq!(rows(node, "SELECT priority FROM tasks"), ["2"]);
    }
    run(&b, "UPDATE tasks SET priority = priority + 1");
    swap(&a, &b);
    assert_eq!(rows(&a, "SELECT priority FROM tasks"), ["3"]);
    assert_eq!(digest(&a, "tasks"), digest(&b, "tasks"));
}

/// Two lives of one record: what counters and sets held in the first is over, whoever has not forgotten it.
#[test]
fn a_new_life_keeps_nothing_of_the_old_one() {
    let [a, b, c] = nodes(["a", "b", "c"], TASKS);
    run(&a, "INSERT INTO tasks(id, priority, tags) VALUES ('t1', 7, '[\"old\"]')");
    swap(&a, &b);
    run(&b, "UPDATE tasks SET priority = priority + 5, tags = '[\"old\", \"older\"]'");
    swap(&a, &b);
    swap(&b, &c);
    let old = export(&c);
    run(&a, "DELETE FROM tasks; SELECT crdt_pragma('tombstone_ttl', '0s')");
    std::thread::sleep(std::time::Duration::from_millis(5));
    assert_eq!(cleanup(&a), "1");
    run(&a, "INSERT INTO tasks(id, priority, tags) VALUES ('t1', 2, '[\"new\"]')");
    // c missed the delete and everything after it; b has seen neither.
    for _ in 0..2 {
        swap(&a, &b);
        swap(&b, &c);
    }
    for node in [&a, &b, &c] {
        assert_eq!(rows(node, "SELECT priority, tags FROM tasks"), ["2, '[\"new\"]'"]);
        assert_eq!(digest(node, "tasks"), digest(&a, "tasks"));
        merge(node, &old);
        assert_eq!(rows(node, "SELECT priority, tags FROM tasks"), ["2, '[\"new\"]'"], "replayed");
        assert_eq!(text(node, "SELECT crdt_check()", []), "ok");
    }
    run(&b, "UPDATE tasks SET priority = priority + 1, tags = '[\"new\", \"newer\"]'");
    swap(&a, &b);
    swap(&b, &c);
    merge(&c, &old);
    assert_eq!(rows(&c, "SELECT priority, tags FROM tasks"), ["3, '[\"new\",\"newer\"]'"]);
}

/// A node that has forgotten what it wrote does not take its own old changes for those of a copy.
#[test]
fn own_changes_that_were_forgotten_make_no_fork() {
    let [a, b] = nodes(["a", "b"], TASKS);
    run(&a, "INSERT INTO tasks(id, title, priority) VALUES ('t1', 'by a', 1)");
    send(&a, &b);
    run(&a, "DELETE FROM tasks; SELECT crdt_pragma('tombstone_ttl', '0s')");
    std::thread::sleep(std::time::Duration::from_millis(5));
    assert_eq!(cleanup(&a), "1");
    run(&b, "UPDATE tasks SET done = 1 WHERE id = 't1'");
    swap(&b, &a);
    assert_eq!(rows(&a, "SELECT title, done FROM tasks"), ["'by a', 1"], "b had not seen the delete");
    assert_eq!(text(&a, "SELECT crdt_node_id()", []), "a");
    assert_eq!(digest(&a, "tasks"), digest(&b, "tasks"));
}

fn pull(conn: &rusqlite::Connection, node: &str, since: &serde_json::Value) -> serde_json::Value {
    let request = json!({"tables": ["tasks"], "since": since, "node_id": node}).to_string();
    serde_json::from_str(&text(conn, "SELECT crdt_pull(?1)", [request])).unwrap()
}

fn log_rows(conn: &rusqlite::Connection) -> i64 {
    conn.query_row("SELECT count(*) FROM _crdt_log", [], |row| row.get(0)).unwrap()
}

/// A delete is forgotten only when every peer that was seen lately has come back past it.
#[test]
fn peers_hold_it_back_until_they_have_it() {
    clock::set(T0);
    let a = named(clock::open(":memory:"), "a", TASKS);
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t1', 'x'), ('t2', 'y')");
    let first = pull(&a, "p", &json!(null));
    clock::set(T0 + DAY);
    run(&a, "DELETE FROM tasks WHERE id = 't1'");
    clock::set(T0 + 9 * DAY);
    let second = pull(&a, "p", &first["latest_hlc"]);
    assert_eq!(cleanup(&a), "0", "it was sent, and nobody knows yet whether it arrived");
    assert_eq!(pull(&a, "p", &second["latest_hlc"])["changes"], json!([]));
    text(&a, "SELECT crdt_push(?1)", [json!({"node_id": "q", "changes": []}).to_string()]);
    assert_eq!(cleanup(&a), "0", "q has pushed, and has not asked for anything");
    let other = json!({"tables": ["tasks"], "since": null, "node_id": "q"}).to_string();
    text(&a, "SELECT crdt_pull(?1)", [other]);
    assert_eq!(cleanup(&a), "0");
    clock::set(T0 + 18 * DAY);
    pull(&a, "p", &second["latest_hlc"]);
    assert_eq!(cleanup(&a), "1", "q was not seen for longer than the TTL");
}

/// Names that nobody uses any more do not stay for ever.
#[test]
fn peers_that_are_long_gone_are_forgotten() {
    clock::set(T0);
    let a = named(clock::open(":memory:"), "a", TASKS);
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t1', 'x')");
    pull(&a, "p", &json!(null));
    clock::set(T0 + 20 * DAY);
    let q = pull(&a, "q", &json!(null));
    let known = || rows(&a, "SELECT node FROM _crdt_peers ORDER BY 1");
    let acks = || rows(&a, "SELECT DISTINCT node FROM _crdt_acks ORDER BY 1");
    cleanup(&a);
    assert_eq!((known(), acks()), (vec!["'p'".to_owned(), "'q'".to_owned()], vec!["'p'".to_owned(), "'q'".to_owned()]));
    clock::set(T0 + 29 * DAY);
    cleanup(&a);
    assert_eq!((known(), acks()), (vec!["'q'".to_owned()], vec!["'q'".to_owned()]));
    assert_eq!(pull(&a, "q", &q["latest_hlc"])["changes"], json!([]), "its cursor is as good as before");
}

/// Who has not come past a delete whose epitaph was dropped is told to start over, and what it gets then works.
#[test]
fn dropped_epitaphs_make_late_peers_start_over() {
    clock::set(T0);
    let a = named(clock::open(":memory:"), "a", TASKS);
    let [b, c] = nodes(["b", "c"], TASKS);
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t1', 'x'), ('t2', 'y')");
    let page = pull(&a, "b", &json!(null));
    merge(&b, &page.to_string());
    merge(&c, &page.to_string());
    let c_cursor = pull(&a, "c", &json!(null))["latest_hlc"].clone();
    clock::set(T0 + DAY);
    run(&a, "DELETE FROM tasks WHERE id = 't1'; INSERT INTO tasks(id, title) VALUES ('t3', 'z')");
    let page = pull(&a, "b", &page["latest_hlc"]);
    assert_eq!(page["resync"], json!(null));
    merge(&b, &page.to_string());
    clock::set(T0 + 30 * DAY);
    assert_eq!(pull(&a, "b", &page["latest_hlc"])["changes"], json!([]));
    assert_eq!(cleanup(&a), "1");
    assert_eq!(text(&a, "SELECT crdt_cleanup_tombstones('tasks', 'epitaphs')", []), "1");
    let fresh = pull(&a, "b", &page["latest_hlc"]);
    assert_eq!((&fresh["changes"], &fresh["resync"]), (&json!([]), &json!(null)), "b had come past it");
    let late = pull(&a, "c", &c_cursor);
    assert_eq!(late["resync"], json!(true));
    run(&c, "SELECT crdt_disable('tasks', 'purge'); DELETE FROM tasks; SELECT crdt_enable('tasks', 'priority:counter', 'tags:set')");
    merge(&c, &late.to_string());
    for node in [&b, &c] {
        assert_eq!(table(node, "tasks"), table(&a, "tasks"));
        assert_eq!(digest(node, "tasks"), digest(&a, "tasks"));
    }
    assert_eq!(text(&a, "SELECT crdt_check()", []), "ok");
    assert_eq!(text(&a, "SELECT crdt_node_id()", []), "a");
}

/// The log keeps what somebody may still need, and no more.
#[test]
fn the_log_does_not_grow_without_end() {
    let [a, b] = nodes(["a", "b"], TASKS);
    let insert = "INSERT INTO tasks(id, title) SELECT 't' || value, 'x' FROM (WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < 100) SELECT value FROM n)";
    run(&a, insert);
    let mut cursor = json!(null);
    for round in 0..60 {
        run(&a, &format!("UPDATE tasks SET title = 'r{round}'; UPDATE tasks SET done = {round}, priority = priority + 1; UPDATE tasks SET tags = '[\"e{}\"]'", round % 3));
        if round % 5 == 4 {
            let page = pull(&a, "b", &cursor);
            assert_eq!(page["resync"], json!(null), "the place where a peer stands is kept");
            merge(&b, &page.to_string());
            cursor = page["latest_hlc"].clone();
            assert_eq!(table(&b, "tasks"), table(&a, "tasks"), "round {round}");
        }
    }
    let held = pull(&a, "b", &cursor);
    assert!(log_rows(&a) <= 2_500, "{}", log_rows(&a));
    cleanup(&a);
    assert!(log_rows(&a) <= 150, "one for each record, and where cursors stand: {}", log_rows(&a));
    assert_eq!(pull(&a, "b", &held["latest_hlc"])["resync"], json!(null));
    // Who starts from the beginning gets all of it, who goes on gets what is new, and a relay passes all of it on.
    let [c, d] = nodes(["c", "d"], TASKS);
    run(&a, "UPDATE tasks SET title = 'last' WHERE id = 't7'");
    assert_eq!(pull(&a, "b", &held["latest_hlc"])["changes"].as_array().map(Vec::len), Some(1));
    send(&a, &c);
    cleanup(&c);
    send(&c, &d);
    for node in [&c, &d] {
        assert_eq!(table(node, "tasks"), table(&a, "tasks"));
        assert_eq!(digest(node, "tasks"), digest(&a, "tasks"));
        assert_eq!(text(node, "SELECT crdt_check()", []), "ok");
    }
    assert!(a.execute_batch("SELECT crdt_node_id('other')").is_err(), "changes of the old id exist");
}
