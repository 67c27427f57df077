//! A VFS over the default one that tells an idea of the test's of each I/O before it is done, and lets it fail if the idea says so.
#![allow(dead_code)]

use std::cell::Cell;
use std::ffi::{c_char, c_int, c_void, CStr};
use std::marker::PhantomData;
use std::path::Path;
use std::sync::{Mutex, OnceLock};

use rusqlite::ffi::{self, sqlite3_file, sqlite3_int64, sqlite3_io_methods, sqlite3_vfs};
use rusqlite::{Connection, OpenFlags};

use crate::common::load;

/// Milliseconds from the start of the Julian period to the Unix epoch.
const JULIAN_EPOCH: i64 = 210_866_760_000_000;

/// What is about to be done with a file.
pub enum Io<'a> {
    /// `created`: it is not there yet.
    Open {
        created: bool,
    },
    Read {
        bytes: usize,
    },
    Write {
        bytes: &'a [u8],
        at: u64,
    },
    Truncate(u64),
    Sync,
    Size,
    /// `durable`: the folder is to be synced.
    Delete {
        durable: bool,
    },
    Access,
    Lock,
    /// A part of the shared memory.
    Map,
}

/// What becomes of it.
pub enum Answer {
    Pass,
    /// It fails with this code, and does nothing.
    Fail(c_int),
    /// It fails with this code; half of a write gets there.
    Half(c_int),
}

/// What a test makes of the I/O.
pub trait Idea: 'static {
    /// The VFS's name.
    const NAME: &'static CStr;

    /// Is told what is about to happen to the file `name` (empty for temporary ones).
    fn io(name: &str, io: Io<'_>) -> Answer;

    /// The wall clock, milliseconds since the Unix epoch.
    fn now() -> i64;
}

thread_local! {
    static OPEN: Cell<i64> = const { Cell::new(0) };
}

/// Files that this thread has opened and not closed.
pub fn open_files() -> i64 {
    OPEN.get()
}

/// Opens a database file under an idea.
pub fn open<I: Idea>(path: &Path) -> Connection {
    register::<I>();
    let conn = Connection::open_with_flags_and_vfs(path, OpenFlags::default(), I::NAME).unwrap();
    load(&conn).unwrap();
    conn
}

fn base() -> *mut sqlite3_vfs {
    static BASE: OnceLock<usize> = OnceLock::new();
    // SAFETY: the default VFS lives as long as the process.
    *BASE.get_or_init(|| unsafe { ffi::sqlite3_vfs_find(std::ptr::null()) as usize }) as *mut sqlite3_vfs
}

fn register<I: Idea>() {
    static ONE: Mutex<()> = Mutex::new(());
    let _guard = ONE.lock().unwrap();
    // SAFETY: a leaked copy of the default VFS with other functions; its methods look at `pAppData` only.
    unsafe {
        assert_eq!(ffi::sqlite3_initialize(), ffi::SQLITE_OK);
        if !ffi::sqlite3_vfs_find(I::NAME.as_ptr()).is_null() {
            return;
        }
        let mut vfs = *base();
        vfs.zName = I::NAME.as_ptr();
        vfs.pNext = std::ptr::null_mut();
        vfs.szOsFile = size_of::<File>() as c_int;
        vfs.xOpen = Some(x_open::<I>);
        vfs.xDelete = Some(x_delete::<I>);
        vfs.xAccess = Some(x_access::<I>);
        vfs.xCurrentTime = Some(x_time::<I>);
        vfs.xCurrentTimeInt64 = Some(x_time_int::<I>);
        assert_eq!(ffi::sqlite3_vfs_register(Box::leak(Box::new(vfs)), 0), ffi::SQLITE_OK);
    }
}

/// Our file: the head that SQLite sees, the default VFS's file, and its name.
#[repr(C)]
struct File {
    methods: *const sqlite3_io_methods,
    real: *mut sqlite3_file,
    name: *const c_char,
}

/// A name as SQLite gives it, which stays valid until the file is closed.
unsafe fn text<'a>(name: *const c_char) -> &'a str {
    // SAFETY: by the caller; NULL for temporary files.
    unsafe { name.as_ref().map_or("", |name| CStr::from_ptr(name).to_str().unwrap_or("")) }
}

fn ask<I: Idea>(file: *mut sqlite3_file, io: Io<'_>) -> Answer {
    // SAFETY: SQLite calls methods of files that `x_open` opened.
    I::io(unsafe { text((*file.cast::<File>()).name) }, io)
}

unsafe extern "C" fn x_time_int<I: Idea>(_: *mut sqlite3_vfs, out: *mut sqlite3_int64) -> c_int {
    // SAFETY: SQLite passes a pointer to one integer.
    unsafe { *out = JULIAN_EPOCH + I::now() };
    ffi::SQLITE_OK
}

unsafe extern "C" fn x_time<I: Idea>(_: *mut sqlite3_vfs, out: *mut f64) -> c_int {
    // SAFETY: SQLite passes a pointer to one double.
    unsafe { *out = (JULIAN_EPOCH + I::now()) as f64 / 86_400_000.0 };
    ffi::SQLITE_OK
}

