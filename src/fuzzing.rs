//! The laws of what is pure, for `fuzz/`: what is written is read back, and any bytes are read or refused. Only there with
//! the feature `fuzzing`.

use std::cell::RefCell;
use std::rc::Rc;

use crate::change::{Change, Names};
use crate::error::{Error, Result};
use crate::ffi::{Value, ValueRef};
use crate::key::{KeyClass, Pk};
use crate::pack::{self, Nodes};
use crate::types::set;
use crate::value::{self, Form};

/// Holds every law against `data`.
///
/// # Panics
/// One of them is broken.
pub fn laws(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    match first % 4 {
        0 => values(rest),
        1 => keys(rest),
        2 => packed(rest),
        _ => texts(rest),
    }
}

/// SQLite values out of bytes.
fn read_values(mut data: &[u8]) -> Vec<Value> {
    let mut all = Vec::new();
    while let (Some((tag, rest)), true) = (data.split_first(), all.len() < 4) {
        let n = usize::from(tag >> 3).min(rest.len());
        let (bytes, rest) = rest.split_at(n);
        let mut eight = [0; 8];
        eight.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        let (number, bytes) = (i64::from_le_bytes(eight), bytes.to_vec());
        all.push(match tag % 8 {
            0 => Value::Null,
            1 => Value::Integer(number),
            2 => Value::Real(f64::from_bits(number as u64)),
            3 | 4 | 5 => Value::Text(bytes),
            _ => Value::Blob(bytes),
        });
        data = rest;
    }
    all
}

/// As SQLite stores it: NaN is NULL.
fn stored(value: Value) -> Value {
    match value {
        Value::Real(real) if real.is_nan() => Value::Null,
        other => other,
    }
}

fn values(data: &[u8]) {
    for value in read_values(data).into_iter().map(stored) {
        for form in [Form::Plain, Form::Json, Form::Bool] {
            let json = value::to_json(value.as_ref(), form);
            let back =
                value::decode(&json).unwrap_or_else(|e| panic!("{value:?} is written {json}, which is refused: {e}"));
            assert!(value::identical(value.as_ref(), back.as_ref()), "{value:?} is written {json}, read {back:?}");
            assert!(serde_json::from_str::<serde::de::IgnoredAny>(&json).is_ok(), "{json} is no JSON");
        }
    }
}

fn keys(data: &[u8]) {
    let Some((classes, data)) = data.split_first() else { return };
    let values: Vec<Value> = read_values(data).into_iter().map(stored).filter(|v| *v != Value::Null).collect();
    // A column of text affinity holds no numbers.
    let class = |(i, value): (usize, &Value)| match ((classes >> (2 * i)) % 4, value) {
        (0, _) => KeyClass::Integer,
        (1, Value::Text(_) | Value::Blob(_)) => KeyClass::Text,
        _ => KeyClass::Other,
    };
    let classes: Vec<KeyClass> = values.iter().enumerate().map(class).collect();
    if let (Ok(text), false) = (std::str::from_utf8(data), classes.is_empty()) {
        // Any text names one key at most, and that key is written so.
        let pk = Pk::from_wire(&classes, text);
        if let Some(values) = pk.decode(&classes) {
            let refs: Vec<ValueRef<'_>> = values.iter().map(Value::as_ref).collect();
            assert_eq!(Pk::encode(&classes, &refs), pk);
        }
        assert!(pk.wire() == text || pk.wire() == crate::key::one_zero(text), "{text} became {pk:?}");
    }
    if values.is_empty() {
        return;
    }
    let refs: Vec<ValueRef<'_>> = values.iter().map(Value::as_ref).collect();
    let pk = Pk::encode(&classes, &refs);
    let wire = pk.wire().into_owned();
    assert_eq!(Pk::from_wire(&classes, &wire), pk);
    let back = pk.decode(&classes).unwrap_or_else(|| panic!("{values:?} is written {wire}, which names no row"));
    let zero = |a: &Value, b: &Value| matches!((a, b), (Value::Real(a), Value::Real(b)) if *a == 0.0 && *b == 0.0);
    let same = back.iter().zip(&values).all(|(a, b)| zero(a, b) || value::identical(a.as_ref(), b.as_ref()));
    assert!(same && back.len() == values.len(), "{values:?} is written {wire}, read {back:?}");
}

