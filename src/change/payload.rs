//! A payload's changes in one pass over its JSON. Pure.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::quick::Quick;
use super::{check, Change, Names, Part, Wire};
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

/// The same, where commas and brackets stand as in our own answers.
pub(super) fn canonical(json: &str, names: &mut Names) -> Option<Vec<Change>> {
    let (mut parts, mut part) = (Parts::new(json)?, Part::of_changes());
    while parts.read(names, usize::MAX, &mut part)? {}
    Some(part.changes)
}

/// The changes of a payload part by part, where commas and brackets stand as in our own answers. Cells in their usual spelling
/// are read quickly.
pub struct Parts<'j> {
    json: &'j str,
    at: usize,
    /// An object with `changes`, not an array.
    whole: bool,
    begun: bool,
    quick: Quick<'j>,
}

impl<'j> Parts<'j> {
    /// A payload, not read yet; None when it does not begin like one of ours.
    pub fn new(json: &'j str) -> Option<Parts<'j>> {
        let (at, whole) = match json.strip_prefix("{\"changes\":[") {
            Some(rest) => (json.len() - rest.len(), true),
            None => (json.starts_with('[').then_some(1)?, false),
        };
        Some(Parts { json, at, whole, begun: false, quick: Quick::new(json) })
    }

    /// Appends to `part` up to a size of about `count` changes, those of a record all together where they stand together. False when there
    /// are no more; None where anything stands in the way, and the payload is to be read otherwise.
    pub fn read(&mut self, names: &mut Names, count: usize, part: &mut Part<'j>) -> Option<bool> {
        while !self.json.get(self.at..)?.starts_with(']') {
            let comma = match self.begun {
                true => self.json.get(self.at..)?.starts_with(',').then_some(1)?,
                false => 0,
            };
            let at = self.at + comma;
            let end = match self.quick.cell(at, names) {
                Some((cell, end)) => {
                    let same = part.is_last(&self.quick, &cell)?;
                    if !same && part.size() >= count {
                        return Some(true);
                    }
                    part.add(&self.quick, &cell, same, names)?;
                    end
                }
                None => {
                    let (change, end) = self.other(at, names)?;
                    let same = part.is_of_last(&change);
                    if !same && part.size() >= count {
                        return Some(true);
                    }
                    part.add_other(change, same);
                    end
                }
            };
            (self.at, self.begun) = (end, true);
        }
        self.is_end().then_some(false)
    }

    /// Any change, and where it ends.
    fn other(&self, at: usize, names: &mut Names) -> Option<(Change, usize)> {
        let mut reader = serde_json::Deserializer::from_str(self.json.get(at..)?).into_iter::<Object<Wire<'_>>>();
        let Object(wire) = reader.next()?.ok()?;
        Some((check(&wire, None, names).ok()?, at + reader.byte_offset()))
    }

    /// Whether nothing of importance follows the changes.
    fn is_end(&self) -> bool {
        let rest = self.json.get(self.at + 1..).unwrap_or_default().trim_end_matches([' ', '\t', '\n', '\r']);
        if !self.whole {
            return rest.is_empty();
        }
        // What else the answer says, which must not be changes again, or another form.
        let Some(rest) = rest.strip_prefix(',').or_else(|| (rest == "}").then_some(rest)) else { return false };
        let others = format!("{{{rest}");
        let others: serde_json::Result<HashMap<Cow<'_, str>, IgnoredAny>> = serde_json::from_str(&others);
        others.is_ok_and(|others| !others.contains_key("changes") && !others.contains_key("format"))
    }
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
                ("format", _) => return Err(A::Error::custom("another form, perhaps")),
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
