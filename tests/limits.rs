//! Bounds on what peers may send: `max_value_bytes`, `max_key_bytes`, `max_push_changes`.

mod common;
mod support;

use common::{error, text};
use rusqlite::Connection;
use serde_json::{json, Value};
use support::*;

fn push(conn: &Connection, changes: &[Value]) -> Value {
    let request = json!({"node_id": "x", "changes": changes}).to_string();
    serde_json::from_str(&text(conn, "SELECT crdt_push(?1)", [request])).unwrap()
}

/// The places and reasons of what a push refused.
fn rejected(answer: &Value) -> Vec<(u64, String)> {
    let entries = answer["rejected"].as_array().unwrap().iter();
    entries.map(|entry| (entry["index"].as_u64().unwrap(), entry["reason"].as_str().unwrap().to_owned())).collect()
}

/// What is too long is refused alone by a push, and fails a merge as a whole.
#[track_caller]
fn refuses(conn: &Connection, bad: &Value, setting: &str) {
    let good = change("done", (1, 0, "x"), json!({"pk": "good", "value": 1}));
    let before = contents(conn);
    let message = error(conn, "SELECT crdt_merge(?1)", [json!([good, bad]).to_string()]);
    assert!(message.starts_with("crdt_merge: change 1: ") && message.contains(setting), "{message}");
    assert_eq!(contents(conn), before);
    let answer = push(conn, &[bad.clone(), good]);
    let [(0, reason)] = &rejected(&answer)[..] else { panic!("{answer}") };
    assert!(reason.contains(setting), "{reason}");
    assert!(answer["merged"] == 1 || answer["unchanged"] == 1, "{answer}");
}

#[test]
fn defaults() {
    let a = common::open();
    let pragma = |name: &str| text(&a, "SELECT crdt_pragma(?1)", [name]);
    assert_eq!(pragma("max_value_bytes"), (64 * 1024 * 1024).to_string());
    assert_eq!(pragma("max_key_bytes"), (64 * 1024).to_string());
    assert_eq!(pragma("max_push_changes"), "1000000");
    run(&a, "SELECT crdt_pragma('max_value_bytes', 1000), crdt_pragma('max_push_changes', '7')");
    assert_eq!((pragma("max_value_bytes"), pragma("max_push_changes")), ("1000".into(), "7".into()));
}

#[test]
fn values() {
    let a = node("a", TASKS);
    run(&a, "SELECT crdt_pragma('max_value_bytes', 10)");
    export(&a);
    let mut ts = 0;
    let mut title = |value: &Value| {
        ts += 1;
        lww("title", (ts, 0, "x"), value.clone())
    };
    // The quotes count: it is the JSON that is measured.
    for good in [json!("12345678"), json!(1234567890), json!([1, 2, 3, 4]), json!(null), json!("éééé")] {
        assert_eq!(take(&a, &[title(&good)])["merged"], 1);
    }
    for bad in
        [json!("123456789"), json!(12345678901i64), json!([1, 2, 3, 4, 55]), json!({"$blob": "00"}), json!("ééééé")]
    {
        refuses(&a, &title(&bad), "max_value_bytes");
    }
    assert_eq!(take(&a, &[set("add", (1, 0, "x"), json!(["a", "bc"]))])["merged"], 1);
    for op in ["add", "remove"] {
        refuses(&a, &set(op, (2, 0, "x"), json!(["ab", "cd"])), "max_value_bytes");
    }
    let list = change("steps", (1, 0, "x"), json!({"crdt_type": "list", "list_op": {"op": "insert"}}));
    refuses(&a, &list, "max_value_bytes");
    // What has no value of any length.
    let row = change("_row", (3, 0, "x"), json!({"value": true}));
    assert_eq!(take(&a, &[counter((3, 0, "x"), i64::MAX, i64::MAX), row, tombstone((2, 0, "x"))])["merged"], 2);
    sound(&a);
}

/// Local writes are the application's own: a bound holds for what comes in and is new.
#[test]
fn what_is_known_is_not_bounded() {
    let [a, b] = nodes(["a", "b"], TASKS);
    run(&a, "SELECT crdt_pragma('max_value_bytes', 10)");
    run(&a, "INSERT INTO tasks(id, title, tags) VALUES ('t1', printf('%.100c', 'x'), '[\"a long element\"]')");
    send(&a, &b);
    same(&a, &b, "tasks");
    assert_eq!(send(&b, &a)["merged"], 0, "what was written here comes back");
    // A bound that was lowered does not stop what was taken before.
    run(&b, "SELECT crdt_pragma('max_value_bytes', 5), crdt_pragma('max_key_bytes', 1)");
    assert_eq!(send(&a, &b)["merged"], 0);
    assert_eq!(rejected(&push(&b, &since(&a, None).changes)), []);
    // Another value under a stamp that is known is not known.
    let mut twin = since(&a, None).of("t1", "title").clone();
    twin["value"] = json!("y".repeat(101));
    assert_eq!(rejected(&push(&b, &[twin])).len(), 1);
    run(&a, "UPDATE tasks SET title = title || '!'");
    let answer = push(&b, &since(&a, None).changes);
    assert_eq!(rejected(&answer).len(), 1, "{answer}");
}

#[test]
fn keys() {
    let a = node("a", TASKS);
    run(&a, "SELECT crdt_pragma('max_key_bytes', 5)");
    export(&a);
    let of = |pk: &str| change("done", (1, 0, "x"), json!({"pk": pk, "value": 1}));
    assert_eq!(take(&a, &[of("12345"), of("ééa")])["merged"], 2);
    for pk in ["123456", "ééé"] {
        refuses(&a, &of(pk), "max_key_bytes");
    }
    // Longer than any key may be: refused before that.
    refuses_longest(&a);
    sound(&a);
}

