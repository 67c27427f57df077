//! Read-only table-valued functions: eponymous virtual tables whose arguments are hidden columns.

use super::api::{api, Api};
use super::db::Db;
use super::function::Context;
use super::guard::guarded;
use super::table::{RowCursor, TableFunction};
use super::value::{Value, ValueRef};
use crate::error::{Error, Result};
use sqlite3ext_sys::{sqlite3_index_info, sqlite3_module, sqlite3_vtab, sqlite3_vtab_cursor};
use sqlite_loadable::ext::{sqlite3, sqlite3_context, sqlite3_value, sqlite3ext_create_module_v2};
use std::ffi::{c_char, c_int, c_void, CStr};
use std::ptr::{null_mut, NonNull};
use std::rc::Rc;

const OK: c_int = 0;
const NOMEM: c_int = 7;
const CONSTRAINT: c_int = 19;
const CONSTRAINT_EQ: u8 = 2;

/// A connected table, as SQLite sees it: `base` comes first.
#[repr(C)]
struct Table<T: TableFunction> {
    base: sqlite3_vtab,
    db: Db,
    state: Rc<T::State>,
}

/// An open cursor, as SQLite sees it: `base` comes first.
#[repr(C)]
struct Cursor<T: TableFunction> {
    base: sqlite3_vtab_cursor,
    args: Vec<Option<Value>>,
    /// `None` before the first filter and after the last row.
    rows: Option<T::Cursor>,
}

/// Registers a table-valued function; SQLite drops the `state` with it.
///
/// # Errors
/// SQLite's own; the state is dropped then.
pub(super) fn register<T: TableFunction>(db: Db, name: &CStr, state: Rc<T::State>) -> Result<()> {
    let data = Box::into_raw(Box::new(state));
    // SAFETY: the connection is open, the name a C string, the module static. `data` stays until
    // SQLite calls `destroy`, exactly once, also when registering fails.
    let code = unsafe {
        sqlite3ext_create_module_v2(db.raw(), name.as_ptr(), Methods::<T>::MODULE, data.cast(), Some(destroy::<T>))
    };
    db.check(code)
}

/// Takes a table-valued function away again.
///
/// # Errors
/// SQLite's own.
pub(super) fn unregister(db: Db, name: &CStr) -> Result<()> {
    // SAFETY: the connection is open, the name a C string; no module means: forget the name.
    let code = unsafe { sqlite3ext_create_module_v2(db.raw(), name.as_ptr(), std::ptr::null(), null_mut(), None) };
    db.check(code)
}

struct Methods<T>(std::marker::PhantomData<T>);

impl<T: TableFunction> Methods<T> {
    const MODULE: &'static sqlite3_module = &sqlite3_module {
        iVersion: 0,
        // No xCreate: it exists without CREATE VIRTUAL TABLE, and cannot be created with it.
        xCreate: None,
        xConnect: Some(connect::<T>),
        xBestIndex: Some(best_index::<T>),
        xDisconnect: Some(disconnect::<T>),
        xDestroy: None,
        xOpen: Some(open::<T>),
        xClose: Some(close::<T>),
        xFilter: Some(filter::<T>),
        xNext: Some(next::<T>),
        xEof: Some(eof::<T>),
        xColumn: Some(column::<T>),
        xRowid: Some(rowid::<T>),
        xUpdate: None,
        xBegin: None,
        xSync: None,
        xCommit: None,
        xRollback: None,
        xFindFunction: None,
        xRename: None,
        xSavepoint: None,
        xRelease: None,
        xRollbackTo: None,
        xShadowName: None,
    };
}

/// Puts the error's message where SQLite looks for it, and gives its code.
///
/// # Safety
/// `place` is null, or holds null or a string of the host's allocator.
unsafe fn report(api: &Api, place: *mut *mut c_char, error: &Error) -> c_int {
    // SAFETY: as the caller promises.
    unsafe {
        if !place.is_null() {
            (api.free)((*place).cast());
            *place = api.host_string(error.message());
        }
    }
    error.sqlite_code()
}

/// Runs a method of a table and reports its error there.
///
/// # Safety
/// `table` is a table of this module that SQLite did not disconnect.
unsafe fn method(table: *mut sqlite3_vtab, run: impl FnOnce() -> Result<()>) -> c_int {
    match (guarded(run), api()) {
        (Ok(()), _) => OK,
        // SAFETY: the message is null or came from `report`.
        (Err(error), Some(api)) => unsafe { report(api, &raw mut (*table).zErrMsg, &error) },
        (Err(error), None) => error.sqlite_code(),
    }
}

