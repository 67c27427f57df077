//! Records that a merge changed, into their tables: rows, then clocks and relay entries.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::apply;
use crate::error::{Error, Result};
use crate::key::Pk;
use crate::putback::Watch;
use crate::record::{FieldId, Record};
use crate::schema::Table;
use crate::showing::Showing;
use crate::store::{RecordKey, Saves, Store};
use crate::{claims, conflicts, foreign, left, log, order, pending};

/// A record whose state changed.
pub struct Work {
    /// Its table.
    pub table: Rc<Table>,
    /// Its key.
    pub pk: Pk,
    /// Its state so far; None when nothing was known of it.
    pub before: Option<Record>,
    /// Its state from now on.
    pub now: Record,
    /// What to pass on; None for the whole record.
    pub fields: Option<Vec<FieldId>>,
    /// Whether there is anything to pass on.
    pub news: bool,
    /// Changes taken.
    pub taken: u64,
    /// It left the sender's filter: what is known of it goes, `now` is what came after.
    pub dropped: bool,
}

/// Shows the records, writes their clocks, and logs them for relay; the number of changes taken that are not shown.
pub fn show(store: &mut Store<'_>, work: &mut [Work]) -> Result<u64> {
    let outcome = show_all(store, work);
    let resumed = foreign::resume(store.conn);
    let waiting = outcome?;
    resumed.map(|()| waiting)
}

fn show_all(store: &mut Store<'_>, work: &mut [Work]) -> Result<u64> {
    let mark = store.last_seq()?;
    let broken = claims::broken(store)?;
    let mut watch = Watch::new(store)?;
    foreign::put_off_late(store.conn)?;
    let mut reasons = loop {
        let known = watch.clone();
        // Where nothing can make us start anew, there is no need to keep what we started from.
        let once = watch.quiet() && watch.strangers.is_empty();
        if !once {
            store.conn.run("SAVEPOINT crdt_rows", &[])?;
        }
        let copy = |work: &mut Work| if once { std::mem::take(&mut work.now) } else { work.now.clone() };
        let mut copies: Vec<Record> = work.iter_mut().map(copy).collect();
        let outcome = show_rows(store, work, &mut copies, &mut watch, mark)?;
        let broken = outcome.is_some() && watch.strangers.broken(store.conn)?.is_some();
        if let Some(reasons) = outcome.filter(|_| !broken) {
            if !once {
                store.conn.run("RELEASE crdt_rows", &[])?;
            }
            for (work, copy) in work.iter_mut().zip(copies) {
                work.now = copy;
            }
            break reasons;
        }
        if once {
            return Err(Error::internal("a merge was surprised by what nothing could have written"));
        }
        store.conn.run("ROLLBACK TO crdt_rows", &[])?;
        store.conn.run("RELEASE crdt_rows", &[])?;
        match broken {
            // Triggers changed rows that are not ours to change: once more, now knowing how they were.
            false => watch.remember(store)?,
            // What was put back has broken keys: once more, now knowing which were broken before.
            true if watch.strangers.learn(store.conn)? => watch = known,
            true => return Err(Error::sqlite(apply::FOREIGN_KEY, foreign::FAILED)),
        }
    };
    // What the triggers logged of all this is no local write.
    log::drop_after(store.conn, mark)?;
    let at = store.wall.max(store.clock.ts);
    let (mut saves, mut relays) = (Saves::default(), log::Relays::default());
    for work in work.iter() {
        let reason = if reasons.is_empty() { None } else { reasons.remove(&(work.table.id, work.pk.clone())) };
        if work.dropped {
            left::forget(store, work.table.id, &work.pk)?;
            if work.now == Record::default() {
                left::keep_waiting(store, &work.table, &work.pk, reason.as_deref())?;
                continue;
            }
        }
        saves.add(store, &work.table, &work.pk, work.before.as_ref().filter(|_| !work.dropped), &work.now)?;
        if work.news {
            if work.fields.is_none() && work.before.is_some() {
                store.conn.retold.set(true);
            }
            relays.add(work.table.id, &work.pk, work.fields.as_deref());
        }
        if reason.is_some() || pending::has(store, work.table.id, &work.pk)? {
            // One that waited before and is shown now is tried below, with the others that wait.
            pending::set(store, work.table.id, &work.pk, Some(reason.as_deref().unwrap_or("to be tried again")))?;
        }
    }
    saves.write(store)?;
    relays.write(store.conn, at)?;
    let dropped = work.iter().filter(|work| work.dropped).map(|work| (work.table.id, work.pk.clone()));
    conflicts::forget(store.conn, &dropped.collect())?;
    for ((t, pk), reason) in reasons {
        pending::set(store, t, &pk, Some(&reason))?;
    }
    claims::retry(store, claims::Which::Safe, &broken)?;
    let mut waiting = 0;
    for work in work.iter() {
        waiting += if pending::has(store, work.table.id, &work.pk)? { work.taken } else { 0 };
    }
    store.folded = store.last_seq()?;
    store.save_clock()?;
    Ok(waiting)
}

type Reasons = BTreeMap<RecordKey, String>;

/// Shows every record: deletes first, then the rest, those that were refused again while others succeed. Where few do, their
/// parents may come one by one: then checks are put off. None when rows must be known first that triggers have changed.
fn show_rows(
    store: &Store<'_>,
    work: &[Work],
    copies: &mut [Record],
    watch: &mut Watch,
    mark: i64,
) -> Result<Option<Reasons>> {
    let order = order::order(store.conn, work, copies)?;
    let mut showing = Showing { store, work, copies, watch, mark, refused: BTreeMap::new() };
    for round in 0.. {
        let before = showing.refused.len();
        let left = |i: &usize| round == 0 || showing.refused.contains_key(i);
        let places: Vec<usize> = order.iter().copied().filter(left).collect();
        showing.round(&places, round == 0)?;
        let refused = &showing.refused;
        if refused.is_empty() || (round > 0 && refused.len() >= before) {
            break;
        }
        if round > 0 && 2 * refused.len() > before && refused.values().any(|reason| reason == foreign::FAILED) {
            foreign::put_off_at_once(store.conn)?;
        }
    }
    let refused = showing.refused;
    if watch.surprised() {
        return Ok(None);
    }
    let mut reasons: Reasons = refused
        .into_iter()
        .filter_map(|(i, reason)| work.get(i).map(|w| ((w.table.id, w.pk.clone()), reason)))
        .collect();
    watch.put_back(store, &mut reasons)?;
    if watch.surprised() {
        return Ok(None);
    }
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
