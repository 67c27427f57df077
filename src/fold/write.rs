//! The fold's end: what the records have become is written, in the order of their keys, many at once.

use std::rc::Rc;

use super::replay::{whole, Replay};
use super::{edits, order, Fold, Into, Slot, Suspicion, What, Write};
use crate::batch::Rows;
use crate::cells::Cells;
use crate::error::Result;
use crate::ffi::Value;
use crate::log;
use crate::pack::Nodes;
use crate::pass;
use crate::record::Record;
use crate::row;
use crate::schema::{Form, Table};
use crate::store::{RecordKey, Saves, Store, TOGETHER};
use crate::types::Type;
use crate::walk::Walk;

impl Fold<'_, '_> {
    /// Settles what is left: rows that a REPLACE removed, the records not yet written, the clock.
    pub(super) fn finish(mut self, end: i64) -> Result<Cells> {
        for (key, Suspicion { seq, stamp, noted }) in std::mem::take(&mut self.suspects) {
            let Some(table) = self.store.table(key.0) else { continue };
            let Some(form) = table.form_if_usable(self.store.conn)? else { continue };
            // An insert next may be a REPLACE of the row that was deleted and put back.
            let replaced = !noted && self.store.later.contains_key(&key);
            if !replaced && !is_there(self.store, form, &key)? {
                self.written.push((key, Write { stamp, what: What::Delete(seq) }));
            }
        }
        self.flush(true)?;
        self.store.folded = end;
        if self.into == Into::Database {
            if let Some((first, last)) = self.burials {
                log::empty_burials(self.store.conn, first, last)?;
            }
            self.store.conn.run("DELETE FROM main._crdt_grave WHERE seq <= ?1", &[end.into()])?;
            self.store.save_clock()?;
        }
        Ok(self.cells)
    }

    /// Writes the records met so far; `last` where the log tells no more of them.
    pub(super) fn flush(&mut self, last: bool) -> Result<()> {
        let mut out: Option<Out<'_>> = None;
        for (key, slot) in slots(std::mem::take(&mut self.written)) {
            if self.into == Into::Memory {
                to_memory(self.store, &mut self.cells, key, slot, last)?;
                continue;
            }
            if out.as_ref().is_none_or(|out| out.table.id != key.0) {
                if let Some(out) = &mut out {
                    out.write(self.store, &mut self.cells)?;
                }
                out = match self.store.table(key.0) {
                    Some(table) => Some(Out::new(self.store, table, last)?),
                    None => None,
                };
            }
            if let Some(out) = &mut out {
                out.add(self.store, &mut self.cells, key, slot)?;
            }
        }
        out.map_or(Ok(()), |mut out| out.write(self.store, &mut self.cells))
    }
}

/// By record, in the order of tables and keys.
fn slots(written: Vec<(RecordKey, Write)>) -> impl Iterator<Item = (RecordKey, Slot)> {
    let order = crate::key::places_in_order(written.iter().map(|((t, pk), _)| (*t, pk)));
    let mut written: Vec<_> = written.into_iter().map(Some).collect();
    let mut next = order.into_iter().filter_map(move |place| written.get_mut(place)?.take()).peekable();
    std::iter::from_fn(move || {
        let (key, first) = next.next()?;
        let mut more = Vec::new();
        while let Some((_, write)) = next.next_if(|(again, _)| *again == key) {
            more.push(write);
        }
        Some((key, Slot { first, more }))
    })
}

fn to_memory(store: &mut Store<'_>, cells: &mut Cells, key: RecordKey, slot: Slot, last: bool) -> Result<()> {
    let Some(table) = store.table(key.0) else { return Ok(()) };
    let mut now = store.load(&table, &key.1)?.unwrap_or_default();
    replay(store, (Into::Memory, last), &table, (&key, slot), &mut now, cells)?;
    store.overlay.insert(key, now);
    Ok(())
}

/// Does to a record what was written.
fn replay(
    store: &Store<'_>,
    (into, last): (Into, bool),
    table: &Table,
    (key, slot): (&RecordKey, Slot),
    now: &mut Record,
    cells: &mut Cells,
) -> Result<()> {
    if slot.more.is_empty() && matches!(slot.first.what, What::Whole) {
        whole(now, table, &slot.first.stamp);
        return Ok(());
    }
    let form = table.form(store.conn)?;
    let mut writes: Vec<Write> = slot.writes().collect();
    // A record waits because its row is not there, or, a deleted one, because it is.
    let there = || Ok(now.alive() != crate::pending::has(store, key.0, &key.1)?);
    order::deletes_first(&mut writes, || parts(store, form, key, last))?;
    order::inserts_first(&mut writes, there)?;
    let mut replay = Replay { store, into, table, form, key, cells };
    writes.into_iter().try_for_each(|write| replay.write(now, write))
}