fn refuses_longest(conn: &Connection) {
    run(conn, "SELECT crdt_pragma('max_key_bytes', 65536)");
    let of = |n: usize| change("done", (1, 0, "x"), json!({"pk": "k".repeat(n), "value": 1}));
    assert_eq!(take(conn, &[of(65_536)])["merged"], 1);
    assert!(rejected(&push(conn, &[of(65_537)]))[0].1.contains("65536"));
}

/// A few bytes can be a change that is none: naming each would take sixty times as much.
#[test]
fn bad_changes_of_a_push_that_are_too_many() {
    let a = node("a", TASKS);
    let good = change("done", (1, 0, "x"), json!({"pk": "good", "value": 1})).to_string();
    let of = |bad: usize| format!("{{\"changes\":[{good}{}]}}", ",0".repeat(bad));
    let before = contents(&a);
    let message = error(&a, "SELECT crdt_push(?1)", [of(400_000)]);
    assert!(message.contains("smaller parts") && message.contains("nothing of it was taken"), "{message}");
    assert_eq!(contents(&a), before);
    let answer: Value = serde_json::from_str(&text(&a, "SELECT crdt_push(?1)", [of(1000)])).unwrap();
    assert_eq!((answer["merged"].as_u64(), rejected(&answer).len()), (Some(1), 1000));
}

/// Peers may write fields that no column here has, as many as a table can have columns. To merge them takes no more for each, the more
/// there are.
#[test]
fn fields_that_are_not_known() {
    let a = node("a", TASKS);
    let of = |i: usize| change(&format!("f{i}"), (1, 0, "x"), json!({"pk": "p", "value": 1}));
    let known = 32_767 - 20;
    let changes: Vec<Value> = (0..known).map(of).collect();
    assert_eq!(take(&a, &changes)["merged"], known);
    let answer = push(&a, &(known - 5..known + 40).map(of).collect::<Vec<_>>());
    let fields: usize = text(&a, "SELECT count(*) || '' FROM _crdt_field WHERE t = 1", []).parse().unwrap();
    assert!(fields <= 32_767, "{fields}");
    let reasons = rejected(&answer);
    assert!(reasons.iter().all(|(_, reason)| reason.contains("no table can have more columns")), "{reasons:?}");
    assert_eq!(answer["unchanged"], 5);
}

/// The same of changes whose time comes: what there is room for is taken, the others wait, and no other call fails.
#[test]
fn fields_of_changes_from_the_future() {
    let a = node("a", TASKS);
    let ts = now(&a) + 600_000_000_000;
    let of = |i: usize| change(&format!("f{i}"), (ts, 0, "x"), json!({"pk": "p", "value": 1}));
    for half in [0..17_000, 17_000..34_000] {
        take(&a, &half.map(of).collect::<Vec<_>>());
    }
    run(&a, "SELECT crdt_pragma('max_drift', '1d'); SELECT crdt_digest('tasks')");
    let left: usize = text(&a, "SELECT count(*) || '' FROM _crdt_future", []).parse().unwrap();
    assert!((34_000 - 32_767..34_000 - 32_700).contains(&left), "{left}");
    run(&a, "INSERT INTO tasks(id) VALUES ('t1'); SELECT crdt_digest('tasks')");
}

#[test]
fn changes_of_a_push() {
    let a = node("a", TASKS);
    run(&a, "SELECT crdt_pragma('max_push_changes', 3)");
    let of = |i: i64| change("done", (1, 0, "x"), json!({"pk": format!("t{i}"), "value": i}));
    let changes: Vec<Value> = (0..5).map(of).collect();
    let answer = push(&a, &changes);
    assert_eq!(answer["merged"], 3);
    let places = rejected(&answer);
    assert_eq!(places.iter().map(|(place, _)| *place).collect::<Vec<_>>(), [3, 4]);
    for (_, reason) in places {
        assert!(reason.contains("max_push_changes") && reason.contains("another push"), "{reason}");
    }
    // What was refused for another reason takes its place all the same.
    let mut mixed = changes.clone();
    mixed[0] = json!({"bad": 1});
    assert_eq!(rejected(&push(&a, &mixed)).iter().map(|(place, _)| *place).collect::<Vec<_>>(), [0, 3, 4]);
    // The rest goes in another push; a merge has no such bound.
    assert_eq!(push(&a, &changes[3..])["merged"], 2);
    let more: Vec<Value> = (10..20).map(of).collect();
    assert_eq!(take(&a, &more)["merged"], 10);
    sound(&a);
}

/// A key of one's own that no peer would take stays here, and holds nothing up.
#[test]
fn own_keys_beyond_the_bound() {
    let [a, b] = nodes(["a", "b"], TASKS);
    let most = "k".repeat(64 * 1024);
    a.execute("INSERT INTO tasks(id) VALUES (?1), (?1 || 'x'), ('after')", [&most]).unwrap();
    send(&a, &b);
    assert_eq!(rows(&b, "SELECT length(id) FROM tasks ORDER BY 1"), ["5", "65536"]);
    assert_eq!(rows(&a, "SELECT count(DISTINCT pk) FROM crdt_changes(NULL)"), ["2"]);
    let found = text(&a, "SELECT crdt_check()", []);
    assert!(found.contains("not sent") && found.contains("65537"), "{found}");
    sound(&b);
    run(&a, "DELETE FROM tasks WHERE id > 'k'");
    send(&a, &b);
    assert_eq!(rows(&b, "SELECT id FROM tasks"), ["'after'"]);
}
