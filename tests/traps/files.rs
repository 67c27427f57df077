//! Files: copied, locked, left without closing.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use serde_json::Value;

use crate::common::{error, open_file, text};
use crate::support::*;

/// Source: Automerge's `DuplicateActorId`; Evolu's note on node ids.
#[test]
fn a_copied_file_is_two_nodes_of_one_id() {
    let folder = tempfile::tempdir().unwrap();
    let [original, copied] = ["a.db", "b.db"].map(|name| folder.path().join(name));
    let a = file_node(&original, "a", TASKS);
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t1', 'x'); UPDATE tasks SET priority = 5");
    fs::copy(&original, &copied).unwrap();
    let b = open_file(&copied);
    run(&b, "UPDATE tasks SET priority = priority + 1"); // before the fork: still a's
    let id = text(&b, "SELECT crdt_fork()", []);
    assert!(id != "a" && id == text(&b, "SELECT crdt_node_id()", []));
    run(&a, "UPDATE tasks SET priority = priority + 10, title = 'from a'");
    run(&b, "UPDATE tasks SET priority = priority + 100, tags = '[\"b\"]'");
    swap(&a, &b);
    send(&b, &a);
    same(&a, &b, "tasks");
    assert_eq!(text(&a, "SELECT title FROM tasks", []), "from a");
    assert_eq!(text(&a, "SELECT tags FROM tasks", []), "[\"b\"]");
    assert_eq!(text(&a, "SELECT crdt_node_id()", []), "a", "the original goes on");
}

/// Source: the same. Whoever forgets to call `crdt_fork()` is helped when the copies meet.
#[test]
fn a_copied_file_forks_by_itself_when_the_copies_meet() {
    let folder = tempfile::tempdir().unwrap();
    let [original, copied] = ["a.db", "b.db"].map(|name| folder.path().join(name));
    let a = file_node(&original, "a", TASKS);
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t1', 'x'), ('t2', 'y')");
    export(&a);
    fs::copy(&original, &copied).unwrap();
    let b = open_file(&copied);
    std::thread::sleep(std::time::Duration::from_millis(3));
    run(&b, "UPDATE tasks SET title = 'from b' WHERE id = 't2'");
    send(&b, &a);
    let id = text(&a, "SELECT crdt_node_id()", []);
    assert_ne!(id, "a");
    assert!(status(&a).to_string().contains("fork"), "{}", status(&a));
    run(&a, "UPDATE tasks SET title = 'from a' WHERE id = 't1'");
    send(&a, &b);
    assert_eq!(rows(&a, "SELECT title FROM tasks ORDER BY id"), ["'from a'", "'from b'"]);
    same(&a, &b, "tasks");
    assert!(since(&a, None).changes.iter().any(|change| change["node_id"] == *id), "new writes carry the new id");
}

/// Source: corrosion #577, PR #578.
#[test]
fn a_failed_batch_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("b.db");
    let (a, b) = (node("a", TASKS), file_node(&path, "b", TASKS));
    run(&b, "PRAGMA busy_timeout = 0");
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t1', 'x'), ('t2', 'y')");
    let first = since(&a, None);
    // The lock is taken: nothing arrives, and nothing is remembered as having arrived.
    let other = open_file(&path);
    run(&other, "BEGIN IMMEDIATE");
    error(&b, "SELECT crdt_merge(?1)", [&first.json]);
    run(&other, "COMMIT");
    // One bad change in the middle: nothing arrives either.
    let mut answer: Value = serde_json::from_str(&first.json).unwrap();
    answer["changes"][1]["hlc"]["ts"] = Value::from(-5);
    error(&b, "SELECT crdt_merge(?1)", [answer.to_string()]);
    assert_eq!(table(&b, "tasks").len(), 0);
    // The sender's page is the same when asked again, and the receiver takes all of it.
    assert_eq!(since(&a, None).json, first.json);
    let merged = merge(&b, &first.json);
    assert_eq!(merged["merged"], first.changes.len());
    same(&a, &b, "tasks");
}

