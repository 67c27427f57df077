//! A connection for unit tests.

use super::api::api;
use super::db::Db;
use rusqlite::Connection;
use std::sync::Once;

/// Makes SQLite attach the extension to every connection opened from now on.
pub fn attach_always() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the same C signature, the structures under the names of two binding crates.
        unsafe {
            rusqlite::auto_extension::register_auto_extension(std::mem::transmute::<
                *const (),
                rusqlite::auto_extension::RawAutoExtension,
            >(super::sqlite3_grovecrdt_init as *const ()))
            .unwrap();
        }
    });
}

/// The connection as this crate sees it; not to be used after `conn` is closed.
pub fn db_of(conn: &Connection) -> Db {
    // SAFETY: open; the entry point ran before, on this SQLite.
    unsafe { Db::new(conn.handle().cast(), api().unwrap()) }
}

/// A new in-memory database with the extension. Drop statements before the connection.
pub fn open() -> (Db, Connection) {
    attach_always();
    let conn = Connection::open_in_memory().unwrap();
    (db_of(&conn), conn)
}
