//! JSON as it comes in: checked, and in the spelling that every encoding of a database can hold.

use super::{check, escaped, has_no_character, is_itself};
use crate::error::Result;

/// The JSON of a value, checked and escaped, as [`check`] and [`escaped`] do.
pub fn checked(json: &str) -> Result<String> {
    if !is_certain(json) {
        check(json)?;
        return Ok(escaped(json));
    }
    Ok(json.to_owned())
}

/// Whether [`checked`] takes JSON and leaves it as it is.
pub fn is_checked(json: &str) -> bool {
    is_certain(json) || (check(json).is_ok() && !(json.starts_with('"') && has_no_character(json.as_bytes())))
}

/// Whether JSON is certainly a number or a string that stands for itself.
fn is_certain(json: &str) -> bool {
    match json.as_bytes() {
        [b'"', inner @ .., b'"'] => is_itself(inner),
        // A number that is certainly one of 64 bits.
        [b'0'..=b'9', ..] => json.len() < 19 && json.bytes().all(|b| b.is_ascii_digit()),
        _ => false,
    }
}
