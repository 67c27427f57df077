//! C1 to C4: the clock and its stamps.

use serde_json::json;

use crate::common::{error, text};
use crate::support::*;

/// A minute of 2026, in milliseconds.
const NOON: i64 = 1_780_000_000_000;

#[test]
fn c1_the_clock_forgets_at_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let path = path.to_str().unwrap();
    let mut latest = (0, 0, String::new());
    // Forward, back, and far back: no stamp twice, none below one that the database holds.
    for (i, wall) in [NOON, NOON + 5, NOON - 60_000, NOON - 86_400_000, 0, NOON + 6].into_iter().enumerate() {
        clock::set(wall);
        let a = clock::open(path);
        if i == 0 {
            named_tasks(&a);
        }
        run(&a, &format!("INSERT INTO tasks(id, title) VALUES ('t{i}', 'x')"));
        if i % 2 == 0 {
            a.close().unwrap(); // unfolded: the next connection folds, under another time
            continue;
        }
        let mut stamps: Vec<_> = since(&a, None).changes.iter().map(stamp_of).collect();
        stamps.sort();
        let now = stamp_of(
            &json!({"hlc": serde_json::from_str::<serde_json::Value>(&text(&a, "SELECT crdt_now()", [])).unwrap()}),
        );
        assert!(now > *stamps.last().unwrap() && now > latest, "{now:?} {latest:?}");
        latest = now;
    }
}

fn named_tasks(conn: &rusqlite::Connection) {
    run(conn, "SELECT crdt_node_id('a')");
    run(conn, TASKS);
}

#[test]
fn c2_a_stamp_a_year_ahead_wins_for_a_year() {
    clock::set(NOON);
    let a = clock::open(":memory:");
    named_tasks(&a);
    let day = 86_400_000;
    let far = lww("title", ((NOON + day) * 1_000_000, 0, "fast"), "from tomorrow");
    let answer = take(&a, std::slice::from_ref(&far));
    assert_eq!(answer["pending"], 1);
    assert!(now(&a) < (NOON + 1000) * 1_000_000, "the clock stays");
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t1', 'today')");
    assert_eq!(rows(&a, "SELECT title FROM tasks"), ["'today'"]);
    assert_eq!(rows(&a, "SELECT count(*) FROM crdt_pending()"), ["1"]);
    assert!(!export(&a).contains("tomorrow"), "kept aside, not passed on before its time");
    clock::set(NOON + day);
    merge(&a, "[]");
    assert_eq!(rows(&a, "SELECT title FROM tasks"), ["'from tomorrow'"]);
    assert_eq!(rows(&a, "SELECT count(*) FROM crdt_pending()"), ["0"]);
    run(&a, "UPDATE tasks SET title = 'after it'");
    assert!(now(&a) >= (NOON + day) * 1_000_000);
    take(&a, &[far]);
    assert_eq!(rows(&a, "SELECT title FROM tasks"), ["'after it'"]);
}

#[test]
fn c3_stamps_lose_digits_in_javascript() {
    let [a, b] = nodes(["a", "b"], TASKS);
    run(&a, "INSERT INTO tasks VALUES ('t1', 'x', 1, '[1]', 0); UPDATE tasks SET title = 'y'; DELETE FROM tasks");
    assert!(since(&a, None).changes.iter().all(|c| stamp_of(c).0 % 1000 == 0), "own stamps are whole microseconds");
    assert_eq!(now(&a) % 1000, 0);
    let odd = 1_700_000_000_123_456_789;
    take(&b, &[lww("title", (odd, 4_294_967_295, "go"), "x")]);
    assert_eq!(stamp_of(since(&b, None).change("title")), (odd, 4_294_967_295, "go".to_string()));
    // 1 ns apart: not the same stamp.
    take(&b, &[lww("title", (odd + 1, 0, "go"), "later")]);
    take(&b, &[lww("title", (odd - 1, 0, "go"), "earlier")]);
    assert_eq!(rows(&b, "SELECT title FROM tasks"), ["'later'"]);
}

#[test]
fn c4_the_author_and_the_node_of_a_stamp_differ() {
    let a = node("a", TASKS);
    let two = change("title", (1000, 0, "x"), json!({"node_id": "y", "value": 1}));
    let refused = error(&a, "SELECT crdt_merge(?1)", [json!([two]).to_string()]);
    assert!(refused.contains("crdt_merge") && refused.contains("node"), "{refused}");
    assert_eq!(table(&a, "tasks").len(), 0);
    run(&a, "INSERT INTO tasks(id) VALUES ('t1')");
    assert!(since(&a, None).changes.iter().all(|c| c["node_id"] == c["hlc"]["node"]));
}
