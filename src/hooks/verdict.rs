//! What a hook made of a change: the same with at most another value, or an error that says what is wrong with it. Pure.

use std::rc::Rc;

use crate::change::{Body, Change, Names};
use crate::error::{excerpt, Error, Result};
use crate::ffi::Value;
use crate::value;

/// The change to go on with: `given`, whose JSON is `json`, as `answer` has it.
///
/// # Errors
/// The answer is no change, or differs in more than the value of a lww change.
pub fn judge(given: Change, json: &str, answer: &Value) -> Result<Change> {
    let text = match answer.as_ref().as_str() {
        Some(text) => text,
        None => {
            let kind = match answer {
                Value::Text(_) => "text that is not UTF-8",
                other => other.as_ref().type_name(),
            };
            return Err(Error::caller(format!(
                "it gives a change record as TEXT, or NULL to skip the change, not {kind}"
            )));
        }
    };
    if text == json {
        return Ok(given);
    }
    let got = crate::import::one(text, &mut Names::default())
        .map_err(|e| Error::caller(format!("it gave '{}': {}", excerpt(text), e.message())))?;
    check_frame(&given, &got)?;
    take_value(given, got)
}

/// All but the content must be as it was.
fn check_frame(given: &Change, got: &Change) -> Result<()> {
    let field = |change: &Change| match change.body {
        // A delete may be spelled with an empty field.
        Body::Tombstone { .. } => Rc::from(""),
        _ => Rc::clone(&change.field),
    };
    let what = if !given.table.eq_ignore_ascii_case(&got.table) {
        "table"
    } else if given.pk != got.pk {
        "pk"
    } else if given.body.crdt_type() != got.body.crdt_type() {
        "crdt_type"
    } else if !field(given).eq_ignore_ascii_case(&field(got)) {
        "field"
    } else if given.hlc.node != got.hlc.node {
        "node"
    } else if given.hlc != got.hlc {
        "stamp"
    } else {
        return Ok(());
    };
    Err(Error::caller(format!("it changed the {what}; only the value of a lww change may be altered")))
}

fn take_value(mut given: Change, got: Change) -> Result<Change> {
    let kept = match (&mut given.body, got.body) {
        (Body::Lww { value, prev, altered }, Body::Lww { value: new, prev: seen, .. }) => {
            if seen.is_some() && seen != *prev {
                return Err(Error::caller("it changed 'prev'; only the value of a lww change may be altered"));
            }
            if !same_value(value, &new) {
                *value = new;
                *altered = true;
            }
            true
        }
        (Body::Other { json, .. }, Body::Other { json: new, .. }) => value::minified(json) == value::minified(&new),
        (body, new) => *body == new,
    };
    if kept {
        return Ok(given);
    }
    let what = match given.body.crdt_type() {
        "" => "delete",
        name => name,
    };
    Err(Error::caller(format!(
        "it altered the content of a {what} change; only the value of a lww change may be altered, for replicas would disagree"
    )))
}

/// Whether two values are one for SQL, or one JSON spelled with other white space.
fn same_value(a: &str, b: &str) -> bool {
    let identical = match (value::decode(a), value::decode(b)) {
        (Ok(a), Ok(b)) => value::identical(a.as_ref(), b.as_ref()),
        _ => false,
    };
    identical || value::minified(a) == value::minified(b)
}
