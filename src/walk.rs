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

/// Records passed over, at most, before the next one is looked for from the root: which takes about as long.
const STEPS: usize = 4;
/// Records looked for from the root before it is tried again to pass over some.
const AGAIN: usize = 32;

/// How many records may be passed over: fewer where that was in vain, until it is tried again.
#[derive(Clone, Copy)]
struct Gait {
    most: usize,
    sought: usize,
}

impl Gait {
    fn new() -> Gait {
        Gait { most: STEPS, sought: 0 }
    }

    /// So many were passed over, and the record was reached.
    fn reached(&mut self, passed: usize) {
        if passed > 0 {
            self.most = STEPS;
        }
    }

    /// As many as may be were passed over, and the record has to be looked for from the root.
    fn sought(&mut self) {
        self.sought += 1;
        self.most = if self.sought.is_multiple_of(AGAIN) { STEPS / 2 } else { self.most / 2 };
    }
}

/// A walk through the records of one table. Keys are asked for in rising order; behind the one asked for last anything may be
/// written meanwhile.
pub struct Walk<'c> {
    t: i64,
    rows: Cached<'c>,
    place: Place,
    gait: Gait,
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
        Ok(Walk { t, rows, place: Place::Start, gait: Gait::new(), ordered: store.conn.is_utf8()? })
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
        let walk = |rows| Walk { t: 0, rows, place: Place::Start, gait: Gait::new(), ordered: true };
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
        let most = self.gait.most;
        for steps in 0..=most {
            match self.place {
                Place::End => return Ok(false),
                Place::Start => {}
                Place::Record => match order(self.rows.column(0), pk.as_ref()) {
                    Ordering::Less if self.ordered => {}
                    found => {
                        self.gait.reached(steps);
                        return Ok(found == Ordering::Equal);
                    }
                },
            }
            let in_vain = self.place == Place::Record && steps == most;
            if in_vain {
                self.gait.sought();
            }
            if in_vain || self.place == Place::Start {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Of 10,000 records, `percent` of a hundred that there are: how many were looked for from the root, and how many were passed
    /// over in vain.
    fn walked(percent: u64) -> (usize, usize) {
        let (mut gait, mut seed, mut sought, mut in_vain) = (Gait::new(), 7u64, 0, 0);
        for _ in 0..10_000 {
            let mut gap = 1;
            loop {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                if (seed >> 33) % 100 < percent {
                    break;
                }
                gap += 1;
            }
            let most = gait.most;
            if gap <= most {
                gait.reached(gap);
            } else {
                gait.sought();
                (sought, in_vain) = (sought + 1, in_vain + most);
            }
        }
        (sought, in_vain)
    }

    #[test]
    fn most_are_walked_to_where_they_are_close_and_none_where_they_are_far() {
        let (sought, _) = walked(65);
        assert!(sought < 1_000, "{sought} of 10,000 from the root");
        let (_, in_vain) = walked(1);
        assert!(in_vain < 2_000, "{in_vain} steps in vain for 10,000");
    }
}
