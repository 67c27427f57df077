//! Records that left a peer's filter: what the sender says of them, when the receiver lets go, and what stays of them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::change::{Body, Change, Known, TOMBSTONE};
use crate::cleanup;
use crate::clock::{Hlc, Tick};
use crate::error::{unless_missing, Result};
use crate::key::Pk;
use crate::record::{FieldId, Record};
use crate::schema::Table;
use crate::store::{RecordKey, Store};
use crate::{pending, stays};

/// Calls `f` with every stamp of a record that only its author can have written: those of counters, sets, kept changes.
fn own_stamps(record: &Record, f: &mut dyn FnMut(&Rc<str>, Tick)) {
    for part in record.counters.values().flat_map(|parts| parts.values()) {
        f(&part.hlc.node, part.hlc.tick());
    }
    for ((_, node), mark) in record.sets.values().flatten() {
        for tick in [mark.add, mark.op].into_iter().flatten() {
            f(node, tick);
        }
        if let Some(gone) = &mark.gone {
            f(&gone.node, gone.tick());
        }
    }
    for stamp in record.kept.values().flat_map(|kept| kept.keys()) {
        f(&stamp.node, stamp.tick());
    }
}

/// A field's name, and those that its column had before, in lower case: the peer may have renamed it, or not yet.
fn names(table: &Table, field: FieldId) -> impl Iterator<Item = String> + '_ {
    let was = table.aliases.iter().filter(move |(_, id)| *id == field).map(|(name, _)| name);
    table.field(field).map(|field| &field.name).into_iter().chain(was).map(|name| name.to_ascii_lowercase())
}

/// What this node knows of a record.
pub fn known(record: &Record, table: &Table) -> Known {
    let mut known = Known { forgotten: record.forgotten.clone(), ..Known::default() };
    let mut author = |node: &Rc<str>, tick: Tick| {
        let latest = known.authors.entry(Rc::clone(node)).or_default();
        *latest = tick.max(*latest);
    };
    own_stamps(record, &mut author);
    let lww = record.lww.values().map(|lww| &lww.hlc);
    for stamp in lww.chain(&record.tomb).chain(&record.row) {
        author(&stamp.node, stamp.tick());
    }
    record.shed.iter().for_each(|(node, tick)| author(node, *tick));
    for (field, lww) in &record.lww {
        for name in names(table, *field) {
            known.stamps.insert(name, lww.hlc.clone());
        }
    }
    if let Some(tomb) = &record.tomb {
        known.stamps.insert(TOMBSTONE.to_owned(), tomb.clone());
    }
    known
}

/// Whether the sender knows all that the record holds: nothing is lost when it is dropped.
pub fn covers(known: Option<&Known>, record: &Record, table: &Table) -> bool {
    let Some(known) = known else { return true };
    let seen = |node: &Rc<str>, tick: Tick| known.authors.get(node).is_some_and(|latest| tick <= *latest);
    let mut all = true;
    // What an earlier life counted is over at the sender: it would not take it, so nothing would tell again.
    let mut living = Cow::Borrowed(record);
    if let Some(until) = &known.forgotten {
        living.to_mut().begin_anew(until);
    }
    own_stamps(&living, &mut |node, tick| all &= seen(node, tick));
    // An earlier write of another author loses at the sender, and is no more known there.
    let loses = |name: &str, stamp: &Hlc| known.stamps.get(name).is_some_and(|later| stamp <= later);
    let covered = |name: &str, stamp: &Hlc| seen(&stamp.node, stamp.tick()) || loses(name, stamp);
    let lww = record.lww.iter().all(|(field, lww)| names(table, *field).any(|name| covered(&name, &lww.hlc)));
    let latest = known.authors.iter().map(|(node, tick)| tick.by(node)).max();
    let row = record.row.as_ref().is_none_or(|row| Some(row) <= latest.as_ref());
    all && lww && row && record.tomb.as_ref().is_none_or(|tomb| covered(TOMBSTONE, tomb))
}

/// Changes of one record: the change, its field, whether a column here shows it.
pub type Changes<'c, T> = Vec<(&'c Change, T, bool)>;

/// The changes of one record around the last one that says that it left: what stands before it, what after.
///
/// In a payload the place of this change matters, and only of this: what comes after it is a record that entered again.
pub fn split<'c, T>(changes: Changes<'c, T>) -> (Option<Leaving<'c, T>>, Changes<'c, T>) {
    let is_left = |change: &Change| matches!(change.body, Body::Left(_));
    let Some(last) = changes.iter().rposition(|(change, _, _)| is_left(change)) else { return (None, changes) };
    let mut leaving = Leaving { known: None, before: Vec::new(), times: 0 };
    let mut after = Vec::new();
    for (i, entry) in changes.into_iter().enumerate() {
        match &entry.0.body {
            Body::Left(known) => {
                leaving.times += 1;
                leaving.known = known.as_deref();
            }
            _ if i < last => leaving.before.push(entry),
            _ => after.push(entry),
        }
    }
    (Some(leaving), after)
}

/// A record that a payload says has left.
pub struct Leaving<'c, T> {
    /// What the sender knows of it.
    pub known: Option<&'c Known>,
    /// The changes before that.
    pub before: Changes<'c, T>,
    /// How often the payload says it.
    pub times: u64,
}

