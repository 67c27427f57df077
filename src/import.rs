//! Change JSON in: text → limits → changes, each checked before anything is written.

use std::collections::HashMap;
use std::rc::Rc;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::change::{check, Body, Change, Names, Wire};
use crate::conn::Conn;
use crate::error::{Error, Result};
use crate::record::FieldId;
use crate::schema::{Catalog, Kind, Table};
use crate::types::Type;

/// Reads an array of changes, or an object with `changes`.
pub fn parse(json: &str) -> Result<Vec<Change>> {
    let mut names = Names::default();
    raw_changes(json)?
        .iter()
        .enumerate()
        .map(|(i, raw)| one(raw.get(), &mut names).map_err(|e| e.context(&format!("change {i}"))))
        .collect()
}

/// Reads one change.
pub fn one(json: &str, names: &mut Names) -> Result<Change> {
    let wire: Wire<'_> = crate::json::object(json).map_err(|e| Error::peer(format!("not a change record: {e}")))?;
    check(&wire, Some(json), names)
}

/// The changes of a payload, unread.
pub fn raw_changes(json: &str) -> Result<Vec<&RawValue>> {
    #[derive(Deserialize)]
    struct Payload<'a> {
        // Grove answers null when there is nothing; a missing key is a mistake.
        #[serde(borrow, deserialize_with = "Option::deserialize")]
        changes: Option<Vec<&'a RawValue>>,
    }
    let bad = |e: serde_json::Error| Error::peer(format!("not JSON that carries changes: {e}"));
    match json.trim_start().as_bytes().first() {
        Some(b'[') => serde_json::from_str(json).map_err(bad),
        Some(b'{') => {
            let payload: Payload<'_> = serde_json::from_str(json).map_err(bad)?;
            Ok(payload.changes.unwrap_or_default())
        }
        _ => Err(Error::peer("expected a JSON array of changes, or an object with \"changes\"")),
    }
}

/// A change with its table and field found.
pub struct Resolved {
    /// The table.
    pub table: Rc<Table>,
    /// The field's number; 0 for the row itself and for deletes.
    pub field: FieldId,
    /// Whether a column here shows it.
    pub local: bool,
}

/// Finds the tables of changes: all must be enabled.
pub fn check_tables<'c>(catalog: &Catalog, changes: impl Iterator<Item = &'c Change>) -> Result<()> {
    let mut seen: Option<&str> = None;
    for change in changes {
        if seen != Some(change.table.as_str()) {
            catalog.enabled(&change.table)?;
            seen = Some(&change.table);
        }
    }
    Ok(())
}

/// The kind of field that a change speaks of; None for the row itself and for deletes.
fn kind(body: &Body) -> Option<Kind> {
    match body {
        Body::Tombstone { .. } | Body::Row | Body::Left(_) => None,
        Body::Lww { .. } => Some(Kind::Known(Type::Lww)),
        Body::Counter { .. } => Some(Kind::Known(Type::Counter)),
        Body::Add(_) | Body::Remove { .. } => Some(Kind::Known(Type::Set)),
        Body::Other { crdt_type, .. } => Some(Kind::parse(crdt_type)),
    }
}

/// Gives numbers to the fields that this database does not know yet; true when there were any.
pub fn intern_fields<'c>(conn: &Conn, catalog: &Catalog, changes: impl Iterator<Item = &'c Change>) -> Result<bool> {
    let mut new: HashMap<(i64, &str, Kind), ()> = HashMap::new();
    for change in changes {
        let (Some(kind), Some(table)) = (kind(&change.body), catalog.by_name(&change.table)) else { continue };
        if table.named(&change.field, &kind).is_none()
            && new.insert((table.id, &change.field, kind.clone()), ()).is_none()
        {
            conn.run(
                "INSERT INTO main._crdt_field(t, f, name, type)
                 SELECT ?1, 1 + coalesce(max(f), 0), ?2, ?3 FROM main._crdt_field WHERE t = ?1",
                &[table.id.into(), change.field.as_str().into(), kind.name().into()],
            )?;
        }
    }
    if !new.is_empty() {
        conn.run("UPDATE main._crdt_state SET token = random()", &[])?;
    }
    Ok(!new.is_empty())
}

/// The table and field of a change, once all fields have numbers.
pub fn resolve(catalog: &Catalog, change: &Change) -> Result<Resolved> {
    let table = Rc::clone(catalog.enabled(&change.table)?);
    let Some(kind) = kind(&change.body) else { return Ok(Resolved { table, field: 0, local: true }) };
    let field = table.named(&change.field, &kind).ok_or_else(|| Error::internal("a field was not interned"))?;
    let (field, local) = (field.id, field.is_local());
    Ok(Resolved { table, field, local })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payload_shapes() {
        assert_eq!(raw_changes("[]").unwrap().len(), 0);
        assert_eq!(raw_changes(r#" {"latest_hlc":null,"changes":null}"#).unwrap().len(), 0);
        assert_eq!(raw_changes(r#"{"changes":[{},1]}"#).unwrap().len(), 2);
        for bad in ["", "null", "1", "\"x\"", "[", "{}x", r#"{"changes":1}"#, "{}", "[1]]"] {
            assert!(raw_changes(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_error_names_the_change() {
        let e = parse("[1]").unwrap_err();
        assert!(e.message().starts_with("change 0: "), "{e}");
    }
}
