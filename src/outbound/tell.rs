//! What a record has to tell: its fields' present state, change by change, to whoever takes it.

use std::collections::BTreeMap;

use super::pick::Pick;
use super::whole::{Live, State, Whole};
use crate::change::{Body, LEFT, ROW, TOMBSTONE};
use crate::clock::{Hlc, Tick};
use crate::ffi::ValueRef;
use crate::record::{Marks, Record};
use crate::schema::{Field, Kind, Table};
use crate::types::lww::Lww;
use crate::types::seen::Seen;
use crate::value::Form;

/// Takes changes of one record.
pub trait Sink {
    /// A last-writer-wins cell.
    fn cell(&mut self, field: &str, told: &Told<'_>, value: Cell<'_>);
    /// Any other change.
    fn change(&mut self, field: &str, hlc: &Hlc, body: Body, seen: Option<&Seen>);
}

/// The clock of a cell, as it is told.
pub struct Told<'a> {
    /// The write that holds the cell.
    pub hlc: &'a Hlc,
    /// What it overwrote.
    pub prev: Option<&'a Hlc>,
    /// A hook changed the value.
    pub altered: bool,
    /// What its author had seen besides.
    pub seen: Option<&'a Seen>,
}

impl<'a> Told<'a> {
    fn of(lww: &'a Lww) -> Told<'a> {
        Told { hlc: &lww.hlc, prev: lww.prev.as_ref(), altered: lww.altered, seen: lww.seen() }
    }
}

/// A cell's value.
#[derive(Clone, Copy)]
pub enum Cell<'a> {
    /// As it was kept.
    Json(&'a str),
    /// As the row holds it.
    Live(ValueRef<'a>, Form),
}

impl Cell<'_> {
    /// Its JSON.
    pub fn to_json(self) -> String {
        match self {
            Cell::Json(json) => json.to_owned(),
            Cell::Live(value, form) => crate::value::to_json(value, form),
        }
    }

    /// Appends its JSON.
    pub fn write_json(self, out: &mut String) {
        match self {
            Cell::Json(json) => out.push_str(json),
            Cell::Live(value, form) => crate::value::encode(out, value, form),
        }
    }
}

/// Tells the picked fields of a record; the latest stamp told. A tombstone, and a row stamp that shows, travel with every one.
pub fn tell(table: &Table, whole: &Whole<'_>, pick: &Pick, sink: &mut impl Sink) -> Tick {
    match &whole.state {
        State::Base(base) if *pick == Pick::Gone => gone(&Record::new(base, table.covered()), table, sink),
        State::Cells(base, cells) if *pick == Pick::Gone => {
            let known = table.covered().iter().copied().zip(cells.iter().cloned());
            let lww = known.filter_map(|(field, cell)| Some((field, cell?))).collect();
            gone(&Record { row: Some(base.clone()), lww, ..Record::default() }, table, sink)
        }
        State::Base(base) => tell_base(table, base, &whole.live, pick, sink),
        State::Cells(_, cells) => tell_cells(table, cells, &whole.live, pick, sink),
        State::Record(record) => {
            let mut latest = Latest { sink, tick: Tick::default() };
            tell_record(table, record, &whole.live, pick, &mut latest);
            latest.tick
        }
    }
}

/// A row that was inserted and not touched since: every covered field under one stamp.
fn tell_base(table: &Table, base: &Hlc, live: &Live<'_>, pick: &Pick, sink: &mut impl Sink) -> Tick {
    let told = Told { hlc: base, prev: None, altered: false, seen: None };
    let mut latest = Tick::default();
    for (field, (value, form)) in live.covered(table, pick) {
        sink.cell(&field.name, &told, Cell::Live(value, form));
        latest = base.tick();
    }
    latest
}

/// A row of which some cells were written since.
fn tell_cells(table: &Table, cells: &[Option<Lww>], live: &Live<'_>, pick: &Pick, sink: &mut impl Sink) -> Tick {
    let mut latest = Tick::default();
    for (field, (value, form)) in live.covered(table, pick) {
        let place = table.covered().binary_search(&field.id).ok();
        let Some(Some(cell)) = place.and_then(|place| cells.get(place)) else { continue };
        sink.cell(&field.name, &Told::of(cell), Cell::Live(value, form));
        latest = latest.max(cell.hlc.tick());
    }
    latest
}

/// A record that left a filter: what is known of it goes, not what it holds.
fn gone(record: &Record, table: &Table, sink: &mut impl Sink) -> Tick {
    sink.change(LEFT, &Hlc::zero(), Body::Left(Some(Box::new(crate::left::known(record, table)))), None);
    Tick::default()
}

/// Passes changes on and keeps the latest stamp.
struct Latest<'s, S> {
    sink: &'s mut S,
    tick: Tick,
}

