//! Forgetting: deleted records older than the tombstone TTL keep their key and tombstone stamp, an epitaph, and nothing else.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::key::Pk;
use crate::log::{Event, Reader};
use crate::record::Record;
use crate::schema::Table;
use crate::store::Store;
use crate::{peers, pending, pragma, prune};

/// Forgets what may be forgotten, of one table or all; with `epitaphs` drops old epitaphs instead. The number of records.
///
/// A record stays while a peer that was seen within the TTL has not come past its delete, and while its delete waits; an epitaph also while
/// a peer that this database goes to has not confirmed it. The log is pruned as well.
pub fn run(store: &mut Store<'_>, table: Option<&str>, epitaphs: bool) -> Result<i64> {
    let ttl = pragma::number(store.conn, "tombstone_ttl")?;
    let limit = store.wall.saturating_sub(ttl);
    let tables = match table {
        Some(name) => vec![std::rc::Rc::clone(store.catalog.enabled(name)?)],
        None => store.catalog.tables().iter().filter(|t| t.enabled).cloned().collect(),
    };
    let passed = peers::passed(store)?;
    peers::forget_gone(store, ttl)?;
    crate::filter::registry::forget_unused(store.conn, limit)?;
    let mut count = 0;
    for table in tables {
        let dead = dead(store, &table)?;
        if dead.is_empty() {
            continue;
        }
        let confirmed = if epitaphs { peers::confirmed(store, &table.name)? } else { i64::MAX };
        let unseen = logged_after(store, &table, passed.of(table.id).min(confirmed))?;
        let mut dropped = BTreeSet::new();
        for pk in dead {
            let Some(before) = store.load(&table, &pk)? else { continue };
            let old = before.tomb.as_ref().is_some_and(|tomb| tomb.ts <= limit);
            if !old || before.alive() || before.epitaph != epitaphs || unseen.contains(&pk) {
                continue;
            }
            // Its row still stands: what is written there next goes on from what the record holds.
            if pending::has(store, table.id, &pk)? {
                continue;
            }
            count += 1;
            if epitaphs {
                drop_epitaph(store, &table, &pk, &before)?;
                dropped.insert(pk);
            } else {
                let mut now = before.clone();
                now.forget();
                store.save(&table, &pk, Some(&before), &now)?;
            }
        }
        drop_entries(store, &table, &dropped)?;
    }
    prune::all(store)?;
    Ok(count)
}

fn dead(store: &Store<'_>, table: &Table) -> Result<Vec<Pk>> {
    let mut rows = store.conn.stmt("SELECT pk FROM main._crdt_clock WHERE t = ?1 AND dead")?;
    rows.bind(1, table.id)?;
    let mut all = Vec::new();
    while rows.step()? {
        all.push(Pk::from_stored(rows.column(0))?);
    }
    Ok(all)
}

/// The records of a table that the log names after a place.
fn logged_after(store: &Store<'_>, table: &Table, place: i64) -> Result<BTreeSet<Pk>> {
    let mut keys = BTreeSet::new();
    let Some(form) = table.form_if_usable(store.conn)? else { return Ok(keys) };
    let mut rows = Reader::new(store.conn, place, store.last_seq()?)?;
    while rows.step()? {
        if rows.table() == table.id {
            keys.insert(entry_key(&rows, form)?);
        }
    }
    Ok(keys)
}

fn entry_key(row: &Reader<'_>, form: &crate::schema::Form) -> Result<Pk> {
    match row.event() {
        Event::Relay => row.stored_key(),
        _ => Ok(row.key(&form.shape.classes)),
    }
}

fn drop_epitaph(store: &Store<'_>, table: &Table, pk: &Pk, record: &Record) -> Result<()> {
    store.conn.run("DELETE FROM main._crdt_clock WHERE t = ?1 AND pk = ?2", &[table.id.into(), pk.as_ref()])?;
    let until = record.tomb.as_ref().map_or(0, |tomb| tomb.ts);
    store.any_dropped.set(Some(true));
    store.conn.run(
        "INSERT INTO main._crdt_horizon(one, until) VALUES (1, ?1) ON CONFLICT(one) DO UPDATE SET until = max(until, excluded.until)",
        &[until.into()],
    )?;
    Ok(())
}

/// Takes dropped epitaphs out of the log. Who has not come past them will never learn of these deletes: its cursor starts over.
fn drop_entries(store: &Store<'_>, table: &Table, dropped: &BTreeSet<Pk>) -> Result<()> {
    let Some(form) = table.form_if_usable(store.conn)? else { return Ok(()) };
    if dropped.is_empty() {
        return Ok(());
    }
    let end = store.last_seq()?;
    let (mut gone, mut resync) = (Vec::new(), 0);
    let mut rows = Reader::new(store.conn, 0, end)?;
    while rows.step()? {
        if rows.table() == table.id && dropped.contains(&entry_key(&rows, form)?) {
            gone.push(rows.seq());
            resync = rows.seq();
        }
    }
    drop(rows);
    for seq in gone.into_iter().filter(|seq| *seq < end) {
        store.conn.run("DELETE FROM main._crdt_log WHERE seq = ?1", &[seq.into()])?;
    }
    store.conn.run(
        "INSERT INTO main._crdt_horizon(one, resync) VALUES (1, ?1) ON CONFLICT(one) DO UPDATE SET resync = max(resync, excluded.resync)",
        &[resync.into()],
    )?;
    Ok(())
}

/// The latest stamp of a dropped epitaph, nanoseconds; 0 when none was dropped. What is stamped up to it may have been known here.
pub fn dropped_until(store: &Store<'_>) -> Result<i64> {
    prune::horizon(store.conn, "until")
}
