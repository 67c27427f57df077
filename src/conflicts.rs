//! The conflict log: writes that did not know of each other and met in a merge here. `crdt_conflicts()` lists them.

use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;

use crate::batch::Rows;
use crate::change::TOMBSTONE;
use crate::clock::Hlc;
use crate::conn::Conn;
use crate::error::{unless_missing, Error, Result};
use crate::ffi::{Out, RowCursor, TableFunction, Value, ValueRef};
use crate::key::Pk;
use crate::merge::Conflict;
use crate::pack::Nodes;
use crate::pragma;
use crate::record::FieldId;
use crate::session;
use crate::store::{RecordKey, Store, TOGETHER};
use crate::types::Type;

/// Conflicts read ahead.
const BATCH: i64 = 500;

/// Conflicts that are kept in memory, at most: thousands of them, and their bytes.
const KEPT: usize = 16;
const KEPT_BYTES: usize = 1 << 24;

/// Writes the conflicts of one merge, in its savepoint: at its end, so that those are never written that later ones would
/// push out again.
#[derive(Default)]
pub struct Log {
    /// The setting `conflict_log`, once it was asked for.
    most: Option<i64>,
    /// Noted and not written yet, about a thousand each.
    rows: VecDeque<Rows>,
}

impl Log {
    /// Notes a conflict of a record.
    pub fn note(&mut self, store: &Store<'_>, t: i64, pk: &Pk, conflict: &Conflict) -> Result<()> {
        let mut rows = rows();
        let Conflict { field, written, incoming_won, local, incoming } = conflict;
        let [local, incoming] = [local, incoming].map(|side| (&side.hlc, side.value.as_deref()));
        put(&mut rows, store, (t, pk), (*field, *written, *incoming_won), [local, incoming])?;
        self.take(store, rows)
    }

    /// Notes conflicts that were [`put`] together.
    pub fn take(&mut self, store: &Store<'_>, rows: Rows) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let most = match self.most {
            Some(most) => most,
            None => pragma::number(store.conn, "conflict_log")?,
        };
        self.most = Some(most);
        if most == 0 {
            return Ok(());
        }
        match self.rows.back_mut().filter(|last| last.len() + rows.len() <= TOGETHER) {
            Some(last) => last.append(&rows),
            None => {
                self.make_room(store, most)?;
                self.rows.push_back(rows);
            }
        }
        Ok(())
    }

    /// Lets go of those that later ones have pushed out; writes the oldest where too many are kept.
    fn make_room(&mut self, store: &Store<'_>, most: i64) -> Result<()> {
        let kept = |rows: &VecDeque<Rows>| rows.iter().skip(1).map(Rows::len).sum::<usize>();
        while !self.rows.is_empty() && i64::try_from(kept(&self.rows)).is_ok_and(|later| later >= most) {
            self.rows.pop_front();
        }
        if self.rows.len() >= KEPT || self.rows.iter().map(Rows::size).sum::<usize>() >= KEPT_BYTES {
            self.write(store)?;
        }
        Ok(())
    }

    /// Writes what is noted.
    pub fn write(&mut self, store: &Store<'_>) -> Result<()> {
        let sql = "INSERT OR FAIL INTO main._crdt_conflict
                   (t, pk, f, w, won, l_value, l_ts, l_c, l_n, i_value, i_ts, i_c, i_n, at)
                   SELECT c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13 FROM main._crdt_batch";
        let mut rows = self.rows.drain(..);
        rows.try_for_each(|rows| store.conn.run_batch(sql, &[], &Rc::new(rows)).map(drop))
    }

    /// Writes what is noted, if there was anything, and lets the oldest go.
    pub fn finish(&mut self, store: &Store<'_>) -> Result<()> {
        if self.most.is_none() {
            return Ok(());
        }
        self.write(store)?;
        trim(store.conn)
    }
}

/// No conflicts yet, as rows of `_crdt_conflict`.
pub fn rows() -> Rows {
    Rows::new(14)
}

/// Adds a conflict of a record: the field, the one that was written, whether the incoming one won; what was here and what came.
pub fn put(
    rows: &mut Rows,
    store: &Store<'_>,
    (t, pk): (i64, &Pk),
    (field, written, incoming_won): (FieldId, FieldId, bool),
    sides: [(&Hlc, Option<&str>); 2],
) -> Result<()> {
    rows.extend([t.into(), pk.as_ref(), i64::from(field).into(), i64::from(written).into()]);
    rows.push(i64::from(incoming_won).into());
    for (hlc, value) in sides {
        let node = i64::from(store.nodes.number(&hlc.node)?);
        rows.push(value.map_or(ValueRef::Null, |json| json.into()));
        rows.extend([hlc.ts.into(), i64::from(hlc.c).into(), node.into()]);
    }
    rows.push(store.wall.into());
    Ok(())
}

/// Lets the oldest go, down to the setting `conflict_log`.
pub fn trim(conn: &Conn) -> Result<()> {
    let most = pragma::number(conn, "conflict_log")?;
    let span = "SELECT (SELECT max(id) FROM main._crdt_conflict) - (SELECT min(id) FROM main._crdt_conflict)";
    if conn.int(span, &[])?.is_none_or(|span| span < most) {
        return Ok(());
    }
    conn.run(
        "DELETE FROM main._crdt_conflict WHERE id <= (SELECT id FROM main._crdt_conflict ORDER BY id DESC LIMIT 1 OFFSET ?1)",
        &[most.into()],
    )?;
    Ok(())
}

