//! A table whose description cannot be read for the moment is not taken for one that is gone.

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::Connection;

use crate::common::{open, text};
use crate::support::{export, file_node, merge, run, same, since, try_run, TASKS};

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
