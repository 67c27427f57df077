//! The independent model: what a set of change records means, computed from the records alone.
//!
//! It shares no code with the library and takes no shortcuts: every rule below is one sentence of the contract.

use std::collections::{BTreeMap, BTreeSet};

use super::cell::Cell;
use super::wire::{Change, Says, Stamp};

/// A record's name: table and primary key as it stands on the wire.
pub type Id = (String, String);

/// Everything that some change records say together. Taking a record twice, or in another order, changes nothing.
#[derive(Clone, Debug, Default)]
pub struct Model {
    pub records: BTreeMap<Id, Record>,
}

/// One record: the latest delete, the latest write, and the state of each field.
#[derive(Clone, Debug, Default)]
pub struct Record {
    pub tomb: Option<Stamp>,
    pub top: Option<Stamp>,
    pub fields: BTreeMap<String, Field>,
}

/// One field's state.
#[derive(Clone, Debug)]
pub enum Field {
    /// The highest stamp and the values seen under it (several only when two authors shared the stamp, as `_base` may).
    Lww(Stamp, BTreeSet<Cell>),
    /// For each author the greatest increments, decrements and stamp.
    Counter(BTreeMap<String, Part>),
    /// For each element and author the latest add and the latest add that was removed.
    Set(BTreeMap<(String, String), Pair>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    pub inc: i128,
    pub dec: i128,
    pub stamp: Stamp,
}

#[derive(Clone, Debug, Default)]
pub struct Pair {
    pub add: Option<Stamp>,
    pub removed: Option<Stamp>,
}

/// What a column shows.
#[derive(Clone, Debug, PartialEq)]
pub enum Shown {
    /// Any of these; one, but for shared stamps.
    Value(BTreeSet<Cell>),
    /// NULL until a first part exists.
    Count(Option<i64>),
    /// Canonical elements.
    Elements(BTreeSet<String>),
}

impl Model {
    pub fn of<'a>(changes: impl IntoIterator<Item = &'a Change>) -> Result<Model, String> {
        let mut model = Model::default();
        for change in changes {
            model.take(change)?;
        }
        Ok(model)
    }

    pub fn take(&mut self, change: &Change) -> Result<(), String> {
        let id = (change.table.clone(), change.pk.clone());
        let record = self.records.entry(id).or_default();
        record.take(change).map_err(|e| format!("{e}: {}", change.raw))
    }

    /// Takes in all that another model knows.
    pub fn absorb(&mut self, other: &Model) {
        for (id, record) in &other.records {
            self.records.entry(id.clone()).or_default().absorb(record);
        }
    }

    /// The live records of a table, by key.
    pub fn alive(&self, table: &str) -> BTreeMap<&str, &Record> {
        let of_table = self.records.iter().filter(|((t, _), _)| t == table);
        of_table.filter(|(_, r)| r.alive()).map(|((_, pk), r)| (pk.as_str(), r)).collect()
    }

    /// Where `self` (what one node exports) falls short of `all` (what it is known to hold); empty when it carries all.
    pub fn lacks(&self, all: &Model) -> Vec<String> {
        let mut out = Vec::new();
        for (id, record) in &all.records {
            match self.records.get(id) {
                None => out.push(format!("{id:?}: the record is missing")),
                Some(mine) => mine.lacks(record, id, &mut out),
            }
        }
        out
    }
}

impl Record {
    /// Alive: any stamp, `_row`'s too, lies above the latest tombstone.
    pub fn alive(&self) -> bool {
        self.top.is_some() && self.top > self.tomb
    }

    /// What the column shows, or None when no change has spoken of it.
    pub fn shown(&self, field: &str) -> Option<Shown> {
        self.fields.get(field).map(Field::shown)
    }

    fn absorb(&mut self, other: &Record) {
        other.tomb.iter().for_each(|stamp| raise(&mut self.tomb, stamp));
        other.top.iter().for_each(|stamp| raise(&mut self.top, stamp));
        for (name, field) in &other.fields {
            self.fields.entry(name.clone()).and_modify(|mine| mine.absorb(field)).or_insert_with(|| field.clone());
        }
    }

    fn take(&mut self, change: &Change) -> Result<(), String> {
        let stamp = &change.stamp;
        let slot = match &change.says {
            Says::Tombstone => &mut self.tomb,
            _ => &mut self.top,
        };
        raise(slot, stamp);
        let name = &change.field;
        match &change.says {
            Says::Tombstone => Ok(()),
            Says::Lww(value) if name == "_row" => match value.raw.as_str() {
                "true" => Ok(()),
                _ => Err("_row is not true".into()),
            },
            Says::Lww(value) => {
                let cell = Cell::from_wire(value)?;
                self.field(name, || Field::Lww(stamp.clone(), BTreeSet::new())).lww(stamp, cell)
            }
            Says::Counter { inc, dec } => {
                self.field(name, || Field::Counter(BTreeMap::new())).counter(stamp, *inc, *dec)
            }
            Says::Add(elements) => self.field(name, || Field::Set(BTreeMap::new())).add(stamp, elements),
            Says::Remove(elements, tags) => self.field(name, || Field::Set(BTreeMap::new())).remove(elements, tags),
        }
    }

    fn field(&mut self, name: &str, new: impl FnOnce() -> Field) -> &mut Field {
        self.fields.entry(name.to_string()).or_insert_with(new)
    }

