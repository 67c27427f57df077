//! Whole rows as they were inserted where they come from: every column under one stamp. A first merge is mostly of rows that
//! are new here, and a merge once more of rows that are here just so. Nothing is to be merged in either: many new rows are
//! inserted at once, their base stamps noted, and their relay logged; a known one is compared with what is here.
//! Other records that are here go to [`Held`].

use std::rc::Rc;

use crate::batch::{Rows, WIDTH};
use crate::change::{Body, Change};
use crate::clock::Hlc;
use crate::error::Result;
use crate::ffi::ValueRef;
use crate::found::Found;
use crate::gather::Incoming;
use crate::held::Held;
use crate::inbound::{Report, WINDOW};
use crate::key::Pk;
use crate::pack::Nodes;
use crate::record::FieldId;
use crate::schema::{Form, Table};
use crate::store::Store;
use crate::types::Type;
use crate::value::{self, Plain};
use crate::{conflicts, row};

/// Takes such records of `incoming`, which are in the order of their keys and have to do with nothing but themselves, and those
/// that [`Held`] takes; leaves the others, in no order.
pub fn take(
    store: &Store<'_>,
    incoming: &mut Vec<Incoming<'_>>,
    report: &mut Report,
    log: &mut conflicts::Log,
) -> Result<()> {
    // What the triggers would log of this is no local write.
    store.conn.db.without_triggers(|| {
        let (mut records, mut rest) = (std::mem::take(incoming).into_iter().peekable(), Vec::new());
        while let Some(first) = records.next() {
            let table = Rc::clone(&first.table);
            let mut some = vec![first];
            while some.len() < WINDOW && records.peek().is_some_and(|next| next.table.id == table.id) {
                some.extend(records.next());
            }
            take_some(store, &table, some, (report, log), &mut rest)?;
        }
        *incoming = rest;
        Ok(())
    })
}

/// The same for some records of one table, in the order of their keys.
fn take_some<'j>(
    store: &Store<'_>,
    table: &Table,
    records: Vec<Incoming<'j>>,
    (report, log): (&mut Report, &mut conflicts::Log),
    rest: &mut Vec<Incoming<'j>>,
) -> Result<()> {
    let form = table.form(store.conn)?;
    let cells = form.tracked.iter().all(|tracked| tracked.ty == Type::Lww);
    let width = 1 + form.tracked.len();
    if !cells || form.tracked.len() != table.covered().len() || form.shape.key.len() != 1 || width > WIDTH {
        rest.extend(records);
        return Ok(());
    }
    let mut lane = Lane::new(width);
    let mut found = Found::new(store, table.id, form, records.iter().map(|record| &record.pk))?;
    for (i, record) in records.into_iter().enumerate() {
        if i > 0 {
            found.next()?;
        }
        rest.extend(lane.add(store, (table, form), &found, record, report)?);
    }
    drop(found);
    lane.write(store, (table, form), (report, log), rest)
}

/// Records of one table that are written at once.
struct Lane<'j> {
    records: Vec<Incoming<'j>>,
    rows: Rows,
    /// Key, ts, c, node.
    clocks: Rows,
    held: Held<'j>,
}

impl<'j> Lane<'j> {
    fn new(width: usize) -> Lane<'j> {
        Lane { records: Vec::new(), rows: Rows::new(width), clocks: Rows::new(4), held: Held::new() }
    }

    /// Takes a record, or gives it back.
    fn add(
        &mut self,
        store: &Store<'_>,
        (table, form): (&Table, &Form),
        found: &Found<'_>,
        record: Incoming<'j>,
        report: &mut Report,
    ) -> Result<Option<Incoming<'j>>> {
        if !is_exact(form, &record.pk) {
            return Ok(Some(record));
        }
        let changes = record.changes.as_slice();
        match (stamp_of_whole(form, changes), found.is_known()) {
            (Some(hlc), true) if found.is_base(store, table, hlc)? && is_here(form, found, changes) => {
                report.unchanged += changes.len() as u64;
            }
            (_, true) if found.has_row() => return self.held.add(store, (table, form), found, record, report),
            (Some(hlc), false) => {
                let Some(cells) = cells(form, changes) else { return Ok(Some(record)) };
                self.rows.extend(std::iter::once(record.pk.as_ref()).chain(cells.iter().map(Plain::as_ref)));
                let node = i64::from(store.nodes.number(&hlc.node)?);
                self.clocks.extend([record.pk.as_ref(), hlc.ts.into(), i64::from(hlc.c).into(), node.into()]);
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
        rest: &mut Vec<Incoming<'j>>,
    ) -> Result<()> {
        let Lane { records, rows, clocks, held } = self;
        held.write(store, form, (report, log), rest)?;
        let conn = store.conn;
        if let Err(e) = conn.run_batch(&row::insert_batch(form), &[], &Rc::new(rows)) {
            crate::apply::refused(conn, e)?;
            rest.extend(records);
            return Ok(());
        }
        let clocks = Rc::new(clocks);
        store.add_fresh(table, &clocks)?;
        crate::log::append_relays(conn, table.id, store.wall.max(store.clock.ts), &clocks)?;
        report.merged += records.iter().map(|record| record.changes.len() as u64).sum::<u64>();
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
fn stamp_of_whole<'c>(form: &Form, changes: &[(&'c Change, FieldId, bool)]) -> Option<&'c Hlc> {
    let (first, ..) = changes.first()?;
    // In the order of the fields' numbers, as our exports give them.
    let whole = changes.len() == form.tracked.len()
        && changes.iter().zip(&form.tracked).all(|((change, field, local), tracked)| {
            let plain = matches!(change.body, Body::Lww { prev: None, altered: false, .. });
            plain && *local && *field == tracked.field && change.seen.is_none() && change.hlc == first.hlc
        });
    whole.then_some(&first.hlc)
}

/// Whether the row that was found certainly shows the values of changes that write every column.
fn is_here(form: &Form, found: &Found<'_>, changes: &[(&Change, FieldId, bool)]) -> bool {
    found.has_row()
        && changes.iter().zip(&form.tracked).enumerate().all(|(i, ((change, ..), tracked))| match &change.body {
            Body::Lww { value, .. } => value::holds_plainly(found.cell(i), value, tracked.column.form),
            _ => false,
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
