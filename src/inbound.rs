//! The road in: changes → merge record by record → show. All in the caller's savepoint.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use crate::change::{Change, Drafts};
use crate::clock::Hlc;
use crate::error::Result;
use crate::fold::{fold, Into};
use crate::gather::{self, Incoming};
use crate::hooks::{Inbound, Passage};
use crate::import;
use crate::key::Pk;
use crate::left;
use crate::limits::Limits;
use crate::merge::{merge, Outcome};
use crate::pending;
use crate::putback::Watch;
use crate::record::{FieldId, Record};
use crate::schema::{Catalog, Form, Table};
use crate::show::{show, Work};
use crate::store::Store;
use crate::walk::Walk;
use crate::{coming, conflicts, drafted, row, stays, whole};

/// Records that are merged and shown at a time, where no row has to do with another: bounds the memory. Few where assertions
/// are on, so that tests come past the end of a window.
pub const WINDOW: usize = if cfg!(debug_assertions) { 5 } else { 1_000 };

/// Records that are not worth switching the triggers off and on: each time SQLite prepares anew what it kept prepared.
const FEW: usize = if cfg!(debug_assertions) { WINDOW } else { 100 };

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

    /// Counts a change; `local` where a column here shows it.
    pub fn count(&mut self, outcome: &Outcome, local: bool) {
        self.merged += u64::from(outcome.news);
        self.unchanged += u64::from(!outcome.news);
        self.conflicts += u64::from(outcome.conflict.is_some());
        self.pending += u64::from(outcome.news && !local);
    }
}

/// Merges `changes` into the database. The log's tail is folded first.
pub fn merge_changes(store: &mut Store<'_>, changes: &[Change]) -> Result<Report> {
    let mut merging = Merging::default();
    merging.take(store, changes)?;
    merging.finish(store)
}

/// A merge under way.
#[derive(Default)]
pub struct Merging {
    hooks: Inbound,
    log: conflicts::Log,
    report: Report,
}

impl Merging {
    /// Merges some of its changes. The log's tail is folded first.
    pub fn take(&mut self, store: &mut Store<'_>, changes: &[Change]) -> Result<()> {
        fold(store, Into::Database)?;
        left::drop_waiting(store, changes)?;
        let due = pending::set_aside(store, changes, &mut self.report)?;
        if import::intern_fields(store.conn, &store.catalog, due.iter().copied())? {
            if let Some(catalog) = Catalog::current(store.conn)? {
                store.catalog = catalog;
            }
        }
        let incoming = gather::group(store, &due)?;
        for change in &due {
            store.clock = store.clock.observe(change.hlc.tick());
        }
        if !is_apart(store, &incoming)? {
            return self.merge_and_show(store, &incoming);
        }
        // Only ours are there, and what they would log is no local write.
        store.conn.db.without_triggers(|| self.take_apart(store, incoming))
    }

    /// Merges records that have to do with nothing but themselves.
    fn take_apart(&mut self, store: &mut Store<'_>, mut incoming: Vec<Incoming<'_>>) -> Result<()> {
        if !store.any_pending.get() {
            whole::take(store, &mut incoming, &mut self.report, &mut self.log)?;
            coming::sort(&mut incoming);
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
            self.merge_and_show(store, now)?;
        }
        Ok(())
    }

    /// Merges records of a payload that have to do with nothing but themselves; the changes of the others.
    pub fn take_drafts(
        &mut self,
        store: &mut Store<'_>,
        drafts: &mut Drafts<'_>,
        limits: &Limits,
    ) -> Result<Vec<Change>> {
        drafted::take(store, drafts, limits, (&mut self.report, &mut self.log))
    }

