//! Connections that have the extension.

use std::ffi::{c_char, c_int};
use std::path::Path;
use std::sync::Once;
use std::time::{Duration, Instant};

use rusqlite::{auto_extension, ffi, Connection, ErrorCode, OpenFlags};

type Entry = unsafe extern "C" fn(*mut ffi::sqlite3, *mut *mut c_char, *const ffi::sqlite3_api_routines) -> c_int;

/// How long a connection waits for another's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// The same for one that reads: what it would note down is not worth more.
const READ_TIMEOUT: Duration = Duration::from_millis(50);
/// Between two tries to get a lock that SQLite does not wait for.
const WAIT: Duration = Duration::from_millis(10);
/// How often the write-ahead log is tried to be written back while others still use it.
const TRIES: usize = 20;
/// Statements that a connection keeps prepared.
const CACHED_STATEMENTS: usize = 64;

/// Has every connection opened from here on get the extension.
fn register() -> Result<(), String> {
    static ONCE: Once = Once::new();
    let mut outcome = Ok(());
    ONCE.call_once(|| {
        // SAFETY: one C function; the two crates only have different names for the structures it takes.
        let entry = unsafe { std::mem::transmute::<*const (), Entry>(grove_crdt::sqlite3_grovecrdt_init as *const ()) };
        // SAFETY: it is an extension's entry point.
        outcome = unsafe { auto_extension::register_auto_extension(entry) }.map_err(|e| e.to_string());
    });
    outcome
}

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// To look only: the file must be there.
    Look,
    /// To read; what reading notes down may be lost with the power.
    Read,
    /// To write what must not be lost.
    Write,
    /// The same, of a file that may not be there yet.
    Create,
}

/// Whether any table is enabled in a database, which stays as it is.
pub fn is_tracked(path: &Path) -> Result<bool, String> {
    let found = || {
        // Not only to read: a journal that was left behind is rolled back first.
        let conn = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        if !conn.table_exists(None, "_crdt_table")? {
            return Ok(false);
        }
        conn.query_row("SELECT EXISTS (SELECT 1 FROM _crdt_table WHERE enabled)", [], |row| row.get(0))
    };
    found().map_err(|e: rusqlite::Error| format!("{}: {e}", path.display()))
}

fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.busy_timeout(BUSY_TIMEOUT)?;
    Ok(conn)
}

/// Opens a database.
pub fn open(path: &Path, used: Use) -> Result<Connection, String> {
    register()?;
    let about = |e: rusqlite::Error| format!("{}: {e}", path.display());
    let flags = match used {
        Use::Look => OpenFlags::SQLITE_OPEN_READ_ONLY,
        Use::Read | Use::Write => OpenFlags::SQLITE_OPEN_READ_WRITE,
        Use::Create => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
    };
    let conn = connect(path, flags).map_err(about)?;
    conn.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    if used != Use::Look {
        let durable = if used == Use::Read { "NORMAL" } else { "FULL" };
        to_wal(&conn).map_err(about)?;
        conn.pragma_update(None, "synchronous", durable).map_err(about)?;
    }
    if used == Use::Read {
        conn.busy_timeout(READ_TIMEOUT).map_err(about)?;
    }
    Ok(conn)
}

/// Has the write-ahead log written back and removed, unless somebody else uses the database: of connections that are closed at one
/// time each leaves that to the other.
pub fn write_back(path: &Path) {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    for _ in 0..TRIES {
        if !Path::new(&log).exists() {
            return;
        }
        // Closed at once. Where it cannot be opened the log stays, and loses nothing.
        drop(open(path, Use::Write));
        std::thread::sleep(WAIT);
    }
}

/// Has the database keep a write-ahead log. SQLite does not wait for another connection that is about to write while the
/// database still has a rollback journal: so we do, as long as for any lock.
fn to_wal(conn: &Connection) -> rusqlite::Result<()> {
    let until = Instant::now() + BUSY_TIMEOUT;
    loop {
        match conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0)) {
            Err(e) if e.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && Instant::now() < until => {
                std::thread::sleep(WAIT);
            }
            outcome => return outcome.map(drop),
        }
    }
}
