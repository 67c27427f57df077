//! Writing: what is told of a record is drafted as entries, and written out when its turn comes. Only then it is known which
//! stamp goes before it.

use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

use super::{write_delta, CHANGE, MAX_SHARED_SEEN, NODE, SAME_KEY, SHAPE};
use crate::change::{Body, Change, Writer as Grove, ROW, TOMBSTONE};
use crate::clock::{push_int, Hlc, Tick};
use crate::types::seen::Seen;
use crate::value::write_text;

type Numbers<K> = HashMap<K, usize, foldhash::fast::RandomState>;

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

enum Entry {
    /// Cells of one write.
    Write {
        shape: usize,
        node: usize,
        tick: Tick,
        prev: Option<(usize, Tick)>,
        values: Range<usize>,
        rest: Range<usize>,
    },
    /// A change in the Grove form.
    Change(Range<usize>),
}

/// What went before, in the payload.
#[derive(Default)]
struct Written {
    any: bool,
    tick: Tick,
    prev: Tick,
    pk: Option<String>,
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

/// Appends an item that defines what comes next in its numbering; `json` is what stands in it.
fn define(defined: &mut String, word: &str, json: &str) {
    if !defined.is_empty() {
        defined.push(',');
    }
    defined.push_str("[\"");
    defined.push_str(word);
    defined.push_str("\",");
    defined.push_str(json);
    defined.push(']');
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

/// The numbers of node ids.
struct Nodes<'w> {
    numbers: &'w mut Numbers<Rc<str>>,
    defined: &'w mut String,
}

impl Nodes<'_> {
    fn number(&mut self, node: &Rc<str>) -> usize {
        let next = self.numbers.len();
        if let Some(number) = self.numbers.get(node) {
            return *number;
        }
        let mut json = String::new();
        write_text(&mut json, node);
        define(self.defined, NODE, &json);
        self.numbers.insert(Rc::clone(node), next);
        next
    }

    /// Appends a stamp as it lies from the stamp of its entry.
    fn stamp(&mut self, out: &mut String, of: &Hlc, stamp: &Hlc) {
        write_stamp(out, self.number(&stamp.node), of.tick(), stamp.tick());
    }

    fn stamps(&mut self, out: &mut String, of: &Hlc, stamps: &[Hlc]) {
        out.push('[');
        for (i, stamp) in stamps.iter().enumerate() {
            if i > 0 {
                out.push(',');
            }
            self.stamp(out, of, stamp);
        }
        out.push(']');
    }
}

/// Appends `[node,ts,c]`.
fn write_stamp(out: &mut String, node: usize, from: Tick, to: Tick) {
    out.push('[');
    push_number(out, node);
    out.push(',');
    write_delta(out, from, to);
    out.push(']');
}

fn push_number(out: &mut String, number: usize) {
    push_int(out, i64::try_from(number).unwrap_or(i64::MAX));
}

impl Written {
    fn comma(&mut self, out: &mut String) {
        if self.any {
            out.push(',');
        }
        self.any = true;
    }

    /// Writes an entry of the record with the key `pk`, given as JSON.
    fn entry(&mut self, out: &mut String, pk: &str, entry: &Entry, text: &str) {
        let at = |range: &Range<usize>| text.get(range.clone()).unwrap_or_default();
        let (shape, node, tick, prev, values, rest) = match entry {
            Entry::Change(json) => {
                out.push_str("[\"");
                out.push_str(CHANGE);
                out.push_str("\",");
                out.push_str(at(json));
                return out.push(']');
            }
            Entry::Write { shape, node, tick, prev, values, rest } => (shape, node, tick, prev, at(values), at(rest)),
        };
        out.push('[');
        push_number(out, *shape);
        out.push(',');
        match &mut self.pk {
            Some(last) if *last == pk => push_int(out, SAME_KEY as i64),
            last => {
                out.push_str(pk);
                pk.clone_into(last.get_or_insert_default());
            }
        }
        out.push(',');
        push_number(out, *node);
        out.push(',');
        write_delta(out, std::mem::replace(&mut self.tick, *tick), *tick);
        out.push_str(values);
        if prev.is_some() || !rest.is_empty() {
            out.push_str(",{");
            if let Some((node, prev)) = prev {
                out.push_str("\"prev\":");
                write_stamp(out, *node, std::mem::replace(&mut self.prev, *prev), *prev);
                out.push_str(if rest.is_empty() { "" } else { "," });
            }
            out.push_str(rest);
            out.push('}');
        }
        out.push(']');
    }
}
