//! Whole rows as they were inserted where they come from: every column under one stamp. A first merge is mostly of rows that
//! are new here, and a merge once more of rows that are here just so. Nothing is to be merged in either: many new rows are
//! inserted at once, their base stamps noted, and their relay logged; a known one is compared with what is here.
//! Other records that are here go to [`Held`].

use std::rc::Rc;

use crate::batch::{Rows, WIDTH};
use crate::clock::Hlc;
use crate::coming::Coming;
use crate::error::Result;
use crate::ffi::ValueRef;
use crate::found::Found;
use crate::held::Held;
use crate::inbound::{Report, WINDOW};
use crate::key::Pk;
use crate::pack::Nodes;
use crate::schema::{Form, Table};
use crate::store::Store;
use crate::types::Type;
use crate::value::{self, Plain};
use crate::{conflicts, row};

/// Takes such records of `incoming`, which are in the order of their keys and have to do with nothing but themselves, and those
/// that [`Held`] takes; leaves the others, in no order.
pub fn take<'j, R: Coming<'j>>(
    store: &Store<'_>,
    incoming: &mut Vec<R>,
    report: &mut Report,
    log: &mut conflicts::Log,
) -> Result<()> {
    // What the triggers would log of this is no local write.
    store.conn.db.without_triggers(|| {
        let (mut records, mut rest) = (std::mem::take(incoming).into_iter().peekable(), Vec::new());
        while let Some(first) = records.next() {
            let table = Rc::clone(first.table());
            let mut some = vec![first];
            while some.len() < WINDOW && records.peek().is_some_and(|next| next.table().id == table.id) {
                some.extend(records.next());
            }
            take_some(store, &table, some, (report, log), &mut rest)?;
        }
        *incoming = rest;
        Ok(())
    })
}

/// The same for some records of one table, in the order of their keys.
fn take_some<'j, R: Coming<'j>>(
    store: &Store<'_>,
    table: &Table,
    records: Vec<R>,
    (report, log): (&mut Report, &mut conflicts::Log),
    rest: &mut Vec<R>,
) -> Result<()> {
    let form = table.form(store.conn)?;
    let cells = form.tracked.iter().all(|tracked| tracked.ty == Type::Lww);
    let width = 1 + form.tracked.len();
    if !cells || form.tracked.len() != table.covered().len() || form.shape.key.len() != 1 || width > WIDTH {
        rest.extend(records);
        return Ok(());
    }
    let mut lane = Lane::new(width);
    let mut found = match is_gap(store, table, &records)? {
        true => None,
        false => Some(Found::many(store, table.id, form, records.len(), |i| records.get(i).map(Coming::pk))?),
    };
    for record in records {
        if let Some(found) = &mut found {
            found.next(record.pk())?;
        }
        let known = found.as_ref().filter(|found| found.is_known());
        rest.extend(lane.add(store, (table, form), known, record, report)?);
    }
    drop(found);
    lane.write(store, (table, form), (report, log), rest)
}

/// Whether nothing is known of any record from the first to the last.
fn is_gap<'j>(store: &Store<'_>, table: &Table, records: &[impl Coming<'j>]) -> Result<bool> {
    let (Some(first), Some(last), true) = (records.first(), records.last(), store.conn.is_utf8()?) else {
        return Ok(false); // SQLite may have the keys in another order
    };
    let sql = "SELECT 1 FROM main._crdt_clock WHERE t = ?1 AND pk >= ?2 AND pk <= ?3 LIMIT 1";
    Ok(store.conn.int(sql, &[table.id.into(), first.pk().as_ref(), last.pk().as_ref()])?.is_none())
}

/// Records of one table that are written at once.
struct Lane<'j, R> {
    records: Vec<R>,
    rows: Rows,
    /// Key, ts, c, node.
    clocks: Rows,
    held: Held<'j, R>,
}

