//! Interrupts, locks, the clock between connections.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;

use rusqlite::Connection;

use crate::common::{open_file, text};
use crate::support::{clock, export, file_node, node, page, rows, run, sound, table, try_run};

const SETS: &str = "
    CREATE TABLE tasks(id TEXT PRIMARY KEY NOT NULL, title TEXT, tags TEXT);
    SELECT crdt_enable('tasks', 'tags:set');";

fn file(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("x.db")
}

/// Two connections to a new file, one of which has enabled the table, while the clock stands still.
fn two(folder: &tempfile::TempDir) -> [Connection; 2] {
    clock::set(1_700_000_000_000);
    let connections = [(); 2].map(|()| clock::open(file(folder).to_str().unwrap()));
    run(&connections[0], SETS);
    connections
}

/// Calls `sql` on a connection made by `open`, which is interrupted ever later: all of it happens, or nothing.
fn interrupted(open: impl Fn() -> Connection, sql: &str, json: &str) {
    let untouched = table(&open(), "tasks");
    interrupted_with(open, sql, json, |b, after| {
        assert!(b.is_autocommit(), "{sql}: a transaction is left open after {after} calls");
        assert_eq!(table(b, "tasks"), untouched, "{sql}: half of it is left after {after} calls");
        sound(b);
    });
}

/// The same; what is to hold after each interrupt.
fn interrupted_with(open: impl Fn() -> Connection, sql: &str, json: &str, holds: impl Fn(&Connection, u32)) {
    for after in (1..).step_by(7) {
        let b = open();
        let (calls, handle) = (Arc::new(AtomicU32::new(0)), b.get_interrupt_handle());
        let count = Arc::clone(&calls);
        b.progress_handler(
            10,
            Some(move || {
                if count.fetch_add(1, Ordering::Relaxed) + 1 >= after {
                    handle.interrupt();
                }
                false
            }),
        )
        .unwrap();
        let outcome = b.query_row(sql, [json], |_| Ok(()));
        b.progress_handler(0, None::<fn() -> bool>).unwrap();
        if outcome.is_ok() && calls.load(Ordering::Relaxed) < after {
            return;
        }
        if outcome.is_err() {
            holds(&b, after);
        }
    }
}

/// The same where a progress handler stops the call, from ever later on: also at the very end of a statement of ours.
fn stopped(open: impl Fn() -> Connection, sql: &str) {
    for after in 1..60 {
        let b = open();
        let mut calls = 0;
        let stop = move || {
            calls += 1;
            calls >= after
        };
        b.progress_handler(1, Some(stop)).unwrap();
        let outcome = b.query_row(sql, [], |_| Ok(()));
        b.progress_handler(0, None::<fn() -> bool>).unwrap();
        assert!(outcome.is_err(), "{sql} was over after {after} steps");
        assert!(b.is_autocommit(), "{sql}: a transaction is left open after {after} steps");
        sound(&b);
    }
}

/// Thirty rows of another node.
fn thirty() -> String {
    let a = node("a", SETS);
    for i in 0..30 {
        run(&a, &format!("INSERT INTO tasks VALUES ('{i}', 't', '[\"{i}\"]')"));
    }
    export(&a)
}

#[test]
fn an_interrupted_call_leaves_no_transaction_open() {
    let open = || {
        let b = node("b", SETS);
        run(&b, "INSERT INTO tasks VALUES ('own', 't', '[\"q\"]')");
        run(&b, "CREATE TABLE other(id INTEGER PRIMARY KEY, x)");
        b
    };
    interrupted(open, "SELECT crdt_merge(?1)", &thirty());
    interrupted(open, "SELECT crdt_enable('other'), ?1", "");
    interrupted(open, "SELECT crdt_disable('tasks'), ?1", "");
}

