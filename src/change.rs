//! The change record: one field of one record, or one delete, as JSON (Grove's keys and meanings, and ours on top).
//!
//! ```json
//! {"table":"tasks","pk":"t1","field":"title","crdt_type":"lww","hlc":{"ts":1,"c":0,"node":"a"},"node_id":"a","value":"Milk"}
//! {…,"field":"votes","crdt_type":"counter",…,"counter_delta":{"inc":7,"dec":2}}
//! {…,"field":"tags","crdt_type":"set",…,"set_op":{"op":"add","elements":["home"]}}
//! {…,"field":"tags","crdt_type":"set",…,"set_op":{"op":"remove","elements":["home"],"tags":[{"ts":1,"c":0,"node":"a"}]}}
//! {…,"field":"_row","crdt_type":"lww",…,"value":true}
//! {…,"field":"_tombstone","crdt_type":"",…,"tombstone":true}
//! ```
//! Keys of ours that other peers ignore: `prev` (the stamp that was overwritten), `altered` (a hook changed the value),
//! `born` (where an author's counter totals began anew), `operation` (a counter part that is one operation, not totals).
//! Pure.

use std::collections::HashMap;
use std::rc::Rc;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::clock::{check_node, push_int, Hlc, Tick};
use crate::error::{Error, Result};
use crate::json::Object;
use crate::value::write_text;

/// The field name of a delete.
pub const TOMBSTONE: &str = "_tombstone";
/// The field name of the row itself.
pub const ROW: &str = "_row";
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

#[derive(Deserialize)]
struct WireHlc<'a> {
    ts: i64,
    c: u32,
    #[serde(borrow)]
    node: std::borrow::Cow<'a, str>,
}

#[derive(Deserialize)]
struct WireDelta {
    #[serde(default)]
    inc: u128,
    #[serde(default)]
    dec: u128,
}

#[derive(Deserialize)]
struct WireSetOp<'a> {
    op: String,
    #[serde(borrow)]
    elements: &'a RawValue,
    #[serde(borrow, default)]
    tags: Option<Vec<Object<WireHlc<'a>>>>,
}

/// A change as it stands in JSON, before any check.
#[derive(Deserialize)]
pub struct Wire<'a> {
    #[serde(borrow)]
    table: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    pk: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    field: std::borrow::Cow<'a, str>,
    #[serde(borrow, default)]
    crdt_type: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    hlc: Object<WireHlc<'a>>,
    #[serde(borrow, default)]
    node_id: Option<std::borrow::Cow<'a, str>>,
    // A plain Option would read null as absent.
    #[serde(borrow, default, deserialize_with = "some_raw")]
    value: Option<&'a RawValue>,
    #[serde(default)]
    tombstone: Option<bool>,
    #[serde(default)]
    counter_delta: Option<Object<WireDelta>>,
    #[serde(borrow, default)]
    set_op: Option<Object<WireSetOp<'a>>>,
    #[serde(borrow, default)]
    prev: Option<Object<WireHlc<'a>>>,
    #[serde(borrow, default)]
    born: Option<Object<WireHlc<'a>>>,
    #[serde(default)]
    altered: Option<bool>,
    #[serde(default)]
    operation: Option<bool>,
}

fn some_raw<'de, D: serde::Deserializer<'de>>(d: D) -> std::result::Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(d).map(Some)
}

/// Shares node ids between the stamps of one payload.
#[derive(Default)]
pub struct Names(HashMap<String, Rc<str>>);

impl Names {
    /// The shared form of a node id.
    pub fn share(&mut self, node: &str) -> Rc<str> {
        match self.0.get(node) {
            Some(shared) => Rc::clone(shared),
            None => {
                let shared: Rc<str> = Rc::from(node);
                self.0.insert(node.to_owned(), Rc::clone(&shared));
                shared
            }
        }
    }

    fn stamp(&mut self, Object(wire): &Object<WireHlc<'_>>) -> Result<Hlc> {
        if wire.ts < 0 {
            return Err(Error::peer(format!("a stamp's ts is nanoseconds since 1970, not {}", wire.ts)));
        }
        check_node(&wire.node)?;
        Ok(Hlc { ts: wire.ts, c: wire.c, node: self.share(&wire.node) })
    }
}

