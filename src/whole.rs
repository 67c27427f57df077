//! Whole rows as they were inserted where they come from: every column under one stamp. A first merge is mostly of rows that
//! are new here, and a merge once more of rows that are here just so. Nothing is to be merged in either: many new rows are
//! inserted at once, their base stamps noted, and their relay logged; a known one is compared with what is here.

use std::rc::Rc;

use crate::batch::{Rows, WIDTH};
use crate::change::{Body, Change};
use crate::conn::Cached;
use crate::error::Result;
use crate::ffi::ValueRef;
use crate::inbound::{Incoming, WINDOW};
use crate::key::Pk;
use crate::pack::Nodes;
use crate::record::FieldId;
use crate::row;
use crate::schema::{Form, Table};
use crate::store::Store;
use crate::value::{self, Plain};
use crate::walk::Walk;

/// Takes such records of `incoming`, which are in the order of their keys and have to do with nothing but themselves; leaves
/// the others. How many changes were news, and how many known.
pub fn take(store: &Store<'_>, incoming: &mut Vec<Incoming<'_>>) -> Result<(u64, u64)> {
    // What the triggers would log of this is no local write.
    store.conn.db.without_triggers(|| {
        let (mut news, mut known, mut rest) = (0, 0, Vec::new());
        let mut lane: Option<Lane<'_, '_>> = None;
        for record in incoming.drain(..) {
            let is_full = |lane: &Lane<'_, '_>| lane.records.len() >= WINDOW || lane.walk.table() != record.table.id;
            if lane.as_ref().is_some_and(is_full) {
                news += lane.take().map_or(Ok(0), |lane| lane.write(store, &mut rest))?;
            }
            let lane = match &mut lane {
                Some(lane) => lane,
                none => none.insert(Lane::new(store, &record.table)?),
            };
            let (table, pk, changes) = (&*record.table, &record.pk, record.changes.as_slice());
            match lane.judge(store, table, pk, changes)? {
                Fit::New => lane.records.push(record),
                Fit::Known => known += changes.len() as u64,
                Fit::None => rest.push(record),
            }
        }
        news += lane.map_or(Ok(0), |lane| lane.write(store, &mut rest))?;
        *incoming = rest;
        Ok((news, known))
    })
}

/// What a record is to a lane.
enum Fit {
    /// Nothing is known of it: its row is to be inserted.
    New,
    /// It is here just so.
    Known,
    /// Anything else.
    None,
}

/// Records of one table that are written at once.
struct Lane<'c, 'j> {
    walk: Walk<'c>,
    /// Reads a row.
    row: Cached<'c>,
    records: Vec<Incoming<'j>>,
    rows: Rows,
    /// Key, ts, c, node.
    clocks: Rows,
}

impl<'c, 'j> Lane<'c, 'j> {
    fn new(store: &Store<'c>, table: &Table) -> Result<Lane<'c, 'j>> {
        let form = table.form(store.conn)?;
        let width = 1 + form.tracked.len();
        let row = store.conn.stmt(&row::read_sql(form))?;
        let walk = Walk::new(store, table.id)?;
        Ok(Lane { walk, row, records: Vec::new(), rows: Rows::new(width), clocks: Rows::new(4) })
    }

    /// Looks at a record; one that is new is added, but for itself.
    fn judge(
        &mut self,
        store: &Store<'_>,
        table: &Table,
        pk: &Pk,
        changes: &[(&Change, FieldId, bool)],
    ) -> Result<Fit> {
        let form = table.form(store.conn)?;
        let (Some(key), Some((Change { hlc, .. }, ..))) = (exact_key(form, pk), changes.first()) else {
            return Ok(Fit::None);
        };
        if !is_whole(form, table, changes) {
            return Ok(Fit::None);
        }
        let found = self.walk.find(pk)?;
        if found && !self.walk.is_base(store, table, hlc)? {
            return Ok(Fit::None);
        }
        let Some(cells) = cells(form, changes) else { return Ok(Fit::None) };
        if found {
            self.row.bind_all(&[key])?;
            let same = self.row.step()?
                && cells.iter().enumerate().all(|(i, cell)| value::identical(self.row.column(i), cell.as_ref()));
            self.row.reset();
            return Ok(if same { Fit::Known } else { Fit::None });
        }
        self.rows.extend(std::iter::once(key).chain(cells.iter().map(Plain::as_ref)));
        let node = i64::from(store.nodes.number(&hlc.node)?);
        self.clocks.extend([pk.as_ref(), hlc.ts.into(), i64::from(hlc.c).into(), node.into()]);
        Ok(Fit::New)
    }

    /// Writes all that was added; the number of changes. What the table refuses goes the other road, with all of its lane.
    fn write(self, store: &Store<'_>, rest: &mut Vec<Incoming<'j>>) -> Result<u64> {
        let Some(Incoming { table, .. }) = self.records.first() else { return Ok(0) };
        let conn = store.conn;
        if let Err(e) = conn.run_batch(&row::insert_batch(table.form(conn)?), &[], &Rc::new(self.rows)) {
            crate::apply::refused(conn, e)?;
            rest.extend(self.records);
            return Ok(0);
        }
        let clocks = Rc::new(self.clocks);
        store.add_fresh(table, &clocks)?;
        crate::log::append_relays(conn, table.id, store.wall.max(store.clock.ts), &clocks)?;
        Ok(self.records.iter().map(|record| record.changes.len() as u64).sum())
    }
}

/// The key as its column holds it, where that is certain.
fn exact_key<'k>(form: &Form, pk: &'k Pk) -> Option<ValueRef<'k>> {
    pk.plain(&form.shape.classes).filter(|key| match key {
        ValueRef::Text(text) => value::has_all_forms(text),
        _ => true,
    })
}

/// Whether the changes write every column, and nothing else, under one stamp.
fn is_whole(form: &Form, table: &Table, changes: &[(&Change, FieldId, bool)]) -> bool {
    let Some((first, ..)) = changes.first() else { return false };
    // In the order of the fields' numbers, as our exports give them.
    changes.len() == form.tracked.len()
        && changes.len() == table.covered().len()
        && changes.len() < WIDTH
        && changes.iter().zip(&form.tracked).all(|((change, field, local), tracked)| {
            let plain = matches!(change.body, Body::Lww { prev: None, altered: false, .. });
            plain && *local && *field == tracked.field && change.seen.is_none() && change.hlc == first.hlc
        })
}

/// The columns' values; None when it is not certain that a row will hold them to the byte of their JSON.
fn cells<'v>(form: &Form, changes: &[(&'v Change, FieldId, bool)]) -> Option<Vec<Plain<'v>>> {
    let cells = changes.iter().zip(&form.tracked).map(|((change, ..), tracked)| {
        let Body::Lww { value, .. } = &change.body else { return None };
        let cell = value::plain(value, tracked.column.form)?;
        tracked.column.affinity.keeps(cell.as_ref()).then_some(cell)
    });
    cells.collect()
}
