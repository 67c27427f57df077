//! The databases that works begin with, and what they hold afterwards.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::common::{open, text};
use crate::support;
use crate::support::shim::open_files;
use crate::work::{On, Work, WORK};

const TASKS: &str = "CREATE TABLE tasks(id TEXT PRIMARY KEY NOT NULL, title TEXT, votes INTEGER, tags TEXT);";
const ENABLE: &str = "SELECT crdt_enable('tasks', 'votes:counter', 'tags:set');";
const PEOPLE: &str = "CREATE TABLE people(id INTEGER PRIMARY KEY, email TEXT, name TEXT NOT NULL);
    CREATE UNIQUE INDEX emails ON people(email);";

/// All of them, in a folder.
pub fn originals(folder: &Path, mode: &str) -> BTreeMap<On, PathBuf> {
    let mut all = BTreeMap::new();
    for work in WORK {
        all.entry(work.on).or_insert_with(|| original(folder, mode, work.on));
    }
    all
}

fn original(folder: &Path, mode: &str, on: On) -> PathBuf {
    let path = folder.join(format!("{on:?}.db"));
    if let On::Format(format) = on {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/format{format}.db"));
        std::fs::copy(from, &path).unwrap();
    }
    let conn = crate::vfs::open(&path);
    if on == On::Utf16 {
        support::run(&conn, "PRAGMA encoding = 'UTF-16'");
    }
    support::run(&conn, &format!("PRAGMA journal_mode = {mode}"));
    match on {
        On::Format(_) => {}
        On::Bare => support::run(&conn, &format!("{TASKS} INSERT INTO tasks VALUES ('t1', 'there before', 1, '[1]')")),
        On::Usual | On::Utf16 => usual(&conn, ""),
        On::Rich => {
            usual(&conn, &format!("{PEOPLE} SELECT crdt_enable('people');"));
            rich(&conn);
        }
    }
    path
}

fn usual(conn: &Connection, more: &str) {
    let peer = open();
    support::run(
        &peer,
        &format!(
            "SELECT crdt_node_id('peer'); {TASKS} {ENABLE} {more} INSERT INTO tasks VALUES ('t1', 'peer', 7, '[\"p\"]'), ('p1', 'own', 1, '[]');
             DELETE FROM tasks WHERE id = 'p1'; INSERT INTO tasks VALUES ('p2', 'own', 1, '[]')"
        ),
    );
    support::run(
        conn,
        &format!(
            "SELECT crdt_node_id('a'); {TASKS} {ENABLE} {more}
             CREATE TABLE plain(id INTEGER PRIMARY KEY, n INTEGER); INSERT INTO plain VALUES (1, 1), (2, NULL);
             INSERT INTO tasks VALUES ('t1', 'one', 1, '[\"a\"]'), ('t2', 'two', 2, NULL), ('t3', 'three', 3, '[]'), ('t4', 'four', 4, '[]');
             DELETE FROM tasks WHERE id = 't3'; SELECT crdt_pragma('tombstone_ttl', '0s'); SELECT crdt_digest('tasks');
             UPDATE tasks SET title = 'late' WHERE id = 't1'; CREATE TABLE inbox(json TEXT, left TEXT, cursor TEXT)"
        ),
    );
    if !more.is_empty() {
        support::run(&peer, "INSERT INTO people VALUES (2, 'a@x', 'Also Ann')");
    }
    conn.execute("INSERT INTO inbox(json) VALUES (?1)", [support::export(&peer)]).unwrap();
}

