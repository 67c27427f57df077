//! Reading a change: its JSON as it stands, and the checks that give it a meaning. Pure.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{causes, Body, Change, Known, LEFT, MAX_NAME_BYTES, ROW, TOMBSTONE};
use crate::clock::{check_node, Hlc, Tick};
use crate::error::{excerpt, Error, Result};
use crate::json::Object;
use crate::types::seen::Seen;

#[derive(Deserialize)]
struct WireHlc<'a> {
    ts: i64,
    c: u32,
    #[serde(borrow)]
    node: Cow<'a, str>,
}

#[derive(Deserialize)]
struct WireTick {
    ts: i64,
    c: u32,
}

#[derive(Deserialize)]
struct WireDelta {
    #[serde(default, deserialize_with = "whole")]
    inc: u128,
    #[serde(default, deserialize_with = "whole")]
    dec: u128,
}

fn whole<'de, D: Deserializer<'de>>(json: D) -> std::result::Result<u128, D::Error> {
    let number = <&RawValue>::deserialize(json)?.get();
    number.parse().map_err(|_| serde::de::Error::custom("\"inc\" and \"dec\" are whole numbers from 0 to 2^128 - 1"))
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
    table: Cow<'a, str>,
    #[serde(borrow)]
    pk: Cow<'a, str>,
    #[serde(borrow)]
    field: Cow<'a, str>,
    #[serde(borrow, default)]
    crdt_type: Cow<'a, str>,
    #[serde(borrow, default)]
    hlc: Option<Object<WireHlc<'a>>>,
    #[serde(borrow, default)]
    node_id: Option<Cow<'a, str>>,
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
    // Rare, and read only when it is there.
    #[serde(borrow, default)]
    seen: Option<&'a RawValue>,
    #[serde(borrow, default)]
    born: Option<Object<WireHlc<'a>>>,
    #[serde(borrow, default)]
    forgotten: Option<Object<WireHlc<'a>>>,
    #[serde(default)]
    altered: Option<bool>,
    #[serde(default)]
    operation: Option<bool>,
    #[serde(borrow, default)]
    knows: Option<BTreeMap<Cow<'a, str>, Object<WireTick>>>,
    #[serde(borrow, default)]
    stamps: Option<BTreeMap<Cow<'a, str>, Object<WireHlc<'a>>>>,
}

fn some_raw<'de, D: serde::Deserializer<'de>>(d: D) -> std::result::Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(d).map(Some)
}

/// Shares what the changes of one payload have in common: the names of tables, fields and nodes, and the key that changes
/// one after the other have.
#[derive(Default)]
pub struct Names {
    all: HashSet<Rc<str>, foldhash::fast::RandomState>,
    key: Option<Rc<str>>,
}

impl Names {
    /// The shared form of a name.
    pub fn share(&mut self, name: &str) -> Rc<str> {
        if let Some(shared) = self.all.get(name) {
            return Rc::clone(shared);
        }
        let shared: Rc<str> = Rc::from(name);
        self.all.insert(Rc::clone(&shared));
        shared
    }

