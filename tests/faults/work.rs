//! What is done under faults, on what, and what came of it.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::common::{open, text};

/// What is done under faults: a name, and statements.
pub const WORK: &[(&str, &str)] = &[
    ("insert", "INSERT INTO tasks VALUES ('n1', 'new', 1, '[\"x\"]')"),
    ("update", "UPDATE tasks SET title = 'u', votes = votes + 1, tags = '[]' WHERE id < 't3'"),
    ("delete", "DELETE FROM tasks WHERE id = 't2'"),
    ("key", "UPDATE tasks SET id = 'moved' WHERE id = 't1'"),
    ("replace", "REPLACE INTO tasks VALUES ('t4', 'again', 4, '[]'), ('t9', 'x', 1, NULL)"),
    ("transaction", "BEGIN; INSERT INTO tasks(id) VALUES ('a'), ('b'); DELETE FROM tasks WHERE id = 'a'; UPDATE tasks SET votes = 0; COMMIT"),
    ("enable", "SELECT crdt_enable('plain', 'n:counter')"),
    ("enable again", "BEGIN; ALTER TABLE tasks ADD COLUMN more DEFAULT 1; SELECT crdt_enable('tasks'); COMMIT"),
    ("disable", "SELECT crdt_disable('tasks')"),
    ("purge", "SELECT crdt_disable('tasks', 'purge')"),
    ("alter", "SELECT crdt_alter('tasks', 'DROP COLUMN votes')"),
    ("schema", "SELECT crdt_schema('plain')"),
    ("node", "SELECT crdt_node_id()"),
    ("fork", "SELECT crdt_fork()"),
    ("pragma", "SELECT crdt_pragma('max_drift', '1m')"),
    ("now", "SELECT crdt_now()"),
    ("cursor", "SELECT crdt_cursor()"),
    ("export", "SELECT crdt_changes_since(NULL)"),
    ("merge", "SELECT crdt_merge((SELECT json FROM inbox))"),
    ("push", "SELECT crdt_push('{\"node_id\":\"p\",\"changes\":' || (SELECT json ->> '$.changes' FROM inbox) || '}')"),
    ("pull", "SELECT crdt_pull('{\"node_id\":\"p\"}')"),
    ("inspect", "SELECT crdt_inspect('tasks', 't1'), crdt_state('tasks', 't1')"),
    ("digest", "SELECT crdt_digest('tasks', 'full')"),
    ("cleanup", "SELECT crdt_cleanup_tombstones()"),
    ("retry", "SELECT crdt_retry()"),
    ("hook", "SELECT crdt_hook('h', 'after_inbound', 'SELECT :change')"),
    ("filter", "SELECT crdt_filter('tasks', 'title IS NOT NULL'); SELECT crdt_changes_since(NULL)"),
    ("status", "SELECT crdt_status()"),
    ("check", "SELECT crdt_check()"),
    ("tables", "SELECT count(*) FROM crdt_changes(NULL, NULL); SELECT count(*) FROM crdt_pending(), crdt_peers(), crdt_conflicts()"),
    ("view", "SELECT count(*) FROM _tasks_crdt"),
];

/// The database that each work begins with: folded state, an unfolded tail, a deleted record, one that waits, a payload to merge.
pub fn original(folder: &Path, mode: &str) -> PathBuf {
    let path = folder.join("original.db");
    let conn = crate::vfs::open(&path);
    let tasks = "CREATE TABLE tasks(id TEXT PRIMARY KEY NOT NULL, title TEXT, votes INTEGER, tags TEXT);
        SELECT crdt_enable('tasks', 'votes:counter', 'tags:set')";
    let peer = open();
    peer.execute_batch(&format!(
        "SELECT crdt_node_id('peer'); {tasks}; INSERT INTO tasks VALUES ('t1', 'peer', 7, '[\"p\"]'), ('p1', 'own', 1, '[]');
         DELETE FROM tasks WHERE id = 'p1'; INSERT INTO tasks VALUES ('p2', 'own', 1, '[]')"
    ))
    .unwrap();
    conn.execute_batch(&format!(
        "PRAGMA journal_mode = {mode}; SELECT crdt_node_id('a'); {tasks};
         CREATE TABLE plain(id INTEGER PRIMARY KEY, n INTEGER); INSERT INTO plain VALUES (1, 1), (2, NULL);
         INSERT INTO tasks VALUES ('t1', 'one', 1, '[\"a\"]'), ('t2', 'two', 2, NULL), ('t3', 'three', 3, '[]'), ('t4', 'four', 4, '[]');
         DELETE FROM tasks WHERE id = 't3'; SELECT crdt_pragma('tombstone_ttl', '0s'); SELECT crdt_digest('tasks');
         UPDATE tasks SET title = 'late' WHERE id = 't1'; CREATE TABLE inbox(json TEXT)"
    ))
    .unwrap();
    let json = text(&peer, "SELECT crdt_changes_since(NULL)", []);
    conn.execute("INSERT INTO inbox VALUES (?1)", [json]).unwrap();
    path
}

pub fn copy(from: &Path, to: &Path) {
    for end in ["", "-wal", "-journal", "-shm"] {
        let name = |path: &Path| PathBuf::from(format!("{}{end}", path.display()));
        let _ = std::fs::remove_file(name(to));
        if end.is_empty() {
            std::fs::copy(name(from), name(to)).unwrap();
        }
    }
}

/// Runs statements, each to its last row.
pub fn work(conn: &Connection, sql: &str) -> rusqlite::Result<()> {
    let outcome = conn.execute_batch(sql);
    if !conn.is_autocommit() {
        let _ = conn.execute_batch("ROLLBACK");
    }
    outcome
}

/// What a file holds, as far as a user can tell: the rows, and whether each table is tracked. Ids made at random, and the
/// stamps that a fork makes, are left out.
pub fn contents(path: &Path) -> String {
    let conn = crate::vfs::open(path);
    for sql in ["PRAGMA integrity_check", "SELECT crdt_check()"] {
        assert_eq!(text(&conn, sql, []), "ok", "{sql}");
    }
    let mut out = String::new();
    for table in ["tasks", "plain"] {
        let columns = text(&conn, "SELECT group_concat(name) FROM pragma_table_info(?1)", [table]);
        let values = columns.split(',').map(|c| format!("quote({c})")).collect::<Vec<_>>().join("||','||");
        out +=
            &text(&conn, &format!("SELECT group_concat({values}, ';') FROM (SELECT * FROM {table} ORDER BY id)"), []);
        out += &text(&conn, "SELECT coalesce((SELECT enabled FROM crdt_tables() WHERE \"table\" = ?1), 'no')", [table]);
    }
    out + &text(
        &conn,
        "SELECT (SELECT group_concat(name || event) FROM _crdt_hook), (SELECT count(*) FROM crdt_pending())",
        [],
    )
}

/// What a copy of the original holds after the work, when nothing fails.
pub fn undisturbed(original: &Path, path: &Path, sql: &str) -> String {
    copy(original, path);
    work(&crate::vfs::open(path), sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
    contents(path)
}

/// Without an error all is done; with one all or nothing.
pub fn whole(outcome: &rusqlite::Result<()>, now: &str, [before, after]: [&str; 2], when: &str) {
    match outcome {
        Ok(()) => assert_eq!(now, after, "{when}: no error, and not all is done"),
        Err(e) => assert!(now == before || now == after, "{when} ({e}): half is done: {now}\nbefore: {before}"),
    }
}
