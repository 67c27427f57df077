//! Rows that are new here, as they were inserted where they come from: every column under one stamp. A first merge is mostly
//! of them. Nothing is to be merged: the row is inserted, the record's base stamp noted, and what the triggers log of it
//! becomes the entry that relays it.

use crate::change::{Body, Change};
use crate::conn::Cached;
use crate::error::Result;
use crate::ffi::ValueRef;
use crate::inbound::Incoming;
use crate::key::Pk;
use crate::log;
use crate::pack::Nodes;
use crate::record::FieldId;
use crate::row;
use crate::schema::{Form, Table};
use crate::store::Store;
use crate::value::{self, Plain};

/// Takes such records of `incoming`, which are in the order of their keys and have to do with nothing but themselves; leaves
/// the others. The number of changes taken.
pub fn take(store: &Store<'_>, incoming: &mut Vec<Incoming<'_>>) -> Result<u64> {
    let mark = store.last_seq()?;
    let (mut lane, mut taken) = (None, Vec::new());
    let mut rest = Vec::new();
    for record in incoming.drain(..) {
        let t = record.table.id;
        if lane.as_ref().is_none_or(|lane: &Lane<'_>| lane.t != t) {
            lane = Some(Lane::new(store, &record.table)?);
        }
        let taking = match &mut lane {
            Some(lane) => lane.take(store, &record.table, &record.pk, &record.changes)?,
            None => false,
        };
        if taking { &mut taken } else { &mut rest }.push(record);
    }
    drop(lane);
    *incoming = rest;
    relay(store, mark, &taken)?;
    store.conn.fresh.set(store.conn.fresh.get().saturating_add(taken.len() as i64));
    Ok(taken.iter().map(|record| record.changes.len() as u64).sum())
}

/// Makes what the triggers logged after `mark` relay entries.
fn relay(store: &Store<'_>, mark: i64, taken: &[Incoming<'_>]) -> Result<()> {
    if taken.is_empty() {
        return Ok(());
    }
    let at = store.wall.max(store.clock.ts);
    if log::rewrite_inserts(store.conn, mark, at)? == taken.len() as i64 {
        return Ok(());
    }
    // The host has switched triggers off.
    log::drop_after(store.conn, mark)?;
    taken.iter().try_for_each(|record| log::append_relay(store.conn, record.table.id, &record.pk, None, at))
}

/// The statements for one table.
struct Lane<'c> {
    t: i64,
    next: Cached<'c>,
    row: Cached<'c>,
    clock: Cached<'c>,
    /// No record stands from the first key on before the second, or before the table's end.
    gap: Option<(Pk, Option<Pk>)>,
}

impl<'c> Lane<'c> {
    fn new(store: &Store<'c>, table: &Table) -> Result<Lane<'c>> {
        let form = table.form(store.conn)?;
        Ok(Lane {
            t: table.id,
            next: store.conn.stmt("SELECT pk FROM main._crdt_clock WHERE t = ?1 AND pk >= ?2 ORDER BY pk LIMIT 1")?,
            row: store.conn.stmt(&row::insert_whole(form))?,
            clock: store
                .conn
                .stmt("INSERT INTO main._crdt_clock(t, pk, g, ts, c, n) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?,
            gap: None,
        })
    }

    /// Takes one record; false when it is none for this lane, and nothing was done.
    fn take(
        &mut self,
        store: &Store<'_>,
        table: &Table,
        pk: &Pk,
        changes: &[(&Change, FieldId, bool)],
    ) -> Result<bool> {
        let form = table.form(store.conn)?;
        let Some(key) = pk.plain(&form.shape.classes) else { return Ok(false) };
        let Some(cells) = cells(form, table, key, changes) else { return Ok(false) };
        let Some((Change { hlc, .. }, ..)) = changes.first() else { return Ok(false) };
        if !self.is_absent(pk)? {
            return Ok(false);
        }
        self.row.reset();
        self.row.bind(1, key)?;
        cells.iter().enumerate().try_for_each(|(i, cell)| self.row.bind(i + 2, cell.as_ref()))?;
        if let Err(e) = self.row.run() {
            // The other road finds out what is to become of it.
            return crate::apply::refused(store.conn, e).map(|_| false);
        }
        let (gen, node) = (i64::from(table.gen), i64::from(store.nodes.number(&hlc.node)?));
        let (ts, c) = (hlc.ts.into(), i64::from(hlc.c).into());
        self.clock.bind_all(&[self.t.into(), pk.as_ref(), gen.into(), ts, c, node.into()])?;
        self.clock.run()?;
        Ok(true)
    }

    /// Whether nothing is known of a record. Keys come in rising order, so that one question answers for many.
    fn is_absent(&mut self, pk: &Pk) -> Result<bool> {
        if let Some((from, until)) = &self.gap {
            if pk >= from && until.as_ref().is_none_or(|until| pk < until) {
                return Ok(true);
            }
        }
        self.next.bind_all(&[self.t.into(), pk.as_ref()])?;
        let until = if self.next.step()? { Some(Pk::from_stored(self.next.column(0))?) } else { None };
        self.next.reset();
        let absent = until.as_ref() != Some(pk);
        self.gap = absent.then(|| (pk.clone(), until));
        Ok(absent)
    }
}

/// The whole row that the changes make, but its key; None when they are more or less than that, or when it is not certain
/// that the row will hold them to the byte of their JSON.
fn cells<'v>(
    form: &Form,
    table: &Table,
    key: ValueRef<'_>,
    changes: &[(&'v Change, FieldId, bool)],
) -> Option<Vec<Plain<'v>>> {
    let (first, ..) = changes.first()?;
    let exact =
        matches!(key, ValueRef::Integer(_)) || matches!(key, ValueRef::Text(text) if value::has_all_forms(text));
    if !exact || changes.len() != form.tracked.len() || changes.len() != table.covered().len() {
        return None;
    }
    let mut cells = Vec::with_capacity(changes.len());
    // In the order of the fields' numbers, as our exports give them.
    for ((change, field, local), tracked) in changes.iter().zip(&form.tracked) {
        let Body::Lww { value, prev: None, altered: false } = &change.body else { return None };
        let usual = *local && *field == tracked.field && change.seen.is_none() && change.hlc == first.hlc;
        let cell = value::plain(value, tracked.column.form).filter(|_| usual)?;
        tracked.column.affinity.keeps(cell.as_ref()).then_some(())?;
        cells.push(cell);
    }
    Some(cells)
}