    fn merge_and_show(&mut self, store: &mut Store<'_>, incoming: &[Incoming<'_>]) -> Result<()> {
        let (mut work, own) = self.merge_records(store, incoming)?;
        if own {
            crate::node::fork_by_itself(store)?;
        }
        if work.iter().any(|work| work.dropped) {
            self.log.write(store)?; // what leaves takes its conflicts along
        }
        self.report.pending += show(store, &mut work)?;
        Ok(())
    }

    /// What is to be done when all is merged; what the merge did.
    pub fn finish(mut self, store: &mut Store<'_>) -> Result<Report> {
        self.log.finish(store)?;
        self.hooks.after(store)?;
        crate::prune::if_due(store)?;
        Ok(self.report)
    }

    /// Merges each record's changes; the records that changed, and whether a stamp came that this node should have issued but never
    /// did.
    fn merge_records(&mut self, store: &Store<'_>, incoming: &[Incoming<'_>]) -> Result<(Vec<Work>, bool)> {
        let mut all = Vec::new();
        let until = crate::cleanup::dropped_until(store)?;
        let mut staying = stays::any(store)?;
        let Merging { hooks, log, report } = self;
        let mut pass = Pass { store, hooks, report, log, own: false, until, twins: 0 };
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
                } else if let Some(known) = leaving.known.filter(|_| !empty) {
                    stays::keep(store, table, pk, known)?;
                    staying = true;
                }
                pass.report.merged += u64::from(dropped);
                pass.report.unchanged += leaving.times - u64::from(dropped);
            }
            if staying && (!record.changes.is_empty() || now == Record::default()) {
                stays::drop(store, table.id, pk)?; // it may have entered again, or is gone
            }
            pass.merge_record((table, pk), &record.changes, before.as_ref(), &mut now, &mut touched)?;
            if touched.changes > 0 || dropped {
                let taken = touched.changes + u64::from(dropped);
                let fields = touched.fields(before.as_ref().filter(|_| !dropped), &now);
                let table = Rc::clone(table);
                all.push(Work { table, pk: pk.clone(), before, now, fields, news: true, taken, dropped });
            } else if touched.noted {
                store.save(table, pk, before.as_ref(), &now)?;
            }
        }
        let Pass { own, twins, .. } = pass;
        count_twins(store, twins)?;
        Ok((all, own))
    }
}

/// Counts values under a stamp that has another.
pub fn count_twins(store: &Store<'_>, twins: i64) -> Result<()> {
    if twins > 0 {
        store.conn.run("UPDATE main._crdt_state SET twins = twins + ?1", &[twins.into()])?;
    }
    Ok(())
}

/// Whether the records can be merged some at a time: nothing that becomes of one has to do with another.
fn is_apart(store: &Store<'_>, incoming: &[Incoming<'_>]) -> Result<bool> {
    if incoming.len() <= FEW || !store.catalog.hooks.all().is_empty() || !Watch::new(store)?.is_lone(store) {
        return Ok(false);
    }
    if stays::any(store)? {
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
    log: &'p mut conflicts::Log,
    /// Whether a stamp came that this node should have issued but never did.
    own: bool,
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
        let (mut live, latest) = (None, OnceCell::new());
        let gate = self.hooks.gate(store, table, pk, changes)?;
        // A forgotten record that is born anew takes in all that comes with it, in whatever order.
        if now.epitaph {
            for (change, field, _) in changes.iter().filter(|(change, _, _)| now.is_born_by(change)) {
                let skipped = match &gate {
                    Some(gate) => gate.skips(store, table, (change, *field))?,
                    None => false,
                };
                if !skipped {
                    now.epitaph = false;
                    break;
                }
            }
        }
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
            self.report.count(&outcome, *local);
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
                let was = || latest.get_or_init(|| before.and_then(Record::latest)).as_ref();
                if change.hlc.node == store.me && !known_once(table, *field, was, change) {
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
        if deleted || known || hlc.ts <= self.until {
            return Ok(());
        }
        if !left::held(self.store, table.id, pk, hlc)? {
            self.own = true;
        }
        Ok(())
    }
}

/// Whether this node may have made the change, `latest` being the record's last stamp before: it let go of it, as the column was dropped; or it made it under a name that
/// a peer has changed since.
fn known_once<'h>(table: &Table, field: FieldId, latest: impl FnOnce() -> Option<&'h Hlc>, change: &Change) -> bool {
    table.is_not_or_anew(field) && latest().is_some_and(|latest| *latest >= change.hlc)
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
