//! Reading, in one pass over the JSON: what the items mean.

use std::borrow::Cow;
use std::rc::Rc;

use serde::de::DeserializeSeed;
use serde_json::value::RawValue;

use super::items::{Delta, Items, Key, Payload, Remove, Rest};
use super::{read_delta, MAX_SHARED_SEEN};
use crate::change::{causes, Body, Change, Names, MAX_NAME_BYTES, ROW, TOMBSTONE};
use crate::clock::{check_node, Hlc, Tick};
use crate::error::{excerpt, Error, Result};
use crate::import;
use crate::key::MAX_KEY_BYTES;
use crate::types::seen::Seen;
use crate::types::{set, Type};
use crate::value;

/// Takes what is read.
pub trait Take<'de> {
    /// An entry of nothing but cells. False when it is wanted as changes.
    fn cells(&mut self, _entry: &Entry<'_, 'de>, _names: &mut Names) -> Result<bool> {
        Ok(false)
    }

    /// A change of an entry.
    fn change(&mut self, read: Result<Change>) -> Result<()>;
    /// A change in the Grove form.
    fn whole(&mut self, json: &str, names: &mut Names) -> Result<()>;
    /// How many were taken.
    fn count(&self) -> usize;
}

impl Take<'_> for Vec<Change> {
    fn change(&mut self, read: Result<Change>) -> Result<()> {
        self.push(read?);
        Ok(())
    }

    fn whole(&mut self, json: &str, names: &mut Names) -> Result<()> {
        self.push(import::one(json, names)?);
        Ok(())
    }

    fn count(&self) -> usize {
        self.len()
    }
}

/// Each for itself.
impl Take<'_> for Vec<Result<Change>> {
    fn change(&mut self, read: Result<Change>) -> Result<()> {
        self.push(read);
        Ok(())
    }

    fn whole(&mut self, json: &str, names: &mut Names) -> Result<()> {
        self.push(import::one(json, names));
        Ok(())
    }

    fn count(&self) -> usize {
        self.len()
    }
}

/// Whether a payload begins by telling that it has the compact form, as it does when we wrote it.
pub fn leads(json: &str) -> bool {
    let words = ["{", "\"format\"", ":", "\"compact\""];
    words.iter().try_fold(json, |rest, word| rest.trim_start().strip_prefix(word)).is_some()
}

/// Reads a compact payload; an error names the change, counted from 0 as in the Grove form.
pub fn read<'de>(json: &'de str, take: &mut impl Take<'de>) -> Result<()> {
    let mut reader = Reader::new(take);
    let mut from = serde_json::Deserializer::from_str(json);
    let outcome = Payload(&mut reader).deserialize(&mut from).and_then(|()| from.end());
    reader.outcome(outcome)
}

/// Reads the array that stands under `changes` in one.
pub fn read_changes<'de>(json: &'de str, take: &mut impl Take<'de>) -> Result<()> {
    let mut reader = Reader::new(take);
    let outcome = Items(&mut reader).deserialize(&mut serde_json::Deserializer::from_str(json));
    reader.outcome(outcome)
}

/// What the items so far have defined, and where the next one goes on from.
pub struct Reader<'de, 't, T> {
    take: &'t mut T,
    names: Names,
    nodes: Vec<Rc<str>>,
    shapes: Vec<Shape>,
    tick: Tick,
    prev: Tick,
    /// The last entry's key, and the same once a change needed it.
    key: Option<Cow<'de, str>>,
    pk: Option<Rc<str>>,
    /// The values of the entry that is being read.
    pub values: Vec<&'de RawValue>,
    /// Why it ended: serde's errors carry text only.
    failed: Option<Error>,
}

/// A table and fields of it.
struct Shape {
    table: Rc<str>,
    fields: Vec<(Rc<str>, Kind)>,
}

/// Cells of a record that were written together, as they stand in the JSON; their values are to be kept so.
pub struct Entry<'e, 'de> {
    /// The table.
    pub table: &'e Rc<str>,
    /// The key.
    pub pk: &'de str,
    /// The stamp.
    pub hlc: &'e Hlc,
    /// The stamp that was overwritten.
    pub prev: Option<&'e Hlc>,
    fields: &'e [(Rc<str>, Kind)],
    values: &'e [&'de RawValue],
}

impl<'e, 'de> Entry<'e, 'de> {
    /// Fields and values.
    pub fn cells(&self) -> impl Iterator<Item = (&'e Rc<str>, &'de str)> {
        self.fields.iter().zip(self.values).map(|((field, _), value)| (field, value.get()))
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Cell(Type),
    Row,
    Tombstone,
}

/// The stamp of an entry, and what else its changes say.
struct About {
    hlc: Hlc,
    prev: Option<Hlc>,
    seen: Option<Box<Seen>>,
    altered: bool,
    born: Option<Hlc>,
    operation: bool,
    forgotten: Option<Hlc>,
}

/// Refuses a name that is too long.
fn check_name(what: &str, name: &str) -> Result<()> {
    match name.len() {
        0..=MAX_NAME_BYTES => Ok(()),
        has => Err(Error::peer(format!("'{what}' has {has} bytes; at most {MAX_NAME_BYTES} are taken"))),
    }
}

impl<'de, 't, T: Take<'de>> Reader<'de, 't, T> {
    fn new(take: &'t mut T) -> Self {
        let (nodes, shapes, values) = (Vec::new(), Vec::new(), Vec::new());
        let start = Tick::default();
        Reader {
            take,
            names: Names::default(),
            nodes,
            shapes,
            tick: start,
            prev: start,
            key: None,
            pk: None,
            values,
            failed: None,
        }
    }

