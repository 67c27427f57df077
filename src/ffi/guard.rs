//! Keeps panics on this side of the C boundary.

use crate::error::{Error, Result};
use std::any::Any;
use std::panic::{catch_unwind, AssertUnwindSafe};

/// Runs `f`; a panic in it becomes an [`Error::internal`].
///
/// What `f` touched may be half changed then: the states of this crate are caches, rebuilt from
/// the database, whose transaction the failing statement rolls back.
pub(super) fn guarded<T>(f: impl FnOnce() -> Result<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(outcome) => outcome,
        Err(payload) => Err(bug(payload)),
    }
}

fn bug(payload: Box<dyn Any + Send>) -> Error {
    let text = match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => match payload.downcast::<&'static str>() {
            Ok(text) => (*text).to_owned(),
            Err(payload) => {
                // Dropping an odd payload could panic again: better to leak it.
                std::mem::forget(payload);
                "unknown".to_owned()
            }
        },
    };
    Error::internal(format!("grove-crdt: internal error (a bug, please report): {text}"))
}
