//! What a record claims in the unique indexes of its table, whether it has a row or not; and which rows hold it.

use std::borrow::Cow;

use crate::conn::Conn;
use crate::error::Result;
use crate::ffi::{Value, ValueRef};
use crate::key::Pk;
use crate::record::Record;
use crate::row;
use crate::schema::shape::{Affinity, Column};
use crate::schema::unique::{index_columns, indexes, key_needs_care, parse};
use crate::schema::Form;
use crate::sql::{ident, list};

/// One unique index.
pub struct Index {
    /// As SQLite names it in an error.
    pub name: String,
    /// Each key's expression and collation.
    keys: Vec<(String, String)>,
    predicate: Option<String>,
    /// The places of its columns in the table, where it is plain: neither partial nor on an expression.
    plain: Option<Vec<usize>>,
    /// It may be on a generated column, whose value only a row tells.
    opaque: bool,
}

/// What a record claims in one index.
pub struct Claim {
    /// The index, by its place.
    pub index: usize,
    /// The same for values that the index takes for one.
    pub name: Vec<u8>,
    values: Vec<Value>,
}

impl Index {
    /// Whether its claims cannot be told without a row.
    pub fn is_opaque(&self) -> bool {
        self.opaque
    }
}

/// The unique indexes of a table, those left out that can only tell a record from itself.
pub fn read(conn: &Conn, form: &Form) -> Result<Vec<Index>> {
    let shape = &form.shape;
    let generated = |name: &str| shape.column(name).is_some_and(|c| c.generated);
    let mut all = Vec::new();
    for index in indexes(conn, &shape.name)? {
        let columns = index_columns(conn, &index.name)?;
        if index.origin == "pk" && !key_needs_care(shape, &columns) {
            continue;
        }
        let named: Option<Vec<&str>> = columns.iter().map(|(name, _)| name.as_deref()).collect();
        let (expressions, predicate) = match index.sql.is_empty() {
            true => (Vec::new(), None),
            false => parse(&index.sql),
        };
        let expression = |i: usize, name: &Option<String>| match (name, expressions.get(i)) {
            (Some(name), _) => ident(name),
            (None, Some(text)) => text.clone(),
            (None, None) => "NULL".to_owned(),
        };
        let keys = columns.iter().enumerate().map(|(i, (name, coll))| (expression(i, name), coll.clone())).collect();
        let place = |name: &&str| shape.columns.iter().position(|c| c.name.eq_ignore_ascii_case(name));
        let plain = named.as_ref().filter(|_| !index.partial).map(|names| names.iter().filter_map(place).collect());
        let opaque = match &plain {
            Some(_) => named.iter().flatten().any(|name| generated(name)),
            None => shape.columns.iter().any(|c| c.generated),
        };
        let name = match named {
            Some(names) => names.iter().map(|name| format!("{}.{name}", shape.name)).collect::<Vec<_>>().join(", "),
            None => format!("index '{}'", index.name),
        };
        all.push(Index { name, keys, predicate, plain, opaque });
    }
    Ok(all)
}

/// What a record claims, whose values are all in it.
pub fn claims(conn: &Conn, form: &Form, indexes: &[Index], key: &[Value], record: &Record) -> Result<Vec<Claim>> {
    let cells = cells(conn, form, key, record)?;
    let mut all = Vec::new();
    for (place, index) in indexes.iter().enumerate().filter(|(_, index)| !index.opaque) {
        let values = match &index.plain {
            Some(places) => places.iter().map(|i| cells.get(*i).cloned().unwrap_or(Value::Null)).collect(),
            None => match evaluate(conn, form, index, &cells)? {
                Some(values) => values,
                None => continue,
            },
        };
        if values.contains(&Value::Null) {
            continue; // NULLs are all different
        }
        let mut name = Vec::new();
        for (value, (_, collation)) in values.iter().zip(&index.keys) {
            write_name(&mut name, value, collation);
        }
        all.push(Claim { index: place, name, values });
    }
    Ok(all)
}