    fn outcome(self, read: serde_json::Result<()>) -> Result<()> {
        let of_json = |e| Error::peer(format!("not changes in the compact form: {e}"));
        read.map_err(|e| self.failed.unwrap_or_else(|| of_json(e)))
    }

    /// Keeps why the reading ends, with the number of the change at hand.
    pub fn keep<E: serde::de::Error, V>(&mut self, outcome: Result<V>) -> std::result::Result<V, E> {
        outcome.map_err(|e| {
            self.failed = Some(e.context(&format!("change {}", self.take.count())));
            E::custom("a change is refused")
        })
    }

    /// Gives the next number to a node id.
    pub fn define_node(&mut self, node: &str) -> Result<()> {
        check_node(node)?;
        let node = self.names.share(node);
        self.nodes.push(node);
        Ok(())
    }

    /// Gives the next number to a shape, which has no fields yet.
    pub fn define_shape(&mut self, table: &str) -> Result<()> {
        check_name("table", table)?;
        let table = self.names.share(table);
        self.shapes.push(Shape { table, fields: Vec::new() });
        Ok(())
    }

    /// Adds a field to the latest shape.
    pub fn define_field(&mut self, field: &str, ty: Option<&str>) -> Result<()> {
        check_name("field", field)?;
        let kind = match (field, ty) {
            (ROW, None) => Kind::Row,
            (TOMBSTONE, None) => Kind::Tombstone,
            (ROW | TOMBSTONE | "", _) => return Err(Error::peer(format!("no column of a shape is called '{field}'"))),
            (_, None) => Kind::Cell(Type::Lww),
            (_, Some("counter")) => Kind::Cell(Type::Counter),
            (_, Some("set")) => Kind::Cell(Type::Set),
            (_, Some(ty)) => {
                let ty = excerpt(ty);
                return Err(Error::peer(format!("a typed field of a shape is \"counter\" or \"set\", not '{ty}'")));
            }
        };
        let name = self.names.share(field);
        if let Some(shape) = self.shapes.last_mut() {
            shape.fields.push((name, kind));
        }
        Ok(())
    }

    /// The place of a shape, and how many fields it has.
    pub fn width(&self, shape: u64) -> Result<(usize, usize)> {
        let place = usize::try_from(shape).ok();
        let found = place.and_then(|place| Some((place, self.shapes.get(place)?.fields.len())));
        found.ok_or_else(|| Error::peer(format!("no item before this one defines shape {shape}")))
    }

    /// Takes a change in the Grove form.
    pub fn whole(&mut self, json: &str) -> Result<()> {
        self.take.whole(json, &mut self.names)
    }

    /// Takes the changes of an entry whose values are read.
    pub fn entry(&mut self, shape: usize, key: Key<'de>, stamp: Delta, rest: Rest) -> Result<()> {
        let hlc = self.stamp(stamp, self.tick)?;
        self.tick = hlc.tick();
        let about = self.about(hlc, rest)?;
        self.turn(key)?;
        if self.take_cells(shape, &about)? {
            return Ok(());
        }
        let pk = self.pk();
        let Some(Shape { table, fields }) = self.shapes.get(shape) else { return Ok(()) };
        if about.seen.is_some() && fields.len() > MAX_SHARED_SEEN {
            let more = "send the others in another";
            return Err(Error::peer(format!("an entry with 'seen' has at most {MAX_SHARED_SEEN} fields; {more}")));
        }
        for ((field, kind), value) in fields.iter().zip(&self.values) {
            let body = self.body(*kind, value.get(), &about).and_then(|body| {
                causes::check(&body, &about.hlc)?;
                check_key(&pk)?;
                Ok(body)
            });
            let change = body.map(|body| Change {
                table: Rc::clone(table),
                pk: Rc::clone(&pk),
                field: Rc::clone(field),
                hlc: about.hlc.clone(),
                seen: match body {
                    Body::Lww { .. } | Body::Tombstone { .. } => about.seen.clone(),
                    _ => None,
                },
                body,
            });
            self.take.change(change)?;
        }
        Ok(())
    }

