//! A wall clock that a test sets: a VFS beside the default one, chosen by name. Each thread has its own time.

use std::cell::Cell;
use std::ffi::c_int;
use std::sync::Once;

use rusqlite::{ffi, Connection, OpenFlags};

use crate::common::load;

/// Milliseconds from the start of the Julian period to the Unix epoch.
const JULIAN_EPOCH: i64 = 210_866_760_000_000;

thread_local! {
    static NOW: Cell<i64> = const { Cell::new(0) };
}

/// Sets this thread's wall clock, in milliseconds since the Unix epoch.
pub fn set(unix_ms: i64) {
    NOW.set(unix_ms);
}

/// Opens a database (a path or `:memory:`) whose wall clock is the one that [`set`] sets.
pub fn open(path: &str) -> Connection {
    static ONCE: Once = Once::new();
    // SAFETY: a copy (leaked) of the default VFS works as it does, as its methods look at `pAppData` only.
    ONCE.call_once(|| unsafe {
        assert_eq!(ffi::sqlite3_initialize(), ffi::SQLITE_OK);
        let mut vfs = *ffi::sqlite3_vfs_find(std::ptr::null());
        vfs.zName = c"settable".as_ptr();
        vfs.pNext = std::ptr::null_mut();
        vfs.xCurrentTime = Some(real);
        vfs.xCurrentTimeInt64 = Some(integer);
        assert_eq!(ffi::sqlite3_vfs_register(Box::leak(Box::new(vfs)), 0), ffi::SQLITE_OK);
    });
    let conn = Connection::open_with_flags_and_vfs(path, OpenFlags::default(), "settable").unwrap();
    load(&conn).unwrap();
    conn
}

unsafe extern "C" fn integer(_: *mut ffi::sqlite3_vfs, out: *mut ffi::sqlite3_int64) -> c_int {
    // SAFETY: SQLite passes a pointer to one integer.
    unsafe { *out = JULIAN_EPOCH + NOW.get() };
    ffi::SQLITE_OK
}

unsafe extern "C" fn real(_: *mut ffi::sqlite3_vfs, out: *mut f64) -> c_int {
    // SAFETY: SQLite passes a pointer to one double.
    unsafe { *out = (JULIAN_EPOCH + NOW.get()) as f64 / 86_400_000.0 };
    ffi::SQLITE_OK
}