/// The keys of rows that hold one of the claims.
pub fn holders(conn: &Conn, form: &Form, indexes: &[Index], claims: &[Claim], own: &Pk) -> Result<Vec<(Pk, usize)>> {
    let columns = list(form.shape.key.iter().map(|k| ident(k)));
    let mut all = Vec::new();
    for claim in claims {
        let Some(index) = indexes.get(claim.index) else { continue };
        let equal = |(i, (e, collation)): (usize, &(String, String))| {
            format!("({e}) = ?{} COLLATE {}", i + 1, ident(collation))
        };
        let mut condition = index.keys.iter().enumerate().map(equal).collect::<Vec<_>>().join(" AND ");
        if let Some(predicate) = &index.predicate {
            condition.push_str(&format!(" AND ({predicate})"));
        }
        let mut rows =
            conn.stmt(&format!("SELECT {columns} FROM main.{} WHERE {condition}", ident(&form.shape.name)))?;
        rows.bind_all(&claim.values.iter().map(Value::as_ref).collect::<Vec<_>>())?;
        while rows.step()? {
            let values: Vec<ValueRef<'_>> = (0..form.shape.key.len()).map(|i| rows.column(i)).collect();
            let pk = Pk::encode(&form.shape.classes, &values);
            // One row may hold several.
            if pk != *own && !all.iter().any(|(held, _)| *held == pk) {
                all.push((pk, claim.index));
            }
        }
    }
    Ok(all)
}

/// The cells that a record's row would have, in the order of the table's columns; NULL for generated ones.
fn cells(conn: &Conn, form: &Form, key: &[Value], record: &Record) -> Result<Vec<Value>> {
    let mut all = Vec::new();
    for column in &form.shape.columns {
        let in_key = form.shape.key.iter().position(|name| *name == column.name).and_then(|i| key.get(i));
        let tracked = form.tracked.iter().find(|t| t.column.name == column.name);
        all.push(match (in_key, tracked.and_then(|tracked| row::shown(record, tracked))) {
            (Some(value), _) => coerce(conn, value.clone(), column)?,
            (None, Some(value)) => coerce(conn, value, column)?,
            (None, None) => default(conn, column)?,
        });
    }
    Ok(all)
}

/// What a column holds where an INSERT leaves it out; NULL for a generated one.
pub fn default(conn: &Conn, column: &Column) -> Result<Value> {
    if column.generated || column.default.is_none() {
        return Ok(Value::Null);
    }
    let sql = format!("SELECT {}", column.default_operand());
    let value = conn.first(&sql, &[], |row| row.column(0).to_value())?;
    coerce(conn, value.unwrap_or(Value::Null), column)
}

/// What a column makes of a value, by the rules of <https://sqlite.org/datatype3.html#type_affinity>.
pub fn coerce(conn: &Conn, value: Value, column: &Column) -> Result<Value> {
    let cast = |value: &Value, ty: &str| -> Result<Value> {
        let cast =
            conn.first(&format!("SELECT CAST(?1 AS {ty})"), &[value.as_ref()], |row| row.column(0).to_value())?;
        Ok(cast.unwrap_or(Value::Null))
    };
    Ok(match (column.affinity, value) {
        (Affinity::Text, number @ (Value::Integer(_) | Value::Real(_))) => cast(&number, "TEXT")?,
        (Affinity::Integer | Affinity::Numeric | Affinity::Real, Value::Text(text)) if is_number(&text) => {
            let number = cast(&Value::Text(text), "NUMERIC")?;
            if column.affinity == Affinity::Real {
                real(number)
            } else {
                whole(number)
            }
        }
        (Affinity::Integer | Affinity::Numeric, number) => whole(number),
        (Affinity::Real, number) => real(number),
        (_, value) => value,
    })
}

/// A REAL without a fraction as the INTEGER that it is, where there is one.
fn whole(value: Value) -> Value {
    const END: f64 = 9_223_372_036_854_775_808.0;
    match value {
        Value::Real(r) if r.fract() == 0.0 && r > -END && r < END => Value::Integer(r as i64),
        other => other,
    }
}

