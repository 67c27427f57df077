//! Change JSON in: text → limits → changes, each checked before anything is written.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::change::{check, payload, Body, Change, Names, Wire};
use crate::compact::{self, Format};
use crate::conn::Conn;
use crate::error::{excerpt, Error, Result};
use crate::record::FieldId;
use crate::schema::{Catalog, Kind, Table};
use crate::types::Type;

/// Reads an array of changes, or an object with `changes`.
pub fn parse(json: &str) -> Result<Vec<Change>> {
    if compact::leads(json) {
        return compact(json);
    }
    let mut names = Names::default();
    // Once more where that fails: one by one it is known which change is wrong, and the text of those of unknown types.
    if let Some(changes) = payload::read(json, &mut names) {
        return Ok(changes);
    }
    let (changes, format) = raw_changes(json)?;
    if format.map_or(Ok(Format::Grove), |name| Format::named(&name))? == Format::Compact {
        return compact(json); // told after the changes, as where somebody sorted the keys
    }
    let read =
        |(i, raw): (usize, &&RawValue)| one(raw.get(), &mut names).map_err(|e| e.context(&format!("change {i}")));
    changes.iter().enumerate().map(read).collect()
}

fn compact(json: &str) -> Result<Vec<Change>> {
    let mut changes = Vec::new();
    compact::read(json, &mut changes)?;
    Ok(changes)
}

/// Reads one change.
pub fn one(json: &str, names: &mut Names) -> Result<Change> {
    let wire: Wire<'_> = crate::json::object(json).map_err(|e| Error::peer(format!("not a change record: {e}")))?;
    check(&wire, Some(json), names)
}

/// The changes of a payload, unread, and the name of the form that they have, if it tells.
pub fn raw_changes(json: &str) -> Result<(Vec<&RawValue>, Option<String>)> {
    #[derive(Deserialize)]
    struct Payload<'a> {
        // Grove answers null when there is nothing; a missing key is a mistake.
        #[serde(borrow, deserialize_with = "Option::deserialize")]
        changes: Option<Vec<&'a RawValue>>,
        #[serde(borrow, default)]
        format: Option<&'a RawValue>,
    }
    let bad = |e: serde_json::Error| Error::peer(format!("not JSON that carries changes: {e}"));
    match json.trim_start().as_bytes().first() {
        Some(b'[') => Ok((serde_json::from_str(json).map_err(bad)?, None)),
        Some(b'{') => {
            let payload: Payload<'_> = serde_json::from_str(json).map_err(bad)?;
            let name = payload.format.and_then(|json| serde_json::from_str(json.get()).ok());
            Ok((payload.changes.unwrap_or_default(), name))
        }
        _ => Err(Error::peer("expected a JSON array of changes, or an object with \"changes\"")),
    }
}

/// Finds the tables of changes: all must be enabled.
pub fn check_tables<'c>(catalog: &Catalog, changes: impl Iterator<Item = &'c Change>) -> Result<()> {
    let mut finder = Finder::new(catalog);
    changes.into_iter().try_for_each(|change| finder.table(change).map(drop))
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

/// A change with its table and field found.
pub struct Resolved {
    /// The table.
    pub table: Rc<Table>,
    /// The field's number; 0 for the row itself and for deletes.
    pub field: FieldId,
    /// Whether a column here shows it.
    pub local: bool,
}

/// Fields kept at hand: to go through more of them costs more than to look one up.
const MANY: usize = 32;

/// Finds tables and fields of changes; of those with the same names once.
pub struct Finder<'c> {
    catalog: &'c Catalog,
    table: Option<(Rc<str>, Rc<Table>)>,
    /// Fields found of this table: name, kind, number, whether a column here shows it.
    fields: Vec<(Rc<str>, Kind, FieldId, bool)>,
}

