//! What lives how long: connections that close under open statements, move between threads, or call us from within a call.
//! Run under AddressSanitizer by `make asan`.

mod common;
mod support;

use std::ffi::{c_int, CStr};
use std::ptr::{null, null_mut};

use common::{error, open, text};
use rusqlite::ffi::{self, sqlite3, sqlite3_stmt};
use rusqlite::Connection;
use support::{node, run, send, sound, TASKS};

extern "C" {
    // Of the SQLite that is linked; its bindings leave it out.
    fn sqlite3_close_v2(db: *mut sqlite3) -> c_int;
}

/// A connection that nothing but this test closes.
struct Raw(*mut sqlite3);

impl Raw {
    /// With the extension, table `tasks` and two rows, and statements of ours cached.
    fn open() -> Raw {
        type Entry =
            unsafe extern "C" fn(*mut sqlite3, *mut *mut std::ffi::c_char, *const ffi::sqlite3_api_routines) -> c_int;
        // SAFETY: our own entry point, the structures under the names of two binding crates.
        unsafe {
            let entry = std::mem::transmute::<*const (), Entry>(grove_crdt::sqlite3_grovecrdt_init as *const ());
            rusqlite::auto_extension::register_auto_extension(entry).unwrap();
        }
        let mut db = null_mut();
        // SAFETY: a name, and a place for the connection.
        assert_eq!(unsafe { ffi::sqlite3_open(c":memory:".as_ptr(), &mut db) }, ffi::SQLITE_OK);
        let raw = Raw(db);
        let sql = format!("{TASKS} INSERT INTO tasks(id) VALUES ('t1'), ('t2'); SELECT crdt_digest('tasks')");
        let sql = std::ffi::CString::new(sql).unwrap();
        // SAFETY: an open connection and a C string.
        let code = unsafe { ffi::sqlite3_exec(db, sql.as_ptr(), None, null_mut(), null_mut()) };
        assert_eq!(code, ffi::SQLITE_OK);
        raw
    }

    fn prepare(&self, sql: &CStr) -> *mut sqlite3_stmt {
        let mut stmt = null_mut();
        // SAFETY: an open connection, a C string and a place for the statement.
        let code = unsafe { ffi::sqlite3_prepare_v2(self.0, sql.as_ptr(), -1, &mut stmt, &mut null()) };
        assert_eq!(code, ffi::SQLITE_OK, "{sql:?}");
        stmt
    }

    fn close(&self) -> c_int {
        // SAFETY: an open connection; it stays open when this fails.
        unsafe { ffi::sqlite3_close(self.0) }
    }

    /// Closes it, or leaves that to the last statement.
    fn close_v2(&self) {
        // SAFETY: an open connection.
        assert_eq!(unsafe { sqlite3_close_v2(self.0) }, ffi::SQLITE_OK);
    }
}

fn step(stmt: *mut sqlite3_stmt) -> c_int {
    // SAFETY: a statement that is not finalised.
    unsafe { ffi::sqlite3_step(stmt) }
}

fn finalize(stmt: *mut sqlite3_stmt) {
    // SAFETY: a statement that is not used again. The code repeats what stepping said.
    unsafe { ffi::sqlite3_finalize(stmt) };
}

/// Bytes that this process's SQLite has taken. The tests of this file run one after the other.
fn used() -> i64 {
    // SAFETY: reads a counter.
    unsafe { ffi::sqlite3_memory_used() }
}

/// Statements that are on a row of ours, or are about to call us, outlive `sqlite3_close_v2`.
#[test]
fn statements_outlive_their_connection() {
    const STATEMENTS: [&CStr; 4] = [
        c"SELECT enabled FROM crdt_tables() UNION ALL SELECT 1",
        c"SELECT j.value FROM crdt_changes(NULL, NULL) AS c, json_each(c.change) AS j",
        c"SELECT crdt_inspect('tasks', id) FROM tasks",
        c"SELECT crdt_digest('tasks') FROM tasks",
    ];
    let _alone = alone();
    assert_eq!(Raw::open().close(), ffi::SQLITE_OK);
    let before = used();
    for first in STATEMENTS {
        for second in STATEMENTS {
            let raw = Raw::open();
            let (first, second) = (raw.prepare(first), raw.prepare(second));
            assert_eq!((step(first), step(second)), (ffi::SQLITE_ROW, ffi::SQLITE_ROW));
            assert_eq!(raw.close(), ffi::SQLITE_BUSY);
            step(first);
            raw.close_v2();
            // An answer or an error.
            step(second);
            finalize(first);
            step(second);
            finalize(second);
            assert_eq!(used(), before, "something of the connection is left");
        }
    }
}

