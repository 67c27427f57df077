//! As `tests/common`, for programs that link the extension: `tests/support` stands on either.

use std::ffi::{c_char, c_int};
use std::path::Path;
use std::sync::Once;

use rusqlite::types::ValueRef;
use rusqlite::{ffi, Connection, Params};

type Entry = unsafe extern "C" fn(*mut ffi::sqlite3, *mut *mut c_char, *const ffi::sqlite3_api_routines) -> c_int;

/// Gives the extension to every connection that is opened from now on.
pub fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let entry = grove_crdt::sqlite3_grovecrdt_init as *const ();
        // SAFETY: one C signature; two binding crates name its structures.
        let entry = unsafe { std::mem::transmute::<*const (), Entry>(entry) };
        // SAFETY: our own entry point.
        unsafe { rusqlite::auto_extension::register_auto_extension(entry).unwrap() };
    });
}

/// The connection has the extension, if it was opened after [`register`].
pub fn load(_: &Connection) -> rusqlite::Result<()> {
    Ok(())
}

/// An in-memory database with the extension.
pub fn open() -> Connection {
    register();
    Connection::open_in_memory().unwrap()
}

/// A database file with the extension.
pub fn open_file(path: impl AsRef<Path>) -> Connection {
    register();
    Connection::open(path).unwrap()
}

/// The first column of the first row as text; an empty string for NULL.
///
/// # Panics
/// The statement fails or gives no row.
pub fn text(conn: &Connection, sql: &str, params: impl Params) -> String {
    let first = |row: &rusqlite::Row<'_>| {
        Ok(match row.get_ref(0)? {
            ValueRef::Null => String::new(),
            ValueRef::Integer(number) => number.to_string(),
            ValueRef::Real(number) => number.to_string(),
            ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
            ValueRef::Blob(blob) => hex::encode(blob),
        })
    };
    conn.query_row(sql, params, first).unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// There is no library file to load: what asks for one (a shell) is not for here.
pub fn library() -> std::path::PathBuf {
    std::path::PathBuf::new()
}
