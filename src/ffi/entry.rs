//! Where SQLite comes in: the exported symbols, and who is attached to what.

use super::api::{api, host_string, publish, Api};
use super::db::Db;
use super::function::{self, Flags, Function};
use super::guard::guarded;
use super::table::TableFunction;
use super::vtab;
use crate::error::{Error, Result};
use sqlite_loadable::ext::{faux_sqlite_extension_init2, sqlite3, sqlite3_api_routines};
use std::collections::BTreeSet;
use std::ffi::{c_char, c_int, CStr};
use std::rc::Rc;
use std::sync::{Mutex, MutexGuard, PoisonError};

const OK: c_int = 0;
const OK_LOAD_PERMANENTLY: c_int = 256;

/// The connections (by address) that have the extension.
static ATTACHED: Mutex<BTreeSet<usize>> = Mutex::new(BTreeSet::new());

fn attached() -> MutexGuard<'static, BTreeSet<usize>> {
    ATTACHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says that a connection has the extension, for as long as it lives: keep it in the state of
/// what is registered, so that it goes when SQLite drops that on closing.
#[derive(Debug)]
pub struct Attachment(usize);

impl Drop for Attachment {
    fn drop(&mut self) {
        let mut attached = attached();
        attached.remove(&self.0);
        if attached.is_empty() {
            // Gives all memory back: SQLite may unmap the library now.
            *attached = BTreeSet::new();
        }
    }
}

/// Registers functions and tables, and can take it all back.
pub struct Registrar {
    db: Db,
    functions: Vec<(&'static CStr, i32)>,
    tables: Vec<&'static CStr>,
}

impl Registrar {
    #[cfg(test)]
    pub fn for_tests(db: Db) -> Registrar {
        Registrar { db, functions: Vec::new(), tables: Vec::new() }
    }

    /// The connection being extended.
    pub fn db(&self) -> Db {
        self.db
    }

    /// Registers an SQL function; SQLite drops the `state` with it. `n_args` -1 takes any number.
    ///
    /// # Errors
    /// SQLite's own.
    pub fn function<S: 'static>(
        &mut self,
        name: &'static CStr,
        n_args: i32,
        flags: Flags,
        state: &Rc<S>,
        run: Function<S>,
    ) -> Result<()> {
        function::register(self.db, name, n_args, flags, Rc::clone(state), run)?;
        self.functions.push((name, n_args));
        Ok(())
    }

    /// Registers a table-valued function; SQLite drops the `state` with it.
    ///
    /// # Errors
    /// SQLite's own.
    pub fn table<T: TableFunction>(&mut self, name: &'static CStr, state: &Rc<T::State>) -> Result<()> {
        vtab::register::<T>(self.db, name, Rc::clone(state))?;
        self.tables.push(name);
        Ok(())
    }

    /// Takes back all that was registered; `false` when SQLite kept some of it.
    fn undo(self) -> bool {
        let mut gone = true;
        for (name, n_args) in self.functions {
            gone &= function::unregister(self.db, name, n_args).is_ok();
        }
        for name in self.tables {
            gone &= vtab::unregister(self.db, name).is_ok();
        }
        gone
    }
}

/// Registers what the extension has. Harmless when the connection has it already.
///
/// # Errors
/// The host cannot run this, or SQLite refused to register something: all is taken back then.
///
/// # Safety
/// `db` is an open connection and `table` the routines of the SQLite it belongs to.
unsafe fn attach(
    db: *mut sqlite3,
    table: *mut sqlite3_api_routines,
    register: fn(&mut Registrar, Attachment) -> Result<()>,
) -> Result<c_int> {
    let (api, attachment) = {
        let mut attached = attached();
        let api = match api() {
            Some(api) if api.origin == table as usize => api,
            _ => {
                // SAFETY: as the caller promises.
                let api = unsafe { Api::read(table)? };
                if !attached.is_empty() {
                    return Err(Error::caller(
                        "grove-crdt is already in use by another copy of SQLite in this process",
                    ));
                }
                let api = publish(api)?;
                // SAFETY: no connection of another SQLite is left, and none comes before
                // `attached` is unlocked.
                unsafe { faux_sqlite_extension_init2(table) };
                api
            }
        };
        if !attached.insert(db as usize) {
            return Ok(OK);
        }
        (api, Attachment(db as usize))
    };
    let mut registrar = Registrar {
        // SAFETY: as the caller promises; SQLite drops what is registered before it closes.
        db: unsafe { Db::new(db, api) },
        functions: Vec::new(),
        tables: Vec::new(),
    };
    match guarded(|| register(&mut registrar, attachment)) {
        Ok(()) => Ok(OK),
        // Failing, SQLite unmaps the library: only safe when nothing of it is left registered.
        Err(error) if registrar.undo() => Err(error),
        Err(_) => Ok(OK_LOAD_PERMANENTLY),
    }
}

/// The body of every entry point.
///
/// # Safety
/// As SQLite calls an extension's entry point.
unsafe fn entry(
    db: *mut sqlite3,
    message: *mut *mut c_char,
    table: *mut sqlite3_api_routines,
    register: fn(&mut Registrar, Attachment) -> Result<()>,
) -> c_int {
    let outcome = guarded(|| {
        if db.is_null() || table.is_null() {
            return Err(Error::caller("grove-crdt needs an SQLite that can load extensions"));
        }
        // SAFETY: as the caller promises.
        unsafe { attach(db, table, register) }
    });
    match outcome {
        Ok(code) => code,
        Err(error) => {
            // SAFETY: as the caller promises; every SQLite has `malloc`, early in its table.
            unsafe {
                if !message.is_null() && !table.is_null() {
                    if let Some(malloc) = (*table).malloc {
                        *message = host_string(malloc, error.message());
                    }
                }
            }
            error.sqlite_code()
        }
    }
}

/// The entry point that SQLite derives from the library's file name.
///
/// # Safety
/// For SQLite to call: by `load_extension`, or on every new connection after a statically linked
/// program gave it to `sqlite3_auto_extension`.
#[no_mangle]
pub unsafe extern "C" fn sqlite3_grovecrdt_init(
    db: *mut sqlite3,
    message: *mut *mut c_char,
    api: *mut sqlite3_api_routines,
) -> c_int {
    // SAFETY: SQLite calls it as documented.
    unsafe { entry(db, message, api, crate::register) }
}

/// The entry point that SQLite tries first, whatever the file is called.
///
/// # Safety
/// As [`sqlite3_grovecrdt_init`].
#[cfg(feature = "extension-init")]
#[no_mangle]
pub unsafe extern "C" fn sqlite3_extension_init(
    db: *mut sqlite3,
    message: *mut *mut c_char,
    api: *mut sqlite3_api_routines,
) -> c_int {
    // SAFETY: SQLite calls it as documented.
    unsafe { entry(db, message, api, crate::register) }
}
