//! A VFS over the default one whose n-th I/O fails, with a wall clock that stands still.
#![allow(dead_code)]

use std::cell::Cell;
use std::ffi::{c_char, c_int, c_void};
use std::sync::OnceLock;

use rusqlite::ffi::{self, sqlite3_file, sqlite3_int64, sqlite3_io_methods, sqlite3_vfs};
use rusqlite::{Connection, OpenFlags};

use crate::common::load;

/// What the failing I/O does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// An I/O error, once.
    Once,
    /// An I/O error, and from then on always.
    Always,
    /// Writes find the disk full, from then on; half of the first write gets there.
    Full,
}

#[derive(Clone, Copy)]
struct Plan {
    /// I/Os still to succeed.
    left: u64,
    fault: Fault,
    fired: bool,
}

thread_local! {
    static PLAN: Cell<Option<Plan>> = const { Cell::new(None) };
}

/// Lets the `n`-th I/O of this thread fail (from 1).
pub fn arm(n: u64, fault: Fault) {
    PLAN.set(Some(Plan { left: n, fault, fired: false }));
}

/// Ends it; whether any I/O failed.
pub fn disarm() -> bool {
    PLAN.take().is_some_and(|plan| plan.fired)
}

/// Whether this I/O is to fail, and whether it is the first to.
fn fails(write: bool) -> Option<(Fault, bool)> {
    let mut plan = PLAN.get()?;
    if plan.fault == Fault::Full && !write {
        return None;
    }
    plan.left = plan.left.saturating_sub(1);
    let fires = plan.left == 0 && !(plan.fired && plan.fault == Fault::Once);
    let first = fires && !plan.fired;
    plan.fired |= fires;
    PLAN.set(Some(plan));
    fires.then_some((plan.fault, first))
}

/// Opens a database file whose I/O can fail.
pub fn open(path: &std::path::Path) -> Connection {
    register();
    let conn = Connection::open_with_flags_and_vfs(path, OpenFlags::default(), "faulty").unwrap();
    load(&conn).unwrap();
    conn
}

/// Our file: the head that SQLite sees, and the default VFS's file.
#[repr(C)]
struct File {
    methods: *const sqlite3_io_methods,
    real: *mut sqlite3_file,
}

fn base() -> *mut sqlite3_vfs {
    static BASE: OnceLock<usize> = OnceLock::new();
    // SAFETY: the default VFS lives as long as the process.
    *BASE.get_or_init(|| unsafe { ffi::sqlite3_vfs_find(std::ptr::null()) as usize }) as *mut sqlite3_vfs
}

fn register() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    // SAFETY: a leaked copy of the default VFS with other functions; its methods look at `pAppData` only.
    ONCE.call_once(|| unsafe {
        assert_eq!(ffi::sqlite3_initialize(), ffi::SQLITE_OK);
        let mut vfs = *base();
        vfs.zName = c"faulty".as_ptr();
        vfs.pNext = std::ptr::null_mut();
        vfs.szOsFile = size_of::<File>() as c_int;
        vfs.xOpen = Some(x_open);
        vfs.xCurrentTimeInt64 = Some(time);
        assert_eq!(ffi::sqlite3_vfs_register(Box::leak(Box::new(vfs)), 0), ffi::SQLITE_OK);
    });
}

unsafe extern "C" fn time(_: *mut sqlite3_vfs, out: *mut sqlite3_int64) -> c_int {
    // SAFETY: SQLite passes a pointer to one integer.
    unsafe { *out = 210_866_760_000_000 + 1_780_000_000_000 };
    ffi::SQLITE_OK
}

unsafe extern "C" fn x_open(
    _: *mut sqlite3_vfs,
    name: *const c_char,
    file: *mut sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: SQLite gives us `szOsFile` bytes for `file`; the default VFS gets as many as it asks for.
    unsafe {
        let file = file.cast::<File>();
        (*file).methods = std::ptr::null();
        if fails(false).is_some() {
            return ffi::SQLITE_CANTOPEN;
        }
        let real = ffi::sqlite3_malloc((*base()).szOsFile).cast::<sqlite3_file>();
        if real.is_null() {
            return ffi::SQLITE_NOMEM;
        }
        std::ptr::write_bytes(real.cast::<u8>(), 0, (*base()).szOsFile as usize);
        let code = (*base()).xOpen.unwrap()(base(), name, real, flags, out);
        if code != ffi::SQLITE_OK {
            ffi::sqlite3_free(real.cast::<c_void>());
            return code;
        }
        (*file).real = real;
        (*file).methods = &METHODS;
        code
    }
}

