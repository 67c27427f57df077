//! SQLite values as JSON and back, bit for bit.
//!
//! | SQLite | JSON |
//! |---|---|
//! | NULL | `null` |
//! | INTEGER | a number with all its digits |
//! | REAL | a number that always has `.` or an exponent; infinities `{"$real":"Infinity"}`, `{"$real":"-Infinity"}` |
//! | TEXT | a string; not UTF-8 or holding U+0000: `{"$text":"hex"}` |
//! | BLOB | `{"$blob":"hex"}` |
//!
//! A column declared `JSON…` carries an object or array as JSON where that gives back the same text; one declared `BOOL…`
//! sends 0 and 1 as `false` and `true`. Pure.

mod checked;
mod plain;

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt::Write;

use crate::error::{Error, Result};
use crate::ffi::{Value, ValueRef};
pub use checked::{checked, is_checked};
pub use plain::{holds_plainly, plain, Plain};

/// Deepest nesting of arrays and objects in a value: every JSON reader takes that much.
pub const MAX_DEPTH: usize = 120;

/// How a column's declared type changes its JSON form.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Form {
    /// By storage class alone.
    #[default]
    Plain,
    /// Declared `JSON…`.
    Json,
    /// Declared `BOOL…`.
    Bool,
}

impl Form {
    /// The form for a declared type, for example `BOOLEAN` or `jsonb`.
    pub fn of(declared: &str) -> Form {
        let upper = declared.trim_start().to_ascii_uppercase();
        if upper.starts_with("JSON") {
            Form::Json
        } else if upper.starts_with("BOOL") {
            Form::Bool
        } else {
            Form::Plain
        }
    }
}

/// Appends the JSON form of `value`.
pub fn encode(out: &mut String, value: ValueRef<'_>, form: Form) {
    match value {
        ValueRef::Null => out.push_str("null"),
        ValueRef::Integer(0) if form == Form::Bool => out.push_str("false"),
        ValueRef::Integer(1) if form == Form::Bool => out.push_str("true"),
        ValueRef::Integer(i) => crate::clock::push_int(out, i),
        ValueRef::Real(r) => write_real(out, r),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) if form != Form::Json && is_simple(bytes) => push_quoted(out, text),
            Ok(text) if text.contains('\0') => write_tagged(out, "$text", bytes),
            Ok(text) if form == Form::Json && is_plain_json(text) && !has_no_character(bytes) => out.push_str(text),
            Ok(text) => write_text(out, text),
            Err(_) => write_tagged(out, "$text", bytes),
        },
        ValueRef::Blob(bytes) => write_tagged(out, "$blob", bytes),
    }
}

/// The JSON form of `value` as a string of its own.
pub fn to_json(value: ValueRef<'_>, form: Form) -> String {
    let mut out = String::with_capacity(value.as_bytes().map_or(0, |bytes| bytes.len() + 2));
    encode(&mut out, value, form);
    out
}

/// The SQLite value that the JSON text `json` stands for. `json` must be one well-formed JSON value.
///
/// An object or array that is not one of the tagged forms becomes its own text.
pub fn decode(json: &str) -> Result<Value> {
    let json = json.trim_matches([' ', '\t', '\n', '\r']);
    match json.as_bytes().first() {
        Some(b'n') => Ok(Value::Null),
        Some(b't') => Ok(Value::Integer(1)),
        Some(b'f') => Ok(Value::Integer(0)),
        Some(b'"') => match unescaped(json) {
            Some(text) => Ok(Value::Text(text.as_bytes().to_vec())),
            None => serde_json::from_str::<String>(json)
                .map(|s| Value::Text(s.into_bytes()))
                .map_err(|e| Error::peer(format!("a string that is not Unicode text: {e}"))),
        },
        Some(b'{') => match tagged(json)? {
            Some(value) => Ok(value),
            None => container(json),
        },
        Some(b'[') => container(json),
        Some(_) => number(json),
        None => Err(Error::peer("an empty value")),
    }
}

