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
