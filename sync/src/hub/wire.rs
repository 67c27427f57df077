//! Keys and values as change records spell them, back as SQLite's. Pure.

use rusqlite::types::Value;
use serde_json::value::RawValue;

/// What a column's declared type makes of values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Affinity {
    /// TEXT
    Text,
    /// INTEGER
    Integer,
    /// REAL or NUMERIC
    Number,
    /// none
    Any,
}

impl Affinity {
    /// SQLite's rule.
    pub fn of(declared: &str) -> Affinity {
        let declared = declared.to_ascii_uppercase();
        let has = |part: &str| declared.contains(part);
        if has("INT") {
            Affinity::Integer
        } else if has("CHAR") || has("CLOB") || has("TEXT") {
            Affinity::Text
        } else if has("BLOB") || declared.is_empty() || declared == "ANY" {
            Affinity::Any
        } else {
            Affinity::Number
        }
    }
}

/// The values of a key with columns of these affinities; None when no row can have it.
pub fn key(affinities: &[Affinity], text: &str) -> Option<Vec<Value>> {
    let array = || {
        let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
        let values: Vec<Value> = items.iter().filter_map(|item| value(item.get())).collect();
        (values.len() == affinities.len() && items.len() == values.len()).then_some(values)
    };
    match affinities {
        [Affinity::Integer] => text.parse().ok().map(|i| vec![Value::Integer(i)]).or_else(array),
        // A text that looks like the array of a BLOB or of such a text is that.
        [Affinity::Text] if !text.starts_with("[{\"$") && !text.starts_with("[\"[") => {
            Some(vec![Value::Text(text.to_owned())])
        }
        [Affinity::Text] => array().or_else(|| Some(vec![Value::Text(text.to_owned())])),
        _ => array(),
    }
}

/// A value; None for JSON that is none.
pub fn value(json: &str) -> Option<Value> {
    use serde_json::Value as Json;
    Some(match serde_json::from_str(json).ok()? {
        Json::Null => Value::Null,
        Json::Bool(yes) => Value::Integer(i64::from(yes)),
        Json::Number(n) => n.as_i64().map(Value::Integer).or_else(|| n.as_f64().map(Value::Real))?,
        Json::String(text) => Value::Text(text),
        Json::Object(tagged) if tagged.len() == 1 => {
            let (tag, inner) = tagged.iter().next()?;
            match (tag.as_str(), inner.as_str()) {
                ("$real", Some("Infinity")) => Value::Real(f64::INFINITY),
                ("$real", Some("-Infinity")) => Value::Real(f64::NEG_INFINITY),
                ("$blob", Some(hex)) => Value::Blob(bytes(hex)?),
                // Text that is no Unicode text: as close as can be bound.
                ("$text", Some(hex)) => Value::Text(String::from_utf8_lossy(&bytes(hex)?).into_owned()),
                _ => Value::Text(json.to_owned()),
            }
        }
        Json::Object(_) | Json::Array(_) => Value::Text(json.to_owned()),
    })
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    if !hex.len().is_multiple_of(2) || !hex.is_ascii() {
        return None;
    }
    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(hex.get(i..i + 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        use Affinity::{Any, Integer, Text};
        let text = |s: &str| Value::Text(s.to_owned());
        for (affinities, wire, values) in [
            (&[Text][..], "t1", vec![text("t1")]),
            (&[Text], "[1]", vec![text("[1]")]),
            (&[Text], r#"[{"$blob":"00ff"}]"#, vec![Value::Blob(vec![0, 255])]),
            (&[Text], r#"["[{\"$blob\":\"61\"}]"]"#, vec![text(r#"[{"$blob":"61"}]"#)]),
            (&[Integer], "-7", vec![Value::Integer(-7)]),
            (&[Integer], r#"["a"]"#, vec![text("a")]),
            (&[Any], "[1.5]", vec![Value::Real(1.5)]),
            (&[Text, Integer], r#"["a",1]"#, vec![text("a"), Value::Integer(1)]),
        ] {
            assert_eq!(key(affinities, wire), Some(values), "{wire}");
        }
        assert_eq!(key(&[Integer], "x"), None);
        assert_eq!(key(&[Text, Text], "[\"a\"]"), None);
    }

    #[test]
    fn values() {
        assert_eq!(value("null"), Some(Value::Null));
        assert_eq!(value("9223372036854775807"), Some(Value::Integer(i64::MAX)));
        assert_eq!(value("1.0"), Some(Value::Real(1.0)));
        assert_eq!(value("true"), Some(Value::Integer(1)));
        assert_eq!(value(r#"{"$real":"-Infinity"}"#), Some(Value::Real(f64::NEG_INFINITY)));
        assert_eq!(value(r#"{"a":1}"#), Some(Value::Text(r#"{"a":1}"#.to_owned())));
        assert_eq!(value(r#"{"$blob":"0"}"#), None);
    }

    #[test]
    fn affinities() {
        assert_eq!(Affinity::of("varchar(10)"), Affinity::Text);
        assert_eq!(Affinity::of("BIGINT"), Affinity::Integer);
        assert_eq!(Affinity::of("decimal"), Affinity::Number);
        assert_eq!(Affinity::of(""), Affinity::Any);
    }
}