/// The text of a JSON string in which nothing is escaped.
fn unescaped(json: &str) -> Option<&str> {
    let text = json.strip_prefix('"')?.strip_suffix('"')?;
    let special = |block: &[u8]| block.iter().fold(false, |any, b| any | (*b < 0x20) | (*b == b'"') | (*b == b'\\'));
    (!text.as_bytes().chunks(32).any(special)).then_some(text)
}

/// Refuses what [`decode`] refuses.
pub fn check(json: &str) -> Result<()> {
    match unescaped(json).is_some() || is_simply_escaped(json) {
        true => Ok(()),
        false => decode(json).map(drop),
    }
}

/// Whether a well-formed JSON value is a string without control characters and code points by number.
fn is_simply_escaped(json: &str) -> bool {
    let Some(mut rest) = json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else { return false };
    if rest.bytes().fold(false, |any, b| any | (b < 0x20)) {
        return false;
    }
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        let Some((b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', after)) =
            rest.as_bytes().get(at + 1).and_then(|escape| Some((*escape, rest.get(at + 2..)?)))
        else {
            return false;
        };
        rest = after;
    }
    true
}

fn container(json: &str) -> Result<Value> {
    if depth(json) > MAX_DEPTH {
        return Err(Error::peer(format!("a value nested deeper than {MAX_DEPTH} levels")));
    }
    // Every reader must be able to read it: no lone surrogates, no numbers beyond all numbers.
    serde_json::from_str::<serde_json::Value>(json)
        .map_err(|e| Error::peer(format!("a value that is not JSON: {e}")))?;
    Ok(Value::Text(json.as_bytes().to_vec()))
}

fn number(json: &str) -> Result<Value> {
    let bad = || Error::peer(format!("'{}' is not a number that SQLite can hold", crate::error::excerpt(json)));
    if !json.contains(['.', 'e', 'E']) {
        if let Ok(i) = json.parse::<i64>() {
            // "-0" is the one integer text that loses its sign as an integer.
            return Ok(if i == 0 && json.starts_with('-') { Value::Real(-0.0) } else { Value::Integer(i) });
        }
    }
    let real: f64 = json.parse().map_err(|_| bad())?;
    if real.is_finite() {
        Ok(Value::Real(real))
    } else {
        Err(bad())
    }
}

/// Reads `{"$blob":hex}`, `{"$text":hex}`, `{"$real":name}`; None for any other object.
fn tagged(json: &str) -> Result<Option<Value>> {
    let inner = json[1..].trim_start();
    if !["\"$blob\"", "\"$text\"", "\"$real\""].iter().any(|tag| inner.starts_with(tag)) {
        return Ok(None);
    }
    let Ok(map) = serde_json::from_str::<std::collections::BTreeMap<String, serde_json::Value>>(json) else {
        return Ok(None);
    };
    let (1, Some((tag, serde_json::Value::String(body)))) = (map.len(), map.iter().next()) else {
        return Ok(None);
    };
    let bytes = || hex::decode(body).map_err(|_| Error::peer(format!("{tag} holds hex digits in pairs, not this")));
    Ok(Some(match (tag.as_str(), body.as_str()) {
        ("$blob", _) => Value::Blob(bytes()?),
        ("$text", _) => Value::Text(bytes()?),
        (_, "Infinity") => Value::Real(f64::INFINITY),
        (_, "-Infinity") => Value::Real(f64::NEG_INFINITY),
        _ => return Err(Error::peer("$real is \"Infinity\" or \"-Infinity\"")),
    }))
}

/// A value's JSON as we spell it: whoever passed it on may have parsed and printed it. What is spelled alike is one value. SQL
/// cannot tell 0.0 from -0.0, so a write of the one over the other has no stamp.
pub fn spelled(json: &str) -> Cow<'_, str> {
    let value = match decode(json) {
        Ok(Value::Real(0.0)) => Value::Real(0.0),
        // An object or array that is its own text, and what is no value of SQL's.
        Ok(Value::Text(text)) if text == json.as_bytes() => return json.into(),
        Err(_) => return json.into(),
        _ if matches!(json, "true" | "false") => return json.into(),
        Ok(value) => value,
    };
    let mut out = String::with_capacity(json.len());
    encode(&mut out, value.as_ref(), Form::Plain);
    out.into()
}