unsafe extern "C" fn x_open<I: Idea>(
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
        let path = text(name);
        if let Answer::Fail(code) | Answer::Half(code) = I::io(path, Io::Open { created: !Path::new(path).exists() }) {
            return code;
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
        OPEN.set(OPEN.get() + 1);
        (*file).real = real;
        (*file).name = name;
        (*file).methods = &Methods::<I>::ALL;
        code
    }
}

unsafe extern "C" fn x_delete<I: Idea>(_: *mut sqlite3_vfs, name: *const c_char, durable: c_int) -> c_int {
    // SAFETY: the default VFS's function, with what SQLite passed.
    unsafe {
        match I::io(text(name), Io::Delete { durable: durable != 0 }) {
            Answer::Pass => (*base()).xDelete.unwrap()(base(), name, 0),
            Answer::Fail(code) | Answer::Half(code) => code,
        }
    }
}

unsafe extern "C" fn x_access<I: Idea>(_: *mut sqlite3_vfs, name: *const c_char, how: c_int, out: *mut c_int) -> c_int {
    // SAFETY: the default VFS's function, with what SQLite passed.
    unsafe {
        match I::io(text(name), Io::Access) {
            Answer::Pass => (*base()).xAccess.unwrap()(base(), name, how, out),
            Answer::Fail(code) | Answer::Half(code) => code,
        }
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

/// Methods that pass the call on if the idea lets them.
macro_rules! told {
    ($($name:ident = $method:ident($($arg:ident: $ty:ty),*) $io:expr;)*) => {
        $(unsafe extern "C" fn $name<I: Idea>(file: *mut sqlite3_file $(, $arg: $ty)*) -> c_int {
            match ask::<I>(file, $io) {
                Answer::Pass => real!(file, $method $(, $arg)*),
                Answer::Fail(code) | Answer::Half(code) => code,
            }
        })*
    };
}

pass! {
    x_unlock = xUnlock(level: c_int) -> c_int;
    x_reserved = xCheckReservedLock(out: *mut c_int) -> c_int;
    x_control = xFileControl(op: c_int, arg: *mut c_void) -> c_int;
    x_sector = xSectorSize() -> c_int;
    x_device = xDeviceCharacteristics() -> c_int;
    x_shm_lock = xShmLock(offset: c_int, n: c_int, flags: c_int) -> c_int;
    x_shm_barrier = xShmBarrier() -> ();
    x_shm_unmap = xShmUnmap(delete: c_int) -> c_int;
}

told! {
    x_read = xRead(to: *mut c_void, n: c_int, at: sqlite3_int64) Io::Read { bytes: n as usize };
    x_truncate = xTruncate(size: sqlite3_int64) Io::Truncate(size as u64);
    x_size = xFileSize(out: *mut sqlite3_int64) Io::Size;
    x_lock = xLock(level: c_int) Io::Lock;
    x_shm_map = xShmMap(page: c_int, size: c_int, extend: c_int, out: *mut *mut c_void) Io::Map;
}

/// Nothing is synced: the tests' power does not fail, and their disks are slow.
unsafe extern "C" fn x_sync<I: Idea>(file: *mut sqlite3_file, _flags: c_int) -> c_int {
    match ask::<I>(file, Io::Sync) {
        Answer::Pass => ffi::SQLITE_OK,
        Answer::Fail(code) | Answer::Half(code) => code,
    }
}

unsafe extern "C" fn x_close(file: *mut sqlite3_file) -> c_int {
    let code = real!(file, xClose);
    // SAFETY: allocated in `x_open`, and not used after its close.
    unsafe { ffi::sqlite3_free((*file.cast::<File>()).real.cast::<c_void>()) };
    OPEN.set(OPEN.get() - 1);
    code
}

unsafe extern "C" fn x_write<I: Idea>(
    file: *mut sqlite3_file,
    from: *const c_void,
    n: c_int,
    at: sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite passes `n` bytes.
    let bytes = unsafe { std::slice::from_raw_parts(from.cast::<u8>(), n as usize) };
    match ask::<I>(file, Io::Write { bytes, at: at as u64 }) {
        Answer::Pass => real!(file, xWrite, from, n, at),
        Answer::Fail(code) => code,
        Answer::Half(code) => {
            real!(file, xWrite, from, n / 2, at);
            code
        }
    }
}

struct Methods<I>(PhantomData<I>);

impl<I: Idea> Methods<I> {
    const ALL: sqlite3_io_methods = sqlite3_io_methods {
        iVersion: 2,
        xClose: Some(x_close),
        xRead: Some(x_read::<I>),
        xWrite: Some(x_write::<I>),
        xTruncate: Some(x_truncate::<I>),
        xSync: Some(x_sync::<I>),
        xFileSize: Some(x_size::<I>),
        xLock: Some(x_lock::<I>),
        xUnlock: Some(x_unlock),
        xCheckReservedLock: Some(x_reserved),
        xFileControl: Some(x_control),
        xSectorSize: Some(x_sector),
        xDeviceCharacteristics: Some(x_device),
        xShmMap: Some(x_shm_map::<I>),
        xShmLock: Some(x_shm_lock),
        xShmBarrier: Some(x_shm_barrier),
        xShmUnmap: Some(x_shm_unmap),
        xFetch: None,
        xUnfetch: None,
    };
}
