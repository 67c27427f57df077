//! Records whose row cannot be shown: tried again, and unique values given to those who claim them first.
//!
//! Which rows are shown is a function of the records alone, in three steps:
//!
//! 1. Of the live records of a table, in the order of their claims (the latest stamp over the unique columns, then the key),
//!    each takes all its claims in the unique indexes, or waits.
//! 2. Of those that took them, the table must be able to hold the row (CHECK, NOT NULL, types). One that it cannot hold
//!    frees no claim.
//! 3. Of these, as many are shown as can be so that each has its parents.
//!
//! It is enough to let a waiting record take the place of younger ones until none is left that could: what then waits has
//! an older rival that took the claim.

mod parents;
mod probe;
mod settle;
mod swap;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::apply::{self, apply, insist, is_declared, is_overruled, Known, Shown};
use crate::clock::Hlc;
use crate::error::Result;
use crate::foreign;
use crate::key::Pk;
use crate::pending;
use crate::putback::Watch;
use crate::record::Record;
use crate::rollback;
use crate::row;
use crate::schema::{Form, Table};
use crate::store::{RecordKey, Store};
use crate::strangers;
use crate::unique::{self, Index};

/// A claim's rank: older ones are less.
type Age = (Option<Hlc>, String);

/// A record whose row waits.
struct Waiting {
    table: Rc<Table>,
    pk: Pk,
    age: Age,
    reason: String,
}

/// What is tried again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Which {
    /// All but rows for which a trigger rolls everything back.
    Safe,
    /// All.
    All,
}

/// Tries records again whose rows could not be shown. `broken` are rows that broke a deferred foreign key before us, and are
/// the caller's to mend. In the caller's savepoint, the log folded.
pub fn retry(store: &Store<'_>, which: Which, broken: &BTreeSet<RecordKey>) -> Result<()> {
    if !store.any_pending.get() && !store.conn.db.breaks_deferred_keys() {
        return Ok(());
    }
    let before = pending::list(store.conn)?;
    let outcome = settle::settle(store, which, broken);
    store.conn.aside.clear();
    let resumed = foreign::resume(store.conn);
    outcome?;
    resumed?;
    pending::waited(store, &before)
}

/// As [`retry`], all but rows for which a trigger rolls everything back, outside of a merge.
pub fn again(store: &Store<'_>) -> Result<()> {
    retry(store, Which::Safe, &broken(store)?)
}

/// The rows that break a deferred foreign key.
pub fn broken(store: &Store<'_>) -> Result<BTreeSet<RecordKey>> {
    let mut all = BTreeSet::new();
    if !store.conn.db.breaks_deferred_keys() {
        return Ok(all);
    }
    let keys = foreign::Foreign::current(store.conn, &store.catalog)?;
    for table in captured(store) {
        let orphans = keys.orphans(store.conn, table.form(store.conn)?)?;
        all.extend(orphans.into_iter().map(|pk| (table.id, pk)));
    }
    Ok(all)
}

fn captured<'s>(store: &'s Store<'_>) -> impl Iterator<Item = &'s Rc<Table>> {
    store.catalog.tables().iter().filter(|table| table.enabled && table.captured)
}

/// One round of trying.
struct Retry<'r, 'c> {
    store: &'r Store<'c>,
    watch: &'r mut Watch,
    manner: settle::Manner,
    broken: &'r BTreeSet<RecordKey>,
    indexes: BTreeMap<i64, Rc<Vec<Index>>>,
    /// Claims of records that waited when the pass came to them, by table and index: who took them.
    taken: BTreeMap<(i64, usize, Vec<u8>), Pk>,
    /// How many records wait, by table.
    waiting: BTreeMap<String, usize>,
    /// Records that a trigger, or rows of another table, keep where they are, or keep waiting.
    stuck: BTreeSet<RecordKey>,
    /// The record that is tried waits because it broke a key of a table that is not enabled.
    suspect: bool,
    again: bool,
}

/// What came of a record's claims.
enum Verdict {
    /// It has them all; whether others had to give way.
    Took(bool),
    /// Why it waits.
    Waits(String),
}

impl<'r, 'c> Retry<'r, 'c> {
    fn new(
        store: &'r Store<'c>,
        watch: &'r mut Watch,
        manner: settle::Manner,
        broken: &'r BTreeSet<RecordKey>,
    ) -> Self {
        let (indexes, taken, waiting, stuck) = Default::default();
        Retry { store, watch, manner, broken, indexes, taken, waiting, stuck, suspect: false, again: false }
    }