impl<S: Sink> Sink for Latest<'_, S> {
    fn cell(&mut self, field: &str, told: &Told<'_>, value: Cell<'_>) {
        self.tick = self.tick.max(told.hlc.tick());
        self.sink.cell(field, told, value);
    }

    fn change(&mut self, field: &str, hlc: &Hlc, body: Body, seen: Option<&Seen>) {
        self.tick = self.tick.max(hlc.tick());
        self.sink.change(field, hlc, body, seen);
    }
}

fn tell_record(table: &Table, record: &Record, live: &Live<'_>, pick: &Pick, sink: &mut impl Sink) {
    if *pick == Pick::Gone && record.alive() {
        gone(record, table, sink);
        return;
    }
    if let Some(tomb) = &record.tomb {
        let body = Body::Tombstone { forgotten: record.forgotten.clone() };
        sink.change(TOMBSTONE, tomb, body, record.tomb_seen.as_ref());
    }
    if *pick == Pick::Gone {
        return;
    }
    if let Some(row) = record.visible_row() {
        sink.change(ROW, row, Body::Row, None);
    }
    for field in table.fields.iter().filter(|field| pick.has(field.id)) {
        tell_field(record, field, live, sink);
    }
}

fn tell_field(record: &Record, field: &Field, live: &Live<'_>, sink: &mut impl Sink) {
    if let Some(lww) = record.lww.get(&field.id) {
        let cell = match &lww.saved {
            Some(json) => Some(Cell::Json(json)),
            None => live.cell(field.id).map(|(value, form)| Cell::Live(value, form)),
        };
        if let Some(cell) = cell {
            sink.cell(&field.name, &Told::of(lww), cell);
        }
    }
    for ((_, operation), part) in record.counters.get(&field.id).into_iter().flatten() {
        let (born, operation) = (part.born.clone(), !operation.is_empty());
        sink.change(&field.name, &part.hlc, Body::Counter { inc: part.inc, dec: part.dec, born, operation }, None);
    }
    if let Some(marks) = record.sets.get(&field.id) {
        set_changes(marks, &mut |hlc, body| sink.change(&field.name, hlc, body, None));
    }
    if let (Some(kept), Kind::Foreign(name)) = (record.kept.get(&field.id), &field.kind) {
        for (hlc, json) in kept {
            sink.change(&field.name, hlc, Body::Other { crdt_type: name.clone(), json: json.clone() }, None);
        }
    }
}

/// A set's marks as changes: one add for each live tag, one remove for each element and remove, naming what it took.
pub fn set_changes(marks: &Marks, push: &mut impl FnMut(&Hlc, Body)) {
    let mut removes: BTreeMap<(&str, Hlc), Vec<Hlc>> = BTreeMap::new();
    for ((element, node), mark) in marks {
        match (mark.add, &mark.gone) {
            (Some(add), Some(gone)) => removes.entry((element, gone.clone())).or_default().push(add.by(node)),
            (Some(add), None) => push(&add.by(node), Body::Add(vec![element.clone()])),
            _ => {}
        }
        if let Some(op) = mark.op {
            // A remove that took nothing that is still known tells its stamp all the same.
            removes.entry((element, op.by(node))).or_default();
        }
    }
    for ((element, op), tags) in removes {
        push(&op, Body::Remove { elements: vec![element.to_owned()], tags: Some(tags) });
    }
}
