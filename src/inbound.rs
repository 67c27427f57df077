//! The road in: changes → merge record by record → rows → clocks and relay entries. All in the caller's savepoint.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::apply::{self, apply, Known, Shown};
use crate::change::{Body, Change};
use crate::clock::Hlc;
use crate::error::Result;
use crate::fold::{fold, Into};
use crate::import;
use crate::key::Pk;
use crate::merge::{merge, Outcome};
use crate::pending;
use crate::putback::Watch;
use crate::record::{FieldId, Record};
use crate::schema::{Catalog, Form, Table};
use crate::store::{RecordKey, Store};
use crate::{claims, log, row};

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
}

/// A record that the changes touch.
struct Incoming<'c> {
    table: Rc<Table>,
    changes: Vec<(&'c Change, FieldId, bool)>,
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
    let (mut work, own) = merge_records(store, &incoming, &mut report)?;
    if let Some(stamp) = own {
        crate::node::fork_because(store, &stamp)?;
    }
    show(store, &mut work, &mut report)?;
    Ok(report)
}

/// Changes by record, in key order.
fn group<'c>(store: &Store<'_>, changes: &[&'c Change]) -> Result<BTreeMap<RecordKey, Incoming<'c>>> {
    let mut records: BTreeMap<RecordKey, Incoming<'c>> = BTreeMap::new();
    for change in changes {
        let found = import::resolve(&store.catalog, change)?;
        let form = found.table.form(store.conn)?;
        let pk = Pk::from_wire(&form.shape.classes, &change.pk);
        let record = records
            .entry((found.table.id, pk))
            .or_insert_with(|| Incoming { table: Rc::clone(&found.table), changes: Vec::new() });
        record.changes.push((*change, found.field, found.local));
    }
    // In the order of their stamps: what an author deleted after writing it is no conflict.
    for record in records.values_mut() {
        record.changes.sort_by(|a, b| a.0.hlc.cmp(&b.0.hlc));
    }
    Ok(records)
}

/// Merges each record's changes; the records that changed, and a stamp that this node should have issued but never did.
fn merge_records(
    store: &Store<'_>,
    incoming: &BTreeMap<RecordKey, Incoming<'_>>,
    report: &mut Report,
) -> Result<(Vec<Work>, Option<Hlc>)> {
    let (mut all, mut own, mut twins) = (Vec::new(), None, 0i64);
    for ((_, pk), record) in incoming {
        let table = &record.table;
        let form = table.form(store.conn)?;
        let before = store.load(table, pk)?;
        let mut now = before.clone().unwrap_or_default();
        // A forgotten record that is born anew takes in all that comes with it, in whatever order.
        let born = |change: &Change| change.body != Body::Tombstone && now.tomb.as_ref() < Some(&change.hlc);
        if now.epitaph && record.changes.iter().any(|(change, _, _)| born(change)) {
            now.epitaph = false;
        }
        let mut live = None;
        let mut touched = Touched::default();
        for (change, field, local) in &record.changes {
            let cell = now.lww.get(field).and_then(|lww| lww.saved.clone());
            let mut held = || match &cell {
                Some(json) => Ok(Some(json.clone())),
                None => held_value(store, form, pk, *field, &mut live),
            };
            let outcome = merge(&mut now, *field, &change.hlc, &change.body, &mut held)?;
            count(report, &outcome, *local);
            twins += i64::from(outcome.twin);
            if outcome.news {
                touched.add(change, *field);
                if !local {
                    pending::wait(store, table, pk, *field, before.as_ref())?;
                }
                if change.hlc.node == store.me && !known_once(table, *field, before.as_ref(), change) {
                    own = own.max(Some(change.hlc.clone()));
                }
            }
        }
        if touched.changes > 0 {
            let taken = touched.changes;
            let fields = touched.fields(before.as_ref(), &now);
            all.push(Work { table: Rc::clone(table), pk: pk.clone(), before, now, fields, taken });
        }
    }
    if twins > 0 {
        store.conn.run("UPDATE main._crdt_state SET twins = twins + ?1", &[twins.into()])?;
    }
    Ok((all, own))
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
}

impl Touched {
    fn add(&mut self, change: &Change, field: FieldId) {
        self.changes += 1;
        if change.body == Body::Tombstone {
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
    report.conflicts += u64::from(outcome.conflict);
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
    store.conn.run("DELETE FROM main._crdt_log WHERE seq > ?1", &[mark.into()])?;
    store.conn.run("DELETE FROM main._crdt_grave WHERE seq > ?1", &[mark.into()])?;
    let at = store.wall.max(store.clock.ts);
    for work in work.iter() {
        store.save(&work.table, &work.pk, work.before.as_ref(), &work.now)?;
        log::append_relay(store.conn, work.table.id, &work.pk, work.fields.as_deref(), at)?;
        let reason = reasons.remove(&(work.table.id, work.pk.clone()));
        pending::set(store, work.table.id, &work.pk, reason.as_deref())?;
    }
    for ((t, pk), reason) in reasons {
        pending::set(store, t, &pk, Some(&reason))?;
    }
    claims::retry(store)?;
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