    /// Tries every waiting record, oldest claim first, until nothing moves any more.
    fn pass(&mut self) -> Result<()> {
        loop {
            let mut all = self.find()?;
            if self.trade(&all)? {
                all = self.find()?;
            }
            self.taken.clear();
            self.waiting.clear();
            for waiting in &all {
                *self.waiting.entry(waiting.table.name.to_ascii_lowercase()).or_default() += 1;
            }
            let mut moved = false;
            for waiting in &all {
                moved |= self.try_one(waiting)?; // who waits, and for whom, has changed
            }
            if !moved && !std::mem::take(&mut self.again) {
                return Ok(());
            }
        }
    }

    fn find(&self) -> Result<Vec<Waiting>> {
        let mut all = Vec::new();
        for ((t, pk), (reason, _)) in pending::list(self.store.conn)? {
            let Some(table) = self.store.table(t).filter(|table| table.enabled && table.captured) else { continue };
            let (Some(form), Some(record)) = (table.form_if_usable(self.store.conn)?, self.store.load(&table, &pk)?)
            else {
                continue;
            };
            let age = self.age(form, &pk, &record)?;
            all.push(Waiting { table, pk, age, reason });
        }
        all.sort_by(|a, b| (&a.age, a.table.id).cmp(&(&b.age, b.table.id)));
        Ok(all)
    }

    fn age(&self, form: &Form, pk: &Pk, record: &Record) -> Result<Age> {
        let fields = form.unique_fields(self.store.conn)?;
        let latest = fields.iter().filter_map(|field| record.stamp_of(*field)).max();
        Ok((latest, pk.wire().into_owned()))
    }

    /// Tries to show one record; true when it is shown now, or others gave way.
    fn try_one(&mut self, waiting: &Waiting) -> Result<bool> {
        let Waiting { table, pk, .. } = waiting;
        self.suspect = waiting.reason.starts_with(strangers::REASON);
        let form = table.form(self.store.conn)?;
        let Some(before) = self.store.load(table, pk)? else { return Ok(false) };
        let mut now = before.clone();
        self.watch.intend(form, table.id, pk, &mut now);
        // Its row may go with one that gives way.
        now = apply::complete(self.store.conn, form, pk, &now)?;
        let (mut outcome, mut moved) = match self.claim(waiting, form, &now)? {
            Verdict::Waits(reason) => (Shown::Claimed(reason), false),
            Verdict::Took(displaced) if self.manner.timid && waiting.reason.starts_with(rollback::REASON) => {
                return Ok(displaced);
            }
            Verdict::Took(displaced) => (self.show(table, form, pk, &mut now)?, displaced),
        };
        match &outcome {
            Shown::Pending(reason) if !is_declared(reason) => self.stays(table, pk),
            // What is left of it is no picture of the record, and must not keep others from their claims.
            Shown::Pending(_) | Shown::Claimed(_) if now.alive() => {
                if let Some(refusal) = self.take_away(table, form, pk, &mut now)? {
                    outcome = Shown::Pending(refusal);
                }
            }
            _ => {}
        }
        moved |= outcome == Shown::Yes;
        self.finish(waiting, &before, now, outcome)?;
        Ok(moved)
    }

    /// Notes what came of a record.
    fn finish(&mut self, waiting: &Waiting, before: &Record, mut now: Record, outcome: Shown) -> Result<()> {
        let Waiting { table, pk, .. } = waiting;
        let form = table.form(self.store.conn)?;
        if outcome == Shown::Yes && !self.watch.quiet() && is_overruled(self.store.conn, form, pk, &now)? {
            insist(self.store.conn, std::iter::once((form, pk, &mut now)))?;
        }
        if outcome == Shown::Yes && now == Record::default() {
            crate::left::forget(self.store, table.id, pk)?; // the row of a record that left a peer's filter is gone at last
        } else if now != *before {
            self.store.save(table, pk, Some(before), &now)?;
        }
        let reason = match outcome {
            Shown::Yes => None,
            Shown::Pending(reason) | Shown::Claimed(reason) => Some(reason),
        };
        pending::set(self.store, table.id, pk, reason.as_deref())
    }

    /// Writes the row of a record that has its claims.
    fn show(&mut self, table: &Rc<Table>, form: &Form, pk: &Pk, now: &mut Record) -> Result<Shown> {
        let there = row::exists(self.store.conn, form, pk)?;
        if !now.alive() && !self.stuck.contains(&(table.id, pk.clone())) && !self.held(form, pk)? {
            *now = apply::complete(self.store.conn, form, pk, now)?;
            self.take_children(table, pk)?;
        }
        let mut outcome = self.apply(table, form, pk, now)?;
        if outcome == Shown::Pending(foreign::FAILED.to_owned())
            && (there || self.hopes(form))
            && !self.held(form, pk)?
        {
            foreign::put_off(self.store.conn)?;
            outcome = self.apply(table, form, pk, now)?;
        }
        if let Shown::Claimed(reason) = &outcome {
            // A clash that the indexes' definitions did not tell.
            let age = self.age(form, pk, now)?;
            let mut rivals = Vec::new();
            for rival in probe::probe(self.store, form, pk, now)? {
                rivals.push((rival, reason.clone()));
            }
            if let Verdict::Took(true) = self.displace(table, form, (pk, &age), rivals)? {
                outcome = self.apply(table, form, pk, now)?;
            }
        }
        Ok(outcome)
    }

