//! The stored state: this node's clock, the node ids, the records. One `Store` lives for one call.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::batch::Rows;
use crate::clock::{Hlc, Tick, MILLISECOND};
use crate::conn::Conn;
use crate::error::{Error, Result};
use crate::ffi::ValueRef;
use crate::fold::unfolded::Unfolded;
use crate::key::Pk;
use crate::nodes::NodeTable;
use crate::overwrite;
use crate::pack::{self, Nodes, Packed};
use crate::places;
use crate::record::{FieldId, Record};
use crate::schema::{Catalog, Kind, Table};
use crate::types::Type;

/// A record's name: table number and key.
pub type RecordKey = (i64, Pk);

/// Records that are written by one statement.
pub const TOGETHER: usize = 1_000;

/// The state of one database during one call.
pub struct Store<'a> {
    /// The connection.
    pub conn: &'a Conn,
    /// The enabled tables.
    pub catalog: Rc<Catalog>,
    /// This node.
    pub me: Rc<str>,
    /// This node's clock: no stamp at or below it will be issued again.
    pub clock: Tick,
    /// The last log row that the clock has stamped.
    pub folded: i64,
    /// Wall time, nanoseconds.
    pub wall: i64,
    /// How far ahead of the wall clock a stamp may lie, nanoseconds.
    pub max_drift: i64,
    /// A log row written later than this, nanoseconds, was written at a time that the wall clock has since come back from. By the
    /// clock too: what was told of such a row is what the fold makes of it, whatever the wall clock is by then.
    pub credible: i64,
    /// Node ids.
    pub nodes: NodeTable<'a>,
    /// Whether any record is pending.
    pub any_pending: Cell<bool>,
    /// Whether records were dropped here because they left a peer's filter; None until asked.
    pub any_left: Cell<Option<bool>>,
    /// Whether epitaphs were ever dropped here; None while it is not known.
    pub any_dropped: Cell<Option<bool>>,
    /// Whether this call may write: what it finds out is kept.
    pub may_write: Cell<bool>,
    /// Tables as they were where the log is being folded, if they were others.
    pub then: Vec<Rc<Table>>,
    /// The records that the log tells of behind the part that is being folded, and whether they were inserted next.
    pub later: BTreeMap<RecordKey, bool>,
    /// The clock where each table's rows are to be compared from, by table, where the fold went past it.
    pub compared_from: BTreeMap<i64, Tick>,
    /// Records as they would be if the log's tail had been folded, where it could not be.
    pub overlay: BTreeMap<RecordKey, Record>,
    /// Updates that are not folded, where they are told as they are.
    pub unfolded: Rc<Unfolded>,
}

/// Wall time in nanoseconds, from the VFS, as the triggers see it.
pub fn wall(conn: &Conn) -> Result<i64> {
    let day = conn.first("SELECT julianday('now')", &[], |row| match row.column(0) {
        ValueRef::Real(day) => day,
        _ => 0.0,
    })?;
    Ok(nanoseconds(day.unwrap_or(0.0)))
}

/// A Julian day as nanoseconds since 1970, rounded to the milliseconds that it was made from.
pub fn nanoseconds(julian_day: f64) -> i64 {
    let ms = ((julian_day - 2_440_587.5) * 86_400_000.0).round();
    if ms.is_finite() && ms > 0.0 {
        (ms as i64).saturating_mul(MILLISECOND)
    } else {
        0
    }
}

/// The inverse of [`nanoseconds`].
pub fn julian_day(ns: i64) -> f64 {
    (ns / MILLISECOND) as f64 / 86_400_000.0 + 2_440_587.5
}

/// The clock after one more stamp, at wall time `at`.
pub fn stamped(clock: Tick, at: i64, limit: i64) -> Tick {
    clock.advance(if at > limit { 0 } else { at })
}

