//! Connections of one process, in threads.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::{ffi, Connection, OpenFlags};

use crate::child::patiently;
use crate::common::{load, open_file, text};
use crate::support::{file_node, named, node, rows, run, same, send, since, sound, table, TASKS};

fn shared_row(conn: &Connection) {
    run(conn, "INSERT INTO tasks(id) VALUES ('shared')");
}

/// Every row is there, the counter is exact, a fresh node is equal.
fn settled(conn: &Connection, writes: u64) {
    sound(conn);
    assert_eq!(text(conn, "SELECT count(*) FROM tasks WHERE id GLOB 'w*'", []), writes.to_string());
    assert_eq!(text(conn, "SELECT priority FROM tasks WHERE id = 'shared'", []), writes.to_string());
    let fresh = node("fresh", TASKS);
    send(conn, &fresh);
    same(conn, &fresh, "tasks");
}

/// One transaction, and now and then an export or a merge of what is there.
fn write(conn: &Connection, id: u64, i: u64) {
    patiently(conn, |conn| {
        conn.execute_batch(&format!(
            "BEGIN; INSERT INTO tasks(id, title) VALUES ('w{id}-{i}', 'x'); UPDATE tasks SET priority = priority + 1 WHERE id = 'shared'; COMMIT"
        ))
    });
    match i % 5 {
        2 => patiently(conn, |conn| conn.query_row("SELECT crdt_changes_since(NULL, NULL, 20)", [], |_| Ok(()))),
        4 => patiently(conn, |conn| {
            let json: String = conn.query_row("SELECT crdt_changes_since(NULL, NULL, 20)", [], |row| row.get(0))?;
            conn.query_row("SELECT crdt_merge(?1)", [json], |_| Ok(()))
        }),
        _ => {}
    }
}

fn each_with_its_own(path: &Path, threads: u64, turns: u64, open: impl Fn() -> Connection + Sync) {
    std::thread::scope(|scope| {
        for id in 0..threads {
            let open = &open;
            scope.spawn(move || {
                let conn = open();
                (0..turns).for_each(|i| write(&conn, id, i));
            });
        }
    });
    settled(&open_file(path), threads * turns);
}

/// rusqlite opens connections with NOMUTEX.
#[test]
fn many_connections() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    shared_row(&file_node(&path, "a", &format!("PRAGMA journal_mode = WAL; {TASKS}")));
    each_with_its_own(&path, 32, 10, || {
        let conn = open_file(&path);
        run(&conn, "PRAGMA busy_timeout = 20; PRAGMA synchronous = OFF");
        conn
    });
}

/// Connections that share one cache lock tables against each other: SQLITE_LOCKED, which no timeout waits for.
#[test]
fn a_shared_cache() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    shared_row(&file_node(&path, "a", TASKS));
    let uri = format!("file:{}?cache=shared", path.display());
    each_with_its_own(&path, 4, 40, || {
        let conn = open_file(&uri);
        run(&conn, "PRAGMA synchronous = OFF");
        conn
    });
    let uri = "file:shared_by_threads?mode=memory&cache=shared";
    let keeper = named(open_file(uri), "a", TASKS);
    shared_row(&keeper);
    std::thread::scope(|scope| {
        for id in 0..4 {
            scope.spawn(move || {
                let conn = open_file(uri);
                (0..40).for_each(|i| write(&conn, id, i));
            });
        }
    });
    settled(&keeper, 160);
}