fn real(value: Value) -> Value {
    match value {
        Value::Integer(i) => Value::Real(i as f64),
        other => other,
    }
}

/// Whether a text is a number through and through, spaces around it aside.
fn is_number(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else { return false };
    let text = text.trim_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
    let starts = text.trim_start_matches(['+', '-']).starts_with(|c: char| c.is_ascii_digit() || c == '.');
    starts && text.parse::<f64>().is_ok()
}

/// The key of an index on expressions, or of a partial one, for a row of these cells; None where the row is not in it.
fn evaluate(conn: &Conn, form: &Form, index: &Index, cells: &[Value]) -> Result<Option<Vec<Value>>> {
    let table = ident(&form.shape.name);
    let names = list(form.shape.columns.iter().map(|c| ident(&c.name)));
    let marks = list((1..=form.shape.columns.len()).map(|i| format!("?{i}")));
    let keys = list(index.keys.iter().map(|(e, _)| format!("({e})")));
    let guard = index.predicate.as_ref().map(|p| format!(" WHERE ({p})")).unwrap_or_default();
    // In a union with the table itself the values get its affinities and collations.
    let sql = format!(
        "SELECT {keys} FROM (SELECT {names} FROM main.{table} WHERE 0 UNION ALL SELECT {marks}) AS {table}{guard}"
    );
    let values: Vec<ValueRef<'_>> = cells.iter().map(Value::as_ref).collect();
    conn.first(&sql, &values, |row| (0..index.keys.len()).map(|i| row.column(i).to_value()).collect())
}

/// Writes a value so that two that the collation takes for one are written the same.
fn write_name(name: &mut Vec<u8>, value: &Value, collation: &str) {
    let (tag, bytes): (u8, Cow<'_, [u8]>) = match (whole(value.clone()), value) {
        (Value::Integer(i), _) => (1, i.to_be_bytes().to_vec().into()),
        (Value::Real(r), _) => (2, r.to_be_bytes().to_vec().into()),
        (_, Value::Text(text)) => (3, folded(text, collation)),
        (_, Value::Blob(blob)) => (4, blob.into()),
        _ => (0, Cow::Borrowed(&[])),
    };
    name.push(tag);
    name.extend(bytes.len().to_be_bytes());
    name.extend(&*bytes);
}

/// A text as its collation sees it. Of a collation of the application's nothing is known: by bytes.
fn folded<'t>(text: &'t [u8], collation: &str) -> Cow<'t, [u8]> {
    if collation.eq_ignore_ascii_case("NOCASE") {
        return text.to_ascii_lowercase().into();
    }
    if collation.eq_ignore_ascii_case("RTRIM") {
        let end = text.iter().rposition(|b| *b != b' ').map_or(0, |last| last + 1);
        return text.get(..end).unwrap_or_default().into();
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_an_index_takes_for_one() {
        let name = |value: Value, collation: &str| {
            let mut name = Vec::new();
            write_name(&mut name, &value, collation);
            name
        };
        let text = |text: &str| Value::Text(text.as_bytes().to_vec());
        assert_eq!(name(Value::Integer(2), "BINARY"), name(Value::Real(2.0), "BINARY"));
        assert_ne!(name(text("2"), "BINARY"), name(Value::Integer(2), "BINARY"));
        assert_eq!(name(text("aB"), "NOCASE"), name(text("Ab"), "nocase"));
        assert_eq!(name(text("a  "), "RTRIM"), name(text("a"), "RTRIM"));
        assert_ne!(name(text("a "), "BINARY"), name(text("a"), "BINARY"));
        assert_ne!(name(Value::Real(0.5), "BINARY"), name(Value::Real(0.25), "BINARY"));
    }

    #[test]
    fn numbers_in_texts() {
        for yes in ["1", " -2.5 ", "+.5", "1e3", "5."] {
            assert!(is_number(yes.as_bytes()), "{yes}");
        }
        for no in ["", "x", "1x", "0x10", "inf", "nan", "-", "."] {
            assert!(!is_number(no.as_bytes()), "{no}");
        }
    }
}
