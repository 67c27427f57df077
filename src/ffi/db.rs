//! A database connection of the host.

use super::api::{c_text, Api};
use super::stmt::Stmt;
use crate::error::{Error, Result};
use sqlite_loadable::ext::sqlite3;
use std::ffi::{c_char, c_int, c_uint, c_void};
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::ptr::{null, null_mut};

const OK: c_int = 0;
const TOOBIG: c_int = 18;
const DBSTATUS_DEFERRED_FKS: c_int = 10;
const DBCONFIG_LOOKASIDE: c_int = 1001;
const DBCONFIG_ENABLE_TRIGGER: c_int = 1003;
const PREPARE_PERSISTENT: c_uint = 1;

/// A connection. Only what SQLite calls into gets one, and whoever keeps one (a function's or a
/// module's state) is dropped by SQLite before the connection is gone: so it is always open.
///
/// It belongs to one thread at a time: SQLite holds the connection's mutex while it calls an
/// extension, hence the state of a connection may be an `Rc`.
#[derive(Clone, Copy)]
pub struct Db {
    raw: *mut sqlite3,
    api: &'static Api,
}

impl Db {
    /// # Safety
    /// `raw` is an open connection of `api`'s host, for as long as the result is used.
    pub(super) unsafe fn new(raw: *mut sqlite3, api: &'static Api) -> Db {
        Db { raw, api }
    }

    pub(super) fn raw(&self) -> *mut sqlite3 {
        self.raw
    }