/// Adds what the usual one does not have.
fn rich(conn: &Connection) {
    support::run(
        conn,
        "INSERT INTO people VALUES (1, 'a@x', 'Ann'); SELECT crdt_merge((SELECT json FROM inbox));
         SELECT crdt_cleanup_tombstones();
         SELECT crdt_hook('upper', 'before_inbound', 'SELECT json_set(:change, ''$.value'', upper(:change ->> ''$.value''))', 'people');
         CREATE TABLE heard(field); SELECT crdt_hook('heard', 'after_inbound', 'INSERT INTO heard SELECT :change ->> ''$.field''');
         SELECT crdt_filter('tasks', 'title <> ''two''')",
    );
    let cursor = support::page(&text(conn, "SELECT crdt_pull('{\"node_id\":\"p\"}')", [])).cursor;
    conn.execute("UPDATE inbox SET cursor = ?1", [cursor]).unwrap();
    leave(conn);
    support::run(
        conn,
        "UPDATE tasks SET title = 'two' WHERE id = 't4'; DELETE FROM people WHERE id = 1; INSERT INTO people VALUES (1, 'a@x', 'Anew');
         CREATE TABLE renamed(id TEXT PRIMARY KEY NOT NULL, v, w); INSERT INTO renamed VALUES ('r', 1, 2); SELECT crdt_enable('renamed');
         SELECT crdt_digest('renamed'); UPDATE renamed SET v = 3; ALTER TABLE renamed RENAME COLUMN v TO x; ALTER TABLE renamed ADD COLUMN y DEFAULT 7",
    );
}

/// Puts a payload aside that tells of a record that left a peer's filter.
fn leave(conn: &Connection) {
    let peer = open();
    support::run(
        &peer,
        &format!(
            "SELECT crdt_node_id('leaver'); {TASKS} {ENABLE} SELECT crdt_filter('tasks', 'title <> ''gone''');
             INSERT INTO tasks VALUES ('l1', 'here', 1, '[]')"
        ),
    );
    let page = support::since(&peer, None);
    support::merge(conn, &page.json);
    support::run(&peer, "UPDATE tasks SET title = 'gone'");
    conn.execute("UPDATE inbox SET left = ?1", [support::since(&peer, Some(&page.cursor)).json]).unwrap();
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

/// Takes a work's steps, up to the first that fails.
pub fn work(conn: &Connection, steps: &[&str]) -> Result<(), String> {
    let outcome = steps.iter().try_for_each(|sql| support::try_run(conn, sql));
    if !conn.is_autocommit() {
        let _ = conn.execute_batch("ROLLBACK");
    }
    outcome
}

/// All that a file holds once its log is folded: schema, rows, state, stamps. What is made at random is left out.
pub fn contents(path: &Path) -> Vec<String> {
    let conn = crate::vfs::open(path);
    let tables = support::rows(&conn, "SELECT count(*) FROM sqlite_schema WHERE name = '_crdt_state'");
    for sql in ["PRAGMA integrity_check", "SELECT crdt_check()"] {
        assert_eq!(text(&conn, sql, []), "ok", "{sql}");
    }
    if tables == ["1"] {
        support::run(
            &conn,
            "SELECT crdt_cursor(); UPDATE _crdt_state SET token = 0; UPDATE _crdt_filter SET expr = 'secret' WHERE f = 0;
             UPDATE _crdt_node SET node = 'random' || n WHERE length(node) = 16 AND node NOT GLOB '*[^0-9a-f]*'",
        );
    }
    support::contents(&conn)
}

/// What a copy of the original holds at first and after each step, when nothing fails.
pub fn undisturbed(original: &Path, path: &Path, work: &Work) -> Vec<Vec<String>> {
    let after = |steps: &[&str]| {
        copy(original, path);
        self::work(&crate::vfs::open(path), steps).unwrap_or_else(|e| panic!("{}: {e}", work.name));
        contents(path)
    };
    (0..=work.steps.len()).map(|n| after(&work.steps[..n])).collect()
}

/// Without an error all is done; with one the steps that were done, and nothing of the one that failed. No file stays open.
pub fn whole(outcome: &Result<(), String>, now: &[String], states: &[Vec<String>], when: &str) {
    assert_eq!(open_files(), 0, "{when}: files are left open");
    let last = states.last().unwrap();
    match outcome {
        Ok(()) => assert!(now == last, "{when}: no error, and not all is done: {}", difference(last, now)),
        Err(e) => assert!(
            states.iter().any(|state| state == now),
            "{when} ({e}): half is done: against the start {}\nagainst the end {}",
            difference(&states[0], now),
            difference(last, now)
        ),
    }
}

fn difference(before: &[String], now: &[String]) -> String {
    let gone = before.iter().filter(|line| !now.contains(line)).map(|line| format!("- {line}\n"));
    let new = now.iter().filter(|line| !before.contains(line)).map(|line| format!("+ {line}\n"));
    format!("\n{}", gone.chain(new).collect::<String>())
}
