//! Single cases, each found by a schedule or by reading.

use serde_json::{json, Value};

use crate::common::text;
use crate::support::*;

const T0: i64 = 1_780_000_000_000;
const DAY: i64 = 86_400_000;

fn cleanup(conn: &rusqlite::Connection) {
    text(conn, "SELECT crdt_cleanup_tombstones()", []);
}

/// Who starts over because epitaphs were dropped gets on page by page, though its first pages end before the place of the drop.
#[test]
fn starting_over_goes_on_page_by_page() {
    clock::set(T0);
    let a = named(clock::open(":memory:"), "a", TASKS);
    let [b] = nodes(["b"], TASKS);
    for i in 0..9 {
        run(&a, &format!("INSERT INTO tasks(id, title) VALUES ('t{i}', 'x')"));
    }
    let held = since(&a, None);
    run(&a, "DELETE FROM tasks WHERE id = 't4'");
    clock::set(T0 + 30 * DAY);
    cleanup(&a);
    text(&a, "SELECT crdt_cleanup_tombstones('tasks', 'epitaphs')", []);
    let (mut cursor, mut resyncs) = (held.cursor, 0);
    for turn in 0.. {
        assert!(turn < 20, "it never comes to an end");
        let page = page(&text(&a, "SELECT crdt_changes_since(?1, NULL, 4)", [&cursor]));
        resyncs += usize::from(page.json.contains("\"resync\":true"));
        merge(&b, &page.json);
        cursor = page.cursor.clone();
        if !page.more {
            break;
        }
    }
    assert_eq!(resyncs, 1, "told once");
    same(&a, &b, "tasks");
    // A second drop makes the cursors of the first one's pages too old again.
    let early = page(&text(&a, "SELECT crdt_changes_since(NULL, NULL, 4)", []));
    run(&a, "DELETE FROM tasks WHERE id = 't5'");
    clock::set(T0 + 60 * DAY);
    cleanup(&a);
    text(&a, "SELECT crdt_cleanup_tombstones('tasks', 'epitaphs')", []);
    assert!(since(&a, Some(&early.cursor)).json.contains("\"resync\":true"));
}

/// Who was away while deletes were dropped is told so, also by a database that has taken another id meanwhile, or three.
#[test]
fn deletes_that_are_lost_are_told_after_a_fork() {
    clock::set(T0);
    let a = named(clock::open(":memory:"), "a:'b", TASKS);
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t1', 'x'), ('t2', 'y')");
    let held = since(&a, None).cursor;
    run(&a, "DELETE FROM tasks WHERE id = 't1'");
    clock::set(T0 + 30 * DAY);
    cleanup(&a);
    text(&a, "SELECT crdt_cleanup_tombstones('tasks', 'epitaphs')", []);
    let lost = || since(&a, Some(&held)).json.contains("\"resync\":true,\"deletes_lost\":true");
    assert!(lost());
    for _ in 0..3 {
        run(&a, "SELECT crdt_fork()");
        assert!(lost(), "the log goes on");
    }
    let other = held.replace("a:'b~", "another~");
    assert!(!since(&a, Some(&other)).json.contains("deletes_lost"), "of another it is not known");
    let late = since(&a, None).cursor;
    run(&a, "SELECT crdt_fork()");
    assert!(!since(&a, Some(&late)).json.contains("deletes_lost"), "nothing was dropped since");
    assert_eq!(text(&a, "SELECT crdt_check()", []), "ok");
}

/// A delete of one's own that comes back with the news that the key was made anew elsewhere is no sign of a copied file.
#[test]
fn an_own_delete_that_comes_back_is_no_fork() {
    clock::set(T0);
    let [a, b] = ["a", "b"].map(|name| named(clock::open(":memory:"), name, TASKS));
    run(&a, "INSERT INTO tasks(id, priority) VALUES ('t1', 7); DELETE FROM tasks");
    send(&a, &b);
    clock::set(T0 + 30 * DAY);
    cleanup(&b);
    run(&b, "INSERT INTO tasks(id, priority) VALUES ('t1', 2)");
    send(&b, &a);
    assert_eq!(text(&a, "SELECT crdt_node_id()", []), "a");
    assert_eq!(rows(&a, "SELECT priority FROM tasks"), ["2"]);
    same(&a, &b, "tasks");
    // One that it never made still is.
    let foreign = tombstone((now(&a), 9, "a"));
    take(&a, &[foreign]);
    assert_ne!(text(&a, "SELECT crdt_node_id()", []), "a");
}

