//! Records of which nothing came but writes of cells, as they stand in a payload: no value is copied out of it. Pure.

use std::collections::HashMap;
use std::rc::Rc;

use super::{Body, Change, Names};
use crate::clock::Hlc;
use crate::meet::Write;

/// In place of a stamp: there is none.
const NONE: u32 = u32::MAX;

/// Such records. Names and stamps go by number.
#[derive(Default)]
pub struct Drafts<'j> {
    names: Vec<Rc<str>>,
    numbers: HashMap<Rc<str>, u32, foldhash::fast::RandomState>,
    stamps: Vec<Hlc>,
    records: Vec<Record<'j>>,
    cells: Vec<Cell<'j>>,
}

#[derive(Clone, Copy)]
struct Record<'j> {
    table: u32,
    pk: &'j str,
    /// The place of its first cell.
    from: usize,
}

/// One write of a cell.
#[derive(Clone, Copy)]
pub struct Cell<'j> {
    /// The number of its field's name.
    pub field: u32,
    hlc: u32,
    prev: u32,
    value: &'j str,
}

impl<'j> Drafts<'j> {
    /// Begins a record.
    pub fn begin(&mut self, table: &str, pk: &'j str, names: &mut Names) {
        let table = self.number(table, self.records.last().map(|last| last.table), names);
        self.records.push(Record { table, pk, from: self.cells.len() });
    }

    /// Whether the record begun last has this table and key.
    pub fn is_at(&self, table: &str, pk: &str) -> bool {
        self.records.last().is_some_and(|last| last.pk == pk && self.name(last.table) == table)
    }

    /// Adds a write to the record begun last.
    pub fn add(&mut self, field: &str, value: &'j str, (hlc, prev): (&Hlc, Option<&Hlc>), names: &mut Names) {
        let field = self.number(field, self.expected(), names);
        let (hlc, prev) = (self.stamp(hlc), prev.map_or(NONE, |prev| self.stamp(prev)));
        self.cells.push(Cell { field, hlc, prev, value });
    }

    /// The field that stood at this place of the record before.
    fn expected(&self) -> Option<u32> {
        let [.., before, now] = self.records.as_slice() else { return None };
        Some(self.cells.get(before.from + (self.cells.len() - now.from))?.field)
    }

    fn number(&mut self, name: &str, expected: Option<u32>, names: &mut Names) -> u32 {
        match expected.filter(|number| self.names.get(*number as usize).is_some_and(|expected| **expected == *name)) {
            Some(number) => number,
            None => self.numbers.get(name).copied().unwrap_or_else(|| {
                let (name, number) = (names.share(name), self.names.len() as u32);
                self.names.push(Rc::clone(&name));
                self.numbers.insert(name, number);
                number
            }),
        }
    }

    fn stamp(&mut self, hlc: &Hlc) -> u32 {
        const LATELY: usize = 4;
        let all = self.stamps.len();
        let found = self.stamps.iter().rev().take(LATELY).position(|stamp| stamp == hlc);
        let place = found.map_or(all, |back| all - 1 - back);
        if place == all {
            self.stamps.push(hlc.clone());
        }
        place as u32
    }

    /// Lets all records go; the numbers of names stay.
    pub fn clear(&mut self) {
        self.stamps.clear();
        self.records.clear();
        self.cells.clear();
    }

    /// How many cells there are.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// How many records there are.
    pub fn records(&self) -> usize {
        self.records.len()
    }

    /// How many names have numbers.
    pub fn names(&self) -> usize {
        self.names.len()
    }

    /// A name by its number.
    pub fn name(&self, number: u32) -> &str {
        self.names.get(number as usize).map_or("", |name| name)
    }

    /// The number of a record's table, and its key.
    pub fn record(&self, i: usize) -> (u32, &'j str) {
        self.records.get(i).map_or((NONE, ""), |record| (record.table, record.pk))
    }

    /// The writes of a record.
    pub fn cells(&self, i: usize) -> &[Cell<'j>] {
        let end = self.records.get(i + 1).map_or(self.cells.len(), |next| next.from);
        self.records.get(i).and_then(|record| self.cells.get(record.from..end)).unwrap_or_default()
    }

    /// A write of a cell; None for a cell of others.
    pub fn write<'d>(&'d self, cell: &Cell<'d>) -> Option<Write<'d>> {
        let stamp = |number: u32| self.stamps.get(number as usize);
        Some(Write { hlc: stamp(cell.hlc)?, prev: stamp(cell.prev), altered: false, value: cell.value, seen: None })
    }

    /// The authors of the writes; mostly one once where it wrote many.
    pub fn authors(&self) -> impl Iterator<Item = &Rc<str>> {
        let mut last = NONE;
        let new = self.cells.iter().filter(move |cell| std::mem::replace(&mut last, cell.hlc) != cell.hlc);
        new.filter_map(|cell| self.stamps.get(cell.hlc as usize)).map(|stamp| &stamp.node)
    }

    /// Appends the writes of a record as changes.
    pub fn changes(&self, i: usize, to: &mut Vec<Change>) {
        let ((table, pk), cells) = (self.record(i), self.cells(i));
        let (Some(table), pk): (_, Rc<str>) = (self.names.get(table as usize), Rc::from(pk)) else { return };
        to.extend(cells.iter().filter_map(|cell| {
            let (field, write) = (self.names.get(cell.field as usize)?, self.write(cell)?);
            let body = Body::Lww { value: write.value.to_owned(), prev: write.prev.cloned(), altered: false };
            let (table, pk, field) = (Rc::clone(table), Rc::clone(&pk), Rc::clone(field));
            Some(Change { table, pk, field, hlc: write.hlc.clone(), body, seen: None })
        }));
    }

    /// Makes changes of the record begun last.
    pub fn give_up(&mut self, to: &mut Vec<Change>) {
        let Some(last) = self.records.len().checked_sub(1) else { return };
        self.changes(last, to);
        if let Some(record) = self.records.pop() {
            self.cells.truncate(record.from);
        }
    }

    /// Puts the writes of each record in the order of their stamps.
    pub fn sort(&mut self) {
        let Drafts { stamps, records, cells, .. } = self;
        let mut end = cells.len();
        for record in records.iter().rev() {
            let stamp = |cell: &Cell<'_>| stamps.get(cell.hlc as usize);
            let own = cells.get_mut(record.from..end).unwrap_or_default();
            if own.iter().any(|cell| own.first().is_some_and(|first| first.hlc != cell.hlc)) {
                own.sort_by(|a, b| stamp(a).cmp(&stamp(b)));
            }
            end = record.from;
        }
    }
}
