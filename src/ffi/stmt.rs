//! A prepared statement.

use super::api::{c_text, transient};
use super::db::Db;
use super::value::ValueRef;
use crate::error::{Error, Result};
use sqlite_loadable::ext::sqlite3_stmt;
use std::ffi::c_int;
use std::ptr::NonNull;

const RANGE: c_int = 25;
const ROW: c_int = 100;
const DONE: c_int = 101;
const UTF8: u8 = 1;

/// A prepared statement; finalised when dropped, which must happen before the connection closes.
pub struct Stmt {
    raw: NonNull<sqlite3_stmt>,
    db: Db,
    /// Stepped since the last reset.
    stepped: bool,
    /// Columns of the current row, 0 when there is none.
    columns: c_int,
}

impl Stmt {
    /// `None` for null.
    ///
    /// # Safety
    /// `raw` is null or a statement of `db` that nobody else uses or finalises.
    pub(super) unsafe fn new(raw: *mut sqlite3_stmt, db: Db) -> Option<Stmt> {
        NonNull::new(raw).map(|raw| Stmt { raw, db, stepped: false, columns: 0 })
    }

    fn raw(&self) -> *mut sqlite3_stmt {
        self.raw.as_ptr()
    }

    /// Gives parameter `i` (from 1) a value, which SQLite copies. Resets a statement that ran.
    ///
    /// # Errors
    /// No such parameter; too big; out of memory.
    pub fn bind<'v>(&mut self, i: usize, value: impl Into<ValueRef<'v>>) -> Result<()> {
        self.reset();
        self.bind_one(i, value.into())
    }

    /// Gives the parameters from 1 on their values; those left over keep theirs.
    ///
    /// # Errors
    /// As [`Stmt::bind`].
    pub fn bind_all(&mut self, values: &[ValueRef<'_>]) -> Result<()> {
        self.reset();
        for (i, value) in values.iter().enumerate() {
            self.bind_one(i + 1, *value)?;
        }
        Ok(())
    }

    fn bind_one(&mut self, i: usize, value: ValueRef<'_>) -> Result<()> {
        let api = self.db.api();
        let stmt = self.raw();
        let i = c_int::try_from(i).map_err(|_| Error::sqlite(RANGE, "no such parameter"))?;
        // SAFETY: the statement is alive; SQLite checks the index and copies text and blob before
        // it returns. A Rust slice is never at null, which SQLite would take for NULL.
        let code = unsafe {
            match value {
                ValueRef::Null => (api.bind_null)(stmt, i),
                ValueRef::Integer(number) => (api.bind_int64)(stmt, i, number),
                ValueRef::Real(number) => (api.bind_double)(stmt, i, number),
                ValueRef::Text(text) => {
                    (api.bind_text64)(stmt, i, text.as_ptr().cast(), text.len() as u64, transient(), UTF8)
                }
                ValueRef::Blob(blob) => {
                    (api.bind_blob64)(stmt, i, blob.as_ptr().cast(), blob.len() as u64, transient())
                }
            }
        };
        self.db.check(code)
    }

    /// The names of the parameters from 1 on, with their first character; empty for one that has no name.
    pub fn parameters(&self) -> Vec<String> {
        let (api, stmt) = (self.db.api(), self.raw());
        // SAFETY: the statement is alive; a name is copied before anything else runs.
        unsafe {
            let count = (api.bind_parameter_count)(stmt);
            (1..=count).map(|i| c_text((api.bind_parameter_name)(stmt, i))).collect()
        }
    }

    /// Whether it leaves the database as it is; functions that it calls may do otherwise.
    pub fn is_readonly(&self) -> bool {
        // SAFETY: the statement is alive.
        unsafe { (self.db.api().stmt_readonly)(self.raw()) != 0 }
    }

    /// Runs on to the next row: `true` when there is one, `false` when it is done.
    ///
    /// # Errors
    /// SQLite's own. A statement that is done or failed starts over when stepped again.
    pub fn step(&mut self) -> Result<bool> {
        self.stepped = true;
        self.columns = 0;
        let api = self.db.api();
        // SAFETY: the statement is alive; borrows of the last row ended, `self` being exclusive.
        let code = unsafe { (api.step)(self.raw()) };
        match code {
            ROW => {
                // SAFETY: the statement is alive.
                self.columns = unsafe { (api.data_count)(self.raw()) };
                Ok(true)
            }
            DONE => Ok(false),
            _ => self.db.check(code).map(|()| false),
        }
    }

    /// Back to before the first row, giving up locks; the parameters stay.
    pub fn reset(&mut self) {
        if self.stepped {
            // SAFETY: the statement is alive. The code repeats what `step` said already.
            let _: c_int = unsafe { (self.db.api().reset)(self.raw()) };
            self.stepped = false;
            self.columns = 0;
        }
    }

    /// Resets, and sets every parameter to NULL, giving back their memory.
    pub fn reset_and_clear(&mut self) {
        self.reset();
        // SAFETY: the statement is alive.
        let _: c_int = unsafe { (self.db.api().clear_bindings)(self.raw()) };
    }

    /// Column `i` (from 0) of the current row, in its own type. NULL when there is no row or no
    /// such column.
    pub fn column(&self, i: usize) -> ValueRef<'_> {
        let api = self.db.api();
        let stmt = self.raw();
        let i = match c_int::try_from(i) {
            Ok(i) if i < self.columns => i,
            _ => return ValueRef::Null,
        };
        // SAFETY: the statement is on a row and has this column. The memory lives until the next step, reset or finalise, which take
        // `self` exclusively, or a conversion, which reading a column only ever in its own type never asks for. SQLite calls the value
        // unprotected, as another thread might use the connection meanwhile: none can, for whatever calls us holds its mutex.
        // Asking the statement for type, bytes and length would take that mutex again for each.
        let read = || unsafe { ValueRef::read(api, (api.column_value)(stmt, i)) };
        match read() {
            ValueRef::Text([]) | ValueRef::Blob([]) => {
                // What had to be converted looks empty where there was no memory for it: this has the statement fail.
                // SAFETY: as above.
                unsafe { (api.column_bytes)(stmt, i) };
                read()
            }
            value => value,
        }
    }

    /// Column `i` when it is an INTEGER.
    pub fn i64(&self, i: usize) -> Option<i64> {
        self.column(i).as_i64()
    }

    /// Column `i` when it is UTF-8 TEXT.
    pub fn text(&self, i: usize) -> Option<&str> {
        self.column(i).as_str()
    }

    /// Column `i` when it is TEXT or BLOB.
    pub fn bytes(&self, i: usize) -> Option<&[u8]> {
        self.column(i).as_bytes()
    }

    /// Columns of the result; 0 when it gives none.
    pub fn column_count(&self) -> usize {
        // SAFETY: the statement is alive.
        let count = unsafe { (self.db.api().column_count)(self.raw()) };
        usize::try_from(count).unwrap_or(0)
    }

    /// The name of column `i`; empty when there is none.
    pub fn column_name(&self, i: usize) -> String {
        let i = c_int::try_from(i).unwrap_or(-1);
        // SAFETY: the statement is alive; null for a column that is not there.
        unsafe { c_text((self.db.api().column_name)(self.raw(), i)) }
    }
}

impl Drop for Stmt {
    fn drop(&mut self) {
        // SAFETY: ours, alive, and not used again. The code repeats what `step` said already.
        let _: c_int = unsafe { (self.db.api().finalize)(self.raw()) };
    }
}
