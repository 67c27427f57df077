//! What was written of a record, on the record.

use super::{Into, What, Write};
use crate::cells::Cells;
use crate::clock::{Hlc, BASE_NODE};
use crate::error::Result;
use crate::ffi::{Value, ValueRef};
use crate::local;
use crate::log::Reader;
use crate::record::{FieldId, Record};
use crate::schema::{Form, Table};
use crate::store::{RecordKey, Store};
use crate::types::Type;

/// A record under way.
pub(super) struct Replay<'r, 'c> {
    pub store: &'r Store<'c>,
    pub into: Into,
    pub table: &'r Table,
    pub form: &'r Form,
    pub key: &'r RecordKey,
    pub cells: &'r mut Cells,
}

impl Replay<'_, '_> {
    /// Does to the record what a log row says.
    pub fn write(&mut self, record: &mut Record, Write { stamp, what }: Write) -> Result<()> {
        match what {
            What::Whole => whole(record, self.table, &stamp),
            What::Row { values, backfill } => return self.row(record, values, &stamp, backfill),
            What::Cells(fields) => local::update(record, &fields, &stamp),
            What::Delete(seq) => {
                local::delete(record, grave(self.store, self.table, self.form, seq)?, &stamp);
            }
            What::Part(field, values) => {
                let [old, new] = *values;
                return self.part(record, field, &old, new, &stamp);
            }
            // A peer that had the column before has told what the row began with.
            What::Before(field, _, true)
                if record.counters.contains_key(&field) || record.sets.contains_key(&field) => {}
            What::Before(field, value, _) => return self.before(record, field, value, &stamp),
        }
        Ok(())
    }

    fn row(&mut self, record: &mut Record, values: Vec<(FieldId, Value)>, stamp: &Hlc, backfill: bool) -> Result<()> {
        if backfill {
            local::backfill(record, self.table.covered(), stamp);
        } else {
            local::insert(record, self.table.covered(), stamp);
        }
        for (field, value) in values {
            // A column that is gone with the triggers still there: nothing is to be counted.
            let Some(tracked) = self.form.tracked(field) else { continue };
            match tracked.ty {
                Type::Set => {
                    let old: Vec<String> = record.elements(field).into_iter().map(str::to_owned).collect();
                    self.set(record, field, old, value, stamp)?;
                }
                _ if backfill => local::counter_backfill(record, field, &value, stamp),
                _ => {
                    let apart = crate::left::has_totals_apart(self.store, self.key, record, field)?;
                    local::counter_insert(record, field, &value, stamp, apart);
                    self.counter_cell(field, value);
                }
            }
        }
        Ok(())
    }

    fn part(&mut self, record: &mut Record, field: FieldId, old: &Value, new: Value, stamp: &Hlc) -> Result<()> {
        let Some(tracked) = self.form.tracked(field) else { return Ok(()) };
        if tracked.ty == Type::Set {
            let old = self.elements(old)?.unwrap_or_default();
            return self.set(record, field, old, new, stamp);
        }
        let apart = crate::left::has_totals_apart(self.store, self.key, record, field)?;
        local::counter_update(record, field, old, &new, stamp, apart);
        self.counter_cell(field, new);
        Ok(())
    }

    fn before(&mut self, record: &mut Record, field: FieldId, value: Value, stamp: &Hlc) -> Result<()> {
        let Some(tracked) = self.form.tracked(field) else { return Ok(()) };
        let base = local::base_of(record, stamp);
        match tracked.ty {
            Type::Lww => local::backfill(record, &[field], stamp),
            Type::Counter => local::counter_backfill(record, field, &value, &base),
            Type::Set => self.set(record, field, Vec::new(), value, &base)?,
        }
        Ok(())
    }

    /// A counter that was set to NULL shows 0 once it has a part.
    fn counter_cell(&mut self, field: FieldId, value: Value) {
        if value == Value::Null {
            self.cells.insert((self.key.clone(), field), value);
        } else if !self.cells.is_empty() {
            self.cells.remove(&(self.key.clone(), field));
        }
    }

