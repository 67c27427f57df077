//! The host's table of routines, checked once and then kept for as long as the library is mapped.

use crate::error::{Error, Result};
use sqlite_loadable::ext::{sqlite3, sqlite3_api_routines, sqlite3_context, sqlite3_stmt, sqlite3_value};
use std::ffi::{c_char, c_double, c_int, c_uchar, c_uint, c_void, CStr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::OnceLock;

/// The oldest SQLite this extension runs on: 3.34.1.
pub(super) const OLDEST_HOST: i32 = 3_034_001;

/// What SQLite calls to free something handed to it.
pub(super) type Destructor = Option<unsafe extern "C" fn(*mut c_void)>;

/// `SQLITE_TRANSIENT`: tells SQLite to make its own copy at once.
pub(super) fn transient() -> Destructor {
    // SAFETY: SQLite compares this address with -1 and never calls it; it is not null, which is
    // all that a function pointer must be.
    unsafe { std::mem::transmute::<isize, Destructor>(-1) }
}

/// Declares [`Api`] with one plain function pointer for each routine that the oldest host has.
macro_rules! routines {
    ($($name:ident: ($($arg:ty),*) $(-> $ret:ty)?;)*) => {
        /// The routines this crate calls. All are there, or the extension did not load.
        pub(super) struct Api {
            /// The address of the table these came from; tells one host library from another.
            pub(super) origin: usize,
            /// `sqlite3_libversion_number()` of the host.
            pub(super) version: i32,
            /// Variadic, so by its own field.
            pub(super) db_config: unsafe extern "C" fn(*mut sqlite3, c_int, ...) -> c_int,
            /// From 3.37 on.
            pub(super) changes64: Option<unsafe extern "C" fn(*mut sqlite3) -> i64>,
            $(pub(super) $name: unsafe extern "C" fn($($arg),*) $(-> $ret)?,)*
        }

        impl Api {
            /// Reads the host's table.
            ///
            /// # Errors
            /// The host is too old, or lacks a routine.
            ///
            /// # Safety
            /// `table` is what SQLite passed to an extension's entry point.
            pub(super) unsafe fn read(table: *const sqlite3_api_routines) -> Result<Api> {
                // SAFETY: the caller vouches for the table. Only fields that the oldest supported
                // host has are read, by place, without a reference to the whole (which could be
                // longer than what an old host allocated), once the version is known.
                unsafe {
                    let version = (*table)
                        .libversion_number
                        .map(|number| number())
                        .ok_or_else(|| missing("libversion_number"))?;
                    if version < OLDEST_HOST {
                        return Err(too_old(version));
                    }
                    // Used through sqlite-loadable, which expects them.
                    (*table)
                        .create_function_v2
                        .ok_or_else(|| missing("create_function_v2"))?;
                    (*table)
                        .create_module_v2
                        .ok_or_else(|| missing("create_module_v2"))?;
                    Ok(Api {
                        origin: table as usize,
                        db_config: (*table).db_config.ok_or_else(|| missing("db_config"))?,
                        version,
                        changes64: if version >= 3_037_000 { (*table).changes64 } else { None },
                        $($name: (*table).$name.ok_or_else(|| missing(stringify!($name)))?,)*
                    })
                }
            }
        }
    };
}

routines! {
    bind_blob64: (*mut sqlite3_stmt, c_int, *const c_void, u64, Destructor) -> c_int;
    bind_double: (*mut sqlite3_stmt, c_int, c_double) -> c_int;
    bind_int64: (*mut sqlite3_stmt, c_int, i64) -> c_int;
    bind_null: (*mut sqlite3_stmt, c_int) -> c_int;
    bind_parameter_count: (*mut sqlite3_stmt) -> c_int;
    bind_parameter_name: (*mut sqlite3_stmt, c_int) -> *const c_char;
    bind_text64: (*mut sqlite3_stmt, c_int, *const c_char, u64, Destructor, c_uchar) -> c_int;
    changes: (*mut sqlite3) -> c_int;
    clear_bindings: (*mut sqlite3_stmt) -> c_int;
    column_bytes: (*mut sqlite3_stmt, c_int) -> c_int;
    column_count: (*mut sqlite3_stmt) -> c_int;
    column_name: (*mut sqlite3_stmt, c_int) -> *const c_char;
    column_value: (*mut sqlite3_stmt, c_int) -> *mut sqlite3_value;
    data_count: (*mut sqlite3_stmt) -> c_int;
    db_readonly: (*mut sqlite3, *const c_char) -> c_int;
    db_status: (*mut sqlite3, c_int, *mut c_int, *mut c_int, c_int) -> c_int;
    declare_vtab: (*mut sqlite3, *const c_char) -> c_int;
    errmsg: (*mut sqlite3) -> *const c_char;
    errstr: (c_int) -> *const c_char;
    extended_errcode: (*mut sqlite3) -> c_int;
    finalize: (*mut sqlite3_stmt) -> c_int;
    free: (*mut c_void);
    get_autocommit: (*mut sqlite3) -> c_int;
    last_insert_rowid: (*mut sqlite3) -> i64;
    limit: (*mut sqlite3, c_int, c_int) -> c_int;
    malloc: (c_int) -> *mut c_void;
    prepare_v3: (*mut sqlite3, *const c_char, c_int, c_uint, *mut *mut sqlite3_stmt, *mut *const c_char) -> c_int;
    reset: (*mut sqlite3_stmt) -> c_int;
    result_blob64: (*mut sqlite3_context, *const c_void, u64, Destructor);
    result_double: (*mut sqlite3_context, c_double);
    result_error: (*mut sqlite3_context, *const c_char, c_int);
    result_error_code: (*mut sqlite3_context, c_int);
    result_int64: (*mut sqlite3_context, i64);
    result_null: (*mut sqlite3_context);
    result_text: (*mut sqlite3_context, *const c_char, c_int, Destructor);
    result_text64: (*mut sqlite3_context, *const c_char, u64, Destructor, c_uchar);
    set_last_insert_rowid: (*mut sqlite3, i64);
    step: (*mut sqlite3_stmt) -> c_int;
    stmt_readonly: (*mut sqlite3_stmt) -> c_int;
    txn_state: (*mut sqlite3, *const c_char) -> c_int;
    user_data: (*mut sqlite3_context) -> *mut c_void;
    context_db_handle: (*mut sqlite3_context) -> *mut sqlite3;
    value_blob: (*mut sqlite3_value) -> *const c_void;
    value_bytes: (*mut sqlite3_value) -> c_int;
    value_double: (*mut sqlite3_value) -> c_double;
    value_int64: (*mut sqlite3_value) -> i64;
    value_type: (*mut sqlite3_value) -> c_int;
}

fn missing(routine: &str) -> Error {
    Error::caller(format!("grove-crdt cannot run on this SQLite: it was built without sqlite3_{routine}"))
}

fn too_old(version: i32) -> Error {
    Error::caller(format!(
        "grove-crdt needs SQLite 3.34.1 or newer, this is {}.{}.{}",
        version / 1_000_000,
        version / 1_000 % 1_000,
        version % 1_000
    ))
}

/// One for each copy of SQLite that used this library since it was mapped. Static, because SQLite
/// may unmap and map the library any number of times, and the heap would keep what nobody frees.
static HOSTS: [OnceLock<Api>; 4] = [const { OnceLock::new() }; 4];

/// The host in use, in [`HOSTS`].
static CURRENT: AtomicUsize = AtomicUsize::new(0);

/// The routines of the host, `None` before the entry point ran. For callbacks, which cannot be
/// told otherwise; everything else carries its own reference.
pub(super) fn api() -> Option<&'static Api> {
    HOSTS.get(CURRENT.load(Ordering::Acquire))?.get()
}

