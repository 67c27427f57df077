//! The change record: one field of one record, or one delete, as JSON (Grove's keys and meanings, and ours on top).
//!
//! ```json
//! {"table":"tasks","pk":"t1","field":"title","crdt_type":"lww","hlc":{"ts":1,"c":0,"node":"a"},"node_id":"a","value":"Milk"}
//! {…,"field":"votes","crdt_type":"counter",…,"counter_delta":{"inc":7,"dec":2}}
//! {…,"field":"tags","crdt_type":"set",…,"set_op":{"op":"add","elements":["home"]}}
//! {…,"field":"tags","crdt_type":"set",…,"set_op":{"op":"remove","elements":["home"],"tags":[{"ts":1,"c":0,"node":"a"}]}}
//! {…,"field":"_row","crdt_type":"lww",…,"value":true}
//! {…,"field":"_tombstone","crdt_type":"",…,"tombstone":true}
//! {"table":"tasks","pk":"t1","field":"_left","crdt_type":"","knows":{"a":{"ts":1,"c":0}},"stamps":{"title":{"ts":1,"c":0,"node":"a"}}}
//! ```
//! Keys of ours that other peers ignore: `prev` (the stamp that was overwritten), `altered` (a hook changed the value),
//! `born` (where an author's counter totals began anew), `operation` (a counter part that is one operation, not totals).
//! Pure.

use std::collections::BTreeMap;
use std::rc::Rc;

mod read;
mod write;

use crate::clock::{push_int, Hlc, Tick};
pub use read::{check, Names, Wire};
pub use write::Writer;

/// The field name of a delete.
pub const TOMBSTONE: &str = "_tombstone";
/// The field name of the row itself.
pub const ROW: &str = "_row";
/// The field name that tells of a record that left the sender's filter.
pub const LEFT: &str = "_left";
/// Longest table or field name, bytes.
pub const MAX_NAME_BYTES: usize = 4 * 1024;

/// A change, checked.
#[derive(Clone, PartialEq, Debug)]
pub struct Change {
    /// Source table.
    pub table: String,
    /// Key text.
    pub pk: String,
    /// Column; for a delete or the row itself see [`Body`].
    pub field: String,
    /// Stamp of the write; its node is the author.
    pub hlc: Hlc,
    /// What was written.
    pub body: Body,
}

/// What a change says.
#[derive(Clone, PartialEq, Debug)]
pub enum Body {
    /// The record was deleted.
    Tombstone,
    /// The record left the sender's filter. It has no stamp, is not passed on, and takes nothing away from the receiver that
    /// the sender does not know; without that, everything.
    Left(Option<Box<Known>>),
    /// The record was inserted.
    Row,
    /// A cell was written.
    Lww {
        /// The value as JSON.
        value: String,
        /// The stamp that it overwrote.
        prev: Option<Hlc>,
        /// A hook changed the value.
        altered: bool,
    },
    /// The author's part of a counter.
    Counter {
        /// Running total of increments (of one operation: its increment).
        inc: u128,
        /// Running total of decrements.
        dec: u128,
        /// Where the totals began anew.
        born: Option<Hlc>,
        /// One operation rather than totals.
        operation: bool,
    },
    /// Elements were added under the change's stamp.
    Add(Vec<String>),
    /// Elements were removed: those adds that `tags` names, or, without it, those that the receiver knows.
    Remove {
        /// Canonical JSON of the elements.
        elements: Vec<String>,
        /// Stamps of the adds that are removed.
        tags: Option<Vec<Hlc>>,
    },
    /// A type that this version does not have: kept whole and passed on.
    Other {
        /// The type's name.
        crdt_type: String,
        /// The change as it came.
        json: String,
    },
}

/// What the sender of [`Body::Left`] knows of the record.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Known {
    /// Each author's latest stamp on it.
    pub authors: BTreeMap<Rc<str>, Tick>,
    /// The stamps of its lww fields, and of its tombstone: earlier ones of whomever lose anyway.
    pub stamps: BTreeMap<String, Hlc>,
}

/// `ts:c`, the name of one operation of an author.
pub fn operation_name(tick: Tick) -> String {
    let mut out = String::new();
    push_int(&mut out, tick.ts);
    out.push(':');
    push_int(&mut out, i64::from(tick.c));
    out
}

#[cfg(test)]
mod tests;
