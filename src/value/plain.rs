//! JSON in the one spelling that a column gives its value, read without making a value of its own.

use std::borrow::Cow;

use super::{has_no_character, identical, is_itself, unescaped, Form};
use crate::ffi::ValueRef;

/// The value of JSON that is certainly spelled as a column of that form would spell it: what [`encode`] makes of the value is
/// `json`. None where that takes a closer look.
pub fn plain(json: &str, form: Form) -> Option<Plain<'_>> {
    let number = |json: &str| json.parse().ok().map(Plain::Integer);
    match json.as_bytes() {
        b"null" => Some(Plain::Null),
        [b'"', inner @ .., b'"'] if form == Form::Plain && is_itself(inner) => {
            json.get(1..json.len() - 1).map(|text| Plain::Text(Cow::Borrowed(text)))
        }
        [b'"', first, ..] if form != Form::Json || !matches!(first, b'{' | b'[') => {
            let text = unescaped(json).map(Cow::Borrowed).or_else(|| usually_escaped(json).map(Cow::Owned))?;
            (!has_no_character(text.as_bytes())).then_some(Plain::Text(text))
        }
        [b'0' | b'1'] if form == Form::Bool => None,
        b"true" if form == Form::Bool => Some(Plain::Integer(1)),
        b"false" if form == Form::Bool => Some(Plain::Integer(0)),
        [b'0'..=b'9'] => number(json),
        [b'1'..=b'9', rest @ ..] | [b'-', b'1'..=b'9', rest @ ..] if rest.iter().all(u8::is_ascii_digit) => {
            number(json)
        }
        _ => None,
    }
}

/// Whether a cell of a column of that form certainly holds the value that [`plain`] makes of `json`.
pub fn holds_plainly(cell: ValueRef<'_>, json: &str, form: Form) -> bool {
    if let (ValueRef::Text(text), [b'"', inner @ .., b'"'], Form::Plain) = (cell, json.as_bytes(), form) {
        // Mostly the same bytes, which stand for themselves.
        if inner == text && is_itself(inner) {
            return true;
        }
    }
    plain(json, form).is_some_and(|value| identical(value.as_ref(), cell))
}

/// A value, borrowed from its JSON where that can be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Plain<'j> {
    /// NULL
    Null,
    /// INTEGER
    Integer(i64),
    /// TEXT
    Text(Cow<'j, str>),
}

impl Plain<'_> {
    /// As a value for SQL.
    pub fn as_ref(&self) -> ValueRef<'_> {
        match self {
            Plain::Null => ValueRef::Null,
            Plain::Integer(i) => ValueRef::Integer(*i),
            Plain::Text(text) => ValueRef::Text(text.as_bytes()),
        }
    }
}

/// The text of a JSON string in which just that is escaped, and in the way, that [`write_text`] would escape.
fn usually_escaped(json: &str) -> Option<String> {
    let mut rest = json.strip_prefix('"')?.strip_suffix('"')?;
    let mut text = String::with_capacity(rest.len());
    while let Some(at) = rest.bytes().position(|b| b < 0x20 || b == b'"' || b == b'\\') {
        let (before, escape) = rest.split_at(at);
        text.push_str(before);
        text.push(match escape.as_bytes() {
            [b'\\', b'"', ..] => '"',
            [b'\\', b'\\', ..] => '\\',
            [b'\\', b'n', ..] => '\n',
            [b'\\', b'r', ..] => '\r',
            [b'\\', b't', ..] => '\t',
            _ => return None, // rare, or never written by us
        });
        rest = escape.get(2..)?;
    }
    text.push_str(rest);
    Some(text)
}
