//! Primary keys as text: how a record is named on the wire and in storage.
//!
//! A TEXT value in a key column of text affinity is itself; an INTEGER value in one of integer affinity is its decimal text;
//! every other single key and every composite key is a JSON array of the values in the order of the key's declaration.
//! No two keys share a text: a text that is exactly what a key of another type would be written as is put in an array itself.
//! SQL finds 0.0 and -0.0 equal whatever the column, so they are one key, written 0.0. Pure.

use std::borrow::Cow;

use crate::error::{Error, Result};
use crate::ffi::{Value, ValueRef};
use crate::value::{self, Form};

/// Longest key text, bytes.
pub const MAX_KEY_BYTES: usize = 64 * 1024;

/// What a key column's affinity makes of its values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyClass {
    /// Integer affinity: INTEGER values are their decimal text.
    Integer,
    /// Text affinity: TEXT values are themselves.
    Text,
    /// Anything else: always an array.
    Other,
}

impl KeyClass {
    /// Whether the value of a single key column is its key as stored.
    pub fn is_plain(self, value: ValueRef<'_>) -> bool {
        match (self, value) {
            (KeyClass::Integer, ValueRef::Integer(_)) => true,
            (KeyClass::Text, ValueRef::Text(bytes)) => plain_text(bytes).is_some(),
            _ => false,
        }
    }
}

/// A record's key as stored: decimal keys as INTEGER, all others as their wire text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Pk {
    /// An INTEGER key of a single integer column.
    Int(i64),
    /// The wire text of any other key.
    Text(String),
}

impl Pk {
    /// The key that a wire text names in a table with the key columns `classes`.
    pub fn from_wire(classes: &[KeyClass], text: &str) -> Pk {
        match classes {
            [KeyClass::Integer] => decimal(text).map_or_else(|| Pk::Text(one_zero(text).into_owned()), Pk::Int),
            [KeyClass::Text] => Pk::Text(text.to_owned()), // holds no number
            _ => Pk::Text(one_zero(text).into_owned()),
        }
    }

    /// The wire text.
    pub fn wire(&self) -> Cow<'_, str> {
        match self {
            Pk::Int(i) => i.to_string().into(),
            Pk::Text(text) => text.as_str().into(),
        }
    }

    /// Whether it is longer than any peer takes: the record stays here.
    pub fn is_too_long(&self) -> bool {
        self.bytes() > MAX_KEY_BYTES
    }

    /// Bytes that it has besides its own size.
    pub fn bytes(&self) -> usize {
        match self {
            Pk::Int(_) => 0,
            Pk::Text(text) => text.len(),
        }
    }

    /// As a value for SQL.
    pub fn as_ref(&self) -> ValueRef<'_> {
        match self {
            Pk::Int(i) => ValueRef::Integer(*i),
            Pk::Text(text) => ValueRef::Text(text.as_bytes()),
        }
    }

    /// A number that orders keys as far as it goes: of two keys, the lesser never has the greater one.
    pub fn number(&self) -> u128 {
        match self {
            Pk::Int(i) => u128::from(i.abs_diff(i64::MIN)),
            Pk::Text(text) => {
                let mut first = [0; 16];
                let length = text.len().min(first.len());
                first[..length].copy_from_slice(&text.as_bytes()[..length]);
                1 << 127 | u128::from_be_bytes(first) >> 1 // texts come after all integers
            }
        }
    }

    /// Read back from storage.
    pub fn from_stored(value: ValueRef<'_>) -> Result<Pk> {
        match value {
            ValueRef::Integer(i) => Ok(Pk::Int(i)),
            ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => Ok(Pk::Text(text.to_owned())),
                Err(_) => Err(Error::data("a stored key is not UTF-8")),
            },
            _ => Err(Error::data("a stored key is neither INTEGER nor TEXT")),
        }
    }

    /// The key with the values `values` in key columns `classes`.
    pub fn encode(classes: &[KeyClass], values: &[ValueRef<'_>]) -> Pk {
        if let ([class], [value]) = (classes, values) {
            match (class, value) {
                (KeyClass::Integer, ValueRef::Integer(i)) => return Pk::Int(*i),
                (KeyClass::Text, ValueRef::Text(bytes)) => {
                    if let Some(text) = plain_text(bytes) {
                        return Pk::Text(text.to_owned());
                    }
                }
                _ => {}
            }
        }
        Pk::Text(array(values))
    }

    /// The key column's value, where it is the stored key itself.
    pub fn plain(&self, classes: &[KeyClass]) -> Option<ValueRef<'_>> {
        match (self, classes) {
            (Pk::Int(i), [_]) => Some(ValueRef::Integer(*i)),
            (Pk::Text(text), [KeyClass::Text]) => {
                plain_text(text.as_bytes()).map(|text| ValueRef::Text(text.as_bytes()))
            }
            _ => None,
        }
    }

    /// The values of the key columns; None when no row of such a table can have this key.
    pub fn decode(&self, classes: &[KeyClass]) -> Option<Vec<Value>> {
        let values = match (self, classes) {
            (Pk::Int(i), _) => vec![Value::Integer(*i)],
            (Pk::Text(text), [KeyClass::Text]) if plain_text(text.as_bytes()).is_some() => {
                vec![Value::Text(text.as_bytes().to_vec())]
            }
            (Pk::Text(text), _) => split(text)?,
        };
        let refs: Vec<_> = values.iter().map(Value::as_ref).collect();
        // A text that another writer spelled differently would come back as another key: it names no row here.
        let exact = || Pk::encode(classes, &refs) == *self || matches!(self, Pk::Text(text) if is_older(text, &refs));
        (values.len() == classes.len() && exact()).then_some(values)
    }
}