/// Source: Fly.io, 1 Sept 2024.
#[test]
fn a_lock_held_past_its_branch_stops_everyone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let a = file_node(&path, "a", TASKS);
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t1', 'x')");
    let other = open_file(&path);
    for conn in [&a, &other] {
        run(conn, "PRAGMA busy_timeout = 0");
    }
    let bad = tombstone((1, 0, "b")).to_string().replace("\"ts\":1", "\"ts\":-1");
    let calls = [
        "SELECT crdt_merge('[{]')".to_string(),
        format!("SELECT crdt_merge('[{bad}]')"),
        format!("SELECT crdt_push('{{\"node_id\":\"b\",\"changes\":[{bad}]}}')"),
        "SELECT crdt_enable('nothing')".to_string(),
        "SELECT crdt_digest('nothing')".to_string(),
        "SELECT crdt_changes_since('{')".to_string(),
        "SELECT crdt_cleanup_tombstones('nothing')".to_string(),
        "SELECT crdt_pragma('max_drift', 'soon')".to_string(),
        "SELECT crdt_changes_since(NULL)".to_string(),
        "SELECT crdt_status()".to_string(),
    ];
    for sql in calls {
        let _ = try_run(&a, &sql);
        assert!(a.is_autocommit(), "{sql}");
        run(&other, "UPDATE tasks SET done = done + 1");
        assert_eq!(
            since(&other, None).change("done")["value"].as_i64(),
            text(&a, "SELECT done FROM tasks", []).parse().ok()
        );
    }
    assert_eq!(text(&a, "SELECT done FROM tasks", []), "10");
}

/// Source: durable-streams, finding 1: boot code made a sealed segment anew and cut off acknowledged data.
#[test]
fn boot_code_truncates_what_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let a = file_node(&path, "a", &format!("PRAGMA journal_mode = WAL; {TASKS}"));
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t1', 'folded')");
    let cursor = since(&a, None).cursor;
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t2', 'in the tail')");
    // What a crash leaves: the file and its write-ahead log, nothing closed.
    let crashed = folder.path().join("crashed.db");
    for suffix in ["", "-wal"] {
        let from = format!("{}{suffix}", path.display());
        fs::copy(from, format!("{}{suffix}", crashed.display())).unwrap();
    }
    for _ in 0..3 {
        let again = open_file(&crashed);
        run(&again, "SELECT crdt_enable('tasks', 'priority:counter', 'tags:set'); SELECT crdt_pragma('max_drift')");
        assert!(since(&again, Some(&cursor)).fields().contains(&"t2.title".to_string()));
        assert_eq!(export(&again), export(&a));
        again.close().unwrap();
    }
}

/// Source: the same, with a process that is killed.
#[test]
fn a_killed_process_takes_acknowledged_writes_with_it() {
    if !shell::exists() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    file_node(&path, "a", &format!("PRAGMA journal_mode = WAL; {TASKS}")).close().unwrap();
    for round in 1..=5 {
        let mut child = shell::command(&path, true).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        writeln!(stdin, "INSERT INTO tasks(id, title) VALUES ('t{round}', 'x'); SELECT 'acknowledged';").unwrap();
        writeln!(stdin, "BEGIN; UPDATE tasks SET title = 'lost'; SELECT 'open';").unwrap();
        stdin.flush().unwrap();
        let mut output = std::io::BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains("open") {
            line.clear();
            assert!(std::io::BufRead::read_line(&mut output, &mut line).unwrap() > 0, "the shell ended early");
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let a = open_file(&path);
        assert_eq!(text(&a, "PRAGMA integrity_check", []), "ok");
        let titles: Vec<_> = since(&a, None).changes.into_iter().filter(|c| c["field"] == "title").collect();
        assert_eq!(titles.len(), round);
        assert!(titles.iter().all(|change| change["value"] == "x"));
    }
}
