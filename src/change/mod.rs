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
//! Keys of ours that other peers ignore: `prev` (the stamp that was overwritten), `seen` (the latest stamps of others that the
//! author knew besides, on lww and deletes), `altered` (a hook changed the value),
//! `forgotten` (of a delete, and of `_left`: what an earlier life of the record counted is over), `born` (where an author's counter totals
//! began anew), `operation` (a counter part that is one operation, not totals).
//! Pure.

use std::collections::BTreeMap;
use std::rc::Rc;

pub mod causes;
mod draft;
mod part;
pub mod payload;
mod quick;
mod read;
mod write;

use crate::clock::{push_int, Hlc, Tick};
use crate::error::Result;
use crate::ffi::Value;
use crate::meet::Write;
use crate::types::seen::Seen;
pub use draft::Drafts;
pub use part::Part;
pub use read::{check, Names, Wire};
pub use write::{write_seen, Writer};

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
    pub table: Rc<str>,
    /// Key text.
    pub pk: Rc<str>,
    /// Column; for a delete or the row itself see [`Body`].
    pub field: Rc<str>,
    /// Stamp of the write; its node is the author.
    pub hlc: Hlc,
    /// What was written.
    pub body: Body,
    /// What its author had seen of others' writes besides `prev`; of a delete None when it does not tell.
    pub seen: Option<Box<Seen>>,
}

impl Change {
    /// Whether it deletes the record.
    pub fn is_delete(&self) -> bool {
        matches!(self.body, Body::Tombstone { .. })
    }

    /// The write of a cell that it is; None for any other change.
    pub fn write(&self) -> Option<Write<'_>> {
        let Body::Lww { value, prev, altered } = &self.body else { return None };
        Some(Write { hlc: &self.hlc, prev: prev.as_ref(), altered: *altered, value, seen: self.seen.as_deref() })
    }

    /// Whether it says that the record left the sender's filter.
    pub fn is_left(&self) -> bool {
        matches!(self.body, Body::Left(_))
    }
}

/// What a change says.
#[derive(Clone, PartialEq, Debug)]
pub enum Body {
    /// The record was deleted.
    Tombstone {
        /// Counters and sets stamped up to here were forgotten before the record was made anew.
        forgotten: Option<Hlc>,
    },
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

impl Body {
    /// The type's name on the wire.
    pub fn crdt_type(&self) -> &str {
        match self {
            Body::Tombstone { .. } | Body::Left(_) => "",
            Body::Row | Body::Lww { .. } => "lww",
            Body::Counter { .. } => "counter",
            Body::Add(_) | Body::Remove { .. } => "set",
            Body::Other { crdt_type, .. } => crdt_type,
        }
    }

    /// Whether it is over with the life of the record that it belongs to: of counters and sets, not of cells.
    pub fn counts(&self) -> bool {
        matches!(self, Body::Counter { .. } | Body::Add(_) | Body::Remove { .. })
    }

    /// What was written, for SQL: a cell's value; the totals or the operation as JSON for counters and sets.
    pub fn value(&self) -> Result<Value> {
        let set = |op: &str, elements: &[String]| {
            let elements = crate::types::set::column_text(elements.iter().map(String::as_str));
            Value::from(format!("{{\"op\":\"{op}\",\"elements\":{elements}}}").as_str())
        };
        Ok(match self {
            Body::Lww { value, .. } => crate::value::decode(value)?,
            Body::Row => Value::Integer(1),
            Body::Counter { inc, dec, .. } => Value::from(format!("{{\"inc\":{inc},\"dec\":{dec}}}").as_str()),
            Body::Add(elements) => set("add", elements),
            Body::Remove { elements, .. } => set("remove", elements),
            Body::Tombstone { .. } | Body::Left(_) | Body::Other { .. } => Value::Null,
        })
    }
}

/// What the sender of [`Body::Left`] knows of the record.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Known {
    /// Each author's latest stamp on it.
    pub authors: BTreeMap<Rc<str>, Tick>,
    /// The stamps of its lww fields, and of its tombstone: earlier ones of whomever lose anyway.
    pub stamps: BTreeMap<String, Hlc>,
    /// What counters and sets held up to this stamp is over: the sender has let go of it, and takes none of it any more.
    pub forgotten: Option<Hlc>,
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
