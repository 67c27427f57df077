//! Writing: what is told of a record is drafted as entries, and written out when its turn comes. Only then it is known which
//! stamp goes before it.

use std::ops::Range;
use std::rc::Rc;

use super::nodes::{define, Nodes, Numbers};
use super::written::{Entry, Written};
use super::{MAX_SHARED_SEEN, SHAPE};
use crate::change::{Body, Change, Writer as Grove, ROW, TOMBSTONE};
use crate::clock::Hlc;
use crate::types::seen::Seen;
use crate::value::write_text;

/// A payload in the making.
#[derive(Default)]
pub struct Writer {
    nodes: Numbers<Rc<str>>,
    /// By what stands in the item that defines one: the table and its fields, as JSON.
    shapes: Numbers<String>,
    /// Items that define what drafts speak of, to be written before them.
    defined: String,
    /// Drafted text, and the entries that it belongs to.
    text: String,
    entries: Vec<Entry>,
    record: Drafted,
    open: Option<Open>,
    /// What the open entry has besides its stamp and `prev`, and what the next cell has.
    rest: String,
    next_rest: String,
    /// The table and fields of the open entry, and those of the one before, with its number.
    shape: String,
    last_shape: (String, usize),
    out: Written,
}

/// What a cell is of: the write, and what its change says besides.
pub struct Of<'a> {
    /// The write.
    pub hlc: &'a Hlc,
    /// What it overwrote.
    pub prev: Option<&'a Hlc>,
    /// What its author had seen besides.
    pub seen: Option<&'a Seen>,
    /// A hook changed the value.
    pub altered: bool,
}

/// What was drafted of one record.
#[derive(Clone, Default)]
pub struct Draft {
    pk: Range<usize>,
    entries: Range<usize>,
    /// How many changes that are.
    pub changes: usize,
}

/// The record that is being drafted.
#[derive(Default)]
struct Drafted {
    table: String,
    table_json: String,
    pk: String,
    draft: Draft,
}

/// An entry that takes more cells of the same write.
struct Open {
    hlc: Hlc,
    prev: Option<Hlc>,
    from: usize,
    cells: usize,
}

impl Writer {
    /// Whose changes come next. Ends with [`Writer::drafted`].
    pub fn record(&mut self, table: &str, pk: &str) {
        if self.record.table != table || self.record.table_json.is_empty() {
            table.clone_into(&mut self.record.table);
            self.record.table_json.clear();
            write_text(&mut self.record.table_json, table);
        }
        pk.clone_into(&mut self.record.pk);
        let from = self.text.len();
        write_text(&mut self.text, pk);
        let entries = self.entries.len()..self.entries.len();
        self.record.draft = Draft { pk: from..self.text.len(), entries, changes: 0 };
    }

    /// What was drafted of the record.
    pub fn drafted(&mut self) -> Draft {
        self.close();
        self.record.draft.entries.end = self.entries.len();
        self.record.draft.clone()
    }

    /// Forgets all drafts.
    pub fn clear(&mut self) {
        self.text.clear();
        self.entries.clear();
    }

    /// Appends a cell; `value` appends its JSON.
    pub fn cell(&mut self, field: &str, of: &Of<'_>, value: impl FnOnce(&mut String)) {
        self.next_rest.clear();
        if let Some(seen) = of.seen {
            self.rest_key("seen");
            self.stamps_of_rest(of.hlc, seen.stamps());
        }
        if of.altered {
            self.rest_key("altered");
            self.next_rest.push_str("true");
        }
        self.field(field, None, (of.hlc, of.prev, of.seen.is_some()), |_, out| value(out));
    }

    /// Appends any change.
    pub fn change(&mut self, field: &str, hlc: &Hlc, body: &Body, seen: Option<&Seen>) {
        self.next_rest.clear();
        match body {
            Body::Lww { value, prev, altered } => {
                let of = Of { hlc, prev: prev.as_ref(), seen, altered: *altered };
                self.cell(field, &of, |out| out.push_str(value));
            }
            Body::Row => self.field(ROW, None, (hlc, None, false), |_, out| out.push_str("true")),
            Body::Tombstone { forgotten } => {
                if let Some(until) = forgotten {
                    self.rest_key("forgotten");
                    self.stamp_of_rest(hlc, until);
                }
                if let Some(seen) = seen {
                    self.rest_key("seen");
                    self.stamps_of_rest(hlc, seen.stamps());
                }
                self.field(TOMBSTONE, None, (hlc, None, seen.is_some()), |_, out| out.push_str("true"));
            }
            Body::Counter { inc, dec, born, operation } => {
                if let Some(born) = born {
                    self.rest_key("born");
                    self.stamp_of_rest(hlc, born);
                }
                if *operation {
                    self.rest_key("operation");
                    self.next_rest.push_str("true");
                }
                self.field(field, Some("counter"), (hlc, None, false), |_, out| {
                    use std::fmt::Write;
                    let _ = write!(out, "[{inc},{dec}]"); // cannot fail
                });
            }
            Body::Add(elements) => {
                self.field(field, Some("set"), (hlc, None, false), |_, out| write_list(out, elements));
            }
            Body::Remove { elements, tags } => {
                self.field(field, Some("set"), (hlc, None, false), |nodes, out| {
                    out.push_str("{\"remove\":");
                    write_list(out, elements);
                    if let Some(tags) = tags {
                        out.push_str(",\"tags\":");
                        nodes.stamps(out, hlc, tags);
                    }
                    out.push('}');
                });
            }
            Body::Left(_) | Body::Other { .. } => {
                self.close();
                let from = self.text.len();
                let grove = Grove { table: &self.record.table, pk: &self.record.pk };
                grove.write(&mut self.text, field, hlc, body, seen);
                self.whole(from);
            }
        }
    }

