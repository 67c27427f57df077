//! The fold's end: what the records have become is written, in the order of their keys, many at once.

use std::rc::Rc;

use super::{Fold, Into, Slot, Suspicion};
use crate::batch::Rows;
use crate::cells::Cells;
use crate::clock::{Hlc, BASE_NODE};
use crate::error::Result;
use crate::gap::Gaps;
use crate::key::Pk;
use crate::local;
use crate::pack::Nodes;
use crate::record::Record;
use crate::schema::Table;
use crate::store::{RecordKey, Saves, Store, TOGETHER};

impl Fold<'_, '_> {
    /// Settles what is left: rows that a REPLACE removed, the records not yet written, the clock.
    pub(super) fn finish(mut self, end: i64) -> Result<Cells> {
        for (key, Suspicion { seq, stamp, .. }) in std::mem::take(&mut self.suspects) {
            let Some(table) = self.store.table(key.0) else { continue };
            let Some(form) = table.form_if_usable(self.store.conn)? else { continue };
            if crate::row::exists(self.store.conn, form, &key.1)? {
                continue;
            }
            self.delete(&table, form, &key, seq, &stamp)?;
        }
        self.flush()?;
        self.store.folded = end;
        if self.into == Into::Database {
            self.store.conn.run("DELETE FROM main._crdt_grave WHERE seq <= ?1", &[end.into()])?;
            self.store.save_clock()?;
        }
        Ok(self.cells)
    }

    /// Writes the records met so far.
    pub(super) fn flush(&mut self) -> Result<()> {
        self.deleted.clear();
        let slots: Vec<(RecordKey, Slot)> = self.slots.drain().collect();
        if self.into == Into::Memory {
            return to_memory(self.store, slots);
        }
        let mut order: Vec<_> = slots.iter().map(|((t, pk), _)| (*t, pk.number())).zip(0..).collect();
        let key = |place: usize| slots.get(place).map(|((_, pk), _)| pk);
        order.sort_unstable_by(|(a, i), (b, k)| a.cmp(b).then_with(|| key(*i).cmp(&key(*k))));
        let mut slots: Vec<_> = slots.into_iter().map(Some).collect();
        let mut out: Option<Out<'_>> = None;
        for (_, place) in order {
            let Some(((t, pk), slot)) = slots.get_mut(place).and_then(Option::take) else { continue };
            if out.as_ref().is_none_or(|out| out.table.id != t) {
                if let Some(out) = &mut out {
                    out.write(self.store)?;
                }
                out = match self.store.table(t) {
                    Some(table) => Some(Out::new(self.store, table)?),
                    None => None,
                };
            }
            if let Some(out) = &mut out {
                out.add(self.store, pk, slot)?;
            }
        }
        out.map_or(Ok(()), |mut out| out.write(self.store))
    }
}

fn to_memory(store: &mut Store<'_>, slots: Vec<(RecordKey, Slot)>) -> Result<()> {
    for (key, slot) in slots {
        let Some(table) = store.table(key.0) else { continue };
        let (_, now) = settled(store, &table, &key.1, slot)?;
        store.overlay.insert(key, now);
    }
    Ok(())
}

/// Records of one table on their way to the database.
struct Out<'c> {
    table: Rc<Table>,
    gaps: Gaps<'c>,
    /// Key, ts, c, node of rows that are new and as they were inserted.
    fresh: Rows,
    saves: Saves,
}

impl<'c> Out<'c> {
    fn new(store: &Store<'c>, table: Rc<Table>) -> Result<Out<'c>> {
        let gaps = Gaps::new(store, table.id)?;
        Ok(Out { table, gaps, fresh: Rows::new(4), saves: Saves::default() })
    }

    fn add(&mut self, store: &Store<'_>, pk: Pk, slot: Slot) -> Result<()> {
        match slot {
            Slot::Fresh(stamp) if self.gaps.is_absent(&pk)? => {
                let node = i64::from(store.nodes.number(&stamp.node)?);
                self.fresh.extend([pk.as_ref(), stamp.ts.into(), i64::from(stamp.c).into(), node.into()]);
                if self.fresh.len() >= TOGETHER {
                    self.write_fresh(store)?;
                }
                Ok(())
            }
            slot => {
                let (before, now) = settled(store, &self.table, &pk, slot)?;
                self.saves.add(store, &self.table, &pk, before.as_ref(), &now)
            }
        }
    }

    fn write_fresh(&mut self, store: &Store<'_>) -> Result<()> {
        let rows = Rc::new(std::mem::replace(&mut self.fresh, Rows::new(4)));
        store.add_fresh(&self.table, &rows)
    }

    fn write(&mut self, store: &Store<'_>) -> Result<()> {
        self.write_fresh(store)?;
        self.saves.write(store)
    }
}

/// What a record was, and what it has become.
fn settled(store: &Store<'_>, table: &Table, pk: &Pk, slot: Slot) -> Result<(Option<Record>, Record)> {
    match slot {
        Slot::Loaded(loaded) => Ok((loaded.before, loaded.now)),
        Slot::Fresh(stamp) => {
            let before = store.load(table, pk)?;
            let mut now = before.clone().unwrap_or_default();
            fresh_row(&mut now, table, &stamp);
            Ok((before, now))
        }
    }
}

/// A row without counters and sets, new or from before `crdt_enable`.
pub(super) fn fresh_row(record: &mut Record, table: &Table, stamp: &Hlc) {
    if &*stamp.node == BASE_NODE {
        local::backfill(record, table.covered(), stamp);
    } else {
        local::insert(record, table.covered(), stamp);
    }
}