    fn lacks(&self, all: &Record, id: &Id, out: &mut Vec<String>) {
        if self.tomb != all.tomb {
            let (mine, other) = (&self.tomb, &all.tomb);
            out.push(format!("{id:?}: tombstone {mine:?}, should be {other:?}"));
        }
        if self.top != all.top {
            let (mine, other) = (&self.top, &all.top);
            out.push(format!("{id:?}: latest stamp {mine:?}, should be {other:?}"));
        }
        for (name, field) in &all.fields {
            let same = self.fields.get(name).is_some_and(|mine| mine.carries(field));
            if !same {
                let mine = self.fields.get(name);
                out.push(format!("{id:?}.{name}: {mine:?}, should be {field:?}"));
            }
        }
    }
}

impl Field {
    /// Both are of one type: `take` has seen to that.
    fn absorb(&mut self, other: &Field) {
        match (self, other) {
            (Field::Lww(mine, cells), Field::Lww(stamp, others)) => {
                if stamp > mine {
                    (*mine, *cells) = (stamp.clone(), others.clone());
                } else if stamp == mine {
                    cells.extend(others.iter().cloned());
                }
            }
            (Field::Counter(mine), Field::Counter(parts)) => {
                for (author, part) in parts {
                    let one = mine.entry(author.clone()).or_insert_with(|| part.clone());
                    one.inc = one.inc.max(part.inc);
                    one.dec = one.dec.max(part.dec);
                    one.stamp = one.stamp.clone().max(part.stamp.clone());
                }
            }
            (Field::Set(mine), Field::Set(pairs)) => {
                for (key, pair) in pairs {
                    let one = mine.entry(key.clone()).or_default();
                    pair.add.iter().for_each(|stamp| raise(&mut one.add, stamp));
                    pair.removed.iter().for_each(|stamp| raise(&mut one.removed, stamp));
                }
            }
            _ => {}
        }
    }

    /// LWW: the highest stamp wins.
    fn lww(&mut self, stamp: &Stamp, cell: Cell) -> Result<(), String> {
        let Field::Lww(top, cells) = self else {
            return Err("an lww change for another type".into());
        };
        if stamp > top {
            *top = stamp.clone();
            cells.clear();
        }
        if stamp == top {
            cells.insert(cell);
        }
        Ok(())
    }

    /// Counter: the maximum of each author's running totals.
    fn counter(&mut self, stamp: &Stamp, inc: i128, dec: i128) -> Result<(), String> {
        let Field::Counter(parts) = self else {
            return Err("a counter change for another type".into());
        };
        let part = parts.entry(stamp.node.clone()).or_insert_with(|| Part { inc, dec, stamp: stamp.clone() });
        part.inc = part.inc.max(inc);
        part.dec = part.dec.max(dec);
        part.stamp = part.stamp.clone().max(stamp.clone());
        Ok(())
    }

    /// Set: an add is a tag (stamp and element); of each author's tags on an element only the latest counts.
    fn add(&mut self, stamp: &Stamp, elements: &[String]) -> Result<(), String> {
        let pairs = self.pairs()?;
        for element in elements {
            let pair = pairs.entry((element.clone(), stamp.node.clone()));
            raise(&mut pair.or_default().add, stamp);
        }
        Ok(())
    }

    fn remove(&mut self, elements: &[String], tags: &[Stamp]) -> Result<(), String> {
        let pairs = self.pairs()?;
        for element in elements {
            for tag in tags {
                let pair = pairs.entry((element.clone(), tag.node.clone()));
                raise(&mut pair.or_default().removed, tag);
            }
        }
        Ok(())
    }

    fn pairs(&mut self) -> Result<&mut BTreeMap<(String, String), Pair>, String> {
        match self {
            Field::Set(pairs) => Ok(pairs),
            _ => Err("a set change for another type".into()),
        }
    }

    fn shown(&self) -> Shown {
        match self {
            Field::Lww(_, cells) => Shown::Value(cells.clone()),
            Field::Counter(parts) if parts.is_empty() => Shown::Count(None),
            Field::Counter(parts) => {
                let sum: i128 = parts.values().map(|p| p.inc - p.dec).sum();
                let sum = sum.clamp(i64::MIN.into(), i64::MAX.into());
                Shown::Count(i64::try_from(sum).ok())
            }
            Field::Set(pairs) => {
                let live = pairs.iter().filter(|(_, pair)| pair.live());
                Shown::Elements(live.map(|((element, _), _)| element.clone()).collect())
            }
        }
    }

    /// Whether this state says the same as `all`, which may hold more than one value under a shared stamp.
    fn carries(&self, all: &Field) -> bool {
        match (self, all) {
            (Field::Lww(mine, value), Field::Lww(stamp, values)) => mine == stamp && value.is_subset(values),
            (Field::Counter(mine), Field::Counter(parts)) => mine == parts,
            (Field::Set(mine), Field::Set(pairs)) => normal(mine) == normal(pairs),
            _ => false,
        }
    }
}

impl Pair {
    /// An element is there while an author's latest add on it has not been removed.
    pub fn live(&self) -> bool {
        self.add.is_some() && self.add > self.removed
    }
}

/// Of a pair only this matters: the live add, or the removed one. An add below a live one needs no remove.
fn normal(pairs: &BTreeMap<(String, String), Pair>) -> Vec<(&(String, String), bool, &Stamp)> {
    let one = |pair: &'_ Pair| pair.live();
    pairs
        .iter()
        .filter_map(|(key, pair)| {
            let stamp = if one(pair) { &pair.add } else { &pair.removed };
            stamp.as_ref().map(|s| (key, pair.live(), s))
        })
        .collect()
}

fn raise(slot: &mut Option<Stamp>, stamp: &Stamp) {
    if slot.as_ref().is_none_or(|old| stamp > old) {
        *slot = Some(stamp.clone());
    }
}