/// Order of two values by type (NULL, numbers by class, text, blob), then bytes: decides two values under one stamp.
pub fn rank(a: ValueRef<'_>, b: ValueRef<'_>) -> Ordering {
    use ValueRef::*;
    let class = |v: ValueRef<'_>| match v {
        Null => 0,
        Integer(_) => 1,
        Real(_) => 2,
        Text(_) => 3,
        Blob(_) => 4,
    };
    match (a, b) {
        (Integer(x), Integer(y)) => x.cmp(&y),
        (Real(x), Real(y)) => x.total_cmp(&y),
        (Text(x), Text(y)) | (Blob(x), Blob(y)) => x.cmp(y),
        _ => class(a).cmp(&class(b)),
    }
}

/// Equal in type and bits.
pub fn identical(a: ValueRef<'_>, b: ValueRef<'_>) -> bool {
    rank(a, b) == Ordering::Equal
}

/// Whether a database of any encoding holds this text as it is. UTF-16 has no form for what is not UTF-8, and SQLite turns
/// U+FFFE and U+FFFF into U+FFFD on the way there.
pub fn has_all_forms(text: &[u8]) -> bool {
    !has_no_character(text) && std::str::from_utf8(text).is_ok()
}

/// Whether text holds U+FFFE or U+FFFF.
fn has_no_character(text: &[u8]) -> bool {
    text.contains(&0xef) && text.windows(3).any(|c| matches!(c, [0xef, 0xbf, 0xbe | 0xbf]))
}

/// The JSON of a value with U+FFFE and U+FFFF escaped if it is a string: SQLite hands JSON on in any encoding.
pub fn escaped(json: &str) -> String {
    match json.starts_with('"') && has_no_character(json.as_bytes()) {
        true => json.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff"),
        false => json.to_owned(),
    }
}

/// Appends `text` as a JSON string with no needless escapes.
pub fn write_text(out: &mut String, text: &str) {
    if is_itself(text.as_bytes()) {
        return push_quoted(out, text);
    }
    out.push('"');
    write_escaped(out, text);
    out.push('"');
}

fn push_quoted(out: &mut String, text: &str) {
    out.reserve(text.len() + 2);
    out.push('"');
    out.push_str(text);
    out.push('"');
}

/// Whether text certainly has nothing to escape: it is ASCII without control characters, quotes and backslashes. Eight bytes are
/// looked at together.
fn is_simple(text: &[u8]) -> bool {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    // The high bit of some byte is set where one is below `n`; where a byte is `b`.
    let below = |word: u64, n: u8| word.wrapping_sub(ONES * u64::from(n)) & !word;
    let is = |word: u64, b: u8| below(word ^ (ONES * u64::from(b)), 1);
    let simple = |word: u64| (word | below(word, 0x20) | is(word, b'"') | is(word, b'\\')) & HIGH == 0;
    match text.last_chunk::<8>() {
        Some(last) => {
            let (words, _) = text.as_chunks::<8>();
            simple(u64::from_ne_bytes(*last)) && words.iter().all(|word| simple(u64::from_ne_bytes(*word)))
        }
        None => text.iter().all(|b| b.is_ascii() && !is_special(*b)),
    }
}

/// Whether each byte of a text stands for itself in a JSON string.
fn is_itself(text: &[u8]) -> bool {
    // Blocks without anything to escape, nearly all, are told by one comparison of each byte, without a branch.
    let special = |block: &[u8]| block.iter().fold(false, |any, b| any | is_special(*b));
    is_simple(text) || !text.chunks(32).any(special)
}

