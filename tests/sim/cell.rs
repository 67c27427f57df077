//! One SQLite value, compared by type and bits, and its form on the wire.

use std::fmt;

use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};

use super::json::{Json, Kind};

/// A cell as SQLite holds it. Reals are their bits, so that −0.0 and 0.0 differ; text need not be UTF-8.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cell {
    Null,
    Int(i64),
    Real(u64),
    Text(Vec<u8>),
    Blob(Vec<u8>),
}

impl Cell {
    pub fn of(value: ValueRef<'_>) -> Cell {
        match value {
            ValueRef::Null => Cell::Null,
            ValueRef::Integer(i) => Cell::Int(i),
            ValueRef::Real(r) => Cell::Real(r.to_bits()),
            ValueRef::Text(t) => Cell::Text(t.to_vec()),
            ValueRef::Blob(b) => Cell::Blob(b.to_vec()),
        }
    }

    /// Decodes a wire value: plain JSON, or one of the tagged forms `$blob`, `$text`, `$real`.
    pub fn from_wire(json: &Json) -> Result<Cell, String> {
        Ok(match &json.kind {
            Kind::Null => Cell::Null,
            Kind::Bool(b) => Cell::Int(i64::from(*b)),
            Kind::Num(n) if n.contains(['.', 'e', 'E']) => {
                let real: f64 = n.parse().map_err(|_| format!("bad real {n}"))?;
                Cell::Real(real.to_bits())
            }
            Kind::Num(n) => Cell::Int(n.parse().map_err(|_| format!("integer too wide: {n}"))?),
            Kind::Str(s) => Cell::Text(s.clone().into_bytes()),
            Kind::Obj(members) => match members.as_slice() {
                [(tag, v)] if tag == "$blob" => Cell::Blob(unhex(v.text()?)?),
                [(tag, v)] if tag == "$text" => Cell::Text(unhex(v.text()?)?),
                [(tag, v)] if tag == "$real" => Cell::Real(infinity(v.text()?)?.to_bits()),
                _ => Cell::Text(json.raw.clone().into_bytes()),
            },
            Kind::Arr(_) => Cell::Text(json.raw.clone().into_bytes()),
        })
    }

    /// The value as an SQL literal, for people to read.
    pub fn literal(&self) -> String {
        match self {
            Cell::Null => "NULL".into(),
            Cell::Int(i) => i.to_string(),
            Cell::Real(bits) => match f64::from_bits(*bits) {
                r if r == f64::INFINITY => "9e999".into(),
                r if r == f64::NEG_INFINITY => "-9e999".into(),
                r => format!("{r:?}"),
            },
            Cell::Text(t) => match std::str::from_utf8(t) {
                Ok(s) if !s.contains('\0') => format!("'{}'", s.replace('\'', "''")),
                _ => format!("CAST(x'{}' AS TEXT)", hex(t)),
            },
            Cell::Blob(b) => format!("x'{}'", hex(b)),
        }
    }
}

impl ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Cell::Null => ValueRef::Null,
            Cell::Int(i) => ValueRef::Integer(*i),
            Cell::Real(bits) => ValueRef::Real(f64::from_bits(*bits)),
            Cell::Text(t) => ValueRef::Text(t),
            Cell::Blob(b) => ValueRef::Blob(b),
        }))
    }
}

impl fmt::Debug for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.literal())
    }
}

fn infinity(name: &str) -> Result<f64, String> {
    match name {
        "Infinity" => Ok(f64::INFINITY),
        "-Infinity" => Ok(f64::NEG_INFINITY),
        _ => Err(format!("unknown $real {name}")),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn unhex(text: &str) -> Result<Vec<u8>, String> {
    let bad = || format!("bad hex {text}");
    if !text.len().is_multiple_of(2) {
        return Err(bad());
    }
    (0..text.len())
        .step_by(2)
        .map(|i| {
            let pair = text.get(i..i + 2).ok_or_else(bad)?;
            u8::from_str_radix(pair, 16).map_err(|_| bad())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::json::parse;
    use super::*;

    fn wire(text: &str) -> Cell {
        Cell::from_wire(&parse(text).unwrap()).unwrap()
    }

    #[test]
    fn wire_values_keep_type_and_bits() {
        assert_eq!(wire("1"), Cell::Int(1));
        assert_eq!(wire("1.0"), Cell::Real(1f64.to_bits()));
        assert_eq!(wire("-0.0"), Cell::Real((-0f64).to_bits()));
        assert_eq!(wire("5e-324"), Cell::Real(1));
        assert_eq!(wire("-9223372036854775808"), Cell::Int(i64::MIN));
        assert_eq!(wire(r#"{"$real":"-Infinity"}"#), Cell::Real(f64::NEG_INFINITY.to_bits()));
        assert_eq!(wire(r#"{"$blob":"00ff"}"#), Cell::Blob(vec![0, 255]));
        assert_eq!(wire(r#"{"$text":"6100"}"#), Cell::Text(vec![97, 0]));
        assert_eq!(wire(r#"{"a":1}"#), Cell::Text(br#"{"a":1}"#.to_vec()));
        assert_eq!(wire("true"), Cell::Int(1));
    }
}
