//! The application's rows: read and written by key.

use crate::conn::Conn;
use crate::error::Result;
use crate::ffi::{Value, ValueRef};
use crate::key::{KeyClass, Pk};
use crate::record::Record;
use crate::schema::{Form, Tracked};
use crate::sql::{ident, list};
use crate::types::Type;

/// SQL condition that names one row, its key values in the parameters from 1 on: by type and bytes, also where the
/// column's collation or affinity would find others equal.
pub fn key_condition(form: &Form) -> String {
    let exact = |(i, key): (usize, &String)| {
        let (k, p) = (ident(key), format!("?{}", i + 1));
        if form.shape.rowid_alias {
            format!("{k} = {p} AND typeof({p}) = 'integer'")
        } else {
            format!("{k} = {p} AND {k} = {p} COLLATE BINARY AND typeof({k}) = typeof({p})")
        }
    };
    form.shape.key.iter().enumerate().map(exact).collect::<Vec<_>>().join(" AND ")
}

/// Whether the row exists.
pub fn exists(conn: &Conn, form: &Form, pk: &Pk) -> Result<bool> {
    let Some(key) = pk.decode(&form.shape.classes) else { return Ok(false) };
    let sql = format!("SELECT 1 FROM main.{} WHERE {}", ident(&form.shape.name), key_condition(form));
    let values: Vec<_> = key.iter().map(Value::as_ref).collect();
    Ok(conn.int(&sql, &values)?.is_some())
}

/// The values of the tracked columns, in their order; None when there is no such row.
pub fn read(conn: &Conn, form: &Form, pk: &Pk) -> Result<Option<Vec<Value>>> {
    let Some(key) = pk.decode(&form.shape.classes) else { return Ok(None) };
    let columns = list(form.tracked.iter().map(|t| ident(&t.column.name)));
    let columns = if columns.is_empty() { "1" } else { &columns };
    let sql = format!("SELECT {columns} FROM main.{} WHERE {}", ident(&form.shape.name), key_condition(form));
    let mut row = conn.stmt(&sql)?;
    let values: Vec<_> = key.iter().map(Value::as_ref).collect();
    row.bind_all(&values)?;
    if !row.step()? {
        return Ok(None);
    }
    Ok(Some((0..form.tracked.len()).map(|i| row.column(i).to_value()).collect()))
}

/// Inserts a row with `cells` (column index in `form.tracked`, value); other columns get their defaults.
pub fn insert(conn: &Conn, form: &Form, key: &[Value], cells: &[(usize, Value)]) -> Result<()> {
    let names = form.shape.key.iter().map(|k| ident(k));
    let names =
        list(names.chain(cells.iter().filter_map(|(i, _)| form.tracked.get(*i)).map(|t| ident(&t.column.name))));
    let marks = list((1..=key.len() + cells.len()).map(|i| format!("?{i}")));
    // A constraint's own conflict rule (ON CONFLICT REPLACE) must not remove other rows.
    let rule = if form.shape.own_conflict_rule { " OR ABORT" } else { "" };
    let sql = format!("INSERT{rule} INTO main.{}({names}) VALUES ({marks})", ident(&form.shape.name));
    let values: Vec<ValueRef<'_>> = key.iter().chain(cells.iter().map(|(_, value)| value)).map(Value::as_ref).collect();
    written(conn.run(&sql, &values)?)
}

/// RAISE(IGNORE) drops a write without an error.
fn written(rows: i64) -> Result<()> {
    match rows {
        0 => Err(crate::error::Error::sqlite(19, "a trigger of the application ignored the row")),
        _ => Ok(()),
    }
}

/// Updates `cells` of a row.
pub fn update(conn: &Conn, form: &Form, key: &[Value], cells: &[(usize, Value)]) -> Result<()> {
    if cells.is_empty() {
        return Ok(());
    }
    let sets = cells.iter().enumerate().filter_map(|(n, (i, _))| {
        let column = ident(&form.tracked.get(*i)?.column.name);
        Some(format!("{column} = ?{}", key.len() + n + 1))
    });
    let rule = if form.shape.own_conflict_rule { " OR ABORT" } else { "" };
    let sql = format!("UPDATE{rule} main.{} SET {} WHERE {}", ident(&form.shape.name), list(sets), key_condition(form));
    let values: Vec<ValueRef<'_>> = key.iter().chain(cells.iter().map(|(_, value)| value)).map(Value::as_ref).collect();
    conn.run(&sql, &values)?;
    Ok(())
}

/// Deletes a row.
pub fn delete(conn: &Conn, form: &Form, key: &[Value]) -> Result<()> {
    let sql = format!("DELETE FROM main.{} WHERE {}", ident(&form.shape.name), key_condition(form));
    let values: Vec<ValueRef<'_>> = key.iter().map(Value::as_ref).collect();
    written(conn.run(&sql, &values)?)
}

/// Whether a table with these key columns can only give back the key that it was given.
pub fn key_is_exact(classes: &[KeyClass], key: &[Value]) -> bool {
    classes.iter().zip(key).all(|pair| {
        matches!(pair, (KeyClass::Integer, Value::Integer(_)) | (KeyClass::Text, Value::Text(_) | Value::Blob(_)))
    })
}

/// What a column shows of a record's state; None for a lww field without state, or whose value the live cell holds.
pub fn shown(record: &Record, tracked: &Tracked) -> Option<Value> {
    match tracked.ty {
        Type::Lww => {
            let saved = record.lww.get(&tracked.field)?.saved.as_deref()?;
            crate::value::decode(saved).ok()
        }
        Type::Counter => Some(match record.sum(tracked.field) {
            Some(sum) => Value::Integer(crate::types::counter::shown(sum)),
            None if tracked.column.not_null => Value::Integer(0),
            None => Value::Null,
        }),
        Type::Set => {
            let text = crate::types::set::column_text(record.elements(tracked.field).into_iter());
            Some(Value::Text(text.into_bytes()))
        }
    }
}

/// The keys of all rows.
pub fn keys(conn: &Conn, form: &Form) -> Result<Vec<Pk>> {
    let columns = list(form.shape.key.iter().map(|k| ident(k)));
    let mut rows = conn.stmt(&format!("SELECT {columns} FROM main.{}", ident(&form.shape.name)))?;
    let mut all = Vec::new();
    while rows.step()? {
        let values: Vec<ValueRef<'_>> = (0..form.shape.key.len()).map(|i| rows.column(i)).collect();
        all.push(Pk::encode(&form.shape.classes, &values));
    }
    Ok(all)
}
