//! Records that are here already, of tables with nothing but last-writer-wins columns, whose rows show them: cells that are
//! written over one another. They are merged in memory, and many rows, clocks and relay entries written at once.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::batch::Rows;
use crate::change::Body;
use crate::error::{Error, Result};
use crate::found::Found;
use crate::gather::Incoming;
use crate::inbound::{count_twins, Report};
use crate::merge::{merge, Conflict, Outcome};
use crate::record::{FieldId, Record};
use crate::schema::{Form, Table};
use crate::store::{Saves, Store};
use crate::value::{self, Plain};
use crate::{apply, conflicts, log, row};

/// Records that were merged in memory and are to be written.
#[derive(Default)]
pub struct Held<'j> {
    merged: Vec<Merged<'j>>,
    /// Rows with new values, by the columns that have them, a bit each: the key, then the values.
    rows: BTreeMap<u64, Rows>,
    /// What was met.
    met: Met,
}

/// A record after its merge.
struct Merged<'j> {
    /// What came.
    record: Incoming<'j>,
    /// Its state from now on.
    now: Record,
    /// The fields to pass on, in rising order.
    fields: Vec<FieldId>,
}

/// What was met while changes were merged.
#[derive(Default)]
struct Met {
    report: Report,
    /// With the place of the record in [`Held::merged`].
    conflicts: Vec<(usize, Box<Conflict>)>,
    twins: i64,
    /// The record is to be saved.
    changed: bool,
}

impl Met {
    fn add(&mut self, place: usize, outcome: Outcome) {
        self.report.count(&outcome, true);
        self.changed |= outcome.news | outcome.noted;
        self.twins += i64::from(outcome.twin);
        self.conflicts.extend(outcome.conflict.map(|conflict| (place, conflict)));
    }
}

impl<'j> Held<'j> {
    /// Takes a record that was found with its row, or gives it back.
    pub fn add(
        &mut self,
        store: &Store<'_>,
        form: &Form,
        found: &Found<'_>,
        record: Incoming<'j>,
        report: &mut Report,
    ) -> Result<Option<Incoming<'j>>> {
        let cells = record.changes.iter().all(|(change, _, local)| *local && matches!(change.body, Body::Lww { .. }));
        let mut now = found.unpack(store, &record.table)?;
        if !cells || !is_simple(&now) {
            return Ok(Some(record));
        }
        let (mut met, mut fields) = (Met::default(), Vec::new());
        let mut held = |field| {
            let place = form.tracked.binary_search_by_key(&field, |tracked| tracked.field).ok();
            let tracked = place.and_then(|place| Some((place, form.tracked.get(place)?)));
            Ok(tracked.map(|(place, tracked)| value::to_json(found.cell(place), tracked.column.form)))
        };
        for (change, field, _) in &record.changes {
            let outcome = merge(&mut now, *field, &change.hlc, &change.body, change.seen.as_deref(), &mut held)?;
            fields.extend(Some(*field).filter(|_| outcome.news));
            met.add(self.merged.len(), outcome);
        }
        if !met.changed {
            report.add(&met.report);
            return count_twins(store, met.twins).map(|()| None);
        }
        if !self.settle(form, found, &record, &mut now) {
            return Ok(Some(record));
        }
        fields.sort_unstable();
        fields.dedup();
        self.merged.push(Merged { record, now, fields });
        self.met.report.add(&met.report);
        self.met.conflicts.extend(met.conflicts);
        self.met.twins += met.twins;
        Ok(None)
    }

    /// Moves new values from a record's state to its row; false when it is not certain that the row will hold them to the
    /// byte of their JSON.
    fn settle(&mut self, form: &Form, found: &Found<'_>, record: &Incoming<'_>, now: &mut Record) -> bool {
        let mut saved = Vec::new();
        for (i, tracked) in form.tracked.iter().enumerate() {
            let json = now.lww.get_mut(&tracked.field).and_then(|lww| lww.saved.take());
            saved.extend(json.map(|json| (i, tracked, json)));
        }
        let (mut columns, mut cells) = (0, Vec::with_capacity(saved.len()));
        for (i, tracked, json) in &saved {
            let cell = value::plain(json, tracked.column.form);
            let Some(cell) = cell.filter(|cell| tracked.column.affinity.keeps(cell.as_ref())) else { return false };
            if !value::identical(found.cell(*i), cell.as_ref()) {
                columns |= 1 << i;
                cells.push(cell);
            }
        }
        if columns != 0 {
            let rows = self.rows.entry(columns).or_insert_with(|| Rows::new(1 + cells.len()));
            rows.extend(std::iter::once(record.pk.as_ref()).chain(cells.iter().map(Plain::as_ref)));
        }
        true
    }

    /// Writes all that was added. Where the table refuses a row, all goes the other road.
    pub fn write(
        self,
        store: &Store<'_>,
        (table, form): (&Table, &Form),
        (report, log): (&mut Report, &mut conflicts::Log),
        rest: &mut Vec<Incoming<'j>>,
    ) -> Result<()> {
        let Held { merged, rows, met } = self;
        if let Err(e) = write_rows(store, form, rows) {
            apply::refused(store.conn, e)?;
            rest.extend(merged.into_iter().map(|merged| merged.record));
            return Ok(());
        }
        let (mut saves, mut relays) = (Saves::default(), log::Relays::default());
        for Merged { record, now, fields } in &merged {
            saves.add(store, table, &record.pk, None, now)?;
            if !fields.is_empty() {
                relays.add(table.id, &record.pk, Some(fields));
            }
        }
        saves.write(store)?;
        relays.write(store.conn, store.wall.max(store.clock.ts))?;
        for (place, conflict) in &met.conflicts {
            let Some(Merged { record, .. }) = merged.get(*place) else { continue };
            log.note(store, table.id, &record.pk, conflict)?;
        }
        count_twins(store, met.twins)?;
        report.add(&met.report);
        Ok(())
    }
}

/// Whether a record is nothing but cells that its row shows.
fn is_simple(record: &Record) -> bool {
    let Record { tomb, tomb_seen: _, row: _, lww, counters, sets, kept, forgotten, epitaph, apart } = record;
    let parts = !counters.is_empty() || !sets.is_empty() || !kept.is_empty() || *apart;
    let ended = tomb.is_some() || forgotten.is_some() || *epitaph;
    !parts && !ended && lww.values().all(|lww| lww.saved.is_none())
}

/// Gives rows their new values: all of them, or none.
fn write_rows(store: &Store<'_>, form: &Form, rows: BTreeMap<u64, Rows>) -> Result<()> {
    const CONSTRAINT: i32 = 19;
    if rows.is_empty() {
        return Ok(());
    }
    store.conn.savepoint("crdt_held", || {
        for (columns, rows) in rows {
            let places = (0..form.tracked.len()).filter(|i| columns >> i & 1 == 1).collect();
            let rows = Rc::new(rows);
            if store.conn.run_batch(&row::renew_batch(form, places), &[], &rows)? != rows.len() as i64 {
                return Err(Error::sqlite(CONSTRAINT, "a row was not written"));
            }
        }
        Ok(())
    })
}