    /// The key of a change: that of the one before, if it is the same.
    pub(super) fn key(&mut self, key: &str) -> Rc<str> {
        match &self.key {
            Some(last) if **last == *key => Rc::clone(last),
            _ => Rc::clone(self.key.insert(Rc::from(key))),
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
    let left = is_left(wire);
    let hlc = match &wire.hlc {
        _ if left => Hlc::zero(),
        Some(hlc) => names.stamp(hlc)?,
        None => return Err(Error::peer("not a change record: missing field `hlc`")),
    };
    if let Some(node) = wire.node_id.as_deref().filter(|node| !left && *node != &*hlc.node) {
        return Err(Error::peer(format!(
            "node_id '{}' differs from hlc.node '{}'; a change has one author",
            excerpt(node),
            excerpt(&hlc.node)
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
    let body = body(wire, json, names)?;
    causes::check(&body, &hlc)?;
    let seen = match body {
        Body::Lww { .. } | Body::Tombstone { .. } => wire.seen.map(|json| seen(json.get(), names)).transpose()?,
        _ => None,
    };
    let (table, pk, field) = (names.share(&wire.table), names.key(&wire.pk), names.share(&wire.field));
    Ok(Change { table, pk, field, hlc, body, seen })
}

fn seen(json: &str, names: &mut Names) -> Result<Box<Seen>> {
    let stamps: Vec<Object<WireHlc<'_>>> = serde_json::from_str(json)
        .map_err(|e| Error::peer(format!("'seen' is an array of stamps {{\"ts\",\"c\",\"node\"}}: {e}")))?;
    let stamps = stamps.iter().map(|stamp| names.stamp(stamp)).collect::<Result<Vec<_>>>()?;
    Ok(Box::new(stamps.iter().collect()))
}

fn body(wire: &Wire<'_>, json: Option<&str>, names: &mut Names) -> Result<Body> {
    let field = &*wire.field;
    if is_left(wire) {
        return Ok(Body::Left(known(wire, names)?.map(Box::new)));
    }
    if wire.tombstone == Some(true) {
        return match (&*wire.crdt_type, field) {
            (_, TOMBSTONE | "") => tombstone(wire, names),
            ("document", _) => other(wire, json), // the delete of one path, not of the row
            _ => Err(Error::peer(format!("a delete has the field '{TOMBSTONE}', not '{}'", excerpt(field)))),
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
        "set" => set(wire, names),
        "" => Err(Error::peer("crdt_type is missing; use \"lww\", \"counter\" or \"set\"")),
        _ => other(wire, json),
    }
}

fn tombstone(wire: &Wire<'_>, names: &mut Names) -> Result<Body> {
    let forgotten = wire.forgotten.as_ref().map(|until| names.stamp(until)).transpose()?;
    Ok(Body::Tombstone { forgotten })
}

/// A column of that name has a type.
fn is_left(wire: &Wire<'_>) -> bool {
    wire.field == LEFT && wire.crdt_type.is_empty()
}

fn known(wire: &Wire<'_>, names: &mut Names) -> Result<Option<Known>> {
    let Some(knows) = &wire.knows else { return Ok(None) };
    let forgotten = wire.forgotten.as_ref().map(|until| names.stamp(until)).transpose()?;
    let mut known = Known { forgotten, ..Known::default() };
    for (author, Object(WireTick { ts, c })) in knows {
        check_node(author)?;
        known.authors.insert(names.share(author), Tick { ts: *ts, c: *c });
    }
    for (field, stamp) in wire.stamps.iter().flatten() {
        known.stamps.insert(field.to_string(), names.stamp(stamp)?);
    }
    Ok(Some(known))
}

fn lww(wire: &Wire<'_>, names: &mut Names) -> Result<Body> {
    let value = wire.value.map_or("null", RawValue::get);
    let value = crate::value::checked(value)?;
    let prev = wire.prev.as_ref().map(|prev| names.stamp(prev)).transpose()?;
    Ok(Body::Lww { value, prev, altered: wire.altered == Some(true) })
}

fn counter(wire: &Wire<'_>, names: &mut Names) -> Result<Body> {
    let Object(delta) = wire.counter_delta.as_ref().ok_or_else(|| {
        Error::peer("a counter change needs \"counter_delta\":{\"inc\":n,\"dec\":n} with whole numbers from 0")
    })?;
    let born = wire.born.as_ref().map(|born| names.stamp(born)).transpose()?;
    Ok(Body::Counter { inc: delta.inc, dec: delta.dec, born, operation: wire.operation == Some(true) })
}

fn set(wire: &Wire<'_>, names: &mut Names) -> Result<Body> {
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
            Ok(Body::Remove { elements, tags })
        }
        other => Err(Error::peer(format!("set_op.op is \"add\" or \"remove\", not '{}'", excerpt(other)))),
    }
}

fn other(wire: &Wire<'_>, json: Option<&str>) -> Result<Body> {
    let json = json.ok_or_else(|| Error::internal("the text of a change to be kept is missing"))?;
    if wire.crdt_type.len() > 64 {
        return Err(Error::peer("crdt_type is longer than any type's name"));
    }
    if wire.crdt_type == "none" {
        // What is stored under it would be a column that is not tracked: nobody could read it.
        return Err(Error::peer("crdt_type 'none' is for columns that are not tracked; nothing is sent of them"));
    }
    if crate::value::depth(json) > crate::value::MAX_DEPTH {
        return Err(Error::peer(format!("a value nested deeper than {} levels", crate::value::MAX_DEPTH)));
    }
    Ok(Body::Other { crdt_type: wire.crdt_type.to_string(), json: json.to_owned() })
}
