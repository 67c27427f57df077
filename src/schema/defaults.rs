//! Defaults of counters and sets that the triggers would refuse.

use crate::conn::Conn;
use crate::error::{excerpt, Result};
use crate::ffi::Value;
use crate::schema::shape::Column;
use crate::schema::Kind;
use crate::types::Type;
use crate::{apply, unique};

/// A sentence for each counter and set whose default is none.
pub fn warnings(conn: &Conn, columns: &[(&Column, Kind)]) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for (column, kind) in columns {
        let (Kind::Known(ty @ (Type::Counter | Type::Set)), Some(default)) = (kind, &column.default) else { continue };
        if fits(conn, column, *ty)? {
            continue;
        }
        let (what, instead) = match ty {
            Type::Set => ("no JSON array, as a set needs", "'[]'"),
            _ => ("no INTEGER, as a counter needs", "0"),
        };
        all.push(format!(
            "'{}' has the default {}, which is {what}: an INSERT that leaves the column out is refused; declare it DEFAULT \
             {instead}, or name the column in every INSERT",
            column.name,
            excerpt(default)
        ));
    }
    Ok(all)
}

/// Whether the triggers would take a default; so too where it cannot be told.
fn fits(conn: &Conn, column: &Column, ty: Type) -> Result<bool> {
    let value = match unique::default(conn, column) {
        Ok(value) => value,
        Err(e) if apply::is_refusal(&e) => return Ok(true),
        Err(e) => return Err(e),
    };
    match (ty, &value) {
        (_, Value::Null) | (Type::Counter, Value::Integer(_)) => Ok(true),
        (Type::Set, Value::Text(_)) => {
            let array = "SELECT CASE WHEN json_valid(?1) THEN json_type(?1) = 'array' ELSE 0 END";
            Ok(conn.int(array, &[value.as_ref()])? == Some(1))
        }
        _ => Ok(false),
    }
}
