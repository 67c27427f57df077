//! SQL functions.

use super::api::{api, transient, without_nul, Api};
use super::db::Db;
use super::guard::guarded;
use super::value::{Value, ValueRef};
use crate::error::{Error, Result};
use sqlite_loadable::ext::{sqlite3_context, sqlite3_value, sqlite3ext_create_function_v2};
use std::ffi::{c_char, c_int, c_void, CStr};
use std::marker::PhantomData;
use std::ops::BitOr;
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};

const UTF8: u8 = 1;
/// `SQLITE_UTF8_ZT`: a NUL follows the text.
const UTF8_TERMINATED: u8 = 16;
/// The first version that knows it for certain.
const SAYS_TERMINATED: i32 = 3_053_000;

/// Texts of so many bytes and more are handed to SQLite instead of copied.
const LONG: usize = 64 * 1024;
/// SQLite measures a text up to here.
const LONGEST: usize = 1 << 30;

/// What SQLite may assume about a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(c_int);

impl Flags {
    /// Same arguments, same answer.
    pub const DETERMINISTIC: Flags = Flags(0x800);
    /// Only from top-level SQL: not from views, triggers, or other parts of a schema.
    pub const DIRECTONLY: Flags = Flags(0x8_0000);
    /// Harmless in a schema that cannot be trusted.
    pub const INNOCUOUS: Flags = Flags(0x20_0000);
}

impl BitOr for Flags {
    type Output = Flags;

    fn bitor(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

/// What a function answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Out {
    /// NULL.
    Null,
    /// INTEGER.
    Int(i64),
    /// TEXT.
    Text(String),
    /// A value as read from the database.
    Value(Value),
}

/// Where an answer goes.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    raw: *mut sqlite3_context,
    api: &'static Api,
    call: PhantomData<&'a ()>,
}

impl Context<'_> {
    /// # Safety
    /// `raw` is a context of `api`'s host that outlives the result.
    pub(super) unsafe fn new(raw: *mut sqlite3_context, api: &'static Api) -> Self {
        Context { raw, api, call: PhantomData }
    }

    /// Answers NULL.
    pub fn result_null(&self) {
        // SAFETY: the context is alive.
        unsafe { (self.api.result_null)(self.raw) }
    }

    /// Answers an INTEGER.
    pub fn result_i64(&self, number: i64) {
        // SAFETY: the context is alive.
        unsafe { (self.api.result_int64)(self.raw, number) }
    }

    /// Answers a REAL; NaN becomes NULL.
    pub fn result_f64(&self, number: f64) {
        // SAFETY: the context is alive.
        unsafe { (self.api.result_double)(self.raw, number) }
    }

    /// Answers a TEXT; beyond the connection's length limit, the error SQLITE_TOOBIG.
    pub fn result_text(&self, text: &[u8]) {
        let (start, len) = (text.as_ptr().cast(), text.len() as u64);
        // SAFETY: the context is alive; SQLite copies the text, which is never at null.
        unsafe { (self.api.result_text64)(self.raw, start, len, transient(), UTF8) }
    }

    /// Answers a long TEXT without copying it.
    fn result_long_text(&self, text: String) {
        let len = text.len();
        // A host that can be told so needs not look for the NUL.
        let told = self.api.version >= SAYS_TERMINATED;
        if !told && text.contains('\0') {
            return self.result_text(text.as_bytes());
        }
        let start = lend(text);
        // SAFETY: the context is alive; a NUL stands after the text, and nowhere before it where the host is to find it.
        // SQLite calls `free_text` once, also when it refuses the text.
        unsafe {
            match told {
                true => (self.api.result_text64)(self.raw, start, len as u64, Some(free_text), UTF8_TERMINATED),
                false => (self.api.result_text)(self.raw, start, -1, Some(free_text)),
            }
        }
    }

    /// Answers a BLOB; beyond the connection's length limit, the error SQLITE_TOOBIG.
    pub fn result_blob(&self, blob: &[u8]) {
        let (start, len) = (blob.as_ptr().cast(), blob.len() as u64);
        // SAFETY: the context is alive; SQLite copies the blob, which is never at null.
        unsafe { (self.api.result_blob64)(self.raw, start, len, transient()) }
    }

    /// Makes the statement fail with the error's message and code.
    pub fn result_error(&self, error: &Error) {
        let message = without_nul(error.message());
        let len = c_int::try_from(message.len()).unwrap_or(c_int::MAX);
        // SAFETY: the context is alive; SQLite copies the message. The code comes second: it
        // keeps a message that is there already.
        unsafe {
            (self.api.result_error)(self.raw, message.as_ptr().cast(), len);
            (self.api.result_error_code)(self.raw, error.sqlite_code());
        }
    }

    /// Answers a value.
    pub fn result(&self, value: ValueRef<'_>) {
        match value {
            ValueRef::Null => self.result_null(),
            ValueRef::Integer(number) => self.result_i64(number),
            ValueRef::Real(number) => self.result_f64(number),
            ValueRef::Text(text) => self.result_text(text),
            ValueRef::Blob(blob) => self.result_blob(blob),
        }
    }

    /// Answers what a function gave.
    pub fn result_out(&self, out: Out) {
        match out {
            Out::Null => self.result_null(),
            Out::Int(number) => self.result_i64(number),
            Out::Text(text) if (LONG..LONGEST).contains(&text.len()) => self.result_long_text(text),
            Out::Text(text) => self.result_text(text.as_bytes()),
            Out::Value(value) => self.result(value.as_ref()),
        }
    }
}

