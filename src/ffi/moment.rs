//! The time as an aggregate function, by the name and the arguments of one that every SQLite has.
//!
//! SQLite takes any call of a scalar function for one that may fail, so a statement that fires a trigger with one keeps a copy of
//! each page that it changes. It does not for aggregates. So where the extension is loaded, `julianday()` with [`N_ARGS`]
//! arguments is one, and `(SELECT julianday('now', '0 day', …))` in a trigger means the same with and without it. Nobody else gives it
//! so many: who does is told, and not given one row for all.

use super::api::api;
use super::db::Db;
use super::function::Flags;
use super::value::ValueRef;
use crate::error::Result;
use sqlite3ext_sys::sqlite3_vfs;
use sqlite_loadable::ext::{sqlite3_context, sqlite3_value, sqlite3ext_create_function_v2};
use std::ffi::{c_int, CStr};
use std::ptr::null_mut;

/// What is overloaded.
pub(super) const NAME: &CStr = c"julianday";
/// As many arguments as SQLite recommends to allow at least (SQLITE_LIMIT_FUNCTION_ARG).
pub(super) const N_ARGS: i32 = 8;
/// All arguments but the first.
const NOTHING: &[u8] = b"0 day";

const UTF8: c_int = 1;
const FCNTL_VFS_POINTER: c_int = 27;
const DAY_MS: f64 = 86_400_000.0;

/// Registers it.
///
/// # Errors
/// SQLite's own.
pub(super) fn register(db: Db) -> Result<()> {
    let vfs = vfs(db);
    if vfs.is_null() {
        return Ok(()); // SQLite's own does as well
    }
    let flags = UTF8 | Flags::INNOCUOUS.bits();
    // SAFETY: the connection is open, the name a C string; a connection's VFS outlives it.
    let code = unsafe {
        sqlite3ext_create_function_v2(
            db.raw(),
            NAME.as_ptr(),
            N_ARGS,
            flags,
            vfs.cast(),
            None,
            Some(step),
            Some(value),
            None,
        )
    };
    db.check(code)
}

/// The VFS of the connection, which `julianday()` asks for the time.
fn vfs(db: Db) -> *mut sqlite3_vfs {
    let mut vfs: *mut sqlite3_vfs = null_mut();
    // SAFETY: the connection is open; SQLite writes a pointer of this type, or nothing.
    unsafe {
        let to = (&raw mut vfs).cast();
        (db.api().file_control)(db.raw(), c"main".as_ptr(), FCNTL_VFS_POINTER, to);
    }
    vfs
}

/// Refuses other arguments than the triggers give.
unsafe extern "C" fn step(context: *mut sqlite3_context, argc: c_int, argv: *mut *mut sqlite3_value) {
    let Some(api) = api() else { return };
    // SAFETY: SQLite passes as many values as it says, which live until this returns.
    let ours = argc > 1 && matches!(unsafe { ValueRef::read(api, *argv.add(1)) }, ValueRef::Text(NOTHING));
    if !ours {
        const WHY: &str = "julianday() with 8 arguments is grove-crdt's own; give it one modifier less or more";
        // SAFETY: the context is alive, SQLite copies so many bytes.
        unsafe { (api.result_error)(context, WHY.as_ptr().cast(), WHY.len() as c_int) }
    }
}

/// Answers the time, as SQLite's own function does: NULL where the VFS has none.
unsafe extern "C" fn value(context: *mut sqlite3_context) {
    let Some(api) = api() else { return };
    // SAFETY: the context is alive, of the function registered above.
    unsafe {
        match now((api.user_data)(context).cast()) {
            Some(ms) => (api.result_double)(context, ms as f64 / DAY_MS),
            None => (api.result_null)(context),
        }
    }
}

/// Milliseconds since the beginning of the Julian period.
///
/// # Safety
/// `vfs` is that of an open connection.
unsafe fn now(vfs: *mut sqlite3_vfs) -> Option<i64> {
    // SAFETY: a VFS has the later routine from its version 2 on; both write one number.
    unsafe {
        let (mut ms, mut day) = (0, 0.0);
        let whole = if (*vfs).iVersion >= 2 { (*vfs).xCurrentTimeInt64 } else { None };
        let code = match (whole, (*vfs).xCurrentTime) {
            (Some(now), _) => now(vfs, &raw mut ms),
            (None, Some(now)) => {
                let code = now(vfs, &raw mut day);
                ms = (day * DAY_MS) as i64;
                code
            }
            (None, None) => return None,
        };
        Some(ms).filter(|ms| code == 0 && *ms > 0)
    }
}