    fn apply(&mut self, table: &Rc<Table>, form: &Form, pk: &Pk, now: &mut Record) -> Result<Shown> {
        // Its own row may have been taken away since, with one that gave way.
        self.watch.intend(form, table.id, pk, now);
        let shown = now.clone();
        let outcome = self.guarded(|retry| {
            let outcome = apply(retry.store.conn, form, pk, now, Known::default())?;
            retry.watch.notice(retry.store, pk, table.id, retry.manner.mark)?;
            Ok(outcome)
        })?;
        Ok(outcome.unwrap_or_else(|reason| {
            *now = shown;
            Shown::Pending(reason)
        }))
    }

    /// A trigger keeps a row where it is: rows that were to go with it, or for it, are tried again.
    fn stays(&mut self, table: &Table, pk: &Pk) {
        self.again |= self.stuck.insert((table.id, pk.clone()));
    }

    /// Whether a record has all its claims; rows of younger ones give way.
    fn claim(&mut self, waiting: &Waiting, form: &Form, now: &Record) -> Result<Verdict> {
        let Waiting { table, pk, age, .. } = waiting;
        let indexes = self.indexes(table, form)?;
        let Some(key) = pk.decode(&form.shape.classes).filter(|_| now.alive() && !indexes.is_empty()) else {
            return Ok(Verdict::Took(false));
        };
        let conn = self.store.conn;
        // Of an expression that fails, the table tells when the row is written.
        let claims = match unique::claims(conn, form, &indexes, &key, now) {
            Ok(claims) => claims,
            Err(e) => apply::refused(conn, e).map(|_| Vec::new())?,
        };
        let failed = |i: usize| format!("UNIQUE constraint failed: {}", indexes.get(i).map_or("", |index| &index.name));
        for claim in &claims {
            if let Some(holder) = self.taken.get(&(table.id, claim.index, claim.name.clone())) {
                return Ok(Verdict::Waits(claimed(&failed(claim.index), holder)));
            }
        }
        let holders = unique::holders(conn, form, &indexes, &claims, pk)?;
        let rivals = holders.into_iter().map(|(rival, i)| (rival, failed(i))).collect();
        let verdict = self.displace(table, form, (pk, age), rivals)?;
        if matches!(verdict, Verdict::Took(_)) {
            for claim in claims {
                self.taken.insert((table.id, claim.index, claim.name), pk.clone());
            }
        }
        Ok(verdict)
    }

    fn indexes(&mut self, table: &Rc<Table>, form: &Form) -> Result<Rc<Vec<Index>>> {
        if let Some(known) = self.indexes.get(&table.id) {
            return Ok(Rc::clone(known));
        }
        let all = Rc::new(unique::read(self.store.conn, form)?);
        self.indexes.insert(table.id, Rc::clone(&all));
        Ok(all)
    }

    /// Takes away the rows that stand in the way of a record, if all of them are younger. Each comes with what SQLite says.
    fn displace(
        &mut self,
        table: &Rc<Table>,
        form: &Form,
        (pk, mine): (&Pk, &Age),
        rivals: Vec<(Pk, String)>,
    ) -> Result<Verdict> {
        let mut younger = Vec::new();
        for (rival, failed) in rivals {
            let Some(state) = self.store.load(table, &rival)? else { return Ok(Verdict::Waits(failed)) };
            let stuck = self.stuck.contains(&(table.id, pk.clone()));
            if stuck || self.age(form, &rival, &state)? < *mine {
                return Ok(Verdict::Waits(claimed(&failed, &rival)));
            }
            younger.push((rival, failed));
        }
        let moved = !younger.is_empty();
        for (rival, failed) in younger {
            let Some(before) = self.store.load(table, &rival)? else { continue };
            let mut now = before.clone();
            self.watch.intend(form, table.id, &rival, &mut now);
            if let Some(refusal) = self.take_away(table, form, &rival, &mut now)? {
                self.stays(table, pk);
                return Ok(Verdict::Waits(format!("{failed}; the record '{}' stays: {refusal}", excerpt(&rival))));
            }
            self.store.save(table, &rival, Some(&before), &now)?;
            pending::set(self.store, table.id, &rival, Some(&claimed(&failed, pk)))?;
        }
        Ok(Verdict::Took(moved))
    }
}

/// What SQLite says, and whose claim it is.
fn claimed(failed: &str, holder: &Pk) -> String {
    format!("{failed}; the record '{}' claimed it before", excerpt(holder))
}

fn excerpt(pk: &Pk) -> String {
    crate::error::excerpt(&pk.wire())
}