/// What is counted on a key that a peer's single write revived is not taken for part of the totals that were forgotten here.
#[test]
fn counting_on_after_a_partial_revival() {
    clock::set(T0);
    let [a, b] = ["a", "b"].map(|name| named(clock::open(":memory:"), name, TASKS));
    run(&a, "INSERT INTO tasks(id, title, priority) VALUES ('t1', 'x', 7)");
    send(&a, &b);
    clock::set(T0 + DAY);
    run(&a, "DELETE FROM tasks");
    clock::set(T0 + 30 * DAY);
    cleanup(&a);
    let place = mark(&b);
    run(&b, "UPDATE tasks SET title = 'still here'");
    merge(&a, &since(&b, Some(&place)).json);
    clock::set(T0 + 31 * DAY);
    run(&a, "UPDATE tasks SET priority = coalesce(priority, 0) + 2");
    clock::set(T0 + 32 * DAY);
    run(&a, "UPDATE tasks SET priority = priority + 1");
    swap(&a, &b);
    swap(&a, &b);
    same(&a, &b, "tasks");
    assert_eq!(
        rows(&a, "SELECT title, priority FROM tasks"),
        ["'still here', 3"],
        "what was counted here since counts"
    );
}

/// Nor is what is counted on a key whose epitaph was dropped, where a peer still has the totals of before.
#[test]
fn counting_anew_after_the_epitaph_was_dropped() {
    clock::set(T0);
    let [a, b] = ["a", "b"].map(|name| named(clock::open(":memory:"), name, TASKS));
    for sql in
        ["INSERT INTO tasks(id, priority) VALUES ('t1', 3)", "UPDATE tasks SET priority = 1", "DELETE FROM tasks"]
    {
        run(&a, sql);
        send(&a, &b);
    }
    clock::set(T0 + 30 * DAY);
    cleanup(&a);
    assert_eq!(rows(&a, "SELECT crdt_cleanup_tombstones('tasks', 'epitaphs')"), ["1"]);
    run(&a, "INSERT INTO tasks(id, priority) VALUES ('t1', 3)");
    swap(&a, &b);
    swap(&a, &b);
    assert_eq!(rows(&a, "SELECT priority FROM tasks"), ["3"]);
    same(&a, &b, "tasks");
    clock::set(T0 + 31 * DAY);
    run(&a, "UPDATE tasks SET priority = priority - 1");
    swap(&a, &b);
    assert_eq!(rows(&b, "SELECT priority FROM tasks"), ["2"]);
    assert_eq!(status(&a)["forks"], 0);
}

/// Totals that come back as they once were are not gone on with as they are: elsewhere they are known further on.
#[test]
fn counting_on_from_totals_that_came_back_older() {
    clock::set(T0);
    let [a, b, c] = ["a", "b", "c"].map(|name| named(clock::open(":memory:"), name, TASKS));
    run(&a, "INSERT INTO tasks(id, title, priority) VALUES ('t1', 'x', 4)");
    send(&a, &b);
    clock::set(T0 + 1_000);
    run(&a, "UPDATE tasks SET priority = priority + 1");
    send(&a, &c);
    clock::set(T0 + DAY);
    run(&a, "DELETE FROM tasks");
    clock::set(T0 + 30 * DAY);
    cleanup(&a);
    run(&b, "UPDATE tasks SET title = 'still here'");
    send(&b, &a);
    assert_eq!(rows(&a, "SELECT priority FROM tasks"), ["4"], "as b has it");
    clock::set(T0 + 31 * DAY);
    for (write, shown) in [("priority - 2", "2"), ("priority + 1", "3")] {
        run(&a, &format!("UPDATE tasks SET priority = {write}"));
        for _ in 0..2 {
            swap(&a, &c);
            swap(&c, &b);
        }
        for node in [&a, &b, &c] {
            assert_eq!(rows(node, "SELECT priority FROM tasks"), [shown], "no count is swallowed");
            same(node, &a, "tasks");
        }
        assert_eq!(text(&a, "SELECT crdt_node_id()", []), "a", "nothing of its own is new to it");
    }
}

