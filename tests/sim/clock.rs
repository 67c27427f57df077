//! The wall clock of a simulated node, and the chance in it: a VFS whose time the test sets, `randomblob()` by a seed.
//!
//! It is the default VFS, so that both `julianday('now')` in triggers and the library read it. Both are kept for each
//! thread: a case runs on one thread and sets the clock of a node before it lets the node act.

use std::cell::Cell;
use std::ffi::c_int;
use std::sync::Once;

use rusqlite::functions::FunctionFlags;
use rusqlite::{ffi, Connection};

use super::random::Random;

/// Milliseconds from the start of the Julian period to the Unix epoch.
const JULIAN_EPOCH: i64 = 210_866_760_000_000;

thread_local! {
    static NOW: Cell<i64> = const { Cell::new(1_767_225_600_000) };
    static CHANCE: Cell<u64> = const { Cell::new(0) };
}

/// Sets this thread's wall clock, in milliseconds since the Unix epoch.
pub fn set(unix_ms: i64) {
    NOW.set(unix_ms);
}

/// What `randomblob()` gives from now on.
pub fn set_chance(seed: u64) {
    CHANCE.set(seed);
}

/// Node ids that a database mints are a function of [`set_chance`].
pub fn take_chance(db: &Connection) -> rusqlite::Result<()> {
    db.create_scalar_function(
        "randomblob",
        1,
        FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_INNOCUOUS,
        |context| {
            let seed = CHANCE.get();
            CHANCE.set(seed + 1);
            let mut random = Random::new(seed);
            let count = context.get::<i64>(0)?;
            Ok((0..count).map(|_| random.below(256) as u8).collect::<Vec<u8>>())
        },
    )
}

unsafe extern "C" fn now_int(_: *mut ffi::sqlite3_vfs, out: *mut ffi::sqlite3_int64) -> c_int {
    // SAFETY: SQLite passes a pointer to one integer.
    unsafe { *out = JULIAN_EPOCH + NOW.get() };
    ffi::SQLITE_OK
}

unsafe extern "C" fn now_real(_: *mut ffi::sqlite3_vfs, out: *mut f64) -> c_int {
    // SAFETY: SQLite passes a pointer to one double.
    unsafe { *out = (JULIAN_EPOCH + NOW.get()) as f64 / 86_400_000.0 };
    ffi::SQLITE_OK
}

/// Makes the simulated clock this process's default. Once; later calls do nothing.
pub fn install() {
    static DONE: Once = Once::new();
    // SAFETY: before the first use of SQLite here. The default VFS lives for ever, a copy of it (leaked) works as itself
    // does, as its methods look at `pAppData` only.
    DONE.call_once(|| unsafe {
        // Threads need not wait for each other's account of memory.
        ffi::sqlite3_config(ffi::SQLITE_CONFIG_MEMSTATUS, 0);
        ffi::sqlite3_config(ffi::SQLITE_CONFIG_LOOKASIDE, 1200, 200);
        assert_eq!(ffi::sqlite3_initialize(), ffi::SQLITE_OK);
        let mut vfs = *ffi::sqlite3_vfs_find(std::ptr::null());
        vfs.zName = c"sim".as_ptr();
        vfs.pNext = std::ptr::null_mut();
        vfs.xCurrentTime = Some(now_real);
        vfs.xCurrentTimeInt64 = Some(now_int);
        let vfs = Box::leak(Box::new(vfs));
        assert_eq!(ffi::sqlite3_vfs_register(vfs, 1), ffi::SQLITE_OK);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_reads_the_set_clock() {
        install();
        set(1_000);
        let db = rusqlite::Connection::open_in_memory().unwrap();
        let read = || db.query_row("SELECT strftime('%s', 'now')", [], |r| r.get::<_, String>(0));
        assert_eq!(read().unwrap(), "1");
        set(2_000);
        assert_eq!(read().unwrap(), "2");
    }
}