impl<'c> Finder<'c> {
    /// A finder that knows nothing yet.
    pub fn new(catalog: &'c Catalog) -> Finder<'c> {
        Finder { catalog, table: None, fields: Vec::new() }
    }

    /// The enabled table of a change.
    pub fn table(&mut self, change: &Change) -> Result<Rc<Table>> {
        match &self.table {
            Some((name, table)) if Rc::ptr_eq(name, &change.table) => Ok(Rc::clone(table)),
            _ => {
                let table = Rc::clone(self.catalog.listed(&change.table)?);
                self.table = Some((Rc::clone(&change.table), Rc::clone(&table)));
                self.fields.clear();
                Ok(table)
            }
        }
    }

    /// The table and field of a change; None where this database does not know the field.
    pub fn find(&mut self, change: &Change) -> Result<Option<Resolved>> {
        let table = self.table(change)?;
        let Some(kind) = kind(&change.body) else { return Ok(Some(Resolved { table, field: 0, local: true })) };
        let mut known = self.fields.iter();
        if let Some((_, _, field, local)) = known.find(|(name, k, ..)| Rc::ptr_eq(name, &change.field) && *k == kind) {
            return Ok(Some(Resolved { table, field: *field, local: *local }));
        }
        let Some((field, local)) = table.named(&change.field, &kind).map(|found| (found.id, found.is_local())) else {
            return Ok(None);
        };
        if self.fields.len() < MANY {
            self.fields.push((Rc::clone(&change.field), kind, field, local));
        }
        Ok(Some(Resolved { table, field, local }))
    }
}

/// Fields of a table at most, columns or not: SQLite can be built for so many columns, and not more.
/// <https://sqlite.org/limits.html#max_column>
const MOST_FIELDS: usize = 32_767;

/// The fields of changes that this database does not know yet, each once.
pub struct Unknown<'c> {
    finder: Finder<'c>,
    /// By table, name and kind.
    all: HashSet<(i64, Rc<str>, Kind)>,
    /// How many there are of each table.
    counts: HashMap<i64, usize>,
}

impl<'c> Unknown<'c> {
    /// Of no change yet.
    pub fn new(catalog: &'c Catalog) -> Unknown<'c> {
        Unknown { finder: Finder::new(catalog), all: HashSet::new(), counts: HashMap::new() }
    }

    /// Whether so many changes could have more new fields than some table has room for.
    pub fn may_be_too_many(catalog: &Catalog, changes: usize) -> bool {
        catalog.tables().iter().any(|table| table.fields.len().saturating_add(changes) > MOST_FIELDS)
    }

    /// The table, and the kind of the change's field where it has not come up yet.
    ///
    /// # Errors
    /// The table is not enabled, or has as many fields as there may be.
    pub fn meet(&mut self, change: &Change) -> Result<Option<(Rc<Table>, Kind)>> {
        if self.finder.find(change)?.is_some() {
            return Ok(None);
        }
        let (Some(kind), table) = (kind(&change.body), self.finder.table(change)?) else { return Ok(None) };
        let name = (table.id, Rc::clone(&change.field), kind.clone());
        if self.all.contains(&name) {
            return Ok(None);
        }
        let count = self.counts.entry(table.id).or_default();
        if table.fields.len() + *count >= MOST_FIELDS {
            return Err(Error::peer(format!(
                "{}: the field '{}' is not known here, and peers have written {MOST_FIELDS} fields already; no table can have more columns",
                excerpt(&table.name),
                excerpt(&change.field)
            )));
        }
        *count += 1;
        self.all.insert(name);
        Ok(Some((table, kind)))
    }
}

/// Gives numbers to the fields that this database does not know yet; true when there were any.
pub fn intern_fields<'c>(conn: &Conn, catalog: &Catalog, changes: impl Iterator<Item = &'c Change>) -> Result<bool> {
    let mut unknown = Unknown::new(catalog);
    for change in changes {
        if let Some((table, kind)) = unknown.meet(change)? {
            conn.run(
                "INSERT INTO main._crdt_field(t, f, name, type)
                 SELECT ?1, 1 + coalesce(max(f), 0), ?2, ?3 FROM main._crdt_field WHERE t = ?1",
                &[table.id.into(), (&*change.field).into(), kind.name().into()],
            )?;
        }
    }
    let any = !unknown.all.is_empty();
    if any {
        conn.run("UPDATE main._crdt_state SET token = random()", &[])?;
    }
    Ok(any)
}

/// The table and field of a change, once all fields have numbers.
pub fn resolve(catalog: &Catalog, change: &Change) -> Result<Resolved> {
    Finder::new(catalog).find(change)?.ok_or_else(|| Error::internal("a field was not interned"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payload_shapes() {
        assert_eq!(raw_changes("[]").unwrap().0.len(), 0);
        assert_eq!(raw_changes(r#" {"latest_hlc":null,"changes":null}"#).unwrap().0.len(), 0);
        assert_eq!(raw_changes(r#"{"changes":[{},1]}"#).unwrap().0.len(), 2);
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