/// Keeps `new` for as long as the library is mapped, and makes [`api`] answer it.
///
/// # Errors
/// Too many copies of SQLite.
pub(super) fn publish(new: Api) -> Result<&'static Api> {
    let origin = new.origin;
    let place = HOSTS.iter().position(|host| host.get().is_none_or(|known| known.origin == origin));
    if let Some(i) = place {
        if let Some(host) = HOSTS.get(i) {
            let api = host.get_or_init(|| new);
            CURRENT.store(i, Ordering::Release);
            return Ok(api);
        }
    }
    Err(Error::caller("grove-crdt was used by too many copies of SQLite in this process"))
}

impl Api {
    /// A copy of `text` in memory that the host can free; null when there is none left.
    /// C strings end at a NUL: those inside are replaced.
    pub(super) fn host_string(&self, text: &str) -> *mut c_char {
        // SAFETY: `malloc` is the host's own routine.
        unsafe { host_string(self.malloc, text) }
    }
}

/// As [`Api::host_string`], with an allocator.
///
/// # Safety
/// `malloc` is the host's `sqlite3_malloc`.
pub(super) unsafe fn host_string(malloc: unsafe extern "C" fn(c_int) -> *mut c_void, text: &str) -> *mut c_char {
    let text = without_nul(text);
    let Ok(size) = c_int::try_from(text.len() + 1) else {
        return std::ptr::null_mut();
    };
    // SAFETY: on success there is room for the text and the final NUL.
    unsafe {
        let memory = malloc(size).cast::<u8>();
        if !memory.is_null() {
            memory.copy_from_nonoverlapping(text.as_ptr(), text.len());
            memory.add(text.len()).write(0);
        }
        memory.cast()
    }
}

/// The text with every NUL made visible.
pub(super) fn without_nul(text: &str) -> std::borrow::Cow<'_, str> {
    if text.contains('\0') {
        text.replace('\0', "\u{fffd}").into()
    } else {
        text.into()
    }
}

/// Copies a C string of the host; null is empty.
///
/// # Safety
/// `text` is null or a NUL-terminated string that nobody changes during the call.
pub(super) unsafe fn c_text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: as the caller promises.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// A slice of memory that SQLite described by address and length; empty when it gave none.
///
/// # Safety
/// A pointer that is not null points at `len` bytes that live, unchanged, for `'a`.
pub(super) unsafe fn bytes<'a>(pointer: *const u8, len: c_int) -> &'a [u8] {
    match usize::try_from(len) {
        // SAFETY: as the caller promises.
        Ok(len) if len > 0 && !pointer.is_null() => unsafe { std::slice::from_raw_parts(pointer, len) },
        _ => &[],
    }
}
