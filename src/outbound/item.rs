//! One change of an answer, by itself.

use std::ops::Range;
use std::rc::Rc;

use super::answer::Answer;
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
    pub pk: Rc<str>,
    /// Field name as on the wire.
    pub field: Rc<str>,
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

/// Changes by themselves, for who looks at each.
#[derive(Default)]
pub struct Items {
    /// The record that is being told.
    of: Option<(Rc<Table>, Rc<str>)>,
    /// What is told ahead of its turn, and where that of the record begins.
    ahead: Vec<Option<Item>>,
    from: usize,
    /// Those whose turn has come.
    pub told: Vec<Item>,
}

impl Items {
    /// All that was told ahead.
    pub fn into_ahead(self) -> impl Iterator<Item = Item> {
        self.ahead.into_iter().flatten()
    }
}

impl Answer for Items {
    type Draft = Range<usize>;

    fn record(&mut self, table: &Rc<Table>, pk: &str) {
        self.of = Some((Rc::clone(table), Rc::from(pk)));
        self.from = self.ahead.len();
    }

    fn drafted(&mut self) -> Range<usize> {
        self.from..self.ahead.len()
    }

    fn clear(&mut self) {
        self.ahead.clear();
    }

    fn put(&mut self, draft: &Range<usize>) {
        let items = self.ahead.get_mut(draft.clone()).into_iter().flatten();
        self.told.extend(items.filter_map(Option::take));
    }

    fn items(&mut self, items: Vec<Item>) {
        self.told.extend(items);
    }
}

impl Sink for Items {
    fn cell(&mut self, field: &str, told: &Told<'_>, value: Cell<'_>) {
        let body = Body::Lww { value: value.to_json(), prev: told.prev.cloned(), altered: told.altered };
        self.change(field, told.hlc, body, told.seen);
    }

    fn change(&mut self, field: &str, hlc: &Hlc, body: Body, seen: Option<&Seen>) {
        let Some((table, pk)) = self.of.clone() else { return };
        self.ahead.push(Some(Item { table, pk, field: field.into(), hlc: hlc.clone(), body, seen: seen.cloned() }));
    }
}
