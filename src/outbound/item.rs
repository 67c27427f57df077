//! One change of an answer, by itself.

use std::rc::Rc;

use super::tell::{Cell, Sink, Told};
use crate::change::{Body, Writer};
use crate::clock::Hlc;
use crate::error::Result;
use crate::schema::Table;
use crate::types::seen::Seen;

/// One change of the answer.
pub struct Item {
    /// The table's name.
    pub table: Rc<Table>,
    /// The key's text.
    pub pk: String,
    /// Field name as on the wire.
    pub field: String,
    /// Stamp.
    pub hlc: Hlc,
    /// What it says.
    pub body: Body,
    /// What its author had seen.
    pub seen: Option<Seen>,
}

impl Item {
    /// Appends it as JSON.
    pub fn write_json(&self, out: &mut String) {
        Writer { table: &self.table.name, pk: &self.pk }.write(
            out,
            &self.field,
            &self.hlc,
            &self.body,
            self.seen.as_ref(),
        );
    }

    /// The type's name on the wire.
    pub fn crdt_type(&self) -> &str {
        self.body.crdt_type()
    }

    /// Whether it is a delete.
    pub fn is_tombstone(&self) -> bool {
        matches!(self.body, Body::Tombstone { .. })
    }

    /// Whether it tells that the record left the filter: it has no stamp.
    pub fn is_left(&self) -> bool {
        matches!(self.body, Body::Left(_))
    }

    /// The value for a `value` column.
    pub fn value(&self) -> Result<crate::ffi::Out> {
        self.body.value().map(crate::ffi::Out::Value)
    }
}

/// Gathers the changes of one record.
pub struct Items<'i> {
    /// The record's table.
    pub table: &'i Rc<Table>,
    /// The key's text.
    pub pk: &'i str,
    /// Where they go.
    pub items: &'i mut Vec<Item>,
}

impl Sink for Items<'_> {
    fn cell(&mut self, field: &str, told: &Told<'_>, value: Cell<'_>) {
        let mut json = String::new();
        value.write_json(&mut json);
        let body = Body::Lww { value: json, prev: told.prev.cloned(), altered: told.altered };
        self.change(field, told.hlc, body, told.seen);
    }

    fn change(&mut self, field: &str, hlc: &Hlc, body: Body, seen: Option<&Seen>) {
        let (table, pk, field) = (Rc::clone(self.table), self.pk.to_owned(), field.to_owned());
        self.items.push(Item { table, pk, field, hlc: hlc.clone(), body, seen: seen.cloned() });
    }
}
