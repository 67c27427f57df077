//! Last writer wins: the highest stamp, whatever the order of arrival.

use serde_json::json;

use crate::common::text;
use crate::support::*;

#[test]
fn the_highest_stamp_wins_in_any_order() {
    // From the lowest to the highest: ts, then c, then node bytewise.
    let stamps = [
        (1000, 0, "a"),
        (1000, 0, "b"),
        (1000, 1, "a"),
        (1001, 0, "B"),
        (1001, 0, "a"),
        (1001, 0, "aa"),
        (1001, 0, "é"),
    ];
    for (i, low) in stamps.iter().enumerate() {
        for high in &stamps[i + 1..] {
            for [first, second] in [[low, high], [high, low]] {
                let a = node("n", TASKS);
                for stamp in [first, second] {
                    take(&a, &[lww("title", *stamp, if stamp == high { "high" } else { "low" })]);
                }
                assert_eq!(rows(&a, "SELECT title FROM tasks"), ["'high'"], "{first:?} then {second:?}");
            }
        }
    }
}

#[test]
fn fields_are_decided_one_by_one() {
    let [a, b] = nodes(["a", "b"], TASKS);
    take(&a, &[lww("title", (1000, 0, "x"), "x"), lww("done", (3000, 0, "x"), 1)]);
    take(&a, &[lww("title", (2000, 0, "y"), "y"), lww("done", (2000, 0, "y"), 2)]);
    assert_eq!(rows(&a, "SELECT title, done FROM tasks"), ["'y', 1"]);
    send(&a, &b);
    same(&a, &b, "tasks");
}

/// Whoever passes a change on may parse it and print it again, as Go, PHP and Python do, each in its way.
#[test]
fn a_value_in_another_spelling_is_the_same() {
    let a = node("a", TASKS);
    let id = text(&a, "SELECT crdt_node_id()", []);
    run(&a, "INSERT INTO tasks(id, title, done) VALUES ('t1', 'R&D é/', 1e20)");
    let json = export(&a);
    assert!(json.contains("\"R&D é/\"") && json.contains(":1e20"), "{json}");
    for (ours, theirs) in [("&", "\\u0026"), ("é", "\\u00e9"), ("/\"", "\\/\""), ("1e20", "1.0e+20")] {
        let answer = merge(&a, &json.replace(ours, theirs));
        assert_eq!((&answer["merged"], &answer["conflicts"]), (&json!(0), &json!(0)), "{theirs}");
    }
    assert_eq!(text(&a, "SELECT crdt_node_id()", []), id, "it was this node's own");
    assert_eq!(rows(&a, "SELECT * FROM crdt_conflicts()"), Vec::<String>::new());
    assert_eq!(status(&a)["warnings"], json!([]));
    // Also where the one spelled otherwise came first.
    let b = node("b", TASKS);
    merge(&b, &json.replace('&', "\\u0026"));
    send(&a, &b);
    assert_eq!(status(&b)["warnings"], json!([]));
    same(&a, &b, "tasks");
}

#[test]
fn the_answer_counts() {
    let a = node("a", TASKS);
    let first = lww("title", (1000, 0, "x"), "x");
    let expect = |answer: serde_json::Value, merged, unchanged, conflicts| {
        let counts = json!({"merged": merged, "unchanged": unchanged, "conflicts": conflicts, "pending": 0});
        for key in ["merged", "unchanged", "conflicts", "pending"] {
            assert_eq!(answer[key], counts[key], "{key} of {answer}");
        }
        assert!(answer["latest_hlc"]["node"].is_string(), "{answer}");
    };
    expect(merge(&a, "[]"), 0, 0, 0);
    expect(merge(&a, r#"{"changes":[]}"#), 0, 0, 0);
    expect(take(&a, std::slice::from_ref(&first)), 1, 0, 0);
    expect(take(&a, std::slice::from_ref(&first)), 0, 1, 0);
    expect(take(&a, &[first.clone(), first.clone(), lww("done", (1000, 0, "x"), 1)]), 1, 2, 0);
}

/// A Go peer answers `"changes": null` when it has nothing.
#[test]
fn nothing_new_from_a_go_peer_is_no_error() {
    let a = node("a", TASKS);
    let answer = merge(&a, r#"{"changes":null,"latest_hlc":{"ts":0,"c":0,"node":""}}"#);
    assert_eq!(answer["merged"], 0);
}

#[test]
fn a_merge_takes_text_and_blob_alike() {
    let a = node("a", TASKS);
    let json = json!({"changes": [lww("title", (1000, 0, "x"), "é😀")], "unknown": [{}]}).to_string();
    a.query_row("SELECT crdt_merge(?1)", [json.as_bytes()], |_| Ok(())).unwrap();
    assert_eq!(rows(&a, "SELECT title FROM tasks"), ["'é😀'"]);
    merge(&a, &format!(" \n\t{json} \n"));
}

/// Two values under one stamp: the greater by type, then bytes, and a warning in the status.
#[test]
fn a_tie_goes_to_the_greater_value() {
    let quiet = status(&node("a", TASKS));
    let a = node("a", TASKS);
    take(&a, &[lww("title", (1000, 0, "x"), "b"), lww("title", (1000, 0, "x"), "c")]);
    take(&a, &[lww("title", (1000, 0, "x"), "a")]);
    assert_eq!(rows(&a, "SELECT title FROM tasks"), ["'c'"]);
    let warned: Vec<_> = status(&a)
        .as_object()
        .unwrap()
        .iter()
        .filter(|(key, value)| quiet.get(*key) != Some(value))
        .map(|(k, v)| format!("{k}: {v}"))
        .collect();
    assert!(
        warned.iter().any(|entry| entry.contains("stamp") || entry.contains("twin") || entry.contains("warning")),
        "{warned:?}"
    );
}

/// A local write beats everything that the node has seen.
#[test]
fn a_local_write_beats_what_it_has_seen() {
    let [a, b] = nodes(["a", "zzz"], TASKS);
    for i in 0..20 {
        let (writer, other) = if i % 2 == 0 { (&a, &b) } else { (&b, &a) };
        run(writer, &format!("INSERT INTO tasks(id, title) VALUES ('t1', '{i}') ON CONFLICT(id) DO UPDATE SET title = excluded.title"));
        send(writer, other);
        assert_eq!(rows(other, "SELECT title FROM tasks"), [format!("'{i}'")]);
    }
    same(&a, &b, "tasks");
}

/// All or nothing also within a transaction of the caller's.
#[test]
fn a_merge_within_a_transaction() {
    let [a, b] = nodes(["a", "b"], TASKS);
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t1', 'x')");
    let json = export(&a);
    run(&b, "BEGIN; INSERT INTO tasks(id, title) VALUES ('t2', 'mine')");
    merge(&b, &json);
    assert!(try_run(&b, "SELECT crdt_merge('[{]')").is_err());
    assert_eq!(rows(&b, "SELECT id FROM tasks ORDER BY id"), ["'t1'", "'t2'"]);
    run(&b, "ROLLBACK");
    assert_eq!(table(&b, "tasks").len(), 0);
    assert_eq!(since(&b, None).changes.len(), 0);
    run(&b, "BEGIN");
    assert_eq!(merge(&b, &json)["merged"], since(&a, None).changes.len());
    run(&b, "COMMIT");
    same(&a, &b, "tasks");
}
