//! Changes straight into the answer's JSON, what they have in common written once a record.

use std::ops::Range;
use std::rc::Rc;

use super::answer::{Answer, Paged};
use super::item::Item;
use super::tell::{Cell, Sink, Told};
use crate::change::{write_seen, Body, Writer};
use crate::clock::Hlc;
use crate::schema::Table;
use crate::types::seen::Seen;
use crate::value::write_text;

/// An answer in the making: changes with commas between them.
pub struct Json<'o> {
    out: &'o mut String,
    count: usize,
    /// What is told ahead of its turn, and how many changes of the record that is being told.
    ahead: String,
    changes: usize,
    from: usize,
    table: String,
    pk: String,
    /// A comma, and all of a cell's JSON up to its field's name.
    head: String,
    /// The stamp that was written last, and what stands between a field's name and its value under it.
    stamp: Option<Hlc>,
    middle: String,
}

/// One record that was told: where its JSON is, a comma before each change, and how many changes that are.
#[derive(Clone, Default)]
pub struct Draft {
    text: Range<usize>,
    changes: usize,
}

impl<'o> Json<'o> {
    /// An answer that goes on from `out`.
    pub fn new(out: &'o mut String) -> Self {
        Json {
            out,
            count: 0,
            ahead: String::new(),
            changes: 0,
            from: 0,
            table: String::new(),
            pk: String::new(),
            head: String::new(),
            stamp: None,
            middle: String::new(),
        }
    }

    /// Appends a stamp, its node once more, and what comes before the value.
    fn stamp(&mut self, hlc: &Hlc) {
        if self.stamp.as_ref() != Some(hlc) {
            self.middle.clear();
            self.middle.push_str(",\"crdt_type\":\"lww\",\"hlc\":");
            hlc.write_json(&mut self.middle);
            self.middle.push_str(",\"node_id\":");
            write_text(&mut self.middle, &hlc.node);
            self.middle.push_str(",\"value\":");
            self.stamp = Some(hlc.clone());
        }
        self.ahead.push_str(&self.middle);
    }
}

impl Answer for Json<'_> {
    type Draft = Draft;

    fn record(&mut self, table: &Rc<Table>, pk: &str) {
        let table = table.name.as_str();
        if self.table != table {
            table.clone_into(&mut self.table);
        }
        pk.clone_into(&mut self.pk);
        self.head.clear();
        self.head.push_str(",{\"table\":");
        write_text(&mut self.head, table);
        self.head.push_str(",\"pk\":");
        write_text(&mut self.head, pk);
        self.head.push_str(",\"field\":");
        (self.from, self.changes) = (self.ahead.len(), 0);
    }

    fn drafted(&mut self) -> Draft {
        Draft { text: self.from..self.ahead.len(), changes: self.changes }
    }

    fn clear(&mut self) {
        self.ahead.clear();
    }

    fn put(&mut self, draft: &Draft) {
        let from = draft.text.start + usize::from(self.count == 0);
        self.out.push_str(self.ahead.get(from..draft.text.end).unwrap_or_default());
        self.count += draft.changes;
    }

    fn items(&mut self, items: Vec<Item>) {
        for item in items {
            if self.count > 0 {
                self.out.push(',');
            }
            item.write_json(self.out);
            self.count += 1;
        }
    }
}

impl Paged for Json<'_> {
    fn count(&self) -> usize {
        self.count
    }

    fn len(&self) -> usize {
        self.out.len()
    }
}

impl Sink for Json<'_> {
    fn cell(&mut self, field: &str, told: &Told<'_>, value: Cell<'_>) {
        self.changes += 1;
        self.ahead.push_str(&self.head);
        write_text(&mut self.ahead, field);
        self.stamp(told.hlc);
        value.write_json(&mut self.ahead);
        if let Some(prev) = told.prev {
            self.ahead.push_str(",\"prev\":");
            prev.write_json(&mut self.ahead);
        }
        write_seen(&mut self.ahead, told.seen);
        self.ahead.push_str(if told.altered { ",\"altered\":true}" } else { "}" });
    }

    fn change(&mut self, field: &str, hlc: &Hlc, body: Body, seen: Option<&Seen>) {
        self.changes += 1;
        self.ahead.push(',');
        Writer { table: &self.table, pk: &self.pk }.write(&mut self.ahead, field, hlc, &body, seen);
    }
}