/// A key's text with 0.0 for -0.0, where it is an array as we write it.
pub fn one_zero(text: &str) -> Cow<'_, str> {
    if !text.contains(NEGATIVE_ZERO) || !text.starts_with('[') {
        return text.into();
    }
    let values = split(text).unwrap_or_default();
    let refs: Vec<_> = values.iter().map(Value::as_ref).collect();
    match is_older(text, &refs) {
        true => array(&refs).into(),
        false => text.into(),
    }
}

/// Whether a text is how an array was written when 0.0 and -0.0 were two keys. Such records may be stored.
fn is_older(text: &str, values: &[ValueRef<'_>]) -> bool {
    text.contains(NEGATIVE_ZERO) && array_of(values.iter().copied()) == text
}

const NEGATIVE_ZERO: &str = "-0.0";

/// The places of keys, with the numbers of their tables, in their order; equal ones stay in theirs. Most keys are told apart by
/// their number.
pub fn places_in_order<'k>(keys: impl Iterator<Item = (i64, &'k Pk)>) -> Vec<usize> {
    let mut order: Vec<_> = keys.zip(0..).map(|((t, pk), place)| (t, pk.number(), pk, place)).collect();
    order.sort_unstable();
    order.into_iter().map(|(.., place)| place).collect()
}

/// The text of a TEXT key, when it can stand for itself.
fn plain_text(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    (!text.contains('\0') && !is_array_of_another(text)).then_some(text)
}

/// Whether `text` is how a key that cannot be plain text is written.
fn is_array_of_another(text: &str) -> bool {
    if !text.starts_with('[') || !text.starts_with("[{\"$") && !text.starts_with("[\"[") {
        return false;
    }
    match split(text).as_deref() {
        Some([Value::Text(inner)]) => array(&[ValueRef::Text(inner)]) == text && plain_text(inner).is_none(),
        Some([other]) => array(&[other.as_ref()]) == text,
        _ => false,
    }
}

