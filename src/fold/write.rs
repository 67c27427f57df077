//! The fold's end: what the records have become is written, in the order of their keys, many at once.

use std::rc::Rc;

use super::replay::{whole, Replay};
use super::{Fold, Into, Slot, Suspicion, What, Write};
use crate::batch::Rows;
use crate::cells::Cells;
use crate::error::Result;
use crate::pack::Nodes;
use crate::record::Record;
use crate::schema::Table;
use crate::store::{RecordKey, Saves, Store, TOGETHER};
use crate::walk::Walk;

impl Fold<'_, '_> {
    /// Settles what is left: rows that a REPLACE removed, the records not yet written, the clock.
    pub(super) fn finish(mut self, end: i64) -> Result<Cells> {
        for (key, Suspicion { seq, stamp, .. }) in std::mem::take(&mut self.suspects) {
            let Some(table) = self.store.table(key.0) else { continue };
            let Some(form) = table.form_if_usable(self.store.conn)? else { continue };
            if !crate::row::exists(self.store.conn, form, &key.1)? {
                self.add(key, Write { stamp, what: What::Delete(seq) });
            }
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
        self.gathered = 0;
        let mut out: Option<Out<'_>> = None;
        for (key, slot) in sorted(self.slots.drain().collect()) {
            if self.into == Into::Memory {
                to_memory(self.store, &mut self.cells, key, slot)?;
                continue;
            }
            if out.as_ref().is_none_or(|out| out.table.id != key.0) {
                if let Some(out) = &mut out {
                    out.write(self.store)?;
                }
                out = match self.store.table(key.0) {
                    Some(table) => Some(Out::new(self.store, table)?),
                    None => None,
                };
            }
            if let Some(out) = &mut out {
                out.add(self.store, &mut self.cells, &key, slot)?;
            }
        }
        out.map_or(Ok(()), |mut out| out.write(self.store))
    }
}

/// In the order of tables and keys.
fn sorted(slots: Vec<(RecordKey, Slot)>) -> impl Iterator<Item = (RecordKey, Slot)> {
    let order = crate::key::places_in_order(slots.iter().map(|((t, pk), _)| (*t, pk)));
    let mut slots: Vec<_> = slots.into_iter().map(Some).collect();
    order.into_iter().filter_map(move |place| slots.get_mut(place)?.take())
}

fn to_memory(store: &mut Store<'_>, cells: &mut Cells, key: RecordKey, slot: Slot) -> Result<()> {
    let Some(table) = store.table(key.0) else { return Ok(()) };
    let mut now = store.load(&table, &key.1)?.unwrap_or_default();
    replay(store, Into::Memory, &table, (&key, slot), &mut now, cells)?;
    store.overlay.insert(key, now);
    Ok(())
}

/// Does to a record what was written.
fn replay(
    store: &Store<'_>,
    into: Into,
    table: &Table,
    (key, slot): (&RecordKey, Slot),
    now: &mut Record,
    cells: &mut Cells,
) -> Result<()> {
    match slot {
        Slot::Fresh(stamp) => whole(now, table, &stamp),
        Slot::Writes(writes) => {
            let form = table.form(store.conn)?;
            let mut replay = Replay { store, into, table, form, key, cells };
            writes.into_iter().try_for_each(|write| replay.write(now, write))?;
        }
    }
    Ok(())
}

/// Records of one table on their way to the database.
struct Out<'c> {
    table: Rc<Table>,
    walk: Walk<'c>,
    /// Key, ts, c, node of rows that are new and as they were inserted.
    fresh: Rows,
    saves: Saves,
}

impl<'c> Out<'c> {
    fn new(store: &Store<'c>, table: Rc<Table>) -> Result<Out<'c>> {
        let walk = Walk::new(store, table.id)?;
        Ok(Out { table, walk, fresh: Rows::new(4), saves: Saves::default() })
    }

    fn add(&mut self, store: &Store<'_>, cells: &mut Cells, key: &RecordKey, slot: Slot) -> Result<()> {
        let pk = &key.1;
        let before = self.walk.load(store, &self.table, pk)?;
        if let (None, Slot::Fresh(stamp)) = (&before, &slot) {
            let node = i64::from(store.nodes.number(&stamp.node)?);
            self.fresh.extend([pk.as_ref(), stamp.ts.into(), i64::from(stamp.c).into(), node.into()]);
            return if self.fresh.len() < TOGETHER { Ok(()) } else { self.write_fresh(store) };
        }
        let mut now = before.clone().unwrap_or_default();
        replay(store, Into::Database, &self.table, (key, slot), &mut now, cells)?;
        self.saves.add(store, &self.table, pk, before.as_ref(), &now)
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