/// Texts that SQLite holds: address and length, the NUL included.
static LENT: Mutex<Vec<(usize, usize)>> = Mutex::new(Vec::new());

/// A text with a NUL after it, until [`free_text`] is called with it.
fn lend(text: String) -> *const c_char {
    let mut bytes = text.into_bytes();
    bytes.push(0);
    let len = bytes.len();
    let start: *mut u8 = Box::into_raw(bytes.into_boxed_slice()).cast();
    LENT.lock().unwrap_or_else(PoisonError::into_inner).push((start as usize, len));
    start.cast()
}

/// Frees a text that was handed over.
unsafe extern "C" fn free_text(text: *mut c_void) {
    let mut lent = LENT.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(place) = lent.iter().position(|(start, _)| *start == text as usize) else { return };
    let (_, len) = lent.swap_remove(place);
    if lent.is_empty() {
        *lent = Vec::new(); // the library may be unmapped
    }
    drop(lent);
    // SAFETY: the boxed bytes of `lend`, so many of them, given up there and not used again.
    drop(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(text.cast::<u8>(), len)) });
}

/// One call of a function: its arguments, its connection, the state it was registered with.
pub struct Call<'a, S> {
    db: Db,
    state: &'a Rc<S>,
    args: &'a [*mut sqlite3_value],
}

impl<'a, S> Call<'a, S> {
    /// What the function was registered with.
    pub fn state(&self) -> &'a Rc<S> {
        self.state
    }

    /// How many arguments there are.
    pub fn len(&self) -> usize {
        self.args.len()
    }

    /// Argument `i` (from 0), in its own type; NULL when there is none.
    pub fn arg(&self, i: usize) -> ValueRef<'a> {
        match self.args.get(i) {
            // SAFETY: SQLite keeps the arguments, as they are, until the function returns, and
            // `'a` ends before that.
            Some(&value) => unsafe { ValueRef::read(self.db.api(), value) },
            None => ValueRef::Null,
        }
    }
}

/// What a Rust implementation of a function looks like.
pub type Function<S> = fn(&Call<'_, S>) -> Result<Out>;

/// What SQLite keeps for a registered function.
struct Registered<S> {
    state: Rc<S>,
    run: Function<S>,
}

/// Registers a function; SQLite drops the `state` with it. `n_args` -1 takes any number.
///
/// # Errors
/// SQLite's own; the state is dropped then.
pub(super) fn register<S: 'static>(
    db: Db,
    name: &CStr,
    n_args: i32,
    flags: Flags,
    state: Rc<S>,
    run: Function<S>,
) -> Result<()> {
    let data = Box::into_raw(Box::new(Registered { state, run }));
    // SAFETY: the connection is open, the name a C string. `data` stays until SQLite calls
    // `destroy`, exactly once, also when registering fails.
    let code = unsafe {
        sqlite3ext_create_function_v2(
            db.raw(),
            name.as_ptr(),
            n_args,
            c_int::from(UTF8) | flags.0,
            data.cast(),
            Some(call::<S>),
            None,
            None,
            Some(destroy::<S>),
        )
    };
    db.check(code)
}

/// Takes a function away again.
///
/// # Errors
/// A statement is running.
pub(super) fn unregister(db: Db, name: &CStr, n_args: i32) -> Result<()> {
    let nothing = std::ptr::null_mut();
    // SAFETY: the connection is open, the name a C string; no function means: forget the name.
    let code = unsafe {
        let (name, utf8) = (name.as_ptr(), c_int::from(UTF8));
        sqlite3ext_create_function_v2(db.raw(), name, n_args, utf8, nothing, None, None, None, None)
    };
    db.check(code)
}

/// What SQLite calls.
unsafe extern "C" fn call<S: 'static>(context: *mut sqlite3_context, argc: c_int, argv: *mut *mut sqlite3_value) {
    let Some(api) = api() else { return };
    // SAFETY: SQLite passes a context that is alive, of a function registered above (so its
    // data is a `Registered<S>`, which is not destroyed while it runs), on an open connection,
    // and `argc` arguments.
    let (answer, registered, db, args) = unsafe {
        let registered = (api.user_data)(context).cast::<Registered<S>>().cast_const();
        let args: &[*mut sqlite3_value] = match usize::try_from(argc) {
            Ok(argc) if argc > 0 && !argv.is_null() => std::slice::from_raw_parts(argv, argc),
            _ => &[],
        };
        (Context::new(context, api), &*registered, Db::new((api.context_db_handle)(context), api), args)
    };
    let state = &registered.state;
    let outcome = guarded(|| {
        let out = (registered.run)(&Call { db, state, args })?;
        answer.result_out(out);
        Ok(())
    });
    if let Err(error) = outcome {
        answer.result_error(&error);
    }
}

/// What SQLite calls when it forgets the function.
unsafe extern "C" fn destroy<S>(data: *mut c_void) {
    // SAFETY: the box made in `register`, not used again.
    let registered = unsafe { Box::from_raw(data.cast::<Registered<S>>()) };
    // Nobody is left to tell about a panic.
    let _ = guarded(|| {
        drop(registered);
        Ok(())
    });
}
