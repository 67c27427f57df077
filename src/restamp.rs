//! After a fork: this database's own changes that lie in the future are stamped anew, by the new node, now.

use std::rc::Rc;

use crate::clock::{Hlc, Tick};
use crate::error::Result;
use crate::key::Pk;
use crate::record::Record;
use crate::store::Store;

/// Stamps anew what `old` wrote beyond what the wall clock allows. Others keep such changes aside; ours need not wait.
pub fn future(store: &mut Store<'_>, old: &Rc<str>) -> Result<()> {
    let limit = store.wall.saturating_add(store.max_drift);
    if store.clock.ts <= limit {
        return Ok(());
    }
    let mut latest = Tick::default();
    let mut late = Vec::new();
    for (t, pk) in all_records(store)? {
        let Some(table) = store.table(t) else { continue };
        let Some(record) = store.load(&table, &pk)? else { continue };
        match record.last_stamp() {
            Some(stamp) if stamp.ts > limit && is_own(&record, old, limit) => late.push((table, pk, record)),
            Some(stamp) => latest = latest.max(stamp.tick()),
            None => {}
        }
    }
    store.clock = latest;
    for (table, pk, before) in late {
        let mut now = before.clone();
        let (first, second) = (store.stamp(store.wall), store.stamp(store.wall));
        // The delete and the writes keep their order.
        let (write, delete) = if before.alive() { (second, first) } else { (first, second) };
        restamp(&mut now, old, limit, &write, &delete);
        store.save(&table, &pk, Some(&before), &now)?;
        crate::log::append_relay(store.conn, table.id, &pk, None, store.wall)?;
    }
    store.folded = store.last_seq()?;
    store.save_clock()
}

fn all_records(store: &Store<'_>) -> Result<Vec<(i64, Pk)>> {
    let mut rows = store.conn.stmt("SELECT t, pk FROM main._crdt_clock")?;
    let mut all = Vec::new();
    while rows.step()? {
        all.push((rows.i64(0).unwrap_or(0), Pk::from_stored(rows.column(1))?));
    }
    Ok(all)
}

fn beyond(hlc: &Hlc, old: &Rc<str>, limit: i64) -> bool {
    hlc.node == *old && hlc.ts > limit
}

/// Whether every stamp of the record beyond the limit is the old node's own.
fn is_own(record: &Record, old: &Rc<str>, limit: i64) -> bool {
    record.last_stamp().is_some_and(|stamp| beyond(&stamp, old, limit))
}

fn restamp(record: &mut Record, old: &Rc<str>, limit: i64, write: &Hlc, delete: &Hlc) {
    for lww in record.lww.values_mut().filter(|lww| beyond(&lww.hlc, old, limit)) {
        lww.prev = None;
        lww.past = None;
        lww.hlc = write.clone();
    }
    for (stamp, new) in [(&mut record.row, write), (&mut record.tomb, delete)] {
        if stamp.as_ref().is_some_and(|stamp| beyond(stamp, old, limit)) {
            *stamp = Some(new.clone());
        }
    }
    // Totals and tags stay their author's; only the time is put right.
    for part in record.counters.values_mut().flat_map(|parts| parts.values_mut()) {
        if beyond(&part.hlc, old, limit) {
            part.hlc = write.tick().by(old);
        }
    }
    for ((_, node), mark) in record.sets.values_mut().flat_map(|marks| marks.iter_mut()) {
        if let Some(gone) = mark.gone.as_mut().filter(|gone| beyond(gone, old, limit)) {
            *gone = write.tick().by(old);
        }
        let own = [&mut mark.add, &mut mark.op].into_iter().filter(|_| node == old).flatten();
        for tick in own.filter(|tick| tick.ts > limit) {
            *tick = write.tick();
        }
    }
}