fn array(values: &[ValueRef<'_>]) -> String {
    array_of(values.iter().map(|value| match value {
        ValueRef::Real(r) if *r == 0.0 => ValueRef::Real(0.0),
        value => *value,
    }))
}

fn array_of<'v>(values: impl Iterator<Item = ValueRef<'v>>) -> String {
    let mut out = String::from("[");
    for (i, value) in values.enumerate() {
        if i > 0 {
            out.push(',');
        }
        value::encode(&mut out, value, Form::Plain);
    }
    out.push(']');
    out
}

fn split(text: &str) -> Option<Vec<Value>> {
    let items: Vec<&serde_json::value::RawValue> = serde_json::from_str(text).ok()?;
    items
        .iter()
        .map(|item| match value::decode(item.get()) {
            // Within a key only tagged objects are values; any other container is no key.
            Ok(Value::Text(_)) if !item.get().starts_with('"') && !item.get().starts_with("{\"$text\"") => None,
            Ok(value) => Some(value),
            Err(_) => None,
        })
        .collect()
}

/// Reads canonical decimal text: no sign but `-`, no leading zeros, no `-0`.
fn decimal(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let canonical = match digits.as_bytes() {
        [b'0'] => digits.len() == text.len(),
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if canonical {
        text.parse().ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use KeyClass::*;

    fn wire(classes: &[KeyClass], values: &[Value]) -> String {
        let refs: Vec<_> = values.iter().map(Value::as_ref).collect();
        Pk::encode(classes, &refs).wire().into_owned()
    }

    fn text(s: &str) -> Value {
        Value::Text(s.as_bytes().to_vec())
    }

    #[test]
    fn plain_keys_are_themselves() {
        assert_eq!(wire(&[Text], &[text("t1")]), "t1");
        assert_eq!(wire(&[Text], &[text("[1]")]), "[1]");
        assert_eq!(wire(&[Integer], &[Value::Integer(-7)]), "-7");
    }

    #[test]
    fn other_keys_are_arrays() {
        assert_eq!(wire(&[Integer], &[text("7")]), r#"["7"]"#);
        assert_eq!(wire(&[Other], &[Value::Integer(7)]), "[7]");
        assert_eq!(wire(&[Other], &[Value::Real(7.0)]), "[7.0]");
        assert_eq!(wire(&[Text, Integer], &[text("a"), Value::Integer(1)]), r#"["a",1]"#);
        assert_eq!(wire(&[Text], &[Value::Blob(vec![0])]), r#"[{"$blob":"00"}]"#);
    }

    #[test]
    fn a_text_that_looks_like_another_key_is_told_apart() {
        let blob = wire(&[Text], &[Value::Blob(vec![0])]);
        let twin = wire(&[Text], &[text(&blob)]);
        assert_ne!(blob, twin);
        assert_ne!(wire(&[Text], &[text(&twin)]), twin);
    }

    #[test]
    fn a_stored_key_is_a_number_or_unicode_text() {
        for key in [Pk::Int(-7), Pk::Text("é".to_owned())] {
            assert_eq!(Pk::from_stored(key.as_ref()).unwrap(), key);
        }
        assert!(Pk::from_stored(ValueRef::Text(&[0xff])).unwrap_err().message().contains("not UTF-8"));
        assert!(Pk::from_stored(ValueRef::Blob(b"x")).unwrap_err().message().contains("neither"));
    }

    #[test]
    fn an_array_of_what_is_no_value_names_no_row() {
        for bad in [r#"[{"$blob":"0"}]"#, r#"[{"a":1}]"#, "[[1]]", "[1e999]", "[", "[]"] {
            assert_eq!(Pk::from_wire(&[Text], bad).decode(&[Other]), None, "{bad}");
            assert_eq!(wire(&[Text], &[text(bad)]), bad, "as a text it is itself");
        }
    }

    #[test]
    fn zero_is_one_key() {
        let zero = |classes: &[KeyClass], values: &[Value]| (wire(classes, values), classes.to_vec());
        for (text, classes) in [
            zero(&[Other], &[Value::Real(-0.0)]),
            zero(&[Integer], &[Value::Real(-0.0)]),
            zero(&[Text, Other], &[text("-0.0"), Value::Real(-0.0)]),
        ] {
            let older = text.replace("0.0]", "-0.0]");
            assert!(text.ends_with("0.0]") && !text.ends_with("-0.0]"), "{text}");
            assert_eq!(Pk::from_wire(&classes, &older).wire(), text);
            assert_eq!(Pk::from_wire(&classes, &text).wire(), text);
            let stored = Pk::Text(older).decode(&classes);
            assert!(stored.is_some_and(|values| values.last() == Some(&Value::Real(0.0))), "as stored before");
        }
        // Other texts are other keys still.
        for (classes, text) in [(vec![Text], "[-0.0]"), (vec![Other], "[ -0.0]"), (vec![Other], "[\"-0.0\"]")] {
            assert_eq!(Pk::from_wire(&classes, text).wire(), text);
        }
        assert_eq!(Pk::from_wire(&[Other], "[ -0.0]").decode(&[Other]), None);
        assert_ne!(wire(&[Other], &[Value::Integer(0)]), wire(&[Other], &[Value::Real(0.0)]));
    }

    #[test]
    fn decimal_is_canonical() {
        for bad in ["", "-", "-0", "01", "+1", " 1", "1.0", "9223372036854775808"] {
            assert_eq!(decimal(bad), None, "{bad}");
        }
        assert_eq!(decimal("-9223372036854775808"), Some(i64::MIN));
    }

    #[test]
    fn a_key_of_another_shape_names_no_row() {
        assert_eq!(Pk::from_wire(&[Integer], "abc").decode(&[Integer]), None);
        assert_eq!(Pk::from_wire(&[Text, Text], "[\"a\"]").decode(&[Text, Text]), None);
        assert_eq!(Pk::from_wire(&[Other], "[ 1]").decode(&[Other]), None);
    }

    fn any_class() -> impl Strategy<Value = KeyClass> {
        prop_oneof![Just(Integer), Just(Text), Just(Other)]
    }

    /// What a column of that class can hold.
    fn fits(class: KeyClass, value: &Value) -> bool {
        match (class, value) {
            (_, Value::Null) => false,
            (Text, value) => matches!(value, Value::Text(_) | Value::Blob(_)),
            _ => true,
        }
    }

    fn any_key() -> impl Strategy<Value = (Vec<KeyClass>, Vec<Value>)> {
        let part = (any_class(), crate::value::tests_any_value());
        let part = part.prop_filter("no column of the class holds it", |(class, value)| fits(*class, value));
        proptest::collection::vec(part, 1..4).prop_map(|parts| parts.into_iter().unzip())
    }

    proptest! {
        #[test]
        fn keys_survive((classes, values) in any_key()) {
            let text = wire(&classes, &values);
            let back = Pk::from_wire(&classes, &text).decode(&classes);
            let same = back.as_ref().is_some_and(|b| b.len() == values.len()
                && b.iter().zip(&values).all(|(x, y)| crate::value::identical(x.as_ref(), y.as_ref())
                    || matches!((x, y), (Value::Real(x), Value::Real(y)) if x == y)));
            prop_assert!(same, "{} gives {:?}", text, back);
        }

        #[test]
        fn numbers_never_contradict_the_order((a, x) in any_key(), (b, y) in any_key(), tail in "[ab\\x00]{0,20}") {
            let key = |classes: &[KeyClass], values: &[Value]| Pk::from_wire(classes, &wire(classes, values));
            let (a, b) = (key(&a, &x), key(&b, &y));
            let longer = Pk::Text(format!("{}{tail}", a.wire()));
            for (a, b) in [(&a, &b), (&a, &longer), (&longer, &b)] {
                prop_assert!(a.number().cmp(&b.number()) != b.cmp(a) || a == b, "{:?} {:?}", a, b);
            }
        }
    }
}
