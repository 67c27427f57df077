//! An export from the beginning prunes first: no field is sent for each time that it was written.

use std::collections::HashSet;
use std::path::Path;

use rusqlite::Connection;

use crate::common::{open_file, text};
use crate::support::*;

/// More than an export looks at together.
const ROWS: usize = 6_000;

/// A database whose every row was inserted, and written once more.
fn rewritten(path: &Path) -> Connection {
    let a = file_node(path, "a", TASKS);
    run(&a, "PRAGMA journal_mode = WAL; PRAGMA busy_timeout = 0");
    let rows = format!("WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < {ROWS})");
    run(&a, &format!("{rows} INSERT INTO tasks(id, title, tags) SELECT 't' || n, 'x', '[\"a\"]' FROM i"));
    text(&a, "SELECT crdt_cursor()", []);
    run(&a, "UPDATE tasks SET title = 'y', done = 1");
    text(&a, "SELECT crdt_cursor()", []);
    a
}

fn log_rows(conn: &Connection) -> i64 {
    conn.query_row("SELECT count(*) FROM _crdt_log", [], |row| row.get(0)).unwrap()
}

/// Of the rows that cursors may stand on, which stay, there are a few.
#[track_caller]
fn once_each(changes: usize, fields: usize) {
    assert_eq!(fields, 4 * ROWS);
    assert!((fields..fields + 40).contains(&changes), "{changes} changes of {fields} fields");
}

#[test]
fn each_field_comes_once() {
    let folder = tempfile::tempdir().unwrap();
    let a = rewritten(&folder.path().join("a.db"));
    let [b] = nodes(["b"], TASKS);
    assert_eq!(log_rows(&a), 2 * ROWS as i64);
    let (mut changes, mut fields, mut cursor) = (0, HashSet::new(), None);
    loop {
        let page = page(&text(&a, "SELECT crdt_changes_since(?1, NULL, 4000)", [&cursor]));
        changes += page.changes.len();
        fields.extend(page.fields());
        merge(&b, &page.json);
        cursor = Some(page.cursor);
        if !page.more {
            break;
        }
    }
    once_each(changes, fields.len());
    same(&a, &b, "tasks");
    sound(&a);
}

#[test]
fn by_the_table_valued_function_too() {
    let folder = tempfile::tempdir().unwrap();
    let a = rewritten(&folder.path().join("a.db"));
    let fields = rows(&a, "SELECT pk, field FROM crdt_changes(NULL)");
    once_each(fields.len(), fields.iter().collect::<HashSet<_>>().len());
}

/// A few new rows are no reason to go through the log again, nor are the pages that follow.
#[test]
fn not_for_little() {
    let folder = tempfile::tempdir().unwrap();
    let a = rewritten(&folder.path().join("a.db"));
    let first = page(&text(&a, "SELECT crdt_changes_since(NULL, NULL, 10)", []));
    let kept = log_rows(&a);
    assert!(kept < 2 * ROWS as i64, "{kept}");
    run(&a, "UPDATE tasks SET done = 2 WHERE id LIKE 't1%'");
    let changed: i64 = a.query_row("SELECT changes()", [], |row| row.get(0)).unwrap();
    export(&a);
    since(&a, Some(&first.cursor));
    assert_eq!(log_rows(&a), kept + changed);
}

/// In a transaction of the caller's, or beside another that writes, all is sent, if more than once.
#[test]
fn not_where_nothing_may_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let a = rewritten(&path);
    let [b, c] = nodes(["b", "c"], TASKS);
    run(&a, "BEGIN");
    let page = since(&a, None);
    run(&a, "COMMIT");
    assert_eq!(page.fields().len(), 4 * ROWS);
    merge(&b, &page.json);
    let other = open_file(&path);
    run(&other, "BEGIN IMMEDIATE");
    let page = since(&a, None);
    run(&other, "COMMIT");
    assert_eq!(page.fields().len(), 4 * ROWS);
    merge(&c, &page.json);
    assert_eq!(log_rows(&a), 2 * ROWS as i64);
    same(&a, &b, "tasks");
    same(&a, &c, "tasks");
}