impl<'a> Store<'a> {
    /// The state as it is now; None in a database without our tables.
    pub fn open(conn: &'a Conn) -> Result<Option<Store<'a>>> {
        drop(conn.tail.take());
        let Some(catalog) = Catalog::current(conn)? else { return Ok(None) };
        let row = conn.first("SELECT self, ts, c, folded FROM main._crdt_state", &[], |row| {
            Some((row.i64(0)?, row.i64(1)?, u32::try_from(row.i64(2)?).ok()?, row.i64(3)?))
        })?;
        let (me, ts, c, folded) = row.flatten().ok_or_else(|| Error::data("_crdt_state holds no row of ours"))?;
        let nodes = NodeTable::new(conn);
        let me = nodes.node(u32::try_from(me).map_err(|_| Error::data("_crdt_state names no node"))?)?;
        let (wall, max_drift) = (wall(conn)?, crate::pragma::number(conn, "max_drift")?);
        Ok(Some(Store {
            conn,
            catalog,
            me,
            clock: Tick { ts, c },
            folded,
            wall,
            max_drift,
            credible: wall.max(ts).max(conn.issued.get().ts).saturating_add(max_drift),
            nodes,
            any_pending: Cell::new(conn.int("SELECT 1 FROM main._crdt_pending LIMIT 1", &[])?.is_some()),
            any_left: Cell::new(None),
            any_dropped: Cell::new(None),
            may_write: Cell::new(false),
            then: Vec::new(),
            later: BTreeMap::new(),
            compared_from: BTreeMap::new(),
            overlay: BTreeMap::new(),
            unfolded: Rc::default(),
        }))
    }

    /// A new stamp of this node at wall time `at`.
    pub fn stamp(&mut self, at: i64) -> Hlc {
        self.clock = stamped(self.clock, at, self.credible);
        self.clock.by(&self.me)
    }

    /// The latest time that a stamp may have.
    pub fn limit(&self) -> i64 {
        self.wall.saturating_add(self.max_drift)
    }

    /// Writes the clock and the fold's mark.
    pub fn save_clock(&self) -> Result<()> {
        let (ts, c, folded) = (self.clock.ts.into(), i64::from(self.clock.c).into(), self.folded.into());
        match places::sparser(self.conn, self.folded)? {
            None => {
                let sql = "UPDATE main._crdt_state SET ts = ?1, c = ?2, folded = ?3, places =
                           CASE WHEN folded = ?3 OR ?3 = 0 OR substr(',' || places, -length(?3) - 1) = ',' || ?3 THEN places
                                ELSE coalesce(places || ',', '') || ?3 END";
                self.conn.run(sql, &[ts, c, folded]).map(drop)
            }
            Some(places) => {
                let sql = "UPDATE main._crdt_state SET ts = ?1, c = ?2, folded = ?3, places = ?4";
                self.conn.run(sql, &[ts, c, folded, places.as_str().into()]).map(drop)
            }
        }
    }

    /// The table of that number.
    pub fn table(&self, id: i64) -> Option<Rc<Table>> {
        self.then.iter().find(|table| table.id == id).or_else(|| self.catalog.by_id(id)).cloned()
    }

    /// The state of a record; None when nothing is known of it.
    pub fn load(&self, table: &Table, pk: &Pk) -> Result<Option<Record>> {
        if !self.overlay.is_empty() {
            if let Some(record) = self.overlay.get(&(table.id, pk.clone())) {
                return Ok(Some(record.clone()));
            }
        }
        let stored = self.load_stored(table, pk)?;
        let updates = self.unfolded.of(table.id, pk);
        if updates.is_empty() {
            return Ok(stored);
        }
        let mut record = stored.unwrap_or_default();
        updates.update(&mut record);
        Ok(Some(record))
    }

    fn load_stored(&self, table: &Table, pk: &Pk) -> Result<Option<Record>> {
        let key = [table.id.into(), pk.as_ref()];
        let mut row = self.conn.stmt("SELECT g, ts, c, n, x FROM main._crdt_clock WHERE t = ?1 AND pk = ?2")?;
        row.bind_all(&key)?;
        if !row.step()? {
            return Ok(None);
        }
        let mut record = self.unpack(table, row.i64(0), [row.i64(1), row.i64(2), row.i64(3)], row.bytes(4))?;
        drop(row);
        self.complete(table, pk, &mut record)?;
        Ok(Some(record))
    }

    /// Reads the parts that a record has in rows of their own.
    pub fn complete(&self, table: &Table, pk: &Pk, record: &mut Record) -> Result<()> {
        if record.apart {
            self.load_parts(table, pk, record)?;
        }
        Ok(())
    }

    /// A base stamp as stored.
    pub fn base(&self, stored: [Option<i64>; 3]) -> Result<Option<Hlc>> {
        let damaged = || Error::data("a row of _crdt_clock is none of ours");
        let [Some(ts), Some(c), Some(n)] = stored else { return Ok(None) };
        let c = u32::try_from(c).map_err(|_| damaged())?;
        Ok(Some(Hlc { ts, c, node: self.nodes.node(u32::try_from(n).map_err(|_| damaged())?)? }))
    }

    /// Reads a row of the clock table: generation, base stamp, exceptions.
    pub fn unpack(&self, table: &Table, gen: Option<i64>, base: [Option<i64>; 3], x: Option<&[u8]>) -> Result<Record> {
        let damaged = || Error::data("a row of _crdt_clock is none of ours");
        let base = self.base(base)?;
        let x = x.unwrap_or_default();
        let gen = u32::try_from(gen.unwrap_or(0)).map_err(|_| damaged())?;
        let mut record = if gen == table.gen {
            pack::unpack(base, x, table.covered(), &self.nodes)?
        } else {
            pack::unpack(base, x, &table.covered_in(gen), &self.nodes)?
        };
        if let Some(ended) = table.ended() {
            record.let_go(ended);
        }
        Ok(record)
    }

    fn load_parts(&self, table: &Table, pk: &Pk, record: &mut Record) -> Result<()> {
        let mut rows = self.conn.stmt("SELECT f, e, n, s FROM main._crdt_parts WHERE t = ?1 AND pk = ?2")?;
        rows.bind_all(&[table.id.into(), pk.as_ref()])?;
        while rows.step()? {
            let damaged = || Error::data("a row of _crdt_parts is none of ours");
            let small = |i| rows.i64(i).and_then(|v| u32::try_from(v).ok()).ok_or_else(damaged);
            let (field, e, node) = (small(0)?, rows.text(1).ok_or_else(damaged)?, self.nodes.node(small(2)?)?);
            let bytes = rows.bytes(3).ok_or_else(damaged)?;
            match table.field(field).map(|f| &f.kind) {
                Some(Kind::Known(Type::Counter)) => {
                    let part = pack::unpack_part(bytes, &node, &self.nodes)?;
                    record.counters.entry(field).or_default().insert((node, e.to_owned()), part);
                }
                Some(Kind::Known(Type::Set)) => {
                    let mark = pack::unpack_mark(bytes, &node, &self.nodes)?;
                    record.sets.entry(field).or_default().insert((e.to_owned(), node), mark);
                }
                Some(Kind::Foreign(_)) => {
                    let (ts, c) = e.split_once(':').ok_or_else(damaged)?;
                    let hlc =
                        Hlc { ts: ts.parse().map_err(|_| damaged())?, c: c.parse().map_err(|_| damaged())?, node };
                    let json = std::str::from_utf8(bytes).map_err(|_| damaged())?;
                    record.kept.entry(field).or_default().insert(hlc, json.to_owned());
                }
                _ => return Err(damaged()),
            }
        }
        Ok(())
    }

    /// Writes the state of a record; `before` is what is stored now.
    pub fn save(&self, table: &Table, pk: &Pk, before: Option<&Record>, now: &Record) -> Result<()> {
        let mut saves = Saves::default();
        saves.add(self, table, pk, before, now)?;
        saves.write(self)
    }

    /// Writes the states of rows never seen before, as they were inserted: key, ts, c, node of each.
    pub fn add_fresh(&self, table: &Table, rows: &Rc<Rows>) -> Result<()> {
        let sql =
            "INSERT OR FAIL INTO main._crdt_clock(t, pk, g, ts, c, n) SELECT ?1, c0, ?2, c1, c2, c3 FROM main._crdt_batch";
        let count = self.conn.run_batch(sql, &[table.id.into(), i64::from(table.gen).into()], rows)?;
        self.conn.fresh.set(self.conn.fresh.get().saturating_add(count));
        Ok(())
    }

    fn save_parts(&self, table: &Table, pk: &Pk, before: Option<&Record>, now: &Record) -> Result<()> {
        let mut before = before;
        if now.epitaph || before.is_some_and(|before| before.forgotten != now.forgotten) {
            self.conn.run("DELETE FROM main._crdt_parts WHERE t = ?1 AND pk = ?2", &[table.id.into(), pk.as_ref()])?;
            before = None;
        }
        for (field, parts) in &now.counters {
            let old = before.and_then(|b| b.counters.get(field));
            for (key, part) in parts.iter().filter(|(key, part)| old.and_then(|o| o.get(*key)) != Some(part)) {
                let bytes = pack::pack_part(part, &self.nodes)?;
                self.save_part(table, pk, *field, &key.1, &key.0, &bytes)?;
            }
        }
        for (field, marks) in &now.sets {
            let old = before.and_then(|b| b.sets.get(field));
            for (key, mark) in marks.iter().filter(|(key, mark)| old.and_then(|o| o.get(*key)) != Some(mark)) {
                self.save_part(table, pk, *field, &key.0, &key.1, &pack::pack_mark(mark, &key.1, &self.nodes)?)?;
            }
        }
        for (field, kept) in &now.kept {
            let old = before.and_then(|b| b.kept.get(field));
            for (hlc, json) in kept.iter().filter(|(hlc, json)| old.and_then(|o| o.get(*hlc)) != Some(json)) {
                let e = crate::change::operation_name(hlc.tick());
                self.save_part(table, pk, *field, &e, &hlc.node, json.as_bytes())?;
            }
        }
        Ok(())
    }

    fn save_part(&self, table: &Table, pk: &Pk, field: FieldId, e: &str, node: &Rc<str>, bytes: &[u8]) -> Result<()> {
        let n = i64::from(self.nodes.number(node)?);
        let values = [table.id.into(), pk.as_ref(), i64::from(field).into(), e.into(), n.into(), ValueRef::Blob(bytes)];
        self.conn.run(
            "INSERT OR REPLACE INTO main._crdt_parts(t, pk, f, e, n, s) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            &values,
        )?;
        Ok(())
    }

    /// The end of the log.
    pub fn last_seq(&self) -> Result<i64> {
        Ok(self.conn.int("SELECT max(seq) FROM main._crdt_log", &[])?.unwrap_or(0))
    }
}

// A statement that might abort halfway would have SQLite keep every page as it was, in a file of its own. This one cannot.
const SAVE: &str = "INSERT OR FAIL INTO main._crdt_clock(t, pk, g, ts, c, n, dead, x)
                    SELECT c0, c1, c2, c3, c4, c5, c6, c7 FROM main._crdt_batch WHERE true
                    ON CONFLICT(t, pk) DO UPDATE SET g = excluded.g, ts = excluded.ts, c = excluded.c, n = excluded.n,
                    dead = excluded.dead, x = excluded.x";

/// States to be written, many at once.
#[derive(Default)]
pub struct Saves(Rows);

impl Saves {
    /// Adds the state of a record, as [`Store::save`]. It is written with others, at the latest by [`Saves::write`].
    pub fn add(
        &mut self,
        store: &Store<'_>,
        table: &Table,
        pk: &Pk,
        before: Option<&Record>,
        now: &Record,
    ) -> Result<()> {
        if now.epitaph || before.is_some_and(|before| before.forgotten != now.forgotten) {
            crate::pending::forget(store, table.id, pk)?;
        }
        let packed = pack::pack(now, table.covered(), &store.nodes)?;
        self.put(store, table, pk, &packed, !now.alive())?;
        let full = self.0.len() >= TOGETHER;
        if packed.apart {
            store.save_parts(table, pk, before.filter(|before| before.apart), now)?;
        }
        match full {
            true => self.write(store),
            false => Ok(()),
        }
    }

