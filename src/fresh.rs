//! Rows that are new here, as they were inserted where they come from: every column under one stamp. A first merge is mostly
//! of them. Nothing is to be merged: many rows are inserted at once, their base stamps noted, and their relay logged.

use std::rc::Rc;

use crate::batch::{Rows, WIDTH};
use crate::change::{Body, Change};
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
/// the others. The number of changes taken.
pub fn take(store: &Store<'_>, incoming: &mut Vec<Incoming<'_>>) -> Result<u64> {
    // What the triggers would log of this is no local write.
    store.conn.db.without_triggers(|| {
        let (mut changes, mut rest) = (0, Vec::new());
        let mut lane: Option<Lane<'_, '_>> = None;
        for record in incoming.drain(..) {
            let is_full = |lane: &Lane<'_, '_>| lane.records.len() >= WINDOW || lane.walk.table() != record.table.id;
            if lane.as_ref().is_some_and(is_full) {
                changes += lane.take().map_or(Ok(0), |lane| lane.write(store, &mut rest))?;
            }
            let lane = match &mut lane {
                Some(lane) => lane,
                none => none.insert(Lane::new(store, &record.table)?),
            };
            rest.extend(lane.add(store, record)?);
        }
        changes += lane.map_or(Ok(0), |lane| lane.write(store, &mut rest))?;
        *incoming = rest;
        Ok(changes)
    })
}

/// Records of one table that are written at once.
struct Lane<'c, 'j> {
    walk: Walk<'c>,
    records: Vec<Incoming<'j>>,
    rows: Rows,
    /// Key, ts, c, node.
    clocks: Rows,
}

impl<'c, 'j> Lane<'c, 'j> {
    fn new(store: &Store<'c>, table: &Table) -> Result<Lane<'c, 'j>> {
        let width = 1 + table.form(store.conn)?.tracked.len();
        let walk = Walk::new(store, table.id)?;
        Ok(Lane { walk, records: Vec::new(), rows: Rows::new(width), clocks: Rows::new(4) })
    }

    /// Adds a record; gives it back when it is none for this lane.
    fn add(&mut self, store: &Store<'_>, record: Incoming<'j>) -> Result<Option<Incoming<'j>>> {
        let Incoming { table, pk, changes, .. } = &record;
        let form = table.form(store.conn)?;
        let (Some(key), Some((Change { hlc, .. }, ..))) = (exact_key(form, pk), changes.first()) else {
            return Ok(Some(record));
        };
        let Some(cells) = cells(form, table, changes) else { return Ok(Some(record)) };
        if self.walk.find(pk)? {
            return Ok(Some(record));
        }
        self.rows.extend(std::iter::once(key).chain(cells.iter().map(Plain::as_ref)));
        let node = i64::from(store.nodes.number(&hlc.node)?);
        self.clocks.extend([pk.as_ref(), hlc.ts.into(), i64::from(hlc.c).into(), node.into()]);
        self.records.push(record);
        Ok(None)
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

/// The whole row that the changes make, but its key; None when they are more or less than that, or when it is not certain
/// that the row will hold them to the byte of their JSON.
fn cells<'v>(form: &Form, table: &Table, changes: &[(&'v Change, FieldId, bool)]) -> Option<Vec<Plain<'v>>> {
    let (first, ..) = changes.first()?;
    if changes.len() != form.tracked.len() || changes.len() != table.covered().len() || changes.len() >= WIDTH {
        return None;
    }
    // In the order of the fields' numbers, as our exports give them.
    let cells = changes.iter().zip(&form.tracked).map(|((change, field, local), tracked)| {
        let Body::Lww { value, prev: None, altered: false } = &change.body else { return None };
        let usual = *local && *field == tracked.field && change.seen.is_none() && change.hlc == first.hlc;
        let cell = value::plain(value, tracked.column.form).filter(|_| usual)?;
        tracked.column.affinity.keeps(cell.as_ref()).then_some(cell)
    });
    cells.collect()
}
