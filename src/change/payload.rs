//! A payload's changes in one pass over its JSON. Pure.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::quick::Quick;
use super::{check, Change, Names, Wire};
use crate::json::Object;

/// The changes of an array, or of an object with `changes`; None where anything stands in the way.
pub fn read(json: &str, names: &mut Names) -> Option<Vec<Change>> {
    if let Some(changes) = canonical(json, names) {
        return Some(changes);
    }
    let mut changes = Vec::new();
    let mut reader = serde_json::Deserializer::from_str(json);
    Whole(Together { names, changes: &mut changes }).deserialize(&mut reader).ok()?;
    reader.end().ok()?;
    Some(changes)
}

/// The same, where commas and brackets stand as in our own answers: cells in their usual spelling are read quickly.
pub(super) fn canonical(json: &str, names: &mut Names) -> Option<Vec<Change>> {
    let (mut at, whole) = match json.strip_prefix("{\"changes\":[") {
        Some(rest) => (json.len() - rest.len(), true),
        None => (json.starts_with('[').then_some(1)?, false),
    };
    let (mut changes, mut quick) = (Vec::new(), Quick::new(json));
    while !json.get(at..)?.starts_with(']') {
        if !changes.is_empty() {
            at += json.get(at..)?.starts_with(',').then_some(1)?;
        }
        let (change, end) = match quick.cell(at, names) {
            Some(found) => found,
            None => {
                let mut reader = serde_json::Deserializer::from_str(json.get(at..)?).into_iter::<Object<Wire<'_>>>();
                let Object(wire) = reader.next()?.ok()?;
                (check(&wire, None, names).ok()?, at + reader.byte_offset())
            }
        };
        changes.push(change);
        at = end;
    }
    let rest = json.get(at + 1..)?.trim_end_matches([' ', '\t', '\n', '\r']);
    if whole {
        // What else the answer says, which must not be changes again, or another form.
        let others = format!("{{{}", rest.strip_prefix(',').or_else(|| (rest == "}").then_some(rest))?);
        let others: HashMap<Cow<'_, str>, IgnoredAny> = serde_json::from_str(&others).ok()?;
        return (!others.contains_key("changes") && !others.contains_key("format")).then_some(changes);
    }
    rest.is_empty().then_some(changes)
}

/// Reads changes as they stand in an array.
struct Together<'n> {
    names: &'n mut Names,
    changes: &'n mut Vec<Change>,
}

impl<'de> DeserializeSeed<'de> for Together<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Together<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of changes")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<(), A::Error> {
        while let Some(Object(wire)) = array.next_element::<Object<Wire<'de>>>()? {
            self.changes.push(check(&wire, None, self.names).map_err(|e| A::Error::custom(e.message()))?);
        }
        Ok(())
    }
}

/// An array of changes, or an object with `changes`.
struct Whole<'n>(Together<'n>);

impl<'de> DeserializeSeed<'de> for Whole<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Whole<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("changes")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, array: A) -> Result<(), A::Error> {
        self.0.visit_seq(array)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut changes = Some(self.0);
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            match (&*key, changes.take()) {
                ("changes", Some(together)) => map.next_value_seed(together)?,
                ("changes", None) => return Err(A::Error::custom("changes twice")),
                (_, left) => {
                    changes = left;
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        match changes {
            None => Ok(()),
            Some(_) => Err(A::Error::custom("no changes")),
        }
    }
}
