//! The road in: changes → merge record by record → show. All in the caller's savepoint.

use std::collections::BTreeSet;
use std::rc::Rc;

use crate::change::Change;
use crate::clock::Hlc;
use crate::error::{Error, Result};
use crate::fold::{fold, Into};
use crate::hooks::{Inbound, Passage};
use crate::import;
use crate::key::Pk;
use crate::left::{self, Leaving};
use crate::merge::{merge, Outcome};
use crate::pending;
use crate::putback::Watch;
use crate::record::{FieldId, Record};
use crate::schema::{Catalog, Form, Table};
use crate::show::{show, Work};
use crate::store::Store;
use crate::walk::Walk;
use crate::{conflicts, row, whole};

/// Records that are merged and shown at a time, where no row has to do with another: bounds the memory. Few where assertions
/// are on, so that tests come past the end of a window.
pub const WINDOW: usize = if cfg!(debug_assertions) { 2 } else { 1_000 };

/// What a merge did, in changes.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Report {
    /// Taken.
    pub merged: u64,
    /// Known already.
    pub unchanged: u64,
    /// Met a concurrent write.
    pub conflicts: u64,
    /// Taken, but not shown yet.
    pub pending: u64,
    /// Left out by a hook.
    pub skipped: u64,
}

impl Report {
    /// Adds what another part of the same merge did.
    pub fn add(&mut self, other: &Report) {
        let Report { merged, unchanged, conflicts, pending, skipped } = other;
        self.merged += merged;
        self.unchanged += unchanged;
        self.conflicts += conflicts;
        self.pending += pending;
        self.skipped += skipped;
    }
}

/// A record that the changes touch.
pub struct Incoming<'c> {
    /// Its table.
    pub table: Rc<Table>,
    /// Its key.
    pub pk: Pk,
    /// The changes, the number of the field of each, and whether a column here shows it.
    pub changes: Vec<(&'c Change, FieldId, bool)>,
    /// That it left the sender's filter, and what came before that.
    leaving: Option<Leaving<'c, FieldId>>,
}

/// Merges `changes` into the database. The log's tail is folded first.
pub fn merge_changes(store: &mut Store<'_>, changes: &[Change]) -> Result<Report> {
    fold(store, Into::Database)?;
    let mut report = Report::default();
    left::drop_waiting(store, changes)?;
    let due = pending::set_aside(store, changes, &mut report)?;
    if import::intern_fields(store.conn, &store.catalog, due.iter().copied())? {
        if let Some(catalog) = Catalog::current(store.conn)? {
            store.catalog = catalog;
        }
    }
    let mut incoming = group(store, &due)?;
    for change in &due {
        store.clock = store.clock.observe(change.hlc.tick());
    }
    let mut hooks = Inbound::default();
    if is_apart(store, &incoming)? {
        if !store.any_pending.get() {
            let (news, known) = whole::take(store, &mut incoming)?;
            (report.merged, report.unchanged) = (report.merged + news, report.unchanged + known);
            // The clock is ahead of what was taken, and the log has grown.
            store.folded = store.last_seq()?;
            store.save_clock()?;
        }
        let mut rest = incoming.as_slice();
        while !rest.is_empty() {
            // What waits is tried again each time: no more often than need be.
            let size = if store.any_pending.get() { rest.len() } else { WINDOW.min(rest.len()) };
            let (now, later) = rest.split_at(size);
            rest = later;
            merge_and_show(store, now, &mut hooks, &mut report)?;
        }
    } else {
        merge_and_show(store, &incoming, &mut hooks, &mut report)?;
    }
    hooks.after(store)?;
    crate::prune::if_due(store)?;
    Ok(report)
}