    fn set(&mut self, record: &mut Record, field: FieldId, old: Vec<String>, value: Value, stamp: &Hlc) -> Result<()> {
        match self.elements(&value)? {
            Some(new) => {
                let canonical = crate::types::set::column_text(new.iter().map(String::as_str));
                let is_canonical = value == Value::Text(canonical.into_bytes());
                local::set(record, field, &old, &new, stamp);
                if !is_canonical {
                    self.cells.insert((self.key.clone(), field), value);
                } else if !self.cells.is_empty() {
                    self.cells.remove(&(self.key.clone(), field));
                }
            }
            // Neither we nor SQLite can read it: the set stays as it was, and crdt_status names it.
            None => {
                self.cells.insert((self.key.clone(), field), value);
                if self.into == Into::Database {
                    let column = self.table.field(field).map_or("", |f| &f.name);
                    let name = format!("{}[{}].{column}", self.table.name, self.key.1.wire());
                    let sql =
                        "UPDATE main._crdt_state SET unread = substr(coalesce(unread || ', ', '') || ?1, 1, 1000)";
                    self.store.conn.run(sql, &[name.as_str().into()])?;
                }
            }
        }
        Ok(())
    }

    /// The elements of a set's column value; None when they cannot be read.
    fn elements(&self, value: &Value) -> Result<Option<Vec<String>>> {
        let text = match value {
            Value::Null => return Ok(Some(Vec::new())),
            Value::Text(bytes) => bytes,
            _ => return Ok(None),
        };
        let strict = std::str::from_utf8(text).ok().and_then(|text| crate::types::set::elements(text).ok());
        if strict.is_some() {
            return Ok(strict);
        }
        // SQLite takes what we do not: JSON5, for one.
        let lenient =
            self.store.conn.first("SELECT json(?1)", &[ValueRef::Text(text)], |row| row.text(0).map(str::to_owned));
        let lenient = match lenient {
            Err(e) if crate::apply::is_refusal(&e) => None,
            lenient => lenient?.flatten(),
        };
        Ok(lenient.and_then(|text| crate::types::set::elements(&text).ok()))
    }
}

/// A row without counters and sets, new or from before `crdt_enable`.
pub(super) fn whole(record: &mut Record, table: &Table, stamp: &Hlc) {
    if &*stamp.node == BASE_NODE {
        local::backfill(record, table.covered(), stamp);
    } else {
        local::insert(record, table.covered(), stamp);
    }
}

/// The lww values of a row as it was deleted, as JSON, by field: its log row has them, or the grave.
fn grave(store: &Store<'_>, table: &Table, form: &Form, seq: i64) -> Result<Vec<(FieldId, Option<String>)>> {
    let mut entry = Reader::new(store.conn, seq.saturating_sub(1), seq)?;
    if entry.step()? && entry.is_burial() {
        return Ok(values(table, form, |i| Some(entry.value(i))));
    }
    let mut row = store.conn.stmt("SELECT * FROM main._crdt_grave WHERE seq = ?1")?;
    row.bind(1, seq)?;
    let found = row.step()?;
    Ok(values(table, form, |i| found.then(|| row.column(i + 1))))
}

/// The values of a row's lww columns, as JSON, by field.
fn values<'v>(
    table: &Table,
    form: &Form,
    value: impl Fn(usize) -> Option<ValueRef<'v>>,
) -> Vec<(FieldId, Option<String>)> {
    let fields = table.local(|ty| ty == Type::Lww).enumerate();
    let json = fields.map(|(i, field)| {
        let json_form = form.tracked(field.id).map_or(Default::default(), |tracked| tracked.column.form);
        (field.id, value(i).map(|value| crate::value::to_json(value, json_form)))
    });
    json.collect()
}