#[test]
fn a_call_past_its_deadline_leaves_no_transaction_open() {
    let folder = tempfile::tempdir().unwrap();
    let a = file_node(&file(&folder), "a", SETS);
    run(&a, "INSERT INTO tasks VALUES ('own', 't', '[\"q\"]')");
    for sql in [
        "SELECT crdt_merge('[]')",
        "SELECT crdt_changes_since(NULL)",
        "SELECT crdt_digest('tasks')",
        "SELECT crdt_pull('{\"node_id\":\"p\"}')",
    ] {
        // Again on a connection that has its statements ready.
        stopped(|| open_file(file(&folder)), sql);
        stopped(
            || {
                let b = open_file(file(&folder));
                run(&b, "SELECT crdt_merge('[]'); UPDATE tasks SET title = title || '.'");
                b
            },
            sql,
        );
    }
}

/// The same in a transaction of the application's, where the handler stops one statement only.
#[test]
fn a_call_stopped_once_leaves_no_savepoint_in_a_transaction() {
    for sql in ["SELECT crdt_merge('[]')", "SELECT crdt_retry()", "SELECT crdt_digest('tasks')"] {
        for at in 1..80 {
            let a = node("a", SETS);
            run(&a, "INSERT INTO tasks VALUES ('own', 't', '[\"q\"]'); BEGIN");
            let mut calls = 0;
            let once = move || {
                calls += 1;
                calls == at
            };
            a.progress_handler(1, Some(once)).unwrap();
            let _ = a.query_row(sql, [], |_| Ok(()));
            a.progress_handler(0, None::<fn() -> bool>).unwrap();
            assert!(try_run(&a, "RELEASE crdt").is_err(), "{sql}: a savepoint is left after {at} steps");
        }
    }
}

/// Each statement counts its own steps: what undoes a call is stopped now and then, and what would undo it otherwise is not.
#[test]
fn a_deadline_that_stops_few_statements_leaves_no_transaction_open() {
    for every in [3, 5, 7, 50] {
        let a = node("a", SETS);
        run(&a, "INSERT INTO tasks VALUES ('own', 't', '[\"q\"]')");
        for call in 0..every * 12 {
            a.progress_handler(every, Some(|| true)).unwrap();
            let _ = a.query_row("SELECT crdt_merge('[]')", [], |_| Ok(()));
            a.progress_handler(0, None::<fn() -> bool>).unwrap();
            assert!(a.is_autocommit(), "a transaction is left open after {call} calls, every {every} steps");
        }
        sound(&a);
    }
}

/// An application reads, under a deadline, what is to be folded first.
#[test]
fn an_interrupted_read_leaves_no_transaction_and_no_savepoint_open() {
    let filled = || {
        let b = node("b", SETS);
        run(&b, "INSERT INTO tasks VALUES ('own', 't', '[\"q\"]'), ('two', 't', '[]')");
        b
    };
    interrupted(filled, "SELECT count(*) || ?1 FROM _tasks_crdt", "");
    let begun = || {
        let b = filled();
        run(&b, "BEGIN");
        b
    };
    for sql in [
        "SELECT crdt_digest('tasks'), ?1",
        "SELECT crdt_changes_since(NULL), ?1",
        "SELECT crdt_inspect('tasks', 'own'), ?1",
    ] {
        interrupted_with(begun, sql, "", |b, after| {
            assert!(!b.is_autocommit(), "{sql}: the transaction is gone after {after} calls");
            assert!(try_run(b, "RELEASE crdt").is_err(), "{sql}: a savepoint is left after {after} calls");
            run(b, "COMMIT");
            sound(b);
        });
    }
}

#[test]
fn an_interrupted_merge_of_whole_rows_leaves_none_of_them() {
    let plain = "CREATE TABLE tasks(id TEXT PRIMARY KEY NOT NULL, title TEXT, size); SELECT crdt_enable('tasks')";
    let a = node("a", plain);
    for i in 0..30 {
        run(&a, &format!("INSERT INTO tasks VALUES ('{i}', 't', {i})"));
    }
    let open = || {
        let b = node("b", plain);
        run(&b, "INSERT INTO tasks VALUES ('own', 't', 1)");
        b
    };
    interrupted(open, "SELECT crdt_merge(?1)", &export(&a));
}

