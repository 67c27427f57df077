//! Writing entries where their turn comes: each tells how far it lies from the one before.

use std::ops::Range;

use super::nodes::{push_number, write_stamp};
use super::{write_delta, CHANGE, SAME_KEY};
use crate::clock::{push_int, Tick};

/// What was drafted; the text of it is elsewhere.
pub enum Entry {
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
pub struct Written {
    any: bool,
    tick: Tick,
    prev: Tick,
    pk: Option<String>,
}

impl Written {
    /// Puts a comma between items.
    pub fn comma(&mut self, out: &mut String) {
        if self.any {
            out.push(',');
        }
        self.any = true;
    }

    /// Writes an entry of the record with the key `pk`, given as JSON.
    pub fn entry(&mut self, out: &mut String, pk: &str, entry: &Entry, text: &str) {
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
