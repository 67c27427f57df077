//! How many pages the work reads and writes: counted by a VFS, so the same in every run and on every machine. The benchmark has
//! the times.

mod common;
mod pages {
    pub mod vfs;
}
mod support;

use std::sync::{Mutex, MutexGuard, PoisonError};

use common::text;
use rusqlite::Connection;
use support::{lww, mark, page, run, since, take};
use tempfile::TempDir;

use pages::vfs::{counted, open, Pages};

const TABLE: &str =
    "CREATE TABLE tasks(id TEXT PRIMARY KEY NOT NULL, title TEXT, description TEXT, priority INTEGER DEFAULT 0, \
    tags TEXT, completed INTEGER DEFAULT 0)";

/// All connections of a process share SQLite's page cache in this build: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A database with `n` rows under keys in random order, enabled and folded or plain.
fn database(folder: &TempDir, n: usize, enabled: bool) -> Connection {
    let conn = open(&folder.path().join(format!("{n} {enabled}.db")));
    run(&conn, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -262144");
    run(&conn, TABLE);
    if enabled {
        run(&conn, "SELECT crdt_enable('tasks')");
    }
    // 7919 has no divisor in common with the numbers of rows: each key once, in an order far from that of the rowids.
    let insert = format!(
        "WITH RECURSIVE i(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM i WHERE i < {n} - 1) \
         INSERT INTO tasks SELECT printf('%08x-0000-4000-8000-%012x', (i * 7919) % {n} * (0xffffffff / {n}), i), 'a title', \
         'a description of some words, as tasks have one', i % 5, '[\"home\"]', 0 FROM i"
    );
    run(&conn, &insert);
    if enabled {
        mark(&conn);
    }
    run(&conn, "PRAGMA wal_checkpoint(TRUNCATE)");
    conn
}

fn number(conn: &Connection, sql: &str) -> u64 {
    text(conn, sql, []).parse().unwrap()
}

/// Keys of `count` rows from all over the table.
fn keys(conn: &Connection, count: usize, offset: usize) -> Vec<String> {
    let n = number(conn, "SELECT count(*) FROM tasks") as usize;
    let mut stmt = conn.prepare("SELECT id FROM tasks WHERE rowid = ?1").unwrap();
    let at = |i: usize| (i * (n / count) + offset + 1) as i64;
    (0..count).map(|i| stmt.query_row([at(i)], |row| row.get(0)).unwrap()).collect()
}

fn update(conn: &Connection, keys: &[String], title: &str) {
    let mut stmt = conn.prepare_cached("UPDATE tasks SET title = ?2 WHERE id = ?1").unwrap();
    for key in keys {
        assert_eq!(stmt.execute((key, title)).unwrap(), 1);
    }
}

/// What `work` reads and writes when the page cache is empty.
fn cold(conn: &Connection, work: impl FnOnce()) -> Pages {
    run(conn, "PRAGMA shrink_memory");
    counted(work)
}

/// A capture appends to the log, and the log's last page is the only one that it adds to a transaction.
#[test]
fn an_autocommit_update_writes_one_page_more() {
    let _alone = alone();
    let folder = TempDir::new().unwrap();
    let updates = 5_000;
    let [plain, ours] = [false, true].map(|enabled| {
        let conn = database(&folder, 10_000, enabled);
        let keys = keys(&conn, updates, 0);
        counted(|| update(&conn, &keys, "another title"))
    });
    eprintln!("{updates} updates: plain {plain:?}, ours {ours:?}");
    let more = |plain: u64, ours: u64| (ours as f64 - plain as f64) / updates as f64;
    assert!(plain.logged >= updates as u64, "{plain:?}");
    assert!(more(plain.logged, ours.logged) <= 1.05, "{plain:?}, {ours:?}");
}

/// Changing a hundred rows and exporting them reads as many pages as the trees are deep, however many rows there are.
#[test]
fn an_export_of_changes_does_not_scan() {
    let _alone = alone();
    let folder = TempDir::new().unwrap();
    let [small, large] = [10_000, 100_000].map(|n| {
        let conn = database(&folder, n, true);
        let mut from = mark(&conn);
        let [first, second] = [0, 1].map(|turn| keys(&conn, 100, turn));
        update(&conn, &first, "warm");
        from = since(&conn, Some(&from)).cursor;
        let pages = cold(&conn, || {
            run(&conn, "BEGIN");
            update(&conn, &second, "changed");
            run(&conn, "COMMIT");
            assert_eq!(since(&conn, Some(&from)).changes.len(), 100);
        });
        let all = number(&conn, "PRAGMA page_count");
        eprintln!("{n} rows, {all} pages: {pages:?}");
        assert_eq!(pages.scratch, 0);
        (pages, all)
    });
    assert!(large.0.read as f64 <= 2.6 * small.0.read as f64, "{small:?}, {large:?}");
    assert!(large.0.read * 10 <= large.1, "{large:?}");
}

/// Who reads in small pages reads the log once, not four thousand rows of it for each page.
#[test]
fn a_page_of_a_few_changes_reads_little() {
    let _alone = alone();
    let folder = TempDir::new().unwrap();
    let conn = database(&folder, 20_000, true);
    let next = |from: &str| page(&text(&conn, "SELECT crdt_changes_since(?1, NULL, 50)", [from]));
    let first = page(&text(&conn, "SELECT crdt_changes_since(NULL, NULL, 50)", []));
    let second = next(&first.cursor);
    let pages = cold(&conn, || assert_eq!(next(&second.cursor).changes.len(), 50));
    eprintln!("10 rows: {pages:?}");
    // Ten clocks, ten rows by an index, the trees above them, and a page or two of the log and of each small table.
    assert!(pages.read <= 60, "{pages:?}");
}

/// A poll looks at the end of the log, and there is nothing.
#[test]
fn a_poll_with_nothing_new_reads_the_same_few_pages() {
    let _alone = alone();
    let folder = TempDir::new().unwrap();
    let [small, large] = [10_000, 100_000].map(|n| {
        let conn = database(&folder, n, true);
        let from = mark(&conn);
        let poll = || assert!(since(&conn, Some(&from)).changes.is_empty());
        poll();
        let first = cold(&conn, poll);
        let warm = counted(poll);
        eprintln!("{n} rows: {first:?}, then {warm:?}");
        assert_eq!(warm, Pages::default(), "a warm poll");
        assert_eq!((first.logged, first.scratch), (0, 0), "{first:?}");
        first.read
    });
    assert!(large <= small + 1, "{small}, {large}");
    assert!(large <= 16, "{large}");
}

/// Rows that a merge inserts are under no savepoint and no trigger of ours: SQLite would keep copies of the pages that change, here of
/// 32 KiB each, in a temporary file. Nor do others that are inserted and updated with them.
#[test]
fn a_merge_of_new_rows_keeps_no_copies() {
    let _alone = alone();
    let folder = TempDir::new().unwrap();
    for edited in [false, true] {
        let a = database(&folder, 1_000, true);
        if edited {
            run(&a, "UPDATE tasks SET title = 'edited', completed = 1");
        }
        let b = open(&folder.path().join(format!("{edited}.db")));
        run(&b, "PRAGMA page_size = 32768; PRAGMA journal_mode = WAL");
        run(&b, &format!("{TABLE}; SELECT crdt_enable('tasks')"));
        let json = since(&a, None).json;
        let pages = counted(|| drop(support::merge(&b, &json)));
        eprintln!("edited {edited}: {pages:?}");
        assert_eq!(pages.scratch, 0);
        assert_eq!(number(&b, "SELECT count(*) FROM tasks"), 1_000);
        drop(a);
        std::fs::remove_file(folder.path().join("1000 true.db")).unwrap();
    }
}

/// A statement is compiled together with our triggers: SQLite has memory at hand for it, and needs not ask for each piece.
#[test]
fn statements_are_compiled_in_memory_at_hand() {
    let _alone = alone();
    let folder = TempDir::new().unwrap();
    let conn = open(&folder.path().join("wide.db"));
    let columns = |form: &str| (0..12).map(|i| form.replace('#', &i.to_string())).collect::<Vec<_>>().join(", ");
    run(&conn, &format!("CREATE TABLE wide(id TEXT PRIMARY KEY NOT NULL, {})", columns("c# TEXT")));
    run(&conn, "SELECT crdt_enable('wide'); INSERT INTO wide(id) VALUES ('a')");
    let missed = || {
        let (mut now, mut most) = (0, 0);
        let full = rusqlite::ffi::SQLITE_DBSTATUS_LOOKASIDE_MISS_FULL;
        // SAFETY: a live connection and two integers.
        unsafe { rusqlite::ffi::sqlite3_db_status(conn.handle(), full, &mut now, &mut most, 0) };
        most
    };
    let before = missed();
    run(&conn, &format!("UPDATE wide SET {}", columns("c# = 'text #'")));
    assert_eq!(missed() - before, 0);
}

/// What a write, an export, a poll, a merge read and write with so many enabled tables, caches cold. `together`: all were there before the
/// first was enabled, so that ours stand behind them in the schema.
fn with_tables(count: usize, together: bool) -> [Pages; 4] {
    let folder = TempDir::new().unwrap();
    let conn = open(&folder.path().join("many.db"));
    run(&conn, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; BEGIN");
    let create = |i| run(&conn, &TABLE.replace("tasks", &format!("tasks{i}")));
    if together {
        (0..count).for_each(create);
    }
    for i in 0..count {
        if !together {
            create(i);
        }
        run(&conn, &format!("SELECT crdt_enable('tasks{i}')"));
    }
    run(&conn, "COMMIT");
    let insert = |id: &str| run(&conn, &format!("INSERT INTO tasks0(id, title) VALUES ('{id}', 'a title')"));
    insert("warm");
    let from = since(&conn, None).cursor;
    run(&conn, "PRAGMA wal_checkpoint(TRUNCATE)");
    let write = cold(&conn, || insert("one"));
    let mut next = String::new();
    let export = cold(&conn, || next = since(&conn, Some(&from)).cursor);
    let poll = cold(&conn, || assert!(since(&conn, Some(&next)).changes.is_empty()));
    let taken = |node: &str| {
        let stamp = (1_700_000_000_000_000_000, 0, node);
        let mut change = lww("title", stamp, "another title");
        (change["table"], change["pk"]) = ("tasks0".into(), "one".into());
        take(&conn, &[change]);
    };
    taken("m");
    let merge = cold(&conn, || taken("n"));
    eprintln!("{count} tables: write {write:?}, export {export:?}, poll {poll:?}, merge {merge:?}");
    [write, export, poll, merge]
}

fn idle_tables_cost_nothing(together: bool) {
    let _alone = alone();
    let (one, many) = (with_tables(1, together), with_tables(200, together));
    for (one, many) in one.into_iter().zip(many) {
        assert!(many.read <= one.read + 3 && many.logged <= one.logged, "{one:?}, {many:?}");
    }
}

/// Tables that are idle cost nothing: there is one log for all.
#[test]
fn idle_tables_cost_no_pages() {
    idle_tables_cost_nothing(false);
}

/// Nor do those that stand before ours in the schema.
#[test]
fn idle_tables_that_were_there_before_cost_no_pages() {
    idle_tables_cost_nothing(true);
}