unsafe extern "C" fn connect<T: TableFunction>(
    db: *mut sqlite3,
    data: *mut c_void,
    _argc: c_int,
    _argv: *const *const c_char,
    table: *mut *mut sqlite3_vtab,
    message: *mut *mut c_char,
) -> c_int {
    let Some(api) = api() else { return NOMEM };
    let connected = guarded(|| {
        // SAFETY: SQLite passes an open connection and what `register` gave it.
        let (db, state) = unsafe { (Db::new(db, api), &*data.cast::<Rc<T::State>>()) };
        // SAFETY: this is the one place where declaring is allowed; a C string.
        db.check(unsafe { (api.declare_vtab)(db.raw(), T::SCHEMA.as_ptr()) })?;
        Ok(Box::new(Table::<T> {
            base: sqlite3_vtab { pModule: std::ptr::null(), nRef: 0, zErrMsg: null_mut() },
            db,
            state: Rc::clone(state),
        }))
    });
    // SAFETY: SQLite passes a place for the table and one for a message.
    unsafe {
        match connected {
            Ok(connected) => {
                *table = Box::into_raw(connected).cast();
                OK
            }
            Err(error) => report(api, message, &error),
        }
    }
}

unsafe extern "C" fn disconnect<T: TableFunction>(table: *mut sqlite3_vtab) -> c_int {
    // SAFETY: the box made in `connect`, without open cursors, not used again.
    let table = unsafe { Box::from_raw(table.cast::<Table<T>>()) };
    // Nobody is left to tell about a panic.
    let _ = guarded(|| {
        T::disconnect(&table.state);
        Ok(())
    });
    let _ = guarded(|| {
        drop(table);
        Ok(())
    });
    OK
}

unsafe extern "C" fn destroy<T: TableFunction>(data: *mut c_void) {
    // SAFETY: the box made in `register`, not used again.
    let state = unsafe { Box::from_raw(data.cast::<Rc<T::State>>()) };
    let _ = guarded(|| {
        drop(state);
        Ok(())
    });
}

/// Takes `hidden = value` as argument; which ones were given goes into `idxNum`, a bit each.
unsafe extern "C" fn best_index<T: TableFunction>(_table: *mut sqlite3_vtab, info: *mut sqlite3_index_info) -> c_int {
    // SAFETY: SQLite passes a structure that is ours to fill during this call, with `nConstraint`
    // constraints and as many usages (both pointers may be null when there are none).
    let (info, constraints, usages) = unsafe {
        let info = &mut *info;
        let (constraint, usage) = (info.aConstraint, info.aConstraintUsage);
        match usize::try_from(info.nConstraint) {
            Ok(n) if n > 0 && !constraint.is_null() && !usage.is_null() => {
                (info, std::slice::from_raw_parts(constraint, n), std::slice::from_raw_parts_mut(usage, n))
            }
            _ => (info, &[][..], &mut [][..]),
        }
    };
    let mut argument = 0;
    let (mut given, mut wanted): (c_int, c_int) = (0, 0);
    for hidden in 0..T::N_HIDDEN.min(30) {
        let column = c_int::try_from(T::FIRST_HIDDEN + hidden).unwrap_or(c_int::MAX);
        for (constraint, usage) in constraints.iter().zip(usages.iter_mut()) {
            if constraint.iColumn != column || constraint.op != CONSTRAINT_EQ {
                continue;
            }
            wanted |= 1 << hidden;
            if constraint.usable != 0 && given & (1 << hidden) == 0 {
                given |= 1 << hidden;
                argument += 1;
                usage.argvIndex = argument;
                usage.omit = 1;
            }
        }
    }
    // An argument that this plan cannot provide: SQLite must find another plan.
    if wanted != given {
        return CONSTRAINT;
    }
    info.idxNum = given;
    info.estimatedCost = 1000.0;
    info.estimatedRows = 1000;
    OK
}

unsafe extern "C" fn open<T: TableFunction>(_table: *mut sqlite3_vtab, cursor: *mut *mut sqlite3_vtab_cursor) -> c_int {
    let fresh = Box::new(Cursor::<T> { base: sqlite3_vtab_cursor { pVtab: null_mut() }, args: Vec::new(), rows: None });
    // SAFETY: SQLite passes a place for the cursor, and sets its `pVtab`.
    unsafe { *cursor = Box::into_raw(fresh).cast() };
    OK
}

