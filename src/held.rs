//! Records that are here already, of tables with nothing but last-writer-wins columns, whose rows show them: cells that are
//! written over one another. They are merged as lists of clocks, and many rows, clocks and relay entries written at once.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::batch::Rows;
use crate::coming::Coming;
use crate::error::{Error, Result};
use crate::found::Found;
use crate::inbound::{count_twins, Report};
use crate::key::Pk;
use crate::log::Relays;
use crate::meet::Write;
use crate::pack::{pack_cells, Cells};
use crate::record::FieldId;
use crate::schema::{Form, Table};
use crate::store::{Saves, Store};
use crate::value::{self, Plain};
use crate::{conflicts, row};

/// Records that were merged in memory and are to be written.
pub struct Held<'j, R> {
    records: Vec<R>,
    /// Rows with new values, by the columns that have them, a bit each: the key, then the values.
    rows: BTreeMap<u64, Rows>,
    clocks: Saves,
    relays: Relays,
    conflicts: Rows,
    report: Report,
    twins: i64,
    now: Now<'j>,
}

/// The record at hand.
#[derive(Default)]
struct Now<'j> {
    cells: Cells,
    /// Columns with new values, and these.
    values: Vec<(usize, &'j str)>,
    /// Columns that came, a bit each.
    came: u64,
    /// Fields that are news.
    fields: Vec<FieldId>,
    /// A write that lost is to be remembered.
    noted: bool,
    report: Report,
    twins: i64,
    /// Room for a cell's value.
    json: String,
}

impl Now<'_> {
    fn clear(&mut self) {
        self.values.clear();
        self.fields.clear();
        (self.came, self.noted, self.report, self.twins) = Default::default();
    }
}