impl<'j, R: Coming<'j>> Lane<'j, R> {
    fn new(width: usize) -> Lane<'j, R> {
        Lane { records: Vec::new(), rows: Rows::new(width), clocks: Rows::new(4), held: Held::new() }
    }

    /// Takes a record, or gives it back; `found` where it is known.
    fn add(
        &mut self,
        store: &Store<'_>,
        (table, form): (&Table, &Form),
        found: Option<&Found<'_>>,
        record: R,
        report: &mut Report,
    ) -> Result<Option<R>> {
        if !is_exact(form, record.pk()) {
            return Ok(Some(record));
        }
        match (stamp_of_whole(form, &record), found) {
            (Some(hlc), Some(found)) if found.is_base(store, table, hlc)? && is_here(form, found, &record) => {
                report.unchanged += record.count() as u64;
            }
            (_, Some(found)) if found.has_row() => return self.held.add(store, (table, form), found, record, report),
            (Some(hlc), None) => {
                let Some(cells) = cells(form, &record) else { return Ok(Some(record)) };
                self.rows.extend(std::iter::once(record.pk().as_ref()).chain(cells.iter().map(Plain::as_ref)));
                let node = i64::from(store.nodes.number(&hlc.node)?);
                self.clocks.extend([record.pk().as_ref(), hlc.ts.into(), i64::from(hlc.c).into(), node.into()]);
                self.records.push(record);
            }
            _ => return Ok(Some(record)),
        }
        Ok(None)
    }

    /// Writes all that was added. What the table refuses goes the other road, with all of its lane.
    fn write(
        self,
        store: &Store<'_>,
        (table, form): (&Table, &Form),
        (report, log): (&mut Report, &mut conflicts::Log),
        rest: &mut Vec<R>,
    ) -> Result<()> {
        let Lane { records, rows, clocks, held } = self;
        held.write(store, form, (report, log), rest)?;
        if records.is_empty() {
            return Ok(());
        }
        let conn = store.conn;
        let rows = Rc::new(rows);
        if !conn
            .rollbacks
            .together(conn, |bold| conn.run_batch(&row::insert_batch(form, bold), &[], &rows).map(drop))?
        {
            rest.extend(records);
            return Ok(());
        }
        let clocks = Rc::new(clocks);
        store.add_fresh(table, &clocks)?;
        crate::log::append_relays(conn, table.id, store.wall.max(store.clock.ts), &clocks)?;
        report.merged += records.iter().map(|record| record.count() as u64).sum::<u64>();
        Ok(())
    }
}

/// Whether it is certain that the key's column holds the key as it is stored.
fn is_exact(form: &Form, pk: &Pk) -> bool {
    pk.plain(&form.shape.classes).is_some_and(|key| match key {
        ValueRef::Text(text) => value::has_all_forms(text),
        _ => true,
    })
}

/// The one stamp under which the changes write every column, and nothing else.
fn stamp_of_whole<'c>(form: &Form, record: &impl Coming<'c>) -> Option<&'c Hlc> {
    if record.count() != form.tracked.len() {
        return None;
    }
    let (_, first) = record.write(form, 0)?;
    // In the order of the fields' numbers, as our exports give them.
    let plain = |i| {
        record.write(form, i).is_some_and(|(place, write)| {
            let alone = write.prev.is_none() && !write.altered && write.seen.is_none();
            alone && place == i && write.hlc == first.hlc
        })
    };
    (0..record.count()).all(plain).then_some(first.hlc)
}

/// Whether the row that was found certainly shows the values of changes that write every column.
fn is_here<'c>(form: &Form, found: &Found<'_>, record: &impl Coming<'c>) -> bool {
    found.has_row()
        && form.tracked.iter().enumerate().all(|(i, tracked)| {
            let write = record.write(form, i);
            write.is_some_and(|(_, write)| value::holds_plainly(found.cell(i), write.value, tracked.column.form))
        })
}

/// The columns' values; None when it is not certain that a row will hold them to the byte of their JSON.
fn cells<'c>(form: &Form, record: &impl Coming<'c>) -> Option<Vec<Plain<'c>>> {
    let cells = form.tracked.iter().enumerate().map(|(i, tracked)| {
        let (_, write) = record.write(form, i)?;
        let cell = value::plain(write.value, tracked.column.form)?;
        tracked.column.affinity.keeps(cell.as_ref()).then_some(cell)
    });
    cells.collect()
}