/// Lets the conflicts of records go.
pub fn forget(conn: &Conn, records: &BTreeSet<RecordKey>) -> Result<()> {
    if records.is_empty() {
        return Ok(());
    }
    let mut rows = conn.stmt("SELECT id, t, pk FROM main._crdt_conflict")?;
    let mut gone = Vec::new();
    while rows.step()? {
        let key = (rows.i64(1).unwrap_or(0), Pk::from_stored(rows.column(2))?);
        gone.extend(rows.i64(0).filter(|_| records.contains(&key)));
    }
    drop(rows);
    for id in gone {
        conn.run("DELETE FROM main._crdt_conflict WHERE id = ?1", &[id.into()])?;
    }
    Ok(())
}

/// A field's state went to another: so do its conflicts.
pub fn rename(conn: &Conn, t: i64, from: FieldId, to: FieldId) -> Result<()> {
    for sql in [
        "UPDATE main._crdt_conflict SET f = ?3 WHERE t = ?1 AND f = ?2",
        "UPDATE main._crdt_conflict SET w = ?3 WHERE t = ?1 AND w = ?2",
    ] {
        conn.run(sql, &[t.into(), i64::from(from).into(), i64::from(to).into()])?;
    }
    Ok(())
}

/// How many are noted.
pub fn count(conn: &Conn) -> Result<i64> {
    Ok(unless_missing(conn.int("SELECT count(*) FROM main._crdt_conflict", &[]), None)?.unwrap_or(0))
}

/// `crdt_conflicts()`: one row a conflict, oldest first.
pub struct Conflicts;

/// The rows of `crdt_conflicts`.
pub struct ConflictRows {
    conn: Rc<Conn>,
    batch: std::vec::IntoIter<(i64, Vec<Out>)>,
    now: Vec<Out>,
    /// The row at hand.
    id: i64,
}

impl TableFunction for Conflicts {
    type State = Conn;
    type Cursor = ConflictRows;
    const SCHEMA: &'static std::ffi::CStr =
        c"CREATE TABLE x(\"table\" TEXT, pk TEXT, field TEXT, crdt_type TEXT, won TEXT, local_value, incoming_value, \
         local_hlc TEXT, incoming_hlc TEXT, written TEXT, at INTEGER)";
    const FIRST_HIDDEN: usize = 11;
    const N_HIDDEN: usize = 0;

    fn open(conn: &Rc<Conn>, _args: &[Option<Value>]) -> Result<ConflictRows> {
        Ok(ConflictRows { conn: Rc::clone(conn), batch: Vec::new().into_iter(), now: Vec::new(), id: 0 })
    }

    fn disconnect(conn: &Rc<Conn>) {
        conn.finalise();
    }
}

impl RowCursor for ConflictRows {
    fn next(&mut self) -> Result<bool> {
        if self.batch.as_slice().is_empty() {
            let read = session::read(&self.conn, |store| rows_after(store, self.id));
            let read = read.map_err(|e| e.context("crdt_conflicts"))?;
            self.batch = read.unwrap_or_default().into_iter();
        }
        let Some((id, row)) = self.batch.next() else { return Ok(false) };
        (self.id, self.now) = (id, row);
        Ok(true)
    }

    fn column(&self, i: usize) -> Result<Out> {
        Ok(self.now.get(i).cloned().unwrap_or(Out::Null))
    }

    fn rowid(&self) -> i64 {
        self.id
    }
}

fn rows_after(store: &Store<'_>, id: i64) -> Result<Vec<(i64, Vec<Out>)>> {
    let mut rows = store.conn.stmt(
        "SELECT id, t, pk, f, w, won, l_value, l_ts, l_c, l_n, i_value, i_ts, i_c, i_n, at
         FROM main._crdt_conflict WHERE id > ?1 ORDER BY id LIMIT ?2",
    )?;
    rows.bind_all(&[id.into(), BATCH.into()])?;
    let mut all = Vec::new();
    while rows.step()? {
        let damaged = || Error::data("a row of _crdt_conflict is none of ours");
        let number = |i| rows.i64(i).ok_or_else(damaged);
        let small = |i| u32::try_from(number(i)?).map_err(|_| damaged());
        let stamp =
            |i| Ok::<_, Error>(Hlc { ts: number(i)?, c: small(i + 1)?, node: store.nodes.node(small(i + 2)?)? });
        let value = |i| rows.text(i).map_or(Ok(Out::Null), |json| crate::value::decode(json).map(Out::Value));
        let Some(table) = store.table(number(1)?) else { continue };
        let name = |field: FieldId| match field {
            0 => Out::Null,
            field => Out::Text(table.field(field).map_or(String::new(), |f| f.name.clone())),
        };
        let field = small(3)?;
        let deleted = field == 0;
        all.push((
            number(0)?,
            vec![
                Out::Text(table.name.clone()),
                Out::Text(Pk::from_stored(rows.column(2))?.wire().into_owned()),
                if deleted { Out::Text(TOMBSTONE.to_owned()) } else { name(field) },
                Out::Text(if deleted { "" } else { Type::Lww.name() }.to_owned()),
                Out::Text(if number(5)? == 1 { "incoming" } else { "local" }.to_owned()),
                value(6)?,
                value(10)?,
                Out::Text(stamp(7)?.to_json()),
                Out::Text(stamp(11)?.to_json()),
                name(small(4)?),
                Out::Int(number(14)?),
            ],
        ));
    }
    Ok(all)
}