/// An instant between two writes of one record also gets what is stamped later than it was written.
#[test]
fn an_instant_gets_all_that_is_stamped_after_it() {
    clock::set(T0);
    let a = named(clock::open(":memory:"), "a", TASKS);
    let ns = |ms: i64| ms * 1_000_000;
    // Another's clock is a minute ahead, so what is written next is stamped ahead of its time.
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t1', 'x')");
    take(&a, &[change("title", (ns(T0 + 60_000), 0, "x"), json!({"pk": "t2", "value": "x"}))]);
    run(&a, "UPDATE tasks SET done = 5");
    export(&a);
    clock::set(T0 + 30_000);
    run(&a, "UPDATE tasks SET title = 'y'");
    let instant = json!({"ts": ns(T0 + 20_000), "c": 0, "node": ""}).to_string();
    for _ in 0..2 {
        let fields = since(&a, Some(&instant)).fields();
        assert!(["t1.done", "t1.title"].iter().all(|name| fields.iter().any(|field| field == name)), "{fields:?}");
        cleanup(&a);
    }
}

/// One peer's old selections do not keep the log long: what counts is how far it has come with a table.
#[test]
fn selections_that_are_no_more_asked_for_hold_nothing_back() {
    let a = node("a", TASKS);
    let pull = |since: &Value, keys: Value| -> Value {
        let request = json!({"tables": ["tasks"], "since": since, "node_id": "p", "filter": keys}).to_string();
        serde_json::from_str(&text(&a, "SELECT crdt_pull(?1)", [request])).unwrap()
    };
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t1', 'x'), ('t2', 'x'), ('t3', 'x')");
    pull(&pull(&Value::Null, json!({"pk_filter": ["t1"]}))["latest_hlc"], json!({"pk_filter": ["t1"]}));
    let mut cursor = Value::Null;
    for i in 0..20 {
        run(&a, &format!("UPDATE tasks SET title = '{i}'; UPDATE tasks SET done = {i}"));
        cursor = pull(&cursor, Value::Null)["latest_hlc"].clone();
    }
    cursor = pull(&cursor, Value::Null)["latest_hlc"].clone();
    run(&a, "UPDATE _crdt_state SET places = NULL");
    cleanup(&a);
    let left: i64 = a.query_row("SELECT count(*) FROM _crdt_log", [], |row| row.get(0)).unwrap();
    assert!(left <= 6, "{left}: one for each record, and where cursors stand");
    assert_eq!(pull(&cursor, Value::Null)["changes"], json!([]));
}

/// A deleted record whose row is held here is not forgotten: what is written there takes the delete back, with all of the row.
#[test]
fn a_delete_that_waits_is_not_forgotten() {
    clock::set(T0);
    let [a, b] = ["a", "b"].map(|name| named(clock::open(":memory:"), name, TASKS));
    run(&a, "PRAGMA foreign_keys = ON; CREATE TABLE notes(id TEXT PRIMARY KEY NOT NULL, task REFERENCES tasks)");
    run(&a, "INSERT INTO tasks VALUES ('t1', 'x', 5, '[\"p\"]', 1); INSERT INTO notes VALUES ('n1', 't1')");
    send(&a, &b);
    clock::set(T0 + 1_000);
    run(&b, "DELETE FROM tasks");
    send(&b, &a);
    assert_eq!(rows(&a, "SELECT pk FROM crdt_pending()"), ["'t1'"], "a row of another table holds it");
    clock::set(T0 + 30 * DAY);
    assert_eq!(rows(&a, "SELECT crdt_cleanup_tombstones()"), ["0"]);
    run(&a, "UPDATE tasks SET title = 'y', priority = priority + 1");
    let [c] = nodes(["c"], TASKS);
    send(&a, &c);
    assert_eq!(table(&c, "tasks"), ["'t1', 'y', 6, '[\"p\"]', 1"], "nothing of it is lost");
    same(&a, &c, "tasks");
    swap(&a, &b);
    same(&a, &b, "tasks");
    // Deleted for good, it is forgotten.
    run(&a, "DELETE FROM notes; DELETE FROM tasks");
    clock::set(T0 + 60 * DAY);
    assert_eq!(rows(&a, "SELECT crdt_cleanup_tombstones()"), ["1"]);
}