/// Checks a change and gives it its meaning. `json` is its text, kept for types that this version does not have.
pub fn check(wire: &Wire<'_>, json: Option<&str>, names: &mut Names) -> Result<Change> {
    let hlc = names.stamp(&wire.hlc)?;
    if let Some(node) = wire.node_id.as_deref().filter(|node| *node != &*hlc.node) {
        return Err(Error::peer(format!(
            "node_id '{}' differs from hlc.node '{}'; a change has one author",
            crate::error::excerpt(node),
            crate::error::excerpt(&hlc.node)
        )));
    }
    for (what, name, limit) in [
        ("table", &wire.table, MAX_NAME_BYTES),
        ("field", &wire.field, MAX_NAME_BYTES),
        ("pk", &wire.pk, crate::key::MAX_KEY_BYTES),
    ] {
        if name.len() > limit {
            return Err(Error::peer(format!("'{what}' has {} bytes; at most {limit} are taken", name.len())));
        }
    }
    let body = body(wire, json, &hlc, names)?;
    Ok(Change { table: wire.table.to_string(), pk: wire.pk.to_string(), field: wire.field.to_string(), hlc, body })
}

fn body(wire: &Wire<'_>, json: Option<&str>, hlc: &Hlc, names: &mut Names) -> Result<Body> {
    let field = &*wire.field;
    if wire.tombstone == Some(true) {
        return match (&*wire.crdt_type, field) {
            (_, TOMBSTONE | "") => Ok(Body::Tombstone),
            ("document", _) => other(wire, json), // the delete of one path, not of the row
            _ => Err(Error::peer(format!(
                "a delete has the field '{TOMBSTONE}', not '{}'",
                crate::error::excerpt(field)
            ))),
        };
    }
    if field == TOMBSTONE || field.is_empty() {
        return Err(Error::peer("a delete has \"tombstone\":true; any other change names its field"));
    }
    if field == ROW {
        return Ok(Body::Row);
    }
    match &*wire.crdt_type {
        "lww" => lww(wire, names),
        "counter" => counter(wire, names),
        "set" => set(wire, hlc, names),
        "" => Err(Error::peer("crdt_type is missing; use \"lww\", \"counter\" or \"set\"")),
        _ => other(wire, json),
    }
}

fn lww(wire: &Wire<'_>, names: &mut Names) -> Result<Body> {
    let value = wire.value.map_or("null", RawValue::get);
    crate::value::decode(value)?;
    let prev = wire.prev.as_ref().map(|prev| names.stamp(prev)).transpose()?;
    Ok(Body::Lww { value: value.to_owned(), prev, altered: wire.altered == Some(true) })
}

fn counter(wire: &Wire<'_>, names: &mut Names) -> Result<Body> {
    let Object(delta) = wire.counter_delta.as_ref().ok_or_else(|| {
        Error::peer("a counter change needs \"counter_delta\":{\"inc\":n,\"dec\":n} with whole numbers from 0")
    })?;
    let born = wire.born.as_ref().map(|born| names.stamp(born)).transpose()?;
    Ok(Body::Counter { inc: delta.inc, dec: delta.dec, born, operation: wire.operation == Some(true) })
}

fn set(wire: &Wire<'_>, hlc: &Hlc, names: &mut Names) -> Result<Body> {
    let Object(op) = wire
        .set_op
        .as_ref()
        .ok_or_else(|| Error::peer("a set change needs \"set_op\":{\"op\":\"add\" or \"remove\",\"elements\":[…]}"))?;
    let elements = crate::types::set::elements(op.elements.get())?;
    match op.op.as_str() {
        "add" => Ok(Body::Add(elements)),
        "remove" => {
            let tags = op.tags.as_ref().map(|tags| tags.iter().map(|tag| names.stamp(tag)).collect::<Result<Vec<_>>>());
            let tags = tags.transpose()?;
            if let Some(late) = tags.iter().flatten().find(|tag| *tag > hlc) {
                return Err(Error::peer(format!("a remove stamped {hlc} cannot have seen an add stamped {late}")));
            }
            Ok(Body::Remove { elements, tags })
        }
        other => {
            Err(Error::peer(format!("set_op.op is \"add\" or \"remove\", not '{}'", crate::error::excerpt(other))))
        }
    }
}