/// A close that is refused leaves a connection that works, and closes later.
#[test]
fn a_close_that_is_refused() {
    let _alone = alone();
    assert_eq!(Raw::open().close(), ffi::SQLITE_OK);
    let before = used();
    let raw = Raw::open();
    let open = raw.prepare(c"SELECT enabled FROM crdt_tables()");
    assert_eq!(step(open), ffi::SQLITE_ROW);
    for _ in 0..3 {
        assert_eq!(raw.close(), ffi::SQLITE_BUSY);
        for sql in
            [c"SELECT crdt_digest('tasks', 'full')", c"SELECT crdt_changes_since(NULL)", c"SELECT * FROM crdt_peers()"]
        {
            let stmt = raw.prepare(sql);
            assert!([ffi::SQLITE_ROW, ffi::SQLITE_DONE].contains(&step(stmt)), "{sql:?}");
            finalize(stmt);
        }
    }
    finalize(open);
    assert_eq!(raw.close(), ffi::SQLITE_OK);
    assert_eq!(used(), before);
}

/// One connection, used by one thread after the other, and closed by a third.
#[test]
fn threads_take_turns() {
    let _alone = alone();
    let mut conn = node("a", TASKS);
    for i in 0..8 {
        conn = std::thread::spawn(move || {
            run(&conn, &format!("INSERT INTO tasks(id) VALUES ('t{i}'); SELECT crdt_digest('tasks')"));
            assert_eq!(text(&conn, "SELECT count(*) FROM crdt_tables()", []), "1");
            conn
        })
        .join()
        .unwrap();
    }
    sound(&conn);
    std::thread::spawn(move || conn.close().unwrap()).join().unwrap();
}

/// Our functions in the arguments, the rows and the conditions of our functions and tables.
#[test]
fn calls_within_calls() {
    let _alone = alone();
    let [a, b] = support::nodes(["a", "b"], TASKS);
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t1', 'x'), ('t2', 'y')");
    send(&a, &b);
    let nested = "SELECT count(*) FROM crdt_tables() AS t, crdt_changes(NULL, NULL) AS c
        WHERE crdt_digest(t.\"table\") = crdt_digest('tasks') AND crdt_changes_since(crdt_cursor()) IS NOT NULL";
    let plain = text(&a, "SELECT count(*) FROM crdt_changes(NULL, NULL)", []);
    assert_eq!(text(&a, nested, []), plain);
    let merged = "SELECT crdt_merge(crdt_changes_since(NULL)) IS NOT NULL FROM crdt_changes(NULL, NULL) LIMIT 1";
    assert_eq!(text(&b, merged, []), "1");
    // A write, a schema change and a second copy of the table's functions under a statement that is on a row of ours.
    let mut open = a.prepare("SELECT enabled, crdt_digest(\"table\") FROM crdt_tables()").unwrap();
    let mut rows = open.query([]).unwrap();
    assert!(rows.next().unwrap().is_some());
    run(&a, "INSERT INTO tasks(id) VALUES ('t3'); ALTER TABLE tasks ADD COLUMN more; SELECT crdt_enable('tasks')");
    common::load(&a).unwrap();
    assert!(rows.next().unwrap().is_none());
    drop(rows);
    drop(open);
    sound(&a);
    send(&a, &b);
}

/// Values whose text SQLite has to convert, and texts and blobs of every odd shape, as arguments.
#[test]
fn odd_arguments() {
    let _alone = alone();
    for encoding in ["UTF-8", "UTF-16le", "UTF-16be"] {
        let conn: Connection = open();
        run(
            &conn,
            &format!("PRAGMA encoding = '{encoding}'; {TASKS} INSERT INTO tasks(id, title) VALUES ('é\u{1f332}', 'ü')"),
        );
        let shown = text(&conn, "SELECT crdt_inspect('tasks', id) FROM tasks", []);
        assert!(shown.contains("\u{1f332}"), "{encoding}: {shown}");
        for odd in [
            "x''",
            "''",
            "x'00'",
            "char(0)",
            "zeroblob(70000)",
            "CAST(x'ff' AS TEXT)",
            "CAST(x'00d8' AS TEXT)",
            "1e999",
        ] {
            // The same argument in two roles; nothing is there under it.
            let message = error(&conn, &format!("SELECT crdt_enable({odd}, {odd})"), []);
            assert!(!message.is_empty() && !message.contains("internal"), "{odd}: {message}");
            let message = error(&conn, &format!("SELECT crdt_merge({odd})"), []);
            assert!(!message.is_empty() && !message.contains("internal"), "{odd}: {message}");
            let _ = support::try_run(&conn, &format!("SELECT crdt_inspect('tasks', {odd})"));
            let _ = support::try_run(&conn, &format!("SELECT crdt_state('tasks', {odd})"));
        }
        sound(&conn);
    }
}

/// Tests that count memory, or register what every connection gets, run one at a time.
fn alone() -> std::sync::MutexGuard<'static, ()> {
    static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
