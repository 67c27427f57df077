use rusqlite::{auto_extension, ffi, Connection, Result};
use std::ffi::{c_char, c_int};

type Entry = unsafe extern "C" fn(*mut ffi::sqlite3, *mut *mut c_char, *const ffi::sqlite3_api_routines) -> c_int;

fn main() -> Result<()> {
    // SAFETY: one C function; the two crates only have different names for the structures it takes.
    let entry = unsafe { std::mem::transmute::<*const (), Entry>(grove_crdt::sqlite3_grovecrdt_init as *const ()) };
    // SAFETY: it is an extension's entry point.
    unsafe { auto_extension::register_auto_extension(entry)? };

    // Every connection opened from here on has the extension.
    let conn = Connection::open("tasks.db")?;
    conn.execute_batch("CREATE TABLE IF NOT EXISTS tasks(id TEXT PRIMARY KEY NOT NULL, title TEXT)")?;
    conn.query_row("SELECT crdt_enable('tasks')", [], |_| Ok(()))?;
    conn.execute("INSERT OR IGNORE INTO tasks VALUES ('t1', 'Buy milk')", [])?;
    println!("{}", conn.query_row("SELECT crdt_inspect('tasks', 't1')", [], |row| row.get::<_, String>(0))?);
    Ok(())
}
