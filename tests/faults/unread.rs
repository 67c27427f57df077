//! A table whose description cannot be read for the moment is not taken for one that is gone.

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::Connection;

use crate::common::{open, text};
use crate::support::{export, file_node, merge, node, run, same, since, sound, table, try_run, TASKS};

/// Refuses to tell of the tables, as no memory, an I/O error or an interrupt would.
fn deny(conn: &Connection) {
    let refuse = |context: AuthContext<'_>| match context.action {
        AuthAction::Pragma { pragma_name: "table_list" | "table_xinfo", .. } => Authorization::Deny,
        _ => Authorization::Allow,
    };
    conn.authorizer(Some(refuse)).unwrap();
}

fn allow(conn: &Connection) {
    conn.authorizer(None::<fn(AuthContext<'_>) -> Authorization>).unwrap();
}

/// The fold must not stamp the log's rows without taking them into the records, nor the export pass them over.
#[test]
fn no_change_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let a = file_node(&path, "a", TASKS);
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t1', 'one')");
    let place = since(&a, None).cursor;
    run(&a, "UPDATE tasks SET title = 'two', priority = 5");
    drop(a);
    let a = crate::common::open_file(&path);
    deny(&a);
    for sql in ["SELECT crdt_cursor()", "SELECT crdt_changes_since(NULL)", "SELECT crdt_cleanup_tombstones()"] {
        assert!(try_run(&a, sql).is_err(), "{sql}");
    }
    allow(&a);
    assert_eq!(since(&a, Some(&place)).change("title")["value"], "two");
    let b = open();
    run(&b, TASKS);
    merge(&b, &export(&a));
    same(&a, &b, "tasks");
}

/// Nor is a filter left out.
#[test]
fn no_filter_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let a = file_node(&path, "a", TASKS);
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t1', 'secret'); SELECT crdt_filter('tasks', 'title <> ''secret''')");
    assert_eq!(since(&a, None).changes.len(), 0);
    drop(a);
    let a = crate::common::open_file(&path);
    deny(&a);
    assert!(try_run(&a, "SELECT crdt_changes_since(NULL)").is_err());
    allow(&a);
    assert_eq!(text(&a, "SELECT count(*) FROM crdt_changes(NULL)", []), "0");
}

/// A host's limit may forbid a query of ours, which is an error and not the news that a table is gone.
#[test]
fn a_limit_loses_no_change() {
    let b = node("b", TASKS);
    run(&b, "INSERT INTO tasks(id, title) VALUES ('t2', 'theirs')");
    let theirs = export(&b);
    for (limit, low) in [
        (Limit::SQLITE_LIMIT_FUNCTION_ARG, (0..8).collect::<Vec<_>>()),
        (Limit::SQLITE_LIMIT_EXPR_DEPTH, (1..24).collect()),
        (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, (1..16).collect()),
        (Limit::SQLITE_LIMIT_COLUMN, (1..32).collect()),
        (Limit::SQLITE_LIMIT_COMPOUND_SELECT, (1..8).collect()),
        (Limit::SQLITE_LIMIT_SQL_LENGTH, (30..1000).step_by(30).collect()),
        (Limit::SQLITE_LIMIT_VDBE_OP, (10..400).step_by(10).collect()),
        (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, (0..4).collect()),
        (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, (0..4).collect()),
    ] {
        for most in low {
            let a = node("a", TASKS);
            run(&a, "INSERT INTO tasks(id, title, priority) VALUES ('t1', 'one', 3); UPDATE tasks SET priority = priority + 1");
            a.set_limit(limit, most).unwrap();
            let _ = try_run(&a, "SELECT crdt_status()");
            let _ = try_run(&a, "SELECT crdt_changes_since(NULL)");
            let merged = a.query_row("SELECT crdt_merge(?1)", [&theirs], |_| Ok(())).is_ok();
            let _ = try_run(&a, "SELECT crdt_digest()");
            a.set_limit(limit, 1_000_000).unwrap();
            if !a.is_autocommit() {
                run(&a, "ROLLBACK"); // where SQLite runs out of memory, and even a rollback needs too much
            }
            let c = node("c", TASKS);
            merge(&c, &export(&a));
            assert_eq!(table(&c, "tasks").len(), if merged { 2 } else { 1 }, "{limit:?} {most}");
            merge(&a, &theirs);
            merge(&c, &theirs);
            same(&a, &c, "tasks");
            sound(&a);
        }
    }
}