/// Calls a method of the real file.
macro_rules! real {
    ($file:expr, $method:ident $(, $arg:expr)*) => {{
        // SAFETY: SQLite calls methods of files that `x_open` opened.
        unsafe {
            let real = (*$file.cast::<File>()).real;
            (*(*real).pMethods).$method.unwrap()(real $(, $arg)*)
        }
    }};
}

/// Methods that only pass the call on.
macro_rules! pass {
    ($($name:ident = $method:ident($($arg:ident: $ty:ty),*) -> $ret:ty;)*) => {
        $(unsafe extern "C" fn $name(file: *mut sqlite3_file $(, $arg: $ty)*) -> $ret { real!(file, $method $(, $arg)*) })*
    };
}

pass! {
    x_lock = xLock(level: c_int) -> c_int;
    x_unlock = xUnlock(level: c_int) -> c_int;
    x_reserved = xCheckReservedLock(out: *mut c_int) -> c_int;
    x_control = xFileControl(op: c_int, arg: *mut c_void) -> c_int;
    x_sector = xSectorSize() -> c_int;
    x_device = xDeviceCharacteristics() -> c_int;
    x_shm_map = xShmMap(page: c_int, size: c_int, extend: c_int, out: *mut *mut c_void) -> c_int;
    x_shm_lock = xShmLock(offset: c_int, n: c_int, flags: c_int) -> c_int;
    x_shm_barrier = xShmBarrier() -> ();
    x_shm_unmap = xShmUnmap(delete: c_int) -> c_int;
}

unsafe extern "C" fn x_close(file: *mut sqlite3_file) -> c_int {
    let code = real!(file, xClose);
    // SAFETY: allocated in `x_open`, and not used after its close.
    unsafe { ffi::sqlite3_free((*file.cast::<File>()).real.cast::<c_void>()) };
    code
}

unsafe extern "C" fn x_read(file: *mut sqlite3_file, to: *mut c_void, n: c_int, at: sqlite3_int64) -> c_int {
    match fails(false) {
        Some(_) => ffi::SQLITE_IOERR_READ,
        None => real!(file, xRead, to, n, at),
    }
}

unsafe extern "C" fn x_write(file: *mut sqlite3_file, from: *const c_void, n: c_int, at: sqlite3_int64) -> c_int {
    match fails(true) {
        Some((Fault::Full, true)) => {
            real!(file, xWrite, from, n / 2, at);
            ffi::SQLITE_FULL
        }
        Some((Fault::Full, false)) => ffi::SQLITE_FULL,
        Some(_) => ffi::SQLITE_IOERR_WRITE,
        None => real!(file, xWrite, from, n, at),
    }
}

unsafe extern "C" fn x_truncate(file: *mut sqlite3_file, size: sqlite3_int64) -> c_int {
    match fails(false) {
        Some(_) => ffi::SQLITE_IOERR_TRUNCATE,
        None => real!(file, xTruncate, size),
    }
}

unsafe extern "C" fn x_sync(file: *mut sqlite3_file, flags: c_int) -> c_int {
    match fails(false) {
        Some(_) => ffi::SQLITE_IOERR_FSYNC,
        None => real!(file, xSync, flags),
    }
}

unsafe extern "C" fn x_size(file: *mut sqlite3_file, out: *mut sqlite3_int64) -> c_int {
    match fails(false) {
        Some(_) => ffi::SQLITE_IOERR_FSTAT,
        None => real!(file, xFileSize, out),
    }
}

static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(x_close),
    xRead: Some(x_read),
    xWrite: Some(x_write),
    xTruncate: Some(x_truncate),
    xSync: Some(x_sync),
    xFileSize: Some(x_size),
    xLock: Some(x_lock),
    xUnlock: Some(x_unlock),
    xCheckReservedLock: Some(x_reserved),
    xFileControl: Some(x_control),
    xSectorSize: Some(x_sector),
    xDeviceCharacteristics: Some(x_device),
    xShmMap: Some(x_shm_map),
    xShmLock: Some(x_shm_lock),
    xShmBarrier: Some(x_shm_barrier),
    xShmUnmap: Some(x_shm_unmap),
    xFetch: None,
    xUnfetch: None,
};
