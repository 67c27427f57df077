//! After a fork: this database's own changes that lie in the future are stamped anew, by the new node, now.

use std::collections::{BTreeMap, BTreeSet};
use std::iter::once;
use std::rc::Rc;

use crate::clock::{Hlc, Tick};
use crate::error::Result;
use crate::key::Pk;
use crate::record::Record;
use crate::store::Store;
use crate::types::lww::Lww;

/// Stamps anew what `old` wrote beyond what the wall clock allows. Others keep such changes aside; ours need not wait.
pub fn future(store: &mut Store<'_>, old: &Rc<str>) -> Result<()> {
    let (wall, limit) = (store.wall, store.limit());
    if store.clock.ts <= limit {
        return Ok(());
    }
    let (mut past, mut ahead, mut ticks, mut late) = (Tick::default(), BTreeSet::new(), BTreeSet::new(), Vec::new());
    for (t, pk) in all_records(store)? {
        let Some(table) = store.table(t) else { continue };
        let Some(record) = store.load(&table, &pk)? else { continue };
        let is_late = |stamp: &Hlc| stamp.node == *old && stamp.ts > limit;
        let (go, stay): (Vec<Hlc>, Vec<Hlc>) = stamps(&record).into_iter().partition(is_late);
        for tick in stay.iter().map(Hlc::tick) {
            match tick.ts > wall {
                true => drop(ahead.insert(tick)),
                false => past = past.max(tick),
            }
        }
        ticks.extend(go.iter().map(Hlc::tick));
        if !go.is_empty() {
            late.push((table, pk, record));
        }
    }
    let (moved, clock) = earlier(&ticks, past, &ahead, wall);
    store.clock = clock;
    let stamps = moved.into_iter().map(|(tick, now)| (tick, now.by(&store.me))).collect();
    let anew = Anew { old, stamps };
    for (table, pk, before) in late {
        let mut now = before.clone();
        anew.restamp(&mut now);
        if now != before {
            store.save(&table, &pk, Some(&before), &now)?;
            crate::log::append_relay(store.conn, table.id, &pk, None, store.wall)?;
        }
    }
    store.folded = store.last_seq()?;
    store.conn.issued.set(Tick::default());
    store.save_clock()
}

/// Earlier ticks for `ticks`, as near to `wall` as may be, and the clock after them. `past` is the latest that stays up to `wall`, `ahead`
/// those that stay beyond it: of any two, moved or not, the later one stays the later, by its tick alone. One that has no room stays.
fn earlier(ticks: &BTreeSet<Tick>, past: Tick, ahead: &BTreeSet<Tick>, wall: i64) -> (BTreeMap<Tick, Tick>, Tick) {
    let (mut moved, mut at) = (BTreeMap::new(), past);
    for tick in ticks {
        let before = ahead.range(..=tick).next_back();
        let now = before.copied().unwrap_or_default().max(at).advance(wall);
        at = now.min(*tick);
        if at < *tick {
            moved.insert(*tick, now);
        }
    }
    (moved, ahead.last().copied().unwrap_or_default().max(at))
}

/// Whether a record has a stamp of `node`.
pub fn any_by(store: &Store<'_>, node: &str) -> Result<bool> {
    for (t, pk) in all_records(store)? {
        let Some(table) = store.table(t) else { continue };
        let Some(record) = store.load(&table, &pk)? else { continue };
        if stamps(&record).iter().any(|stamp| &*stamp.node == node) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn all_records(store: &Store<'_>) -> Result<Vec<(i64, Pk)>> {
    let mut rows = store.conn.stmt("SELECT t, pk FROM main._crdt_clock")?;
    let mut all = Vec::new();
    while rows.step()? {
        all.push((rows.i64(0).unwrap_or(0), Pk::from_stored(rows.column(1))?));
    }
    Ok(all)
}

/// Every stamp that a record has, and those that it tells of.
fn stamps(record: &Record) -> Vec<Hlc> {
    let cells = record.lww.values().flat_map(|lww| once(&lww.hlc).chain(lww.others()));
    let parts = record.counters.values().flat_map(|parts| parts.values());
    let parts = parts.flat_map(|part| once(&part.hlc).chain(&part.born));
    let kept = record.kept.values().flat_map(|kept| kept.keys());
    let marks = || record.sets.values().flatten();
    let removes = marks().filter_map(|(_, mark)| mark.gone.as_ref());
    let whole = [&record.row, &record.forgotten].into_iter().flatten();
    let own = marks().flat_map(|((_, node), mark)| mark.add.iter().chain(&mark.op).map(|tick| tick.by(node)));
    let shed = record.shed.iter().map(|(node, tick)| tick.by(node));
    let all = cells.chain(parts).chain(kept).chain(removes).chain(whole).cloned();
    all.chain(own).chain(shed).chain(record.known_by_delete()).collect()
}

/// The new stamps of the old node's, by their ticks.
struct Anew<'a> {
    old: &'a Rc<str>,
    stamps: BTreeMap<Tick, Hlc>,
}

impl Anew<'_> {
    fn restamp(&self, record: &mut Record) {
        // What a delete took that stays as it is stays with it: stamped anew it would come back.
        let floor = record.tomb.clone().filter(|tomb| self.stamp(tomb).is_none());
        let of = |stamp: &Hlc| self.stamp(stamp).filter(|_| Some(stamp) > floor.as_ref());
        let put_right = |stamp: &mut Hlc| {
            if let Some(now) = of(stamp) {
                *stamp = now.tick().by(self.old);
            }
        };
        // Totals and tags stay their author's; only the time is put right.
        for part in record.counters.values_mut().flat_map(|parts| parts.values_mut()) {
            once(&mut part.hlc).chain(&mut part.born).for_each(put_right);
        }
        for ((_, node), mark) in record.sets.values_mut().flat_map(|marks| marks.iter_mut()) {
            // The same of a remove: it cannot have seen what comes after it.
            let taken = mark.gone.as_ref().is_some_and(|gone| of(gone).is_none());
            let add = mark.add.as_mut().filter(|_| !taken);
            for tick in add.into_iter().chain(&mut mark.op) {
                *tick = of(&tick.by(node)).map_or(*tick, |now| now.tick());
            }
            mark.gone.iter_mut().for_each(put_right);
        }
        // What the new node writes has seen what stays the old one's.
        let own: Vec<Hlc> = stamps(record).into_iter().filter(|stamp| stamp.node == *self.old).collect();
        let seen = |now: &Hlc| own.iter().filter(|stamp| *stamp < now && of(stamp).is_none()).max().cloned();
        for lww in record.lww.values_mut() {
            if let Some(now) = of(&lww.hlc) {
                let others = lww.others().filter(|stamp| of(stamp).is_none()).cloned();
                let known: Vec<Hlc> = others.chain(seen(&now)).collect();
                *lww = Lww { altered: lww.altered, saved: lww.saved.take(), ..Lww::first(now, &known) };
            }
        }
        if let (Some(now), Some(known)) = (record.tomb.as_ref().and_then(of), &mut record.tomb_seen) {
            seen(&now).iter().for_each(|stamp| known.add(stamp));
        }
        for stamp in [&mut record.row, &mut record.tomb, &mut record.forgotten].into_iter().flatten() {
            *stamp = of(stamp).unwrap_or_else(|| stamp.clone());
        }
    }

    /// The new stamp of one that is to have one.
    fn stamp(&self, stamp: &Hlc) -> Option<Hlc> {
        self.stamps.get(&stamp.tick()).filter(|_| stamp.node == *self.old).cloned()
    }
}
