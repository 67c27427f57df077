//! The clock: monotone through everything, never moved by a stamp too far ahead.

use serde_json::{json, Value};

use crate::common::{open_file, text};
use crate::support::*;

/// A moment of 2026, in milliseconds.
const T0: i64 = 1_780_000_000_000;

fn stamp(conn: &rusqlite::Connection) -> (i64, u64, String) {
    let hlc: Value = serde_json::from_str(&text(conn, "SELECT crdt_now()", [])).unwrap();
    stamp_of(&json!({ "hlc": hlc }))
}

#[test]
fn now_is_monotone() {
    clock::set(T0);
    let a = clock::open(":memory:");
    named(a, "a", TASKS);
    let a = clock::open(":memory:");
    run(&a, "SELECT crdt_node_id('a')");
    run(&a, TASKS);
    let mut latest = stamp(&a);
    for (wall, sql) in [
        (T0, "SELECT 1"),
        (T0, "SELECT 1"),
        (T0 - 10_000, "INSERT INTO tasks(id) VALUES ('t1')"),
        (T0 + 5, "SELECT crdt_now()"),
        (T0 + 5, "BEGIN; UPDATE tasks SET done = 1; ROLLBACK"),
        (0, "UPDATE tasks SET done = 2"),
        (T0 + 6, "SELECT crdt_merge('[]')"),
    ] {
        clock::set(wall);
        run(&a, sql);
        let next = stamp(&a);
        assert!(next > latest, "{latest:?} then {next:?} after {sql}");
        assert_eq!(next.0 % 1000, 0);
        latest = next;
    }
    assert_eq!(latest.0, (T0 + 6) * 1_000_000);
}

/// The log's time is taken as the wall clock had it, to the millisecond.
#[test]
fn a_write_is_stamped_with_the_time_of_the_write() {
    clock::set(T0);
    let a = clock::open(":memory:");
    run(&a, "SELECT crdt_node_id('a')");
    run(&a, TASKS);
    for offset in [1, 2, 3, 500, 501, 999, 1_000, 60_000, 86_400_000, 86_400_001] {
        clock::set(T0 + offset);
        run(&a, "INSERT OR REPLACE INTO tasks(id, title) VALUES ('t1', 'x')");
        clock::set(T0 + offset + 5_000); // folded later: that changes nothing
        assert_eq!(stamp_of(since(&a, None).change("title")).0, (T0 + offset) * 1_000_000, "{offset}");
    }
}

/// A wall clock that jumps ahead and back: the fold takes no log time later than its own plus `max_drift`.
#[test]
fn a_jump_of_the_wall_clock() {
    clock::set(T0);
    let a = clock::open(":memory:");
    run(&a, "SELECT crdt_node_id('a')");
    run(&a, TASKS);
    clock::set(T0 + 30 * 86_400_000);
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t1', 'from next month')");
    clock::set(T0 + 1000);
    let ts = stamp_of(since(&a, None).change("title")).0;
    assert!(ts <= (T0 + 1000 + 300_000) * 1_000_000, "{ts}");
    run(&a, "UPDATE tasks SET title = 'again'");
    assert!(stamp_of(since(&a, None).change("title")).0 <= (T0 + 1000 + 300_001) * 1_000_000);
}

#[test]
fn stamps_ahead_of_the_limit_wait_for_their_time() {
    clock::set(T0);
    let conn = clock::open(":memory:");
    let a = named(conn, "a", TASKS);
    run(&a, "SELECT crdt_pragma('max_drift', '1m')");
    let at = |ms: i64| (T0 + ms) * 1_000_000;
    take(&a, &[lww("title", (at(59_000), 0, "x"), "within the limit")]);
    take(&a, &[lww("title", (at(61_000), 0, "x"), "beyond"), lww("done", (at(3_600_000), 0, "x"), 1)]);
    assert_eq!(rows(&a, "SELECT title, done FROM tasks"), ["'within the limit', 0"]);
    assert_eq!(rows(&a, "SELECT count(*) FROM crdt_pending()"), ["2"]);
    assert!(stamp(&a).0 < at(61_000));
    clock::set(T0 + 2_000);
    merge(&a, "[]");
    assert_eq!(rows(&a, "SELECT title, done FROM tasks"), ["'beyond', 0"]);
    let b = node("b", TASKS);
    clock::set(T0 + 3_600_000);
    run(&a, "INSERT INTO tasks(id) VALUES ('t2')");
    merge(&a, "[]");
    assert_eq!(rows(&a, "SELECT done FROM tasks WHERE id = 't1'"), ["1"]);
    assert_eq!(rows(&a, "SELECT count(*) FROM crdt_pending()"), ["0"]);
    send(&a, &b);
    assert_eq!(table(&a, "tasks"), table(&b, "tasks"));
}

/// Without setting any clock: a short drift limit and real time.
#[test]
fn a_future_stamp_in_real_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let a = file_node(&path, "a", TASKS);
    run(&a, "SELECT crdt_pragma('max_drift', '100ms')");
    let soon = now(&a) + 700_000_000;
    take(&a, &[lww("title", (soon, 0, "x"), "soon")]);
    assert_eq!(table(&a, "tasks").len(), 0);
    a.close().unwrap();
    let a = open_file(&path);
    std::thread::sleep(std::time::Duration::from_millis(800));
    merge(&a, "[]");
    assert_eq!(rows(&a, "SELECT title FROM tasks"), ["'soon'"]);
}

/// A call that issues a stamp inside a transaction, then a rollback: the stamp is not issued again.
#[test]
fn a_rollback_does_not_turn_the_clock_back() {
    clock::set(T0);
    let a = clock::open(":memory:");
    run(&a, "SELECT crdt_node_id('a')");
    run(&a, TASKS);
    run(&a, "BEGIN");
    let issued = stamp(&a);
    run(&a, "ROLLBACK");
    assert!(stamp(&a) > issued);
}

#[test]
fn stamps_survive_a_restart_with_the_wall_clock_set_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let path = path.to_str().unwrap();
    clock::set(T0);
    let a = clock::open(path);
    run(&a, "SELECT crdt_node_id('a')");
    run(&a, TASKS);
    take(&a, &[lww("title", ((T0 + 60_000) * 1_000_000 + 7, 3, "ahead"), "theirs")]);
    drop(a);
    clock::set(T0 - 3_600_000);
    let a = clock::open(path);
    run(&a, "UPDATE tasks SET title = 'mine'");
    let written = stamp_of(since(&a, None).change("title"));
    assert!(written > ((T0 + 60_000) * 1_000_000 + 7, 3, "ahead".to_string()), "{written:?}");
    assert_eq!(written.0 % 1000, 0, "own stamps stay whole microseconds");
}