/// A connection that several threads use, one statement each at a time: SQLite's own mutex keeps them apart.
#[test]
fn one_serialized_connection() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_FULL_MUTEX;
    let conn = Connection::open_with_flags(&path, flags).unwrap();
    load(&conn).unwrap();
    let conn = named(conn, "a", &format!("PRAGMA journal_mode = WAL; {TASKS}"));
    shared_row(&conn);
    // SAFETY: the handle is used as a number by threads that end before the connection does.
    let handle = unsafe { conn.handle() } as usize;
    let failed = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for id in 0..4 {
            let failed = &failed;
            scope.spawn(move || {
                for i in 0..50 {
                    for sql in [
                        format!("INSERT INTO tasks(id, title) VALUES ('w{id}-{i}', 'x')"),
                        "UPDATE tasks SET priority = priority + 1 WHERE id = 'shared'".to_string(),
                        "SELECT crdt_merge(crdt_changes_since(NULL, NULL, 10))".to_string(),
                        format!("SELECT crdt_digest('tasks'), crdt_now(), crdt_inspect('tasks', 'w{id}-{i}')"),
                    ] {
                        let sql = std::ffi::CString::new(sql).unwrap();
                        let handle = handle as *mut ffi::sqlite3;
                        let (none, null) = (std::ptr::null_mut(), std::ptr::null_mut());
                        // SAFETY: a serialized connection, and a string that outlives the call.
                        let code = unsafe { ffi::sqlite3_exec(handle, sql.as_ptr(), None, none, null) };
                        failed.fetch_add(u64::from(code != ffi::SQLITE_OK), Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert_eq!(failed.load(Ordering::Relaxed), 0, "{}", conn.query_row("SELECT 1", [], |_| Ok(())).is_ok());
    settled(&conn, 200);
}

/// A reader with an old snapshot while others fold, prune and clean up.
#[test]
fn old_snapshots() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let a =
        file_node(&path, "a", &format!("PRAGMA journal_mode = WAL; {TASKS} SELECT crdt_pragma('tombstone_ttl', '0s')"));
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t1', 'old'), ('t2', 'old'); DELETE FROM tasks WHERE id = 't2'");
    let reader = open_file(&path);
    run(&reader, "BEGIN; SELECT * FROM tasks");
    let before = since(&reader, None);
    let digest = |conn| text(conn, "SELECT crdt_digest('tasks', 'full')", []);
    let old = digest(&reader);
    for i in 0..50 {
        run(&a, &format!("UPDATE tasks SET title = 'new{i}'; INSERT INTO tasks(id) VALUES ('u{i}'); SELECT crdt_digest('tasks'); SELECT crdt_cleanup_tombstones()"));
    }
    assert_eq!(since(&reader, None).changes, before.changes, "its snapshot");
    assert_eq!(digest(&reader), old);
    assert_eq!(rows(&reader, "SELECT id, title FROM tasks"), ["'t1', 'old'"]);
    sound(&reader);
    run(&reader, "COMMIT");
    let later = since(&reader, Some(&before.cursor));
    let replica = node("b", TASKS);
    send(&a, &replica);
    let follower = node("c", TASKS);
    for page in [&before, &later] {
        crate::support::merge(&follower, &page.json);
    }
    // Not in full: what was deleted before the snapshot has been forgotten since.
    assert_eq!(table(&follower, "tasks"), table(&replica, "tasks"));
    assert_eq!(crate::support::digest(&follower, "tasks"), crate::support::digest(&replica, "tasks"));
}

/// Who has read and then writes what has changed since gets SQLITE_BUSY_SNAPSHOT, from our functions as from any statement.
#[test]
fn stale_snapshots_cannot_write() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let a = file_node(&path, "a", &format!("PRAGMA journal_mode = WAL; {TASKS}"));
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t1', 'x')");
    let other = node("b", TASKS);
    run(&other, "INSERT INTO tasks(id, title) VALUES ('t2', 'y')");
    let changes = since(&other, None).json;
    let stale = open_file(&path);
    run(&stale, "PRAGMA busy_timeout = 2000; BEGIN; SELECT * FROM tasks");
    run(&a, "UPDATE tasks SET title = 'moved on'");
    let code = |sql: &str, json: &[&String]| {
        let outcome = stale.query_row(sql, rusqlite::params_from_iter(json), |_| Ok(()));
        outcome.unwrap_err().sqlite_error().map(|e| e.extended_code)
    };
    let busy = Some(ffi::SQLITE_BUSY_SNAPSHOT);
    assert_eq!(code("INSERT INTO tasks(id) VALUES ('plain') RETURNING 1", &[]), busy);
    assert_eq!(code("SELECT crdt_merge(?1)", &[&changes]), busy);
    for sql in
        ["SELECT crdt_now()", "SELECT crdt_fork()", "SELECT crdt_cleanup_tombstones()", "SELECT crdt_enable('tasks')"]
    {
        assert_eq!(code(sql, &[]), busy, "{sql}");
    }
    // What only reads reads the snapshot.
    assert_eq!(since(&stale, None).of("t1", "title")["value"], "x");
    run(&stale, "SELECT crdt_pull('{\"node_id\":\"p\"}'); ROLLBACK");
    text(&stale, "SELECT crdt_merge(?1)", [&changes]);
    same(&a, &stale, "tasks");
    assert_eq!(rows(&a, "SELECT title FROM tasks ORDER BY id"), ["'moved on'", "'y'"]);
}