unsafe extern "C" fn close<T: TableFunction>(cursor: *mut sqlite3_vtab_cursor) -> c_int {
    // SAFETY: the box made in `open`, not used again.
    let cursor = unsafe { Box::from_raw(cursor.cast::<Cursor<T>>()) };
    let _ = guarded(|| {
        drop(cursor);
        Ok(())
    });
    OK
}

unsafe extern "C" fn filter<T: TableFunction>(
    cursor: *mut sqlite3_vtab_cursor,
    given: c_int,
    _idx_str: *const c_char,
    argc: c_int,
    argv: *mut *mut sqlite3_value,
) -> c_int {
    // SAFETY: a cursor made in `open`, which SQLite uses for nothing else meanwhile, of a table
    // made in `connect`; `argc` arguments that stay as they are during the call.
    unsafe {
        let table = (*cursor).pVtab;
        let this = NonNull::new_unchecked(cursor.cast::<Cursor<T>>()).as_mut();
        method(table, || {
            // Not the whole table: SQL that runs below may report an error in its `base`.
            let table = table.cast::<Table<T>>();
            let (db, state) = ((*table).db, &(*table).state);
            let mut values: &[*mut sqlite3_value] = match usize::try_from(argc) {
                Ok(argc) if argc > 0 && !argv.is_null() => std::slice::from_raw_parts(argv, argc),
                _ => &[],
            };
            this.rows = None;
            this.args.clear();
            for hidden in 0..T::N_HIDDEN {
                let bit = given.checked_shr(hidden as u32).unwrap_or(0) & 1;
                let arg = match values.split_first() {
                    Some((&first, rest)) if bit == 1 => {
                        values = rest;
                        Some(ValueRef::read(db.api(), first).to_value())
                    }
                    _ => None,
                };
                this.args.push(arg);
            }
            let mut rows = T::open(state, &this.args)?;
            this.rows = rows.next()?.then_some(rows);
            Ok(())
        })
    }
}

unsafe extern "C" fn next<T: TableFunction>(cursor: *mut sqlite3_vtab_cursor) -> c_int {
    // SAFETY: as in `filter`.
    unsafe {
        let table = (*cursor).pVtab;
        let this = NonNull::new_unchecked(cursor.cast::<Cursor<T>>()).as_mut();
        method(table, || {
            let more = match &mut this.rows {
                Some(rows) => rows.next()?,
                None => false,
            };
            if !more {
                this.rows = None;
            }
            Ok(())
        })
    }
}

unsafe extern "C" fn eof<T: TableFunction>(cursor: *mut sqlite3_vtab_cursor) -> c_int {
    // SAFETY: a cursor made in `open`.
    let this = unsafe { &*cursor.cast::<Cursor<T>>() };
    c_int::from(this.rows.is_none())
}

unsafe extern "C" fn column<T: TableFunction>(
    cursor: *mut sqlite3_vtab_cursor,
    context: *mut sqlite3_context,
    i: c_int,
) -> c_int {
    // SAFETY: as in `filter`; a context that is alive during the call.
    unsafe {
        let this = &*cursor.cast::<Cursor<T>>();
        method((*cursor).pVtab, || {
            let (Some(api), Ok(i)) = (api(), usize::try_from(i)) else {
                return Ok(());
            };
            let answer = Context::new(context, api);
            match (i.checked_sub(T::FIRST_HIDDEN), &this.rows) {
                (Some(hidden), _) => {
                    if let Some(Some(value)) = this.args.get(hidden) {
                        answer.result(value.as_ref());
                    }
                }
                (None, Some(rows)) => rows.answer(i, answer)?,
                (None, None) => {}
            }
            Ok(())
        })
    }
}

unsafe extern "C" fn rowid<T: TableFunction>(cursor: *mut sqlite3_vtab_cursor, place: *mut i64) -> c_int {
    // SAFETY: as in `filter`; a place for the number.
    unsafe {
        let this = &*cursor.cast::<Cursor<T>>();
        method((*cursor).pVtab, || {
            *place = this.rows.as_ref().map_or(0, RowCursor::rowid);
            Ok(())
        })
    }
}