/// Node ids by number, as many as are asked for below 300.
#[derive(Default)]
struct Few(RefCell<Vec<Rc<str>>>);

impl Nodes for Few {
    fn number(&self, node: &Rc<str>) -> Result<u32> {
        let mut all = self.0.borrow_mut();
        let at = all.iter().position(|n| n == node).unwrap_or(all.len());
        if at == all.len() {
            all.push(Rc::clone(node));
        }
        u32::try_from(at).map_err(|_| Error::internal("too many nodes"))
    }

    fn node(&self, number: u32) -> Result<Rc<str>> {
        self.0.borrow().get(number as usize).cloned().ok_or_else(|| Error::data("no such node"))
    }
}

/// Whatever bytes are read as a record are written, and read again, as the same.
fn packed(data: &[u8]) {
    let nodes = Few(RefCell::new((0..5).map(|i| Rc::from(format!("n{i}"))).collect()));
    let covered = [1, 2, 5];
    for base in [None, Some(crate::clock::Hlc::new(1_700_000_000_000_000_000, 3, &Rc::from("n1")))] {
        let Ok(mut record) = pack::unpack(base, data, &covered, &nodes) else { continue };
        let Ok(again) = pack::pack(&record, &covered, &nodes) else {
            panic!("a record that was read cannot be written")
        };
        // Parts that are too long to stay go to rows of their own.
        if again.apart {
            continue;
        }
        let mut back = match pack::unpack(again.base, &again.x, &covered, &nodes) {
            Ok(back) => back,
            Err(e) => panic!("{record:?} is written {:?}, which is refused: {e}", again.x),
        };
        record.row = record.visible_row().cloned();
        back.row = back.visible_row().cloned();
        // What the delete had seen is kept with a delete only; empty lists are none.
        assert_eq!(format!("{record:?}"), format!("{back:?}"));
    }
    let node: Rc<str> = Rc::from("n0");
    if let Ok(part) = pack::unpack_part(data, &node, &nodes) {
        let back = pack::pack_part(&part, &nodes).and_then(|bytes| pack::unpack_part(&bytes, &node, &nodes));
        assert_eq!(back.ok(), Some(part));
    }
    if let Ok(mark) = pack::unpack_mark(data, &node, &nodes) {
        let back = pack::pack_mark(&mark, &node, &nodes).and_then(|bytes| pack::unpack_mark(&bytes, &node, &nodes));
        assert_eq!(back.ok(), Some(mark));
    }
    if let Ok(fields) = pack::unpack_fields::<Vec<_>>(data) {
        assert_eq!(pack::unpack_fields(&pack::pack_fields(fields.iter().copied())).ok(), Some(fields));
    }
}

/// Any text is read or refused as a value, as a set, as a change; what is read is written, and read again, as the same.
fn texts(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok() {
        if let Ok(read) = value::decode(text) {
            let json = value::to_json(read.as_ref(), Form::Plain);
            let back = value::decode(&json).unwrap_or_else(|e| panic!("{text} becomes {json}, which is refused: {e}"));
            assert!(value::identical(read.as_ref(), back.as_ref()), "{text} becomes {json}");
        }
    }
    if let Ok(elements) = set::elements(text) {
        let canonical = set::column_text(elements.iter().map(String::as_str));
        match set::elements(&canonical) {
            Ok(again) => assert_eq!(again, elements, "{text} becomes {canonical}"),
            Err(e) => panic!("{text} becomes {canonical}, which is refused: {e}"),
        }
    }
    if let Ok(change) = crate::import::one(text, &mut Names::default()) {
        let json = written(&change);
        match crate::import::one(&json, &mut Names::default()) {
            // Not the changes: a delete may come with an empty field, and goes on with the field of deletes.
            Ok(again) => assert_eq!(written(&again), json, "{text} is written so the first time"),
            Err(e) => panic!("{text} becomes {json}, which is refused: {e}"),
        }
    }
    let _ = value::minified(text);
}

fn written(change: &Change) -> String {
    let mut json = String::new();
    change.write_json(&mut json);
    json
}
