//! Changes straight into the answer's JSON, what they have in common written once a record.

use super::item::Item;
use super::tell::{Cell, Sink, Told};
use crate::change::{write_seen, Body, Writer};
use crate::clock::Hlc;
use crate::types::seen::Seen;
use crate::value::write_text;

/// An answer in the making: changes with commas between them.
pub struct Json<'o> {
    out: &'o mut String,
    /// How many changes there are.
    pub count: usize,
    table: String,
    pk: String,
    /// All of a cell's JSON up to its field's name.
    head: String,
    /// The stamp that was written last, and its JSON up to the value.
    stamp: Option<(Hlc, String)>,
}

impl<'o> Json<'o> {
    /// An answer that goes on from `out`.
    pub fn new(out: &'o mut String) -> Self {
        Json { out, count: 0, table: String::new(), pk: String::new(), head: String::new(), stamp: None }
    }

    /// Bytes of the answer so far.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whose changes come next.
    pub fn record(&mut self, table: &str, pk: &str) {
        if self.table != table {
            table.clone_into(&mut self.table);
        }
        pk.clone_into(&mut self.pk);
        self.head.clear();
        self.head.push_str("{\"table\":");
        write_text(&mut self.head, table);
        self.head.push_str(",\"pk\":");
        write_text(&mut self.head, pk);
        self.head.push_str(",\"field\":");
    }

    /// Appends a change that stands by itself.
    pub fn item(&mut self, item: &Item) {
        self.comma();
        item.write_json(self.out);
    }

    /// Appends so many changes that are JSON already.
    pub fn changes(&mut self, json: &str, count: usize) {
        if count > 0 {
            self.comma();
            self.out.push_str(json);
            self.count += count - 1;
        }
    }

    fn comma(&mut self) {
        if self.count > 0 {
            self.out.push(',');
        }
        self.count += 1;
    }

    /// Appends a stamp, its node once more, and what comes before the value.
    fn stamp(&mut self, hlc: &Hlc) {
        if self.stamp.as_ref().is_none_or(|(last, _)| last != hlc) {
            let mut json = String::with_capacity(128);
            json.push_str(",\"crdt_type\":\"lww\",\"hlc\":");
            hlc.write_json(&mut json);
            json.push_str(",\"node_id\":");
            write_text(&mut json, &hlc.node);
            json.push_str(",\"value\":");
            self.stamp = Some((hlc.clone(), json));
        }
        if let Some((_, json)) = &self.stamp {
            self.out.push_str(json);
        }
    }
}

impl Sink for Json<'_> {
    fn cell(&mut self, field: &str, told: &Told<'_>, value: Cell<'_>) {
        self.comma();
        self.out.push_str(&self.head);
        write_text(self.out, field);
        self.stamp(told.hlc);
        value.write_json(self.out);
        if let Some(prev) = told.prev {
            self.out.push_str(",\"prev\":");
            prev.write_json(self.out);
        }
        write_seen(self.out, told.seen);
        self.out.push_str(if told.altered { ",\"altered\":true}" } else { "}" });
    }

    fn change(&mut self, field: &str, hlc: &Hlc, body: Body, seen: Option<&Seen>) {
        self.comma();
        Writer { table: &self.table, pk: &self.pk }.write(self.out, field, hlc, &body, seen);
    }
}
