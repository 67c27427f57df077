//! Numbers for what is written once.

use std::collections::HashMap;
use std::rc::Rc;

use super::{write_delta, NODE};
use crate::clock::{push_int, Hlc, Tick};
use crate::value::write_text;

/// Numbers by what they stand for.
pub type Numbers<K> = HashMap<K, usize, foldhash::fast::RandomState>;

/// The numbers of node ids.
pub struct Nodes<'w> {
    pub numbers: &'w mut Numbers<Rc<str>>,
    pub defined: &'w mut String,
}

impl Nodes<'_> {
    pub fn number(&mut self, node: &Rc<str>) -> usize {
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
    pub fn stamp(&mut self, out: &mut String, of: &Hlc, stamp: &Hlc) {
        write_stamp(out, self.number(&stamp.node), of.tick(), stamp.tick());
    }

    pub fn stamps(&mut self, out: &mut String, of: &Hlc, stamps: &[Hlc]) {
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
pub fn write_stamp(out: &mut String, node: usize, from: Tick, to: Tick) {
    out.push('[');
    push_number(out, node);
    out.push(',');
    write_delta(out, from, to);
    out.push(']');
}

/// Appends a number.
pub fn push_number(out: &mut String, number: usize) {
    push_int(out, i64::try_from(number).unwrap_or(i64::MAX));
}

/// Appends an item that defines what comes next in its numbering; `json` is what stands in it.
pub fn define(defined: &mut String, word: &str, json: &str) {
    if !defined.is_empty() {
        defined.push(',');
    }
    defined.push_str("[\"");
    defined.push_str(word);
    defined.push_str("\",");
    defined.push_str(json);
    defined.push(']');
}
