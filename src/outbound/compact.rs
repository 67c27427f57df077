//! Changes into an answer of the compact form.

use std::rc::Rc;

use super::answer::{Answer, Paged};
use super::item::Item;
use super::tell::{Cell, Sink, Told};
use crate::change::Body;
use crate::clock::Hlc;
use crate::compact::{Draft, Of, Writer};
use crate::schema::Table;
use crate::types::seen::Seen;

/// An answer in the making.
pub struct Compact<'o> {
    out: &'o mut String,
    writer: Writer,
    count: usize,
}

impl<'o> Compact<'o> {
    /// An answer that goes on from `out`.
    pub fn new(out: &'o mut String) -> Self {
        Compact { out, writer: Writer::default(), count: 0 }
    }
}

impl Sink for Compact<'_> {
    fn cell(&mut self, field: &str, told: &Told<'_>, value: Cell<'_>) {
        let of = Of { hlc: told.hlc, prev: told.prev, seen: told.seen, altered: told.altered };
        self.writer.cell(field, &of, |out| value.write_json(out));
    }

    fn change(&mut self, field: &str, hlc: &Hlc, body: Body, seen: Option<&Seen>) {
        self.writer.change(field, hlc, &body, seen);
    }
}

impl Answer for Compact<'_> {
    type Draft = Draft;

    fn record(&mut self, table: &Rc<Table>, pk: &str) {
        self.writer.record(&table.name, pk);
    }

    fn drafted(&mut self) -> Draft {
        self.writer.drafted()
    }

    fn clear(&mut self) {
        self.writer.clear();
    }

    fn put(&mut self, draft: &Draft) {
        self.writer.put(self.out, draft);
        self.count += draft.changes;
    }

    fn items(&mut self, items: Vec<Item>) {
        let Some(first) = items.first() else { return };
        self.count += items.len();
        self.writer.put_one(self.out, |writer| {
            writer.record(&first.table.name, &first.pk);
            for Item { field, hlc, body, seen, .. } in &items {
                writer.change(field, hlc, body, seen.as_ref());
            }
        });
    }
}

impl Paged for Compact<'_> {
    fn count(&self) -> usize {
        self.count
    }

    fn len(&self) -> usize {
        self.out.len()
    }
}
