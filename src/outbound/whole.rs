//! A record and its row, read together: one statement where the key allows.

use super::pick::Pick;
use crate::clock::Hlc;
use crate::conn::Cached;
use crate::error::Result;
use crate::ffi::{Stmt, Value, ValueRef};
use crate::key::Pk;
use crate::pack::{unpack_cells, Cells};
use crate::record::{FieldId, Record};
use crate::row;
use crate::schema::{Field, Form, Table};
use crate::store::Store;
use crate::types::Type;

/// Columns of the statement before those of the row: five of the clock, and the key, which is NULL where there is no row.
const BEFORE: usize = 6;

/// A record with its row.
pub struct Whole<'w> {
    /// What is known of the record.
    pub state: State,
    /// Its row.
    pub live: Live<'w>,
}

/// What is known of a record.
pub enum State {
    /// All covered fields carry this stamp, and there is nothing else: most records end here.
    Base(Hlc),
    /// The row's stamp, clocks of the covered fields in their order, and nothing else: most others end here.
    Cells(Hlc, Cells),
    /// Anything more.
    Record(Box<Record>),
}

/// The live row of a record.
pub struct Live<'w> {
    form: Option<&'w Form>,
    row: Row<'w>,
}

enum Row<'w> {
    None,
    Statement(Cached<'w>),
    /// What a statement is on, from a column on.
    Columns(&'w Stmt, usize),
    Values(Vec<Value>),
}

impl<'w> Live<'w> {
    /// The row that a statement is on: its tracked columns are the statement's from `first` on.
    pub fn of_row(form: &'w Form, row: &'w Stmt, first: usize) -> Live<'w> {
        Live { form: Some(form), row: Row::Columns(row, first) }
    }

    /// No row.
    pub fn none(form: &'w Form) -> Live<'w> {
        Live { form: Some(form), row: Row::None }
    }

    /// What the column of a lww field holds; None without row or column.
    pub fn cell(&self, field: FieldId) -> Option<(ValueRef<'_>, crate::value::Form)> {
        let tracked = &self.form?.tracked;
        let i = tracked.binary_search_by_key(&field, |t| t.field).ok()?;
        tracked.get(i).filter(|tracked| tracked.ty == Type::Lww)?;
        self.at(i)
    }

    /// The picked ones of the fields that a base stamp covers, with what their columns hold; none without row.
    pub fn covered<'l>(
        &'l self,
        table: &'l Table,
        pick: &'l Pick,
    ) -> impl Iterator<Item = (&'l Field, (ValueRef<'l>, crate::value::Form))> {
        let covered = self.form.map(|form| form.covered.as_slice()).unwrap_or_default();
        let picked = |place: usize| table.fields.get(place).filter(|field| pick.has(field.id));
        covered.iter().filter_map(move |(place, i)| Some((picked(*place)?, self.at(*i)?)))
    }

    /// What a tracked column holds.
    fn at(&self, i: usize) -> Option<(ValueRef<'_>, crate::value::Form)> {
        let form = self.form?.tracked.get(i)?.column.form;
        let value = match &self.row {
            Row::None => return None,
            Row::Statement(row) => row.column(BEFORE + i),
            Row::Columns(row, first) => row.column(first + i),
            Row::Values(values) => values.get(i)?.as_ref(),
        };
        Some((value, form))
    }
}

impl<'w> Whole<'w> {
    /// Reads a record and its row; None when nothing is known of it.
    pub fn read(store: &Store<'w>, table: &'w Table, pk: &Pk) -> Result<Option<Whole<'w>>> {
        // The table may have been dropped, or made again: then no live cell is what the stamp speaks of.
        let form = table.form_if_usable(store.conn)?.filter(|_| table.captured);
        let key = form.and_then(|form| pk.plain(&form.shape.classes));
        match (form, key) {
            (Some(form), Some(key)) if store.overlay.is_empty() => together(store, table, form, pk, key),
            _ => apart(store, table, form, pk),
        }
    }
}

/// The state of a record from what is stored: generation, base stamp, all else.
pub fn state(
    store: &Store<'_>,
    table: &Table,
    pk: &Pk,
    (gen, stored, x): (Option<i64>, [Option<i64>; 3], Option<&[u8]>),
) -> Result<State> {
    let updates = store.unfolded.of(table.id, pk);
    // A table of nothing but its key tells the row itself.
    if gen == Some(table.gen.into()) && !table.covered().is_empty() && table.ended().is_none() {
        if let Some(base) = store.base(stored)? {
            if x.is_none() && updates.is_empty() {
                return Ok(State::Base(base));
            }
            let (x, covered, mut cells) = (x.unwrap_or_default(), table.covered(), Cells::new());
            if unpack_cells(&base, x, (covered, covered), &store.nodes, &mut cells)?
                && updates.update_cells(covered, &mut cells)
            {
                return Ok(State::Cells(base, cells));
            }
        }
    }
    let mut record = store.unpack(table, gen, stored, x)?;
    store.complete(table, pk, &mut record)?;
    updates.update(&mut record);
    Ok(State::Record(Box::new(record)))
}

fn together<'w>(
    store: &Store<'w>,
    table: &'w Table,
    form: &'w Form,
    pk: &Pk,
    key: ValueRef<'_>,
) -> Result<Option<Whole<'w>>> {
    let mut row = store.conn.stmt(&row::whole(form))?;
    row.bind_all(&[key, table.id.into()])?;
    if !row.step()? {
        drop(row);
        return apart(store, table, Some(form), pk);
    }
    let state = state(store, table, pk, (row.i64(0), [row.i64(1), row.i64(2), row.i64(3)], row.bytes(4)))?;
    let row = if row.column(5) == ValueRef::Null { Row::None } else { Row::Statement(row) };
    Ok(Some(Whole { state, live: Live { form: Some(form), row } }))
}

fn apart<'w>(store: &Store<'w>, table: &'w Table, form: Option<&'w Form>, pk: &Pk) -> Result<Option<Whole<'w>>> {
    let Some(record) = store.load(table, pk)? else { return Ok(None) };
    let needed = record.lww.values().any(|lww| lww.saved.is_none());
    let row = read_row(store, form.filter(|_| needed), pk)?;
    Ok(Some(Whole { state: State::Record(Box::new(record)), live: Live { form, row } }))
}

fn read_row<'w>(store: &Store<'w>, form: Option<&Form>, pk: &Pk) -> Result<Row<'w>> {
    let row = form.map(|form| row::read(store.conn, form, pk)).transpose()?;
    Ok(row.flatten().map_or(Row::None, Row::Values))
}

/// A record with the values of its live cells filled in, as JSON.
pub fn with_values(store: &Store<'_>, table: &Table, pk: &Pk) -> Result<Option<Record>> {
    let Some(mut record) = store.load(table, pk)? else { return Ok(None) };
    let form = table.form_if_usable(store.conn)?.filter(|_| table.captured);
    let live = Live { form, row: read_row(store, form, pk)? };
    for (field, lww) in record.lww.iter_mut().filter(|(_, lww)| lww.saved.is_none()) {
        lww.saved = live.cell(*field).map(|(value, form)| crate::value::to_json(value, form));
    }
    Ok(Some(record))
}