/// Whether there is a row where the fold stands.
fn is_there(store: &Store<'_>, form: &Form, key: &RecordKey) -> Result<bool> {
    match store.later.get(key) {
        Some(inserted) => Ok(!inserted),
        None => row::exists(store.conn, form, &key.1),
    }
}

/// A row's counters and sets, where they are what the log ends with; None where there is no row.
fn parts(store: &Store<'_>, form: &Form, key: &RecordKey, last: bool) -> Result<Option<order::Values>> {
    let last = last && !store.later.contains_key(key);
    if !last || form.tracked.iter().all(|tracked| tracked.ty == Type::Lww) {
        return Ok(is_there(store, form, key)?.then(Vec::new));
    }
    let cells = row::read(store.conn, form, &key.1)?;
    let parts = |cells: Vec<Value>| {
        let all = form.tracked.iter().zip(cells);
        all.filter(|(tracked, _)| tracked.ty != Type::Lww).map(|(tracked, cell)| (tracked.field, cell)).collect()
    };
    Ok(cells.map(parts))
}

/// Records of one table on their way to the database.
struct Out<'c> {
    table: Rc<Table>,
    walk: Walk<'c>,
    /// Key, ts, c, node of rows that are new and as they were inserted.
    fresh: Rows,
    /// Records of which cells were updated.
    edits: Vec<(RecordKey, Slot)>,
    /// A walk through those of them that are not to be edited.
    behind: Walk<'c>,
    saves: Saves,
    /// The log tells no more of them.
    last: bool,
}

impl<'c> Out<'c> {
    fn new(store: &Store<'c>, table: Rc<Table>, last: bool) -> Result<Out<'c>> {
        let [walk, behind] = [Walk::new(store, table.id)?, Walk::new(store, table.id)?];
        Ok(Out { table, walk, fresh: Rows::new(4), edits: Vec::new(), behind, saves: Saves::default(), last })
    }

    fn add(&mut self, store: &Store<'_>, cells: &mut Cells, key: RecordKey, slot: Slot) -> Result<()> {
        if edits::may_edit(&self.table, &slot) {
            self.edits.push((key, slot));
            return if self.edits.len() < pass::TOGETHER { Ok(()) } else { self.write_edits(store, cells) };
        }
        let before = self.walk.load(store, &self.table, &key.1)?;
        if before.is_none() && slot.more.is_empty() && matches!(slot.first.what, What::Whole) {
            let stamp = &slot.first.stamp;
            let node = i64::from(store.nodes.number(&stamp.node)?);
            self.fresh.extend([key.1.as_ref(), stamp.ts.into(), i64::from(stamp.c).into(), node.into()]);
            return if self.fresh.len() < TOGETHER { Ok(()) } else { self.write_fresh(store) };
        }
        self.save(store, cells, (&key, slot), before)
    }

    fn save(
        &mut self,
        store: &Store<'_>,
        cells: &mut Cells,
        (key, slot): (&RecordKey, Slot),
        before: Option<Record>,
    ) -> Result<()> {
        let mut now = before.clone().unwrap_or_default();
        replay(store, (Into::Database, self.last), &self.table, (key, slot), &mut now, cells)?;
        self.saves.add(store, &self.table, &key.1, before.as_ref(), &now)
    }

    fn write_fresh(&mut self, store: &Store<'_>) -> Result<()> {
        let rows = Rc::new(std::mem::replace(&mut self.fresh, Rows::new(4)));
        store.add_fresh(&self.table, &rows)
    }

    fn write_edits(&mut self, store: &Store<'_>, cells: &mut Cells) -> Result<()> {
        let all = Rc::new(std::mem::take(&mut self.edits));
        for place in edits::write(store, &self.table, &all)? {
            let Some((key, slot)) = all.get(place) else { continue };
            let before = self.behind.load(store, &self.table, &key.1)?;
            self.save(store, cells, (key, slot.clone()), before)?;
        }
        Ok(())
    }

    fn write(&mut self, store: &Store<'_>, cells: &mut Cells) -> Result<()> {
        self.write_fresh(store)?;
        self.write_edits(store, cells)?;
        self.saves.write(store)
    }
}
