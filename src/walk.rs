//! Records read in the order of their keys: one statement goes on from record to record, where a question for each would begin
//! at the root of the tree again. It tells at once, too, that nothing is known of any key in a gap.

use std::cmp::Ordering;
use std::rc::Rc;

use crate::conn::Cached;
use crate::error::Result;
use crate::ffi::{Stmt, ValueRef};
use crate::key::Pk;
use crate::record::Record;
use crate::schema::{Form, Table};
use crate::store::Store;

/// Records passed over, at most, before the next one is looked for from the root. Fewer where that was in vain.
const STEPS: usize = 4;

/// A walk through the records of one table. Keys are asked for in rising order; behind the one asked for last anything may be
/// written meanwhile.
pub struct Walk<'c> {
    t: i64,
    rows: Cached<'c>,
    place: Place,
    steps: usize,
    /// Whether SQLite has the keys in our order: else a record tells nothing of its neighbours.
    ordered: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    Record,
    End,
}

impl<'c> Walk<'c> {
    /// A walk through the table of number `t`.
    pub fn new(store: &Store<'c>, t: i64) -> Result<Walk<'c>> {
        let rows =
            store.conn.stmt("SELECT pk, g, ts, c, n, x FROM main._crdt_clock WHERE t = ?1 AND pk >= ?2 ORDER BY pk")?;
        Ok(Walk { t, rows, place: Place::Start, steps: STEPS, ordered: store.conn.is_utf8()? })
    }

    /// A walk through the keys of a table's rows and their rowids, where an index has the keys in our order; None where none does.
    pub fn of_rows(store: &Store<'c>, form: &Form) -> Result<Option<Walk<'c>>> {
        Walk::by(store, crate::row::rowids(store.conn, form)?)
    }

    /// A walk through the rows themselves: key, then tracked columns; None where they are not to be had in the order of their keys.
    pub fn through_rows(store: &Store<'c>, form: &Form) -> Result<Option<Walk<'c>>> {
        Walk::by(store, crate::row::in_order(store.conn, form)?)
    }

    fn by(store: &Store<'c>, sql: Option<Rc<str>>) -> Result<Option<Walk<'c>>> {
        let walk = |rows| Walk { t: 0, rows, place: Place::Start, steps: STEPS, ordered: true };
        sql.map(|sql| store.conn.stmt(&sql).map(walk)).transpose()
    }

    /// The statement that is on what was just found.
    pub fn stmt(&self) -> &Stmt {
        &self.rows
    }

    /// The rowid of the row just found.
    pub fn rowid(&self) -> Option<i64> {
        self.rows.i64(1)
    }

    /// The record just found as it is stored: generation, base stamp, all else.
    pub fn clock(&self) -> (Option<i64>, [Option<i64>; 3], Option<&[u8]>) {
        let row = &self.rows;
        (row.i64(1), [row.i64(2), row.i64(3), row.i64(4)], row.bytes(5))
    }

    /// The table's number.
    pub fn table(&self) -> i64 {
        self.t
    }

    /// Whether anything is known of a record.
    pub fn find(&mut self, pk: &Pk) -> Result<bool> {
        if !self.ordered {
            self.place = Place::Start;
        }
        let most = self.steps;
        for steps in 0..=most {
            match self.place {
                Place::End => return Ok(false),
                Place::Start => {}
                Place::Record => match order(self.rows.column(0), pk.as_ref()) {
                    Ordering::Less if self.ordered => {}
                    found => return Ok(found == Ordering::Equal),
                },
            }
            if self.place == Place::Start || steps == most {
                self.steps = if self.place == Place::Start { most } else { most / 2 };
                self.rows.bind_all(&[self.t.into(), pk.as_ref()])?;
            }
            self.place = if self.rows.step()? { Place::Record } else { Place::End };
        }
        Ok(self.place == Place::Record && order(self.rows.column(0), pk.as_ref()) == Ordering::Equal)
    }

    /// The state of a record; None when nothing is known of it.
    pub fn load(&mut self, store: &Store<'_>, table: &Table, pk: &Pk) -> Result<Option<Record>> {
        if !self.find(pk)? {
            return Ok(None);
        }
        let (gen, base, x) = self.clock();
        let mut record = store.unpack(table, gen, base, x)?;
        store.complete(table, pk, &mut record)?;
        Ok(Some(record))
    }
}

/// How a stored key stands to another, in SQLite's order.
pub fn order(stored: ValueRef<'_>, key: ValueRef<'_>) -> Ordering {
    match (stored, key) {
        (ValueRef::Integer(i), ValueRef::Integer(k)) => i.cmp(&k),
        (ValueRef::Text(text), ValueRef::Text(k)) => text.cmp(k),
        (ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_), _) => Ordering::Less,
        (ValueRef::Text(_) | ValueRef::Blob(_), _) => Ordering::Greater,
    }
}