fn other(wire: &Wire<'_>, json: Option<&str>) -> Result<Body> {
    let json = json.ok_or_else(|| Error::internal("the text of a change to be kept is missing"))?;
    if wire.crdt_type.len() > 64 {
        return Err(Error::peer("crdt_type is longer than any type's name"));
    }
    if crate::value::depth(json) > crate::value::MAX_DEPTH {
        return Err(Error::peer(format!("a value nested deeper than {} levels", crate::value::MAX_DEPTH)));
    }
    Ok(Body::Other { crdt_type: wire.crdt_type.to_string(), json: json.to_owned() })
}

impl Change {
    /// Appends the change as JSON.
    pub fn write_json(&self, out: &mut String) {
        Writer { table: &self.table, pk: &self.pk }.write(out, &self.field, &self.hlc, &self.body);
    }
}

/// Writes the changes of one record.
pub struct Writer<'a> {
    /// Source table.
    pub table: &'a str,
    /// Key text.
    pub pk: &'a str,
}

impl Writer<'_> {
    /// Appends one change of the record as JSON.
    pub fn write(&self, out: &mut String, field: &str, hlc: &Hlc, body: &Body) {
        match body {
            Body::Tombstone => {
                self.head(out, TOMBSTONE, "", hlc);
                out.push_str(",\"tombstone\":true");
            }
            Body::Row => {
                self.head(out, ROW, "lww", hlc);
                out.push_str(",\"value\":true");
            }
            Body::Lww { value, prev, altered } => {
                return self.lww(out, field, hlc, prev.as_ref(), *altered, |out| out.push_str(value));
            }
            Body::Counter { inc, dec, born, operation } => {
                self.head(out, field, "counter", hlc);
                use std::fmt::Write;
                let _ = write!(out, ",\"counter_delta\":{{\"inc\":{inc},\"dec\":{dec}}}"); // cannot fail
                if let Some(born) = born {
                    out.push_str(",\"born\":");
                    born.write_json(out);
                }
                if *operation {
                    out.push_str(",\"operation\":true");
                }
            }
            Body::Add(elements) => {
                self.head(out, field, "set", hlc);
                out.push_str(",\"set_op\":{\"op\":\"add\",\"elements\":");
                write_array(out, elements, |element, out| out.push_str(element));
                out.push('}');
            }
            Body::Remove { elements, tags } => {
                self.head(out, field, "set", hlc);
                out.push_str(",\"set_op\":{\"op\":\"remove\",\"elements\":");
                write_array(out, elements, |element, out| out.push_str(element));
                if let Some(tags) = tags {
                    out.push_str(",\"tags\":");
                    write_array(out, tags, Hlc::write_json);
                }
                out.push('}');
            }
            Body::Other { json, .. } => return out.push_str(json),
        }
        out.push('}');
    }

    /// Appends a cell's change, its value written by `value`.
    pub fn lww(
        &self,
        out: &mut String,
        field: &str,
        hlc: &Hlc,
        prev: Option<&Hlc>,
        altered: bool,
        value: impl FnOnce(&mut String),
    ) {
        self.head(out, field, "lww", hlc);
        out.push_str(",\"value\":");
        value(out);
        if let Some(prev) = prev {
            out.push_str(",\"prev\":");
            prev.write_json(out);
        }
        if altered {
            out.push_str(",\"altered\":true");
        }
        out.push('}');
    }

    fn head(&self, out: &mut String, field: &str, crdt_type: &str, hlc: &Hlc) {
        out.push_str("{\"table\":");
        write_text(out, self.table);
        out.push_str(",\"pk\":");
        write_text(out, self.pk);
        out.push_str(",\"field\":");
        write_text(out, field);
        out.push_str(",\"crdt_type\":\"");
        out.push_str(crdt_type);
        out.push_str("\",\"hlc\":");
        hlc.write_json(out);
        out.push_str(",\"node_id\":");
        write_text(out, &hlc.node);
    }
}

fn write_array<T>(out: &mut String, items: &[T], write: impl Fn(&T, &mut String)) {
    out.push('[');
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        write(item, out);
    }
    out.push(']');
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
#[path = "change_tests.rs"]
mod tests;