    /// Hands an entry over without making changes of it, where it is nothing but cells in their usual spelling.
    fn take_cells(&mut self, shape: usize, about: &About) -> Result<bool> {
        let (Some(Shape { table, fields }), Some(Cow::Borrowed(pk))) = (self.shapes.get(shape), &self.key) else {
            return Ok(false);
        };
        let About { hlc, prev, seen, altered, born: _, operation: _, forgotten: _ } = about;
        let plain = !altered && seen.is_none() && pk.len() <= MAX_KEY_BYTES;
        let is_cell = |((name, kind), value): (&(Rc<str>, Kind), &&RawValue)| {
            matches!(kind, Kind::Cell(Type::Lww)) && !name.starts_with('_') && value::is_checked(value.get())
        };
        if !plain || !fields.iter().zip(&self.values).all(is_cell) {
            return Ok(false);
        }
        let entry = Entry { table, pk, hlc, prev: prev.as_ref(), fields, values: &self.values };
        self.take.cells(&entry, &mut self.names)
    }

    /// Goes on to the record of an entry.
    fn turn(&mut self, key: Key<'de>) -> Result<()> {
        match (key, &self.key) {
            (Key::Same, Some(_)) => {}
            (Key::Same, None) => return Err(Error::peer("no entry stands before this one, whose key it could have")),
            (Key::Text(text), Some(last)) if *last == text => {}
            (Key::Text(text), _) => (self.key, self.pk) = (Some(text), None),
        }
        Ok(())
    }

    /// The key of the entry at hand.
    fn pk(&mut self) -> Rc<str> {
        let key = self.key.as_deref().unwrap_or_default();
        Rc::clone(self.pk.get_or_insert_with(|| Rc::from(key)))
    }

    fn stamp(&self, Delta(node, ts, c): Delta, from: Tick) -> Result<Hlc> {
        let node = self.nodes.get(node);
        let node = node.ok_or_else(|| Error::peer("a stamp has a node's number that no item before it defines"))?;
        let tick = read_delta(from, ts, c).ok_or_else(|| {
            let Tick { ts: from_ts, c: from_c } = from;
            Error::peer(format!("no stamp lies {ts}, {c} from {from_ts}, {from_c}; ts has 63 bits and c 32, from 0"))
        })?;
        Ok(tick.by(node))
    }

    fn stamps(&self, list: &[Delta], from: Tick) -> Result<Vec<Hlc>> {
        list.iter().map(|delta| self.stamp(*delta, from)).collect()
    }

    fn about(&mut self, hlc: Hlc, rest: Rest) -> Result<About> {
        let tick = hlc.tick();
        let prev = rest.prev.map(|prev| self.stamp(prev, self.prev)).transpose()?;
        self.prev = prev.as_ref().map_or(self.prev, Hlc::tick);
        let seen = rest.seen.map(|seen| self.stamps(&seen, tick)).transpose()?;
        Ok(About {
            prev,
            seen: seen.map(|stamps| Box::new(stamps.iter().collect())),
            altered: rest.altered,
            born: rest.born.map(|born| self.stamp(born, tick)).transpose()?,
            operation: rest.operation,
            forgotten: rest.forgotten.map(|until| self.stamp(until, tick)).transpose()?,
            hlc,
        })
    }

    fn body(&self, kind: Kind, json: &str, about: &About) -> Result<Body> {
        match kind {
            Kind::Cell(Type::Counter) => {
                let (inc, dec) = serde_json::from_str(json)
                    .map_err(|e| Error::peer(format!("a counter is [inc,dec], whole numbers from 0: {e}")))?;
                Ok(Body::Counter { inc, dec, born: about.born.clone(), operation: about.operation })
            }
            Kind::Cell(Type::Set) => self.set(json, about.hlc.tick()),
            Kind::Cell(_) => {
                Ok(Body::Lww { value: value::checked(json)?, prev: about.prev.clone(), altered: about.altered })
            }
            Kind::Row | Kind::Tombstone if json != "true" => {
                Err(Error::peer(format!("what '{ROW}' and '{TOMBSTONE}' have is true, not {}", excerpt(json))))
            }
            Kind::Row => Ok(Body::Row),
            Kind::Tombstone => Ok(Body::Tombstone { forgotten: about.forgotten.clone() }),
        }
    }

    fn set(&self, json: &str, tick: Tick) -> Result<Body> {
        if json.starts_with('[') {
            return set::elements(json).map(Body::Add);
        }
        let remove: Remove<'_> = crate::json::object(json).map_err(|e| {
            Error::peer(format!("a set has the elements added, or {{\"remove\":[…],\"tags\":[…]}}: {e}"))
        })?;
        let elements = set::elements(remove.remove.get())?;
        let tags = remove.tags.map(|tags| self.stamps(&tags, tick)).transpose()?;
        Ok(Body::Remove { elements, tags })
    }
}

/// Refuses a key that is too long.
fn check_key(pk: &str) -> Result<()> {
    match pk.len() {
        0..=MAX_KEY_BYTES => Ok(()),
        has => Err(Error::peer(format!("'pk' has {has} bytes; at most {MAX_KEY_BYTES} are taken"))),
    }
}
