//! Pruning beside other connections, in transactions, on databases that cannot be written, and what it must leave.

use rusqlite::{Connection, OpenFlags};
use serde_json::{json, Value};

use crate::common::{load, text};
use crate::support::*;

fn int(conn: &Connection, sql: &str) -> i64 {
    conn.query_row(sql, [], |row| row.get(0)).unwrap()
}

fn cleanup(conn: &Connection) {
    text(conn, "SELECT crdt_cleanup_tombstones()", []);
}

/// Writes each row again and again, so that there is much to drop.
fn churn(conn: &Connection) {
    for i in 0..6 {
        run(conn, &format!("UPDATE tasks SET title = 'v{i}'; UPDATE tasks SET done = {i}, priority = priority + 1"));
        run(conn, &format!("UPDATE tasks SET tags = '[\"e{}\"]'", i % 2));
    }
}

fn fill(conn: &Connection) {
    for i in 0..20 {
        run(conn, &format!("INSERT INTO tasks(id, title) VALUES ('t{i}', 'x')"));
    }
}

/// One connection prunes while another pages, by function and by table-valued function: the pages add up.
#[test]
fn beside_a_connection_that_pages() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let a = file_node(&path, "a", TASKS);
    run(&a, "PRAGMA journal_mode = WAL");
    let b = crate::common::open_file(&path);
    let [c, d] = nodes(["c", "d"], TASKS);
    fill(&a);
    churn(&a);
    let mut cursor: Option<String> = None;
    for turn in 0.. {
        assert!(turn < 200, "it never comes to an end");
        let page = page(&text(&a, "SELECT crdt_changes_since(?1, NULL, 5)", [&cursor]));
        merge(&c, &page.json);
        cursor = Some(page.cursor);
        if !page.more {
            break;
        }
        if turn < 12 {
            run(
                &b,
                &format!("UPDATE tasks SET done = {turn} WHERE id = 't{turn}'; UPDATE tasks SET title = 'w{turn}'"),
            );
            cleanup(&b);
        }
    }
    same(&a, &c, "tasks");
    churn(&a);
    merge(&d, &read_while_cleaning(&a, &b));
    assert_eq!(table(&d, "tasks"), table(&a, "tasks"));
}

/// All changes of a database as JSON, read by the table-valued function; in the middle of it `cleaner` cleans up.
fn read_while_cleaning(reader: &rusqlite::Connection, cleaner: &rusqlite::Connection) -> String {
    let mut statement = reader.prepare("SELECT change FROM crdt_changes(NULL)").unwrap();
    let mut changes = statement.query([]).unwrap();
    let mut all = Vec::new();
    while let Some(row) = changes.next().unwrap() {
        all.push(row.get::<_, String>(0).unwrap());
        if all.len() == 3 {
            cleanup(cleaner);
        }
    }
    assert!(all.len() > 3, "cleaned up in the middle");
    format!("[{}]", all.join(","))
}

/// On the connection itself a clean-up may come while a table-valued function is half read.
#[test]
fn in_the_middle_of_ones_own_reading() {
    let [a, b] = nodes(["a", "b"], TASKS);
    fill(&a);
    churn(&a);
    export(&a);
    merge(&b, &read_while_cleaning(&a, &a));
    same(&a, &b, "tasks");
}

/// A clean-up in a transaction that is rolled back leaves everything as it was; a pull in one reads and works.
#[test]
fn in_a_transaction_of_the_callers() {
    let [a, b] = nodes(["a", "b"], TASKS);
    fill(&a);
    let page: Value = serde_json::from_str(&text(&a, "SELECT crdt_pull('{\"node_id\":\"b\"}')", [])).unwrap();
    merge(&b, &page.to_string());
    churn(&a);
    export(&a);
    let before = contents(&a);
    run(&a, "BEGIN");
    cleanup(&a);
    assert_ne!(contents(&a), before);
    run(&a, "ROLLBACK");
    assert_eq!(contents(&a), before);
    run(&a, "BEGIN");
    let request = json!({"node_id": "b", "since": page["latest_hlc"]}).to_string();
    let page: Value = serde_json::from_str(&text(&a, "SELECT crdt_pull(?1)", [request])).unwrap();
    run(&a, "COMMIT");
    merge(&b, &page.to_string());
    same(&a, &b, "tasks");
}