impl<'j, R: Coming<'j>> Held<'j, R> {
    /// None yet.
    pub fn new() -> Held<'j, R> {
        let (rows, clocks, relays, report) = Default::default();
        let (records, conflicts, now) = (Vec::new(), conflicts::rows(), Now::default());
        Held { records, rows, clocks, relays, conflicts, report, twins: 0, now }
    }

    /// Takes a record that was found with its row, or gives it back.
    pub fn add(
        &mut self,
        store: &Store<'_>,
        (table, form): (&Table, &Form),
        found: &Found<'_>,
        record: R,
        report: &mut Report,
    ) -> Result<Option<R>> {
        let conflicts = self.conflicts.len();
        if !self.merge(store, (table, form), found, &record)? || !self.settle(form, found, record.pk()) {
            self.conflicts.truncate(conflicts);
            return Ok(Some(record));
        }
        let Now { cells, fields, noted, report: met, twins, .. } = &mut self.now;
        if fields.is_empty() && !*noted {
            report.add(met);
            return count_twins(store, *twins).map(|()| None);
        }
        self.clocks.put(store, table, record.pk(), &pack_cells(cells, table.covered(), &store.nodes)?, false)?;
        if !fields.is_empty() {
            fields.sort_unstable();
            self.relays.add(table.id, record.pk(), Some(fields));
        }
        self.report.add(met);
        self.twins += *twins;
        self.records.push(record);
        Ok(None)
    }

    /// Merges what came of a record; false where there is more to it than writes of its columns, one each.
    fn merge(
        &mut self,
        store: &Store<'_>,
        (table, form): (&Table, &Form),
        found: &Found<'_>,
        record: &R,
    ) -> Result<bool> {
        self.now.clear();
        if !found.cells(store, table, &mut self.now.cells)? {
            return Ok(false);
        }
        for i in 0..record.count() {
            let Some((place, write)) = record.write(form, i) else { return Ok(false) };
            let came = self.now.came;
            self.now.came |= 1 << place;
            if self.now.came == came || !self.take(store, (table, form), found, record.pk(), (place, write))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Merges the write of a column; false where there is no such column.
    fn take(
        &mut self,
        store: &Store<'_>,
        (table, form): (&Table, &Form),
        found: &Found<'_>,
        pk: &Pk,
        (place, write): (usize, Write<'j>),
    ) -> Result<bool> {
        let Now { cells, values, fields, noted, report, twins, json, .. } = &mut self.now;
        let (Some(tracked), Some(cell)) = (form.tracked.get(place), cells.get_mut(place)) else { return Ok(false) };
        let (field, as_column) = (tracked.field, tracked.column.form);
        let Some(now) = cell else {
            *cell = Some(write.clock());
            values.push((place, write.value));
            fields.push(field);
            report.merged += 1;
            return Ok(true);
        };
        let same = now.hlc == *write.hlc && now.altered == write.altered;
        if same && value::holds_plainly(found.cell(place), write.value, as_column) {
            report.unchanged += 1;
            return Ok(true);
        }
        let meeting = write.meet(now, false, &mut || Ok(Some(value::to_json(found.cell(place), as_column))))?;
        if meeting.conflict {
            json.clear();
            value::encode(json, found.cell(place), as_column);
            let (local, incoming) = ((&now.hlc, Some(&**json)), (write.hlc, Some(write.value)));
            let what = (field, 0, meeting.news);
            conflicts::put(&mut self.conflicts, store, (table.id, pk), what, [local, incoming])?;
        }
        if meeting.settle(now, &write) {
            values.push((place, write.value));
        }
        fields.extend(Some(field).filter(|_| meeting.news));
        *noted |= meeting.noted;
        *twins += i64::from(meeting.twin);
        report.merged += u64::from(meeting.news);
        report.unchanged += u64::from(!meeting.news);
        report.conflicts += u64::from(meeting.conflict);
        Ok(true)
    }

    /// Adds a row's new values; false when it is not certain that the row will hold them to the byte of their JSON.
    fn settle(&mut self, form: &Form, found: &Found<'_>, pk: &Pk) -> bool {
        let values = &mut self.now.values;
        values.sort_unstable_by_key(|(place, _)| *place);
        let (mut columns, mut cells) = (0u64, Vec::with_capacity(values.len()));
        for (place, json) in values {
            let Some(tracked) = form.tracked.get(*place) else { return false };
            let cell = value::plain(json, tracked.column.form);
            let Some(cell) = cell.filter(|cell| tracked.column.affinity.keeps(cell.as_ref())) else { return false };
            if !value::identical(found.cell(*place), cell.as_ref()) {
                columns |= 1 << *place;
                cells.push(cell);
            }
        }
        if columns != 0 {
            let rows = self.rows.entry(columns).or_insert_with(|| Rows::new(1 + cells.len()));
            rows.extend(std::iter::once(pk.as_ref()).chain(cells.iter().map(Plain::as_ref)));
        }
        true
    }

    /// Writes all that was added. Where the table refuses a row, all goes the other road.
    pub fn write(
        self,
        store: &Store<'_>,
        form: &Form,
        (report, log): (&mut Report, &mut conflicts::Log),
        rest: &mut Vec<R>,
    ) -> Result<()> {
        let Held { records, rows, mut clocks, relays, conflicts, report: met, twins, .. } = self;
        if !write_rows(store, form, rows)? {
            rest.extend(records);
            return Ok(());
        }
        clocks.write_over(store)?;
        relays.write(store.conn, store.wall.max(store.clock.ts))?;
        log.take(store, conflicts)?;
        count_twins(store, twins)?;
        report.add(&met);
        Ok(())
    }
}

/// Gives rows their new values: all of them, or none and false.
fn write_rows(store: &Store<'_>, form: &Form, rows: BTreeMap<u64, Rows>) -> Result<bool> {
    const CONSTRAINT: i32 = 19;
    if rows.is_empty() {
        return Ok(true);
    }
    store.conn.rollbacks.together(store.conn, |bold| {
        for (columns, rows) in rows {
            let places = (0..form.tracked.len()).filter(|i| columns >> i & 1 == 1).collect();
            let rows = Rc::new(rows);
            if store.conn.run_batch(&row::renew_batch(form, places, bold), &[], &rows)? != rows.len() as i64 {
                return Err(Error::sqlite(CONSTRAINT, "a row was not written"));
            }
        }
        Ok(())
    })
}