fn merge_and_show(
    store: &mut Store<'_>,
    incoming: &[Incoming<'_>],
    hooks: &mut Inbound,
    report: &mut Report,
) -> Result<()> {
    let (mut work, own) = merge_records(store, incoming, hooks, report)?;
    if let Some(stamp) = own {
        crate::node::fork_because(store, &stamp)?;
    }
    report.pending += show(store, &mut work)?;
    Ok(())
}

/// Changes by record, in key order.
fn group<'c>(store: &Store<'_>, changes: &[&'c Change]) -> Result<Vec<Incoming<'c>>> {
    let mut records: Vec<Incoming<'c>> = Vec::new();
    let mut finder = import::Finder::new(&store.catalog);
    let mut last: Option<&Rc<str>> = None;
    for (i, change) in changes.iter().enumerate() {
        let found = finder.find(change)?.ok_or_else(|| Error::internal("a field was not interned"))?;
        let same = last.is_some_and(|last| Rc::ptr_eq(last, &change.pk));
        match records.last_mut().filter(|record| same && record.table.id == found.table.id) {
            Some(record) => record.changes.push((*change, found.field, found.local)),
            None => {
                let pk = Pk::from_wire(&found.table.form(store.conn)?.shape.classes, &change.pk);
                let rest = changes.get(i..).unwrap_or_default();
                let together = rest.iter().take_while(|other| Rc::ptr_eq(&other.pk, &change.pk)).count();
                let mut changes = Vec::with_capacity(together);
                changes.push((*change, found.field, found.local));
                records.push(Incoming { table: found.table, pk, changes, leaving: None });
                last = Some(&change.pk);
            }
        }
    }
    sort(&mut records);
    records.dedup_by(|later, record| {
        let same = (record.table.id, &record.pk) == (later.table.id, &later.pk);
        if same {
            record.changes.append(&mut later.changes);
        }
        same
    });
    // In the order of their stamps: what an author deleted after writing it is no conflict.
    for record in &mut records {
        let (leaving, after) = left::split(std::mem::take(&mut record.changes));
        (record.leaving, record.changes) = (leaving, after);
        if let Some(leaving) = &mut record.leaving {
            leaving.before.sort_by(|a, b| a.0.hlc.cmp(&b.0.hlc));
        }
        record.changes.sort_by(|a, b| a.0.hlc.cmp(&b.0.hlc));
    }
    Ok(records)
}

/// Puts records in the order of tables and keys; those of one record stay in their order.
fn sort(records: &mut [Incoming<'_>]) {
    let order = crate::key::places_in_order(records.iter().map(|record| (record.table.id, &record.pk)));
    for i in 0..records.len() {
        // What stood there may have been swapped away, to where its own turn took what it was swapped for.
        let mut from = order.get(i).copied().unwrap_or(i);
        while from < i {
            from = order.get(from).copied().unwrap_or(i);
        }
        records.swap(i, from);
    }
}

/// Merges each record's changes; the records that changed, and a stamp that this node should have issued but never did.
fn merge_records(
    store: &Store<'_>,
    incoming: &[Incoming<'_>],
    hooks: &mut Inbound,
    report: &mut Report,
) -> Result<(Vec<Work>, Option<Hlc>)> {
    let mut all = Vec::new();
    let until = crate::cleanup::dropped_until(store)?;
    let mut pass = Pass { store, hooks, report, log: conflicts::Log::default(), own: None, until, twins: 0 };
    let mut walk: Option<Walk<'_>> = None;
    for record in incoming {
        let (table, pk) = (&record.table, &record.pk);
        let walk = match &mut walk {
            Some(walk) if walk.table() == table.id => walk,
            other => other.insert(Walk::new(store, table.id)?),
        };
        let before = walk.load(store, table, pk)?;
        let mut now = before.clone().unwrap_or_default();
        let mut touched = Touched::default();
        let mut dropped = false;
        if let Some(leaving) = &record.leaving {
            pass.merge_record((table, pk), &leaving.before, before.as_ref(), &mut now, &mut touched)?;
            let empty = now == Record::default();
            if !empty && left::covers(leaving.known, &now, table) {
                (dropped, now, touched) = (before.is_some(), Record::default(), Touched::default());
            }
            pass.report.merged += u64::from(dropped);
            pass.report.unchanged += leaving.times - u64::from(dropped);
        }
        pass.merge_record((table, pk), &record.changes, before.as_ref(), &mut now, &mut touched)?;
        if touched.changes > 0 || dropped {
            let taken = touched.changes + u64::from(dropped);
            let fields = touched.fields(before.as_ref().filter(|_| !dropped), &now);
            all.push(Work { table: Rc::clone(table), pk: pk.clone(), before, now, fields, taken, dropped });
        } else if touched.noted {
            store.save(table, pk, before.as_ref(), &now)?;
        }
    }
    let Pass { log, own, twins, .. } = pass;
    log.finish(store)?;
    if twins > 0 {
        store.conn.run("UPDATE main._crdt_state SET twins = twins + ?1", &[twins.into()])?;
    }
    Ok((all, own))
}

/// Whether the records can be merged some at a time: nothing that becomes of one has to do with another.
fn is_apart(store: &Store<'_>, incoming: &[Incoming<'_>]) -> Result<bool> {
    if incoming.len() <= WINDOW || !store.catalog.hooks.all().is_empty() || !Watch::new(store)?.is_lone(store) {
        return Ok(false);
    }
    let mut last = None;
    for record in incoming {
        if record.leaving.is_some() || record.changes.iter().any(|(change, _, _)| change.hlc.node == store.me) {
            return Ok(false);
        }
        if last != Some(record.table.id) && !crate::unique::read(store.conn, record.table.form(store.conn)?)?.is_empty()
        {
            return Ok(false);
        }
        last = Some(record.table.id);
    }
    Ok(true)
}

/// What is about while records are merged, and what was met.
struct Pass<'p, 'c> {
    store: &'p Store<'c>,
    hooks: &'p mut Inbound,
    report: &'p mut Report,
    log: conflicts::Log,
    /// A stamp that this node should have issued but never did.
    own: Option<Hlc>,
    /// Own stamps up to this one (nanoseconds) may have been forgotten.
    until: i64,
    /// Values under a stamp that has another.
    twins: i64,
}

impl Pass<'_, '_> {
    /// Merges changes of one record.
    fn merge_record(
        &mut self,
        (table, pk): (&Table, &Pk),
        changes: &[(&Change, FieldId, bool)],
        before: Option<&Record>,
        now: &mut Record,
        touched: &mut Touched,
    ) -> Result<()> {
        let store = self.store;
        let form = table.form(store.conn)?;
        // A forgotten record that is born anew takes in all that comes with it, in whatever order.
        let born = |change: &Change| !change.is_delete() && now.tomb.as_ref() < Some(&change.hlc);
        if now.epitaph && changes.iter().any(|(change, _, _)| born(change)) {
            now.epitaph = false;
        }
        let mut live = None;
        let gate = self.hooks.gate(store, table, pk, changes)?;
        for (change, field, local) in changes {
            let mut held = |field| held_value(store, form, pk, field, &mut live);
            let altered;
            let passage = match &gate {
                Some(gate) => gate.pass(store, table, (change, *field), now, &mut held)?,
                None => Passage::Free,
            };
            let body = match passage {
                Passage::Free => &change.body,
                Passage::Altered(body) => {
                    altered = body;
                    &altered
                }
                Passage::Known => {
                    self.report.unchanged += 1;
                    continue;
                }
                Passage::Skipped => {
                    self.report.skipped += 1;
                    continue;
                }
            };
            let outcome = merge(now, *field, &change.hlc, body, change.seen.as_deref(), &mut held)?;
            count(self.report, &outcome, *local);
            touched.noted |= outcome.noted;
            if let Some(conflict) = &outcome.conflict {
                self.log.note(store, table.id, pk, conflict)?;
            }
            self.twins += i64::from(outcome.twin);
            if outcome.news {
                self.hooks.took(store, table, (change, *field), body)?;
                touched.add(change, *field);
                if !local {
                    pending::wait(store, table, pk, *field, before)?;
                }
                if !known_once(table, *field, before, change) {
                    self.meet_own((table, pk), change, before, now)?;
                }
            }
        }
        Ok(())
    }

    /// A change of this node's own that is news here: the file was copied or restored, unless this node has let go what it wrote.
    fn meet_own(
        &mut self,
        (table, pk): (&Table, &Pk),
        change: &Change,
        before: Option<&Record>,
        now: &Record,
    ) -> Result<()> {
        let hlc = &change.hlc;
        let deleted = now.tomb.as_ref().is_some_and(|tomb| tomb > hlc);
        // A delete of its own that comes back with the news that the record was made anew.
        let known = before.is_some_and(|before| before.tomb.as_ref() == Some(hlc));
        if hlc.node != self.store.me || deleted || known || hlc.ts <= self.until {
            return Ok(());
        }
        if !left::held(self.store, table.id, pk, hlc)? {
            self.own = self.own.take().max(Some(hlc.clone()));
        }
        Ok(())
    }
}

/// Whether this node may have made the change: it let go of it, as the column was dropped; or it made it under a name that
/// a peer has changed since.
fn known_once(table: &Table, field: FieldId, before: Option<&Record>, change: &Change) -> bool {
    table.is_not_or_anew(field) && before.and_then(Record::latest).is_some_and(|latest| latest >= change.hlc)
}

/// What the changes of one record touched.
#[derive(Default)]
struct Touched {
    changes: u64,
    fields: BTreeSet<FieldId>,
    tomb: bool,
    /// The record is to be saved, though nothing is to be passed on.
    noted: bool,
}

impl Touched {
    fn add(&mut self, change: &Change, field: FieldId) {
        self.changes += 1;
        if change.is_delete() {
            self.tomb = true;
        } else if field > 0 {
            self.fields.insert(field);
        }
    }

    /// The fields to pass on. A revival, and a delete that loses, pass on the whole record.
    fn fields(self, before: Option<&Record>, now: &Record) -> Option<Vec<FieldId>> {
        let revived = before.is_some_and(|b| !b.alive()) && now.alive();
        let whole = before.is_none() || revived || (self.tomb && now.alive());
        (!whole).then(|| self.fields.into_iter().collect())
    }
}

fn count(report: &mut Report, outcome: &Outcome, local: bool) {
    report.merged += u64::from(outcome.news);
    report.unchanged += u64::from(!outcome.news);
    report.conflicts += u64::from(outcome.conflict.is_some());
    report.pending += u64::from(outcome.news && !local);
}

/// The JSON of a live cell, read once for all fields of a record.
fn held_value(
    store: &Store<'_>,
    form: &Form,
    pk: &Pk,
    field: FieldId,
    live: &mut Option<Option<Vec<crate::ffi::Value>>>,
) -> Result<Option<String>> {
    if live.is_none() {
        *live = Some(row::read(store.conn, form, pk)?);
    }
    let cells = live.iter().flatten().flatten();
    let cell = form.tracked.iter().zip(cells).find(|(tracked, _)| tracked.field == field);
    Ok(cell.map(|(tracked, cell)| crate::value::to_json(cell.as_ref(), tracked.column.form)))
}
