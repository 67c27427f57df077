//! A table's replicated state as one hash: equal on two nodes exactly when they have converged.
//!
//! Each record is hashed by itself and the hashes are added, so the order in which a node keeps them does not matter.

use sha2::{Digest, Sha256};

use crate::clock::{Hlc, Tick};
use crate::error::Result;
use crate::key::Pk;
use crate::outbound::with_values;
use crate::record::Record;
use crate::schema::{Kind, Table};
use crate::store::Store;
use crate::value;

/// 64 hex digits over the live records of `table`, with `full` over deleted ones and epitaphs too.
pub fn digest(store: &Store<'_>, table: &Table, full: bool) -> Result<String> {
    let (mut sum, mut count) = ([0u8; 32], 0u64);
    each(store, table, |pk, record| {
        if full || record.alive() {
            add(&mut sum, &hash(table, pk, record));
            count += 1;
        }
        Ok(())
    })?;
    let mut hash = Sha256::new();
    hash.update(count.to_le_bytes());
    hash.update(sum);
    Ok(hex::encode(hash.finalize()))
}

/// Calls `f` for every record of a table, its values filled in.
pub fn each(store: &Store<'_>, table: &Table, mut f: impl FnMut(&Pk, &Record) -> Result<()>) -> Result<()> {
    let mut after = None;
    loop {
        let keys = keys_after(store, table, after.as_ref(), 1000)?;
        let Some(last) = keys.last() else { return Ok(()) };
        for pk in &keys {
            if let Some(record) = with_values(store, table, pk)? {
                f(pk, &record)?;
            }
        }
        after = Some(last.clone());
    }
}

/// The next keys in order, stored ones and those that only the fold in memory has.
pub fn keys_after(store: &Store<'_>, table: &Table, after: Option<&Pk>, limit: usize) -> Result<Vec<Pk>> {
    let mut keys = Vec::new();
    // SQLite orders text by its encoding, we by UTF-8: where they differ, all keys are read.
    let utf8 = store.conn.is_utf8()?;
    let page = i64::try_from(limit).ok().filter(|_| utf8).unwrap_or(-1);
    let mut rows = store.conn.stmt(match after.filter(|_| utf8) {
        None => "SELECT pk FROM main._crdt_clock WHERE t = ?1 ORDER BY pk LIMIT ?2",
        Some(_) => "SELECT pk FROM main._crdt_clock WHERE t = ?1 AND pk > ?3 ORDER BY pk LIMIT ?2",
    })?;
    let mut values = vec![table.id.into(), page.into()];
    values.extend(after.filter(|_| utf8).map(Pk::as_ref));
    rows.bind_all(&values)?;
    while rows.step()? {
        keys.push(Pk::from_stored(rows.column(0))?);
    }
    keys.retain(|pk| after < Some(pk));
    let from = (table.id, after.cloned().unwrap_or(Pk::Int(i64::MIN)));
    let in_memory = store.overlay.range(from..).take_while(|((t, _), _)| *t == table.id).map(|((_, pk), _)| pk);
    keys.extend(in_memory.filter(|pk| after != Some(*pk)).take(limit).cloned());
    keys.sort_unstable();
    keys.dedup();
    keys.truncate(limit);
    Ok(keys)
}

fn add(sum: &mut [u8; 32], more: &[u8]) {
    let mut carry = 0u16;
    for (byte, more) in sum.iter_mut().zip(more) {
        let total = u16::from(*byte) + u16::from(*more) + carry;
        *byte = (total & 0xff) as u8;
        carry = total >> 8;
    }
}

/// Feeds parts into a hash so that no two sequences of parts look alike.
struct Feed(Sha256);

impl Feed {
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    fn tick(&mut self, tick: Option<Tick>) {
        let Tick { ts, c } = tick.unwrap_or_default();
        self.0.update([u8::from(tick.is_some())]);
        self.0.update(ts.to_le_bytes());
        self.0.update(c.to_le_bytes());
    }

    fn stamp(&mut self, hlc: Option<&Hlc>) {
        self.tick(hlc.map(Hlc::tick));
        self.bytes(hlc.map_or("", |hlc| &hlc.node).as_bytes());
    }
}

fn hash(table: &Table, pk: &Pk, record: &Record) -> Vec<u8> {
    let mut feed = Feed(Sha256::new());
    feed.bytes(pk.wire().as_bytes());
    feed.stamp(record.tomb.as_ref());
    feed.stamp(record.visible_row());
    // Numbers of fields differ between nodes: their names go in, in order.
    let mut fields: Vec<_> = table.fields.iter().filter(|f| f.kind != Kind::None).collect();
    // In one case, as nodes may spell a column differently.
    let lower = |field: &crate::schema::Field| field.name.to_ascii_lowercase();
    fields.sort_by_cached_key(|field| (lower(field), field.kind.name().to_owned()));
    for field in fields {
        let name = |feed: &mut Feed| {
            feed.bytes(lower(field).as_bytes());
            feed.bytes(field.kind.name().as_bytes());
        };
        if let Some(lww) = record.lww.get(&field.id) {
            name(&mut feed);
            feed.stamp(Some(&lww.hlc));
            feed.bytes(&[u8::from(lww.altered)]);
            feed.bytes(value::spelled(lww.saved.as_deref().unwrap_or_default()).as_bytes());
        }
        for ((node, operation), part) in record.counters.get(&field.id).into_iter().flatten() {
            name(&mut feed);
            feed.bytes(node.as_bytes());
            feed.bytes(operation.as_bytes());
            feed.bytes(&part.inc.to_le_bytes());
            feed.bytes(&part.dec.to_le_bytes());
            feed.stamp(Some(&part.hlc));
            feed.stamp(part.born.as_ref());
        }
        for ((element, node), mark) in record.sets.get(&field.id).into_iter().flatten() {
            name(&mut feed);
            feed.bytes(element.as_bytes());
            feed.bytes(node.as_bytes());
            feed.tick(mark.add);
            feed.stamp(mark.gone.as_ref());
            feed.tick(mark.op);
        }
        for (hlc, json) in record.kept.get(&field.id).into_iter().flatten() {
            name(&mut feed);
            feed.stamp(Some(hlc));
            feed.bytes(json.as_bytes());
        }
    }
    feed.0.finalize().to_vec()
}