    /// Adds a record as it is stored. Nothing is written.
    pub fn put(&mut self, store: &Store<'_>, table: &Table, pk: &Pk, packed: &Packed, dead: bool) -> Result<()> {
        let Packed { base, x, .. } = packed;
        let (ts, c, n) = match base {
            Some(b) => (b.ts.into(), i64::from(b.c).into(), i64::from(store.nodes.number(&b.node)?).into()),
            None => (ValueRef::Null, ValueRef::Null, ValueRef::Null),
        };
        let gen = if base.is_some() { i64::from(table.gen).into() } else { ValueRef::Null };
        let dead = if dead { 1.into() } else { ValueRef::Null };
        let x = if x.is_empty() { ValueRef::Null } else { ValueRef::Blob(x) };
        if self.0.is_empty() {
            self.0 = Rows::new(8);
        }
        self.0.extend([table.id.into(), pk.as_ref(), gen, ts, c, n, dead, x]);
        Ok(())
    }

    /// Writes what was added: all of one table, in the order of their keys, stored and alive already.
    pub fn write_over(&mut self, store: &Store<'_>) -> Result<()> {
        let rows = Rc::new(std::mem::take(&mut self.0));
        let left = overwrite::write(store.conn, &rows)?;
        self.0 = Rows::new(8);
        left.into_iter().for_each(|row| self.0.extend((0..8).map(|i| rows.get(row, i))));
        self.write(store)
    }

    /// Writes what was added.
    pub fn write(&mut self, store: &Store<'_>) -> Result<()> {
        store.conn.run_batch(SAVE, &[], &Rc::new(std::mem::take(&mut self.0))).map(drop)
    }
}
