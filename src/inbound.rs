//! The road in: changes → merge record by record → rows → clocks and relay entries. All in the caller's savepoint.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::apply::{self, apply, Known, Shown};
use crate::change::Change;
use crate::clock::Hlc;
use crate::error::Result;
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
use crate::store::{RecordKey, Store};
use crate::{claims, conflicts, log, row};

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

/// A record that the changes touch.
struct Incoming<'c> {
    table: Rc<Table>,
    changes: Vec<(&'c Change, FieldId, bool)>,
    /// That it left the sender's filter, and what came before that.
    leaving: Option<Leaving<'c, FieldId>>,
}

/// A record whose state changed.
struct Work {
    table: Rc<Table>,
    pk: Pk,
    before: Option<Record>,
    now: Record,
    /// What to pass on; None for the whole record.
    fields: Option<Vec<FieldId>>,
    /// Changes taken.
    taken: u64,
    /// It left the sender's filter: what is known of it goes, `now` is what came after.
    dropped: bool,
}

/// Merges `changes` into the database. The log's tail is folded first.
pub fn merge_changes(store: &mut Store<'_>, changes: &[Change]) -> Result<Report> {
    fold(store, Into::Database)?;
    let mut report = Report::default();
    let due = pending::set_aside(store, changes, &mut report)?;
    if import::intern_fields(store.conn, &store.catalog, due.iter().copied())? {
        if let Some(catalog) = Catalog::current(store.conn)? {
            store.catalog = catalog;
        }
    }
    let incoming = group(store, &due)?;
    for change in &due {
        store.clock = store.clock.observe(change.hlc.tick());
    }
    let mut hooks = Inbound::default();
    let (mut work, own) = merge_records(store, &incoming, &mut hooks, &mut report)?;
    if let Some(stamp) = own {
        crate::node::fork_because(store, &stamp)?;
    }
    show(store, &mut work, &mut report)?;
    hooks.after(store)?;
    crate::prune::if_due(store)?;
    Ok(report)
}