/// Nothing is written, and nothing fails, where nothing can be written.
#[test]
fn on_a_read_only_database() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let a = file_node(&path, "a", TASKS);
    fill(&a);
    churn(&a);
    cleanup(&a);
    churn(&a);
    let whole = export(&a);
    drop(a);
    let a = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    load(&a).unwrap();
    assert_eq!(export(&a), whole);
    text(&a, "SELECT crdt_pull('{\"node_id\":\"b\"}')", []);
    assert!(a.prepare("SELECT crdt_cleanup_tombstones()").unwrap().query([]).unwrap().next().is_err());
}

/// While another holds the write lock an export answers all the same; a clean-up is refused whole.
#[test]
fn while_another_writes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let a = file_node(&path, "a", TASKS);
    run(&a, "PRAGMA journal_mode = WAL; PRAGMA busy_timeout = 0");
    fill(&a);
    churn(&a);
    let other = crate::common::open_file(&path);
    run(&other, "BEGIN IMMEDIATE");
    assert_eq!(since(&a, None).fields().len(), 80);
    text(&a, "SELECT crdt_pull('{\"node_id\":\"b\"}')", []);
    assert!(a.prepare("SELECT crdt_cleanup_tombstones()").unwrap().query([]).unwrap().next().is_err());
    run(&other, "COMMIT");
    cleanup(&a);
    sound(&a);
}

/// The last row stays, whatever becomes of its table, and no sequence is used twice; the rowid of the last INSERT stays too.
#[test]
fn sequences_rise_and_the_last_row_stays() {
    let a = node("a", "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v); SELECT crdt_enable('t');
                       CREATE TABLE u(id INTEGER PRIMARY KEY, v); CREATE TABLE w(id TEXT PRIMARY KEY NOT NULL, v); SELECT crdt_enable('w')");
    let mut last = 0;
    for round in 0..4 {
        run(
            &a,
            &format!("INSERT OR REPLACE INTO t VALUES ('1', {round}), ('2', {round}); INSERT INTO u(v) VALUES (1)"),
        );
        let rowid = a.last_insert_rowid();
        cleanup(&a);
        assert_eq!(a.last_insert_rowid(), rowid);
        let end = int(&a, "SELECT max(seq) FROM _crdt_log");
        assert!(end > last, "{end} after {last}");
        last = end;
        let step =
            ["DELETE FROM t", "SELECT crdt_disable('t')", "SELECT crdt_disable('t', 'purge')", "SELECT 1"][round];
        run(&a, step);
        cleanup(&a);
        cleanup(&a);
        let end = int(&a, "SELECT max(seq) FROM _crdt_log");
        assert!(end >= last, "{end} after {last}");
        last = end;
        run(&a, "SELECT crdt_enable('t')");
        sound(&a);
    }
    assert_eq!(text(&a, "SELECT crdt_node_id()", []), "a");
}

/// A disabled table's log rows, and a renamed column's, are pruned by what they mean.
#[test]
fn of_disabled_tables_and_renamed_columns() {
    let [a, b, c] = nodes(["a", "b", "c"], TASKS);
    fill(&a);
    let first = since(&a, None);
    merge(&b, &first.json);
    run(&a, "UPDATE tasks SET title = 'one'; UPDATE tasks SET done = 1");
    run(
        &a,
        "ALTER TABLE tasks RENAME COLUMN title TO name; SELECT crdt_enable('tasks', 'priority:counter', 'tags:set')",
    );
    run(&a, "UPDATE tasks SET name = 'two'; DELETE FROM tasks WHERE id = 't3'");
    cleanup(&a);
    run(&a, "SELECT crdt_disable('tasks')");
    run(&a, "UPDATE tasks SET name = 'three' WHERE id = 't4'");
    cleanup(&a);
    run(&a, "SELECT crdt_enable('tasks', 'priority:counter', 'tags:set')");
    cleanup(&a);
    sound(&a);
    let rename =
        "ALTER TABLE tasks RENAME COLUMN title TO name; SELECT crdt_enable('tasks', 'priority:counter', 'tags:set')";
    for node in [&b, &c] {
        run(node, rename);
    }
    merge(&b, &since(&a, Some(&first.cursor)).json);
    send(&a, &c);
    for node in [&b, &c] {
        assert_eq!(table(node, "tasks"), table(&a, "tasks"));
        assert_eq!(digest(node, "tasks"), digest(&a, "tasks"));
    }
}