/// Whether a byte is to be escaped, or begins a character that may be.
fn is_special(b: u8) -> bool {
    (b < 0x20) | (b == b'"') | (b == b'\\') | (b == 0xef)
}

fn write_escaped(out: &mut String, text: &str) {
    let mut from = 0;
    for (i, b) in text.bytes().enumerate().filter(|(_, b)| is_special(*b)) {
        let escape = match b {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0x08 => "\\b",
            0x0c => "\\f",
            0..=0x1f => "",
            _ => match text.as_bytes().get(i + 1..i + 3) {
                Some([0xbf, 0xbe]) => "\\ufffe",
                Some([0xbf, 0xbf]) => "\\uffff",
                _ => continue,
            },
        };
        out.push_str(&text[from..i]); // sound: `i` stands on the first byte of a character
        if escape.is_empty() {
            let _ = write!(out, "\\u{b:04x}"); // writing to a String cannot fail
        } else {
            out.push_str(escape);
        }
        from = i + if b == 0xef { 3 } else { 1 };
    }
    out.push_str(&text[from..]);
}

fn write_real(out: &mut String, r: f64) {
    if r.is_nan() {
        out.push_str("null"); // SQLite stores NaN as NULL
    } else if r.is_infinite() {
        out.push_str(if r > 0.0 { "{\"$real\":\"Infinity\"}" } else { "{\"$real\":\"-Infinity\"}" });
    } else {
        let _ = write!(out, "{r:?}"); // shortest text that reads back to the same bits, with `.` or exponent
    }
}

fn write_tagged(out: &mut String, tag: &str, bytes: &[u8]) {
    let _ = write!(out, "{{\"{tag}\":\"{}\"}}", hex::encode(bytes)); // writing to a String cannot fail
}

/// Whether `text` is an object or array that can travel as JSON and come back as the same text, also through a peer that
/// strips white space.
fn is_plain_json(text: &str) -> bool {
    matches!(text.as_bytes().first(), Some(b'{' | b'['))
        && !has_outer_space(text)
        && matches!(decode(text), Ok(Value::Text(back)) if back == text.as_bytes())
}

/// Whether white space stands outside strings.
fn has_outer_space(json: &str) -> bool {
    let mut strings = Strings::default();
    json.bytes().any(|b| !strings.step(b) && matches!(b, b' ' | b'\t' | b'\n' | b'\r'))
}

/// JSON without white space outside strings.
pub fn minified(json: &str) -> String {
    let mut strings = Strings::default();
    json.chars()
        .filter(|c| {
            let inside = c.len_utf8() > 1 || strings.step(*c as u8);
            inside || !matches!(c, ' ' | '\t' | '\n' | '\r')
        })
        .collect()
}

/// Levels of nesting of arrays and objects.
pub fn depth(json: &str) -> usize {
    let (mut strings, mut now, mut most) = (Strings::default(), 0usize, 0usize);
    for b in json.bytes() {
        if strings.step(b) {
            continue;
        }
        match b {
            b'[' | b'{' => {
                now += 1;
                most = most.max(now);
            }
            b']' | b'}' => now = now.saturating_sub(1),
            _ => {}
        }
    }
    most
}

/// Follows JSON text byte by byte and tells what lies inside strings.
#[derive(Default)]
struct Strings {
    inside: bool,
    escaped: bool,
}

impl Strings {
    /// Takes the next byte; true when it belongs to a string (its quotes included).
    fn step(&mut self, b: u8) -> bool {
        let was = self.inside;
        if self.escaped {
            self.escaped = false;
        } else if was && b == b'\\' {
            self.escaped = true;
        } else if b == b'"' {
            self.inside = !was;
        }
        was || b == b'"'
    }
}

#[cfg(test)]
#[path = "value_tests.rs"]
mod tests;
#[cfg(test)]
pub use tests::any_value as tests_any_value;