    pub(super) fn api(&self) -> &'static Api {
        self.api
    }

    /// Prepares one statement that will be kept and run often. What follows the first statement
    /// is ignored.
    ///
    /// # Errors
    /// SQLite's own, or `sql` holds no statement.
    pub fn prepare(&self, sql: &str) -> Result<Stmt> {
        let (stmt, _) = self.prepare_first(sql, PREPARE_PERSISTENT)?;
        stmt.ok_or_else(|| Error::internal("no SQL statement to prepare"))
    }

    /// Prepares `sql` when it holds exactly one statement; None when it holds none or several.
    ///
    /// # Errors
    /// SQLite's own.
    pub fn prepare_only(&self, sql: &str) -> Result<Option<Stmt>> {
        let (mut only, mut rest) = (None, sql);
        while !rest.is_empty() {
            let (stmt, used) = self.prepare_first(rest, 0)?;
            if only.is_some() && stmt.is_some() {
                return Ok(None);
            }
            only = only.or(stmt);
            rest = rest.get(used.max(1)..).unwrap_or("");
        }
        Ok(only)
    }

    /// Runs every statement in `sql`, ignoring the rows they give.
    ///
    /// # Errors
    /// SQLite's own; the statements before the failing one have had their effect.
    pub fn exec(&self, sql: &str) -> Result<()> {
        let mut rest = sql;
        while !rest.is_empty() {
            let (stmt, used) = self.prepare_first(rest, 0)?;
            if let Some(mut stmt) = stmt {
                while stmt.step()? {}
            }
            rest = match used {
                0 => "",
                _ => rest.get(used..).unwrap_or(""),
            };
        }
        Ok(())
    }

    /// Runs the one statement that `sql` is.
    ///
    /// # Errors
    /// SQLite's own; none is run when another follows it.
    pub fn run_alone(&self, sql: &str) -> Result<()> {
        let (stmt, used) = self.prepare_first(sql, 0)?;
        let mut rest = sql.get(used..).unwrap_or("");
        while !rest.is_empty() {
            match self.prepare_first(rest, 0) {
                // A comment, space, a semicolon.
                Ok((None, used)) if used > 0 => rest = rest.get(used..).unwrap_or(""),
                Ok((None, _)) => break,
                Ok((Some(_), _)) | Err(_) => {
                    return Err(Error::caller("one statement is expected; something follows its end"));
                }
            }
        }
        match stmt {
            Some(mut stmt) => {
                while stmt.step()? {}
                Ok(())
            }
            None => Err(Error::caller("no statement to run")),
        }
    }

    /// The first statement in `sql` (`None` for a mere comment or space) and its length in bytes.
    fn prepare_first(&self, sql: &str, flags: c_uint) -> Result<(Option<Stmt>, usize)> {
        let len = c_int::try_from(sql.len()).map_err(|_| Error::sqlite(TOOBIG, "SQL statement too long"))?;
        let start = sql.as_ptr().cast::<c_char>();
        let (mut stmt, mut tail) = (null_mut(), null());
        // SAFETY: the connection is open; SQLite reads at most `len` bytes; both results are ours.
        let code = unsafe { (self.api.prepare_v3)(self.raw, start, len, flags, &mut stmt, &mut tail) };
        self.check(code)?;
        let used = (tail as usize).saturating_sub(start as usize).min(sql.len());
        // SAFETY: a statement just prepared on this connection, owned by nobody else.
        Ok((unsafe { Stmt::new(stmt, *self) }, used))
    }

    /// The transaction on schema `main`: 0 none, 1 reading, 2 writing.
    pub fn txn_state(&self) -> i32 {
        // SAFETY: the connection is open and the name a C string.
        unsafe { (self.api.txn_state)(self.raw, c"main".as_ptr()) }
    }

    /// Whether no explicit transaction is open.
    pub fn autocommit(&self) -> bool {
        // SAFETY: the connection is open.
        unsafe { (self.api.get_autocommit)(self.raw) != 0 }
    }

    /// How many arguments a function may have: programs that run SQL of others set it low.
    /// <https://sqlite.org/c3ref/limit.html>
    pub fn most_arguments(&self) -> usize {
        const SQLITE_LIMIT_FUNCTION_ARG: i32 = 6;
        // SAFETY: the connection is open; a negative value changes nothing.
        let most = unsafe { (self.api.limit)(self.raw, SQLITE_LIMIT_FUNCTION_ARG, -1) };
        usize::try_from(most).unwrap_or(0)
    }

    /// Whether schema `main` cannot be written.
    pub fn is_readonly(&self) -> bool {
        // SAFETY: the connection is open and the name a C string.
        unsafe { (self.api.db_readonly)(self.raw, c"main".as_ptr()) == 1 }
    }

    /// Rows changed by the last INSERT, UPDATE or DELETE.
    pub fn changes(&self) -> i64 {
        // SAFETY: the connection is open.
        unsafe {
            match self.api.changes64 {
                Some(changes64) => changes64(self.raw),
                None => i64::from((self.api.changes)(self.raw)),
            }
        }
    }

    /// The rowid of the last insert.
    pub fn last_insert_rowid(&self) -> i64 {
        // SAFETY: the connection is open.
        unsafe { (self.api.last_insert_rowid)(self.raw) }
    }

    /// The host's version, such as 3040001.
    pub fn version_number(&self) -> i32 {
        self.api.version
    }

    /// Makes the connection answer `rowid` as its last insert's, as if what we inserted had not been.
    pub fn set_last_insert_rowid(&self, rowid: i64) {
        // SAFETY: the connection is open.
        unsafe { (self.api.set_last_insert_rowid)(self.raw, rowid) }
    }

    /// Whether rows break foreign keys that are to be checked at the commit.
    pub fn breaks_deferred_keys(&self) -> bool {
        let (mut now, mut most): (c_int, c_int) = (0, 0);
        // SAFETY: the connection is open; both places are ours.
        let code = unsafe { (self.api.db_status)(self.raw, DBSTATUS_DEFERRED_FKS, &mut now, &mut most, 0) };
        code == OK && now > 0
    }

    /// Gives the connection more memory for small and short-lived things, while it has none of them: 200 KiB, where SQLite's default
    /// is 48. A statement that fires our triggers is compiled with them, which takes a quarter less time where it all fits, and their
    /// registers do not fit the default's slots. <https://sqlite.org/malloc.html#lookaside>
    pub fn widen_lookaside(&self) {
        let (slot, slots): (c_int, c_int) = (2048, 100);
        // SAFETY: the connection is open; this option takes a pointer, null for memory of SQLite's own, and two ints. It refuses while any
        // of that memory is in use, and all stays as it is then.
        unsafe {
            (self.api.db_config)(self.raw, DBCONFIG_LOOKASIDE, null_mut::<c_void>(), slot, slots);
        }
    }

    /// Runs `work` with triggers off, on this connection. A change makes SQLite prepare every statement of it anew.
    ///
    /// # Errors
    /// SQLite's own.
    pub fn without_triggers<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let before = self.triggers(-1)?;
        self.triggers(0)?;
        let outcome = catch_unwind(AssertUnwindSafe(work));
        let back = self.triggers(before);
        let outcome = outcome.unwrap_or_else(|panic| resume_unwind(panic))?;
        back.map(|_| outcome)
    }

    /// Lets triggers fire (1) or not (0), or leaves them as they are (-1); how they are now.
    fn triggers(&self, set: c_int) -> Result<c_int> {
        let mut now: c_int = 0;
        let place: *mut c_int = &mut now;
        // SAFETY: the connection is open; this option takes an int and a pointer to an int.
        let code = unsafe { (self.api.db_config)(self.raw, DBCONFIG_ENABLE_TRIGGER, set, place) };
        self.check(code).map(|()| now)
    }

    /// What the last failed call on this connection said.
    pub fn error(&self) -> Error {
        // SAFETY: the connection is open; the message is copied before anything else runs.
        unsafe {
            let code = (self.api.extended_errcode)(self.raw);
            Error::sqlite(code, c_text((self.api.errmsg)(self.raw)))
        }
    }

    /// Turns a result code into a `Result`.
    pub(super) fn check(&self, code: c_int) -> Result<()> {
        if code == OK {
            return Ok(());
        }
        // SAFETY: the connection is open.
        let known = unsafe { (self.api.extended_errcode)(self.raw) };
        if known & 0xff == code & 0xff {
            return Err(self.error());
        }
        // The connection does not know about this one (misuse).
        // SAFETY: gives a static string for any code.
        let message = unsafe { c_text((self.api.errstr)(code)) };
        Err(Error::sqlite(code, message))
    }
}