#[test]
fn a_merge_interrupted_while_triggers_are_off_leaves_no_transaction_open() {
    // Triggers that overrule what is merged, and write into other rows: both are put back with triggers off.
    let overruling = || {
        let b = node("b", SETS);
        run(&b, "INSERT INTO tasks VALUES ('own', 't', '[\"q\"]')");
        run(&b, "CREATE TRIGGER upper AFTER INSERT ON tasks BEGIN UPDATE tasks SET title = title || '!' WHERE id = new.id; END");
        run(
            &b,
            "CREATE TRIGGER upper2 AFTER UPDATE OF title ON tasks WHEN new.title NOT LIKE '%!' BEGIN
                   UPDATE tasks SET title = title || '!' WHERE id = new.id;
                   UPDATE tasks SET title = title || '?' WHERE id = 'own';
                 END",
        );
        b
    };
    interrupted(overruling, "SELECT crdt_merge(?1)", &thirty());
}

#[test]
fn an_export_never_answers_busy_when_its_commit_cannot_get_the_lock() {
    let folder = tempfile::tempdir().unwrap();
    let a = file_node(&file(&folder), "a", SETS);
    let b = open_file(file(&folder));
    run(&a, "INSERT INTO tasks VALUES ('1', 'x', '[]'), ('2', 'y', '[]')");
    a.busy_timeout(std::time::Duration::from_millis(50)).unwrap();
    // With a rollback journal a reader keeps the fold from being committed, not from being begun.
    let mut reader = b.prepare("SELECT * FROM tasks").unwrap();
    let mut reading = reader.query([]).unwrap();
    assert!(reading.next().unwrap().is_some());
    let fields = page(&export(&a)).fields();
    assert_eq!(fields, ["1.title", "2.title"]);
}

#[test]
fn a_stamp_handed_out_before_a_rollback_is_issued_to_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b] = two(&folder);
    run(&a, "BEGIN");
    // Refusing to hand one out would do as well.
    if try_run(&a, "SELECT 1").is_ok() {
        let stamp = a.query_row("SELECT crdt_now()", [], |row| row.get::<_, String>(0));
        run(&a, "ROLLBACK");
        if let Ok(stamp) = stamp {
            assert_ne!(text(&b, "SELECT crdt_now()", []), stamp);
        }
    }
}

#[test]
fn a_write_has_one_stamp_whoever_folds_it() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b] = two(&folder);
    run(&a, "BEGIN");
    let _ = try_run(&a, "SELECT crdt_now()");
    run(&a, "ROLLBACK; INSERT INTO tasks VALUES ('1', 'x', '[]')");
    // Cannot be written: the fold is made in memory.
    run(&a, "PRAGMA query_only = 1");
    let first = page(&export(&a)).change("title")["hlc"].clone();
    let second = page(&export(&b)).change("title")["hlc"].clone();
    assert_eq!(first, second);
}

#[test]
fn an_utf_16_database_has_the_same_digest_and_view() {
    let sql = "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v); SELECT crdt_enable('t');";
    let (a, b) = (Connection::open_in_memory().unwrap(), node("b", sql));
    run(&a, "PRAGMA encoding = 'UTF-16le'");
    crate::common::load(&a).unwrap();
    run(&a, sql);
    run(
        &a,
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 2999)
         INSERT INTO t SELECT char(256 + i * 7 % 1536) || i, i FROM n",
    );
    crate::support::send(&a, &b);
    assert_eq!(rows(&a, "SELECT count(*) FROM _t_crdt"), ["3000"]);
    crate::support::same(&a, &b, "t");
}