    /// Writes what was drafted.
    pub fn put(&mut self, out: &mut String, draft: &Draft) {
        if !self.defined.is_empty() {
            self.out.comma(out);
            out.push_str(&self.defined);
            self.defined.clear();
        }
        let pk = self.text.get(draft.pk.clone()).unwrap_or_default();
        for entry in self.entries.get(draft.entries.clone()).unwrap_or_default() {
            self.out.comma(out);
            self.out.entry(out, pk, entry, &self.text);
        }
    }

    /// Writes changes of one record.
    pub fn put_changes(&mut self, out: &mut String, changes: &[Change]) {
        let Some(first) = changes.first() else { return };
        self.put_one(out, |writer| {
            writer.record(&first.table, &first.pk);
            for Change { field, hlc, body, seen, .. } in changes {
                writer.change(field, hlc, body, seen.as_deref());
            }
        });
    }

    /// Writes a change that stays in the Grove form.
    pub fn put_whole(&mut self, out: &mut String, json: &str) {
        self.put_one(out, |writer| {
            writer.record("", "");
            let from = writer.text.len();
            writer.text.push_str(json);
            writer.whole(from);
        });
    }

    /// Drafts and writes at once.
    pub fn put_one(&mut self, out: &mut String, draft: impl FnOnce(&mut Writer)) {
        let (text, entries) = (self.text.len(), self.entries.len());
        draft(self);
        let drafted = self.drafted();
        self.put(out, &drafted);
        self.text.truncate(text);
        self.entries.truncate(entries);
    }

    fn whole(&mut self, from: usize) {
        self.entries.push(Entry::Change(from..self.text.len()));
        self.record.draft.changes += 1;
    }

    /// Adds a cell to the open entry, or opens one; what it has besides is in `next_rest`.
    fn field(
        &mut self,
        name: &str,
        ty: Option<&str>,
        (hlc, prev, seen): (&Hlc, Option<&Hlc>, bool),
        value: impl FnOnce(&mut Nodes<'_>, &mut String),
    ) {
        let fits = self.open.as_ref().is_some_and(|open| {
            let shared = !seen || open.cells < MAX_SHARED_SEEN;
            shared && open.hlc == *hlc && open.prev.as_ref() == prev && self.rest == self.next_rest
        });
        if !fits {
            self.close();
            self.open = Some(Open { hlc: hlc.clone(), prev: prev.cloned(), from: self.text.len(), cells: 0 });
            std::mem::swap(&mut self.rest, &mut self.next_rest);
            self.shape.clone_from(&self.record.table_json);
        }
        if let Some(open) = &mut self.open {
            open.cells += 1;
        }
        self.record.draft.changes += 1;
        match ty {
            None => {
                self.shape.push(',');
                write_text(&mut self.shape, name);
            }
            Some(ty) => {
                self.shape.push_str(",[");
                write_text(&mut self.shape, name);
                self.shape.push_str(",\"");
                self.shape.push_str(ty);
                self.shape.push_str("\"]");
            }
        }
        self.text.push(',');
        value(&mut Nodes { numbers: &mut self.nodes, defined: &mut self.defined }, &mut self.text);
    }

    /// Ends the open entry.
    fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        let values = open.from..self.text.len();
        self.text.push_str(&self.rest);
        let rest = values.end..self.text.len();
        let shape = self.shape_number();
        let mut nodes = Nodes { numbers: &mut self.nodes, defined: &mut self.defined };
        let node = nodes.number(&open.hlc.node);
        let prev = open.prev.as_ref().map(|prev| (nodes.number(&prev.node), prev.tick()));
        self.entries.push(Entry::Write { shape, node, tick: open.hlc.tick(), prev, values, rest });
    }

    fn shape_number(&mut self) -> usize {
        let (last, number) = &self.last_shape;
        if *last == self.shape {
            return *number;
        }
        let next = self.shapes.len();
        let number = match self.shapes.get(&self.shape) {
            Some(number) => *number,
            None => {
                define(&mut self.defined, SHAPE, &self.shape);
                self.shapes.insert(self.shape.clone(), next);
                next
            }
        };
        self.last_shape.0.clone_from(&self.shape);
        self.last_shape.1 = number;
        number
    }

    fn rest_key(&mut self, key: &str) {
        if !self.next_rest.is_empty() {
            self.next_rest.push(',');
        }
        self.next_rest.push('"');
        self.next_rest.push_str(key);
        self.next_rest.push_str("\":");
    }

    fn stamp_of_rest(&mut self, of: &Hlc, stamp: &Hlc) {
        let mut nodes = Nodes { numbers: &mut self.nodes, defined: &mut self.defined };
        nodes.stamp(&mut self.next_rest, of, stamp);
    }

    fn stamps_of_rest(&mut self, of: &Hlc, stamps: &[Hlc]) {
        let mut nodes = Nodes { numbers: &mut self.nodes, defined: &mut self.defined };
        nodes.stamps(&mut self.next_rest, of, stamps);
    }
}

fn write_list(out: &mut String, json: &[String]) {
    out.push('[');
    for (i, one) in json.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        out.push_str(one);
    }
    out.push(']');
}