/// Forgets all that is stored of a record, and notes that it was here: its own stamps may come back, and its own counters
/// start anew if it is inserted here before.
pub fn forget(store: &Store<'_>, t: i64, pk: &Pk) -> Result<()> {
    let key = [t.into(), pk.as_ref()];
    store.conn.run("DELETE FROM main._crdt_clock WHERE t = ?1 AND pk = ?2", &key)?;
    store.any_left.set(Some(true));
    store.conn.run("DELETE FROM main._crdt_parts WHERE t = ?1 AND pk = ?2", &key)?;
    store.conn.run("DELETE FROM main._crdt_waiting WHERE t = ?1 AND pk = ?2", &key)?;
    stays::drop(store, t, pk)?;
    store.conn.run(
        "INSERT OR REPLACE INTO main._crdt_left(t, pk, ts, c) VALUES (?1, ?2, ?3, ?4)",
        &[t.into(), pk.as_ref(), store.clock.ts.into(), i64::from(store.clock.c).into()],
    )?;
    Ok(())
}

/// What becomes of a forgotten record whose row the table did not let go: it waits, as an empty record.
pub fn keep_waiting(store: &Store<'_>, table: &Table, pk: &Pk, refusal: Option<&str>) -> Result<()> {
    if refusal.is_some() {
        store.save(table, pk, None, &Record::default())?;
    }
    pending::set(store, table.id, pk, refusal)
}

/// Lets changes go that wait for their time, where `changes` say that their record left and the sender knows of them: they
/// would bring it back.
pub fn drop_waiting(store: &Store<'_>, changes: &[Change]) -> Result<()> {
    let mut left = BTreeMap::new();
    for change in changes {
        if let Body::Left(known) = &change.body {
            left.insert((change.table.to_ascii_lowercase(), &*change.pk), known.as_deref());
        }
    }
    if left.is_empty() {
        return Ok(());
    }
    let mut gone = Vec::new();
    pending::aside(store, i64::MAX, |aside| {
        let Ok(change) = aside.change else { return Ok(()) };
        let hlc = &change.hlc;
        let seen = |known: &Known| {
            known.authors.get(&hlc.node).is_some_and(|latest| hlc.tick() <= *latest)
                || known.stamps.get(&change.field.to_ascii_lowercase()).is_some_and(|later| hlc <= later)
                || (change.body.counts() && known.forgotten.as_ref() >= Some(hlc))
        };
        let known = left.get(&(change.table.to_ascii_lowercase(), &*change.pk));
        if known.is_some_and(|known| known.is_none_or(seen)) {
            gone.push(aside.id);
        }
        Ok(())
    })?;
    pending::drop_aside(store, &gone)
}

/// Whether a record that was dropped here may have held this stamp of this node's own.
pub fn held(store: &Store<'_>, t: i64, pk: &Pk, stamp: &Hlc) -> Result<bool> {
    let sql = "SELECT 1 FROM main._crdt_left WHERE t = ?1 AND pk = ?2 AND (ts, c) >= (?3, ?4)";
    let values = [t.into(), pk.as_ref(), stamp.ts.into(), i64::from(stamp.c).into()];
    Ok(unless_missing(store.conn.int(sql, &values), None)?.is_some())
}

/// Whether totals of this node's may be elsewhere that are not in its part of a counter: the record was dropped here, and what
/// came back of it may be older; or there is no part, and an epitaph that was dropped may have been the record's.
pub fn has_totals_apart(store: &Store<'_>, (t, pk): &RecordKey, record: &Record, field: FieldId) -> Result<bool> {
    let own = (Rc::clone(&store.me), String::new());
    let part = record.counters.get(&field).and_then(|parts| parts.get(&own));
    if part.is_none() && epitaphs_were_dropped(store)? {
        return Ok(true);
    }
    if !is_dropped(store, *t, pk)? {
        return Ok(false);
    }
    part.map_or(Ok(true), |part| held(store, *t, pk, &part.hlc))
}

fn epitaphs_were_dropped(store: &Store<'_>) -> Result<bool> {
    if let Some(known) = store.any_dropped.get() {
        return Ok(known);
    }
    let any = cleanup::dropped_until(store)? > 0;
    store.any_dropped.set(Some(any));
    Ok(any)
}

/// Whether a record was dropped here once.
fn is_dropped(store: &Store<'_>, t: i64, pk: &Pk) -> Result<bool> {
    if store.any_left.get().is_none() {
        let any = unless_missing(store.conn.int("SELECT 1 FROM main._crdt_left LIMIT 1", &[]), None)?;
        store.any_left.set(Some(any.is_some()));
    }
    if store.any_left.get() == Some(false) {
        return Ok(false);
    }
    let sql = "SELECT 1 FROM main._crdt_left WHERE t = ?1 AND pk = ?2";
    Ok(store.conn.int(sql, &[t.into(), pk.as_ref()])?.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::counter::Part;

    fn at(ts: i64, node: &str) -> Hlc {
        Hlc::new(ts, 0, &Rc::from(node))
    }

    #[test]
    fn what_the_sender_has_not_seen_is_kept() {
        let knows = |ts: i64| {
            let mut known = Known::default();
            known.authors.insert(Rc::from("a"), at(ts, "a").tick());
            known
        };
        let mut record = Record::default();
        assert!(own_covered(&knows(1), &record));
        record.counters.entry(1).or_default().insert((Rc::from("a"), String::new()), Part::empty(at(5, "a")));
        assert!(own_covered(&knows(5), &record));
        assert!(!own_covered(&knows(4), &record));
        record.counters.entry(1).or_default().insert((Rc::from("b"), String::new()), Part::empty(at(1, "b")));
        assert!(!own_covered(&knows(5), &record));
    }

    fn own_covered(known: &Known, record: &Record) -> bool {
        let mut all = true;
        own_stamps(record, &mut |node, tick| all &= known.authors.get(node).is_some_and(|latest| tick <= *latest));
        all
    }
}