/// Changes by record, in key order.
fn group<'c>(store: &Store<'_>, changes: &[&'c Change]) -> Result<BTreeMap<RecordKey, Incoming<'c>>> {
    let mut records: BTreeMap<RecordKey, Incoming<'c>> = BTreeMap::new();
    for change in changes {
        let found = import::resolve(&store.catalog, change)?;
        let form = found.table.form(store.conn)?;
        let pk = Pk::from_wire(&form.shape.classes, &change.pk);
        let record = records.entry((found.table.id, pk)).or_insert_with(|| Incoming {
            table: Rc::clone(&found.table),
            changes: Vec::new(),
            leaving: None,
        });
        record.changes.push((*change, found.field, found.local));
    }
    // In the order of their stamps: what an author deleted after writing it is no conflict.
    for record in records.values_mut() {
        let (leaving, after) = left::split(std::mem::take(&mut record.changes));
        (record.leaving, record.changes) = (leaving, after);
        if let Some(leaving) = &mut record.leaving {
            leaving.before.sort_by(|a, b| a.0.hlc.cmp(&b.0.hlc));
        }
        record.changes.sort_by(|a, b| a.0.hlc.cmp(&b.0.hlc));
    }
    Ok(records)
}

/// Merges each record's changes; the records that changed, and a stamp that this node should have issued but never did.
fn merge_records(
    store: &Store<'_>,
    incoming: &BTreeMap<RecordKey, Incoming<'_>>,
    hooks: &mut Inbound,
    report: &mut Report,
) -> Result<(Vec<Work>, Option<Hlc>)> {
    let mut all = Vec::new();
    let until = crate::cleanup::dropped_until(store)?;
    let mut pass = Pass { store, hooks, report, log: conflicts::Log::default(), own: None, until, twins: 0 };
    for ((_, pk), record) in incoming {
        let table = &record.table;
        let before = store.load(table, pk)?;
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
    pass.log.trim(store)?;
    if pass.twins > 0 {
        store.conn.run("UPDATE main._crdt_state SET twins = twins + ?1", &[pass.twins.into()])?;
    }
    Ok((all, pass.own))
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

/// Shows the records, writes their clocks, and logs them for relay.
fn show(store: &mut Store<'_>, work: &mut [Work], report: &mut Report) -> Result<()> {
    let mark = store.last_seq()?;
    let broken = claims::broken(store)?;
    let mut watch = Watch::new(store)?;
    let mut reasons = loop {
        store.conn.run("SAVEPOINT crdt_rows", &[])?;
        let mut copies: Vec<Record> = work.iter().map(|w| w.now.clone()).collect();
        let outcome = show_rows(store, work, &mut copies, &mut watch, mark);
        if matches!(&outcome, Ok(Some(_))) {
            store.conn.run("RELEASE crdt_rows", &[])?;
            for (work, copy) in work.iter_mut().zip(copies) {
                work.now = copy;
            }
        }
        match outcome? {
            Some(reasons) => break reasons,
            // Triggers changed rows that are not ours to change: once more, now knowing how they were.
            None => {
                store.conn.run("ROLLBACK TO crdt_rows", &[])?;
                store.conn.run("RELEASE crdt_rows", &[])?;
                watch.remember(store)?;
            }
        }
    };
    // What the triggers logged of all this is no local write.
    log::drop_after(store.conn, mark)?;
    let at = store.wall.max(store.clock.ts);
    for work in work.iter() {
        let reason = reasons.remove(&(work.table.id, work.pk.clone()));
        if work.dropped {
            left::forget(store, work.table.id, &work.pk)?;
            if work.now == Record::default() {
                left::keep_waiting(store, &work.table, &work.pk, reason.as_deref())?;
                continue;
            }
        }
        store.save(&work.table, &work.pk, work.before.as_ref().filter(|_| !work.dropped), &work.now)?;
        log::append_relay(store.conn, work.table.id, &work.pk, work.fields.as_deref(), at)?;
        if reason.is_some() || pending::has(store, work.table.id, &work.pk)? {
            // One that waited before and is shown now is tried below, with the others that wait.
            pending::set(store, work.table.id, &work.pk, Some(reason.as_deref().unwrap_or("to be tried again")))?;
        }
    }
    for ((t, pk), reason) in reasons {
        pending::set(store, t, &pk, Some(&reason))?;
    }
    claims::retry(store, claims::Which::Safe, &broken)?;
    for work in work.iter() {
        report.pending += if pending::has(store, work.table.id, &work.pk)? { work.taken } else { 0 };
    }
    store.folded = store.last_seq()?;
    store.save_clock()
}

type Reasons = BTreeMap<RecordKey, String>;

/// Shows every record: deletes first, then the rest, those that were refused again while others succeed. None when rows
/// must be known first that triggers have changed.
fn show_rows(
    store: &Store<'_>,
    work: &[Work],
    copies: &mut [Record],
    watch: &mut Watch,
    mark: i64,
) -> Result<Option<Reasons>> {
    let mut order: Vec<usize> = (0..work.len()).collect();
    order.sort_by_key(|i| copies.get(*i).is_some_and(Record::alive));
    let mut refused: BTreeMap<usize, String> = BTreeMap::new();
    for round in 0.. {
        let todo: Vec<usize> = if round == 0 { order.clone() } else { refused.keys().copied().collect() };
        let before = refused.len();
        for i in todo {
            let (Some(work), Some(copy)) = (work.get(i), copies.get_mut(i)) else { continue };
            let form = work.table.form(store.conn)?;
            watch.intend(form, work.table.id, &work.pk, copy);
            let known = Known { absent: watch.quiet() && round == 0 && work.before.is_none(), quiet: watch.quiet() };
            match apply(store.conn, form, &work.pk, copy, known)? {
                Shown::Yes => refused.remove(&i),
                Shown::Pending(reason) | Shown::Claimed(reason) => refused.insert(i, reason),
            };
            watch.notice(store, &work.pk, work.table.id, mark)?;
        }
        if refused.is_empty() || (round > 0 && refused.len() >= before) {
            break;
        }
    }
    if watch.surprised() {
        return Ok(None);
    }
    let mut reasons: Reasons = refused
        .into_iter()
        .filter_map(|(i, reason)| work.get(i).map(|w| ((w.table.id, w.pk.clone()), reason)))
        .collect();
    watch.put_back(store, &mut reasons)?;
    for (work, copy) in work.iter().zip(copies.iter_mut()) {
        if reasons.contains_key(&(work.table.id, work.pk.clone())) {
            // Its row may have been shown, and be gone again.
            watch.intend(work.table.form(store.conn)?, work.table.id, &work.pk, copy);
        }
    }
    if !watch.quiet() {
        insist(store, work, copies, &reasons)?;
    }
    Ok(Some(reasons))
}

/// Puts back once more what the triggers of the rows themselves have changed again.
fn insist(store: &Store<'_>, work: &[Work], copies: &mut [Record], reasons: &Reasons) -> Result<()> {
    let mut overruled = Vec::new();
    for (work, copy) in work.iter().zip(copies.iter_mut()) {
        let form = work.table.form(store.conn)?;
        let shown = !reasons.contains_key(&(work.table.id, work.pk.clone()));
        if shown && apply::is_overruled(store.conn, form, &work.pk, copy)? {
            overruled.push((form, &work.pk, copy));
        }
    }
    if overruled.is_empty() {
        return Ok(());
    }
    apply::insist(store.conn, overruled.into_iter())
}
