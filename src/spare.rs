//! Values that nobody has, for rows that are to let go of theirs for the moment.

use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};

use crate::conn::Conn;
use crate::error::Result;
use crate::ffi::Value;
use crate::schema::shape::Affinity;
use crate::schema::Form;
use crate::types::Type;
use crate::{apply, row};

/// How a row is moved out of the way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// By values of the same type.
    Alike,
    /// By NULL, where it may be: it needs no parent.
    Null,
    /// By values of the same type, with the checks of foreign keys put off.
    Later,
}

/// The ways, in the order in which they are tried.
pub const WAYS: [Way; 3] = [Way::Alike, Way::Null, Way::Later];

impl Way {
    /// Whether the checks of foreign keys are to be put off.
    pub fn puts_off(self) -> bool {
        self == Way::Later
    }
}

/// A value for a tracked column, by its place, that nobody has; `live` is the one that it holds.
pub fn value(conn: &Conn, form: &Form, place: usize, live: Option<&Value>, way: Way) -> Result<Value> {
    let Some(tracked) = form.tracked.get(place) else { return Ok(Value::Null) };
    let column = &tracked.column;
    // NULL would go on to rows that refer to the value, and stay there.
    let nullable = !column.not_null && !conn.foreign.borrow().names(&form.shape.name, &column.name);
    if way == Way::Null && nullable && tracked.ty == Type::Lww {
        return Ok(Value::Null);
    }
    let random = conn.int("SELECT random()", &[])?.unwrap_or_default() & i64::MAX;
    // What the application's triggers ask of a value may hold of one that begins like it.
    let text = |live: &[u8]| Value::Text([live, format!("~{random:x}").as_bytes()].concat());
    Ok(match (tracked.ty, column.affinity, live) {
        (Type::Counter, ..) | (_, Affinity::Integer | Affinity::Numeric, _) => Value::Integer(random),
        (Type::Set, ..) => Value::Text(format!("[\"{random:x}\"]").into_bytes()),
        (_, Affinity::Real, _) => Value::Real(random as f64),
        (_, Affinity::Text | Affinity::Blob, Some(Value::Text(live))) => text(live),
        (_, Affinity::Text, _) => text(b""),
        (_, Affinity::Blob, Some(Value::Integer(_))) => Value::Integer(random),
        (_, Affinity::Blob, Some(Value::Real(_))) => Value::Real(random as f64),
        (_, Affinity::Blob, _) => Value::Blob(random.to_be_bytes().to_vec()),
    })
}

/// Gives a row such values, whatever CHECK says; the reason, where it is refused.
pub fn write(conn: &Conn, form: &Form, key: &[Value], cells: &[(usize, Value)]) -> Result<Option<String>> {
    let write = || match row::update_once(conn, form, key, cells) {
        Ok(()) => Ok(None),
        Err(e) => apply::refused(conn, e).map(Some),
    };
    match write()? {
        Some(reason) if reason.starts_with("CHECK ") => without_checks(conn, write).unwrap_or(Ok(Some(reason))),
        refusal => Ok(refusal),
    }
}

/// Runs `work` with CHECK constraints off; None where they cannot be switched. What is prepared meanwhile must not be kept.
fn without_checks<T>(conn: &Conn, work: impl FnOnce() -> T) -> Option<T> {
    // It acts when it is prepared. Without a space: an interrupt must not keep it from that.
    const ON: &str = "PRAGMA\"ignore_check_constraints\"=1;";
    const OFF: &str = "PRAGMA\"ignore_check_constraints\"=0;";
    if conn.int("PRAGMA ignore_check_constraints", &[]).ok()? == Some(1) {
        return Some(work());
    }
    conn.db.exec(ON).ok()?;
    let outcome = catch_unwind(AssertUnwindSafe(work));
    // Once more if memory ran out.
    let _ = conn.db.exec(OFF).or_else(|_| conn.db.exec(OFF));
    Some(outcome.unwrap_or_else(|panic| resume_unwind(panic)))
}
