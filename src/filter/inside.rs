//! Which records are inside a filter, and since when: kept up to date from the log, and read by exports.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::row::Question;
use crate::conn::Conn;
use crate::error::{Error, Result};
use crate::ffi::{Call, Out, ValueRef};
use crate::key::Pk;
use crate::log::Reader;
use crate::outbound::touches;
use crate::pass::Pass;
use crate::schema::Table;
use crate::store::Store;

/// Records looked at together: bounds the memory of a filter's first use.
const CHUNK: usize = 50_000;
/// Log rows that may lie beyond the mark while none of them matters.
const SLACK: i64 = 1_000;
/// How often the time of the last use is written, nanoseconds.
pub const REMARK: i64 = 3_600_000_000_000;

/// A record's membership.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Inside {
    /// The log row under which it entered first.
    pub first: i64,
    /// The log row under which it entered last; None when it is outside now.
    pub since: Option<i64>,
}

/// What is known of a filter's members besides what is stored.
#[derive(Clone, Default)]
pub struct Lately {
    /// Members as they are now, where that cannot be written.
    pub members: HashMap<Pk, Inside>,
    /// Records that changed and were not looked at, where that cannot be written now but soon: the export
    /// ends before them.
    pub unsettled: HashSet<Pk>,
}

/// How far the membership can be brought up to date.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// It is written.
    Written,
    /// In memory, on a database that cannot be written.
    Memory,
    /// Not at all, as the lock is held or the transaction is not ours: what changed waits.
    Waiting,
}

/// A filter in use.
pub struct Filter<'f> {
    /// Its number; None where it could not be given one.
    pub f: Option<i64>,
    /// Its table.
    pub table: &'f Table,
    /// The log row up to which its members are known.
    pub seen: i64,
    /// When it was last used.
    pub used: i64,
}

/// Brings the members up to date with the log.
pub fn refresh(store: &Store<'_>, filter: &Filter<'_>, question: &Question, mode: Mode) -> Result<Lately> {
    let end = store.last_seq()?;
    let mut lately = Lately::default();
    let (mut at, mut any) = (filter.seen, false);
    while at < end {
        let (touched, reached) = chunk(store, filter.table, at, end)?;
        at = reached;
        any |= !touched.is_empty();
        if mode == Mode::Waiting {
            lately.unsettled.extend(touched.into_keys());
            continue;
        }
        for (pk, seq) in touched {
            let holds = question.holds(store, filter.table, &pk)?;
            let before = match lately.members.get(&pk) {
                Some(inside) => Some(*inside),
                None => stored(store, filter.f, &pk)?,
            };
            let now = step(before, holds, seq);
            if now == before {
                continue;
            }
            let Some(now) = now else { continue };
            match filter.f {
                Some(f) if mode == Mode::Written => write(store, f, &pk, now)?,
                _ => {
                    lately.members.insert(pk, now);
                }
            }
        }
    }
    if let (Mode::Written, Some(f)) = (mode, filter.f) {
        if (any && end > filter.seen)
            || end.saturating_sub(filter.seen) > SLACK
            || store.wall.saturating_sub(filter.used) > REMARK
        {
            let values = [f.into(), end.into(), store.wall.into()];
            store.conn.run("UPDATE main._crdt_filter SET seen = ?2, used = ?3 WHERE f = ?1", &values)?;
        }
    }
    Ok(lately)
}

/// What a look at a record makes of its membership.
fn step(before: Option<Inside>, holds: bool, seq: i64) -> Option<Inside> {
    match (before, holds) {
        (None, false) => None,
        (None, true) => Some(Inside { first: seq, since: Some(seq) }),
        (Some(inside), true) => Some(Inside { since: inside.since.or(Some(seq)), ..inside }),
        (Some(inside), false) => Some(Inside { since: None, ..inside }),
    }
}

/// The records of a table that the next rows of the log touch, each with the last such row; how far that reaches.
fn chunk(store: &Store<'_>, table: &Table, from: i64, to: i64) -> Result<(HashMap<Pk, i64>, i64)> {
    let form = table.form(store.conn)?;
    let mut touched = HashMap::new();
    let mut rows = Reader::new(store.conn, from, to)?;
    while rows.step()? {
        if rows.table() == table.id && touches(&rows, table)? {
            touched.insert(rows.pk(&form.shape.classes)?, rows.seq());
            if touched.len() >= CHUNK {
                return Ok((touched, rows.seq()));
            }
        }
    }
    Ok((touched, to))
}

/// The membership as stored.
pub fn stored(store: &Store<'_>, f: Option<i64>, pk: &Pk) -> Result<Option<Inside>> {
    let Some(f) = f else { return Ok(None) };
    let sql = "SELECT first, since FROM main._crdt_inside WHERE f = ?1 AND pk = ?2";
    store.conn.first(sql, &[f.into(), pk.as_ref()], |row| Inside { first: row.i64(0).unwrap_or(0), since: row.i64(1) })
}

fn write(store: &Store<'_>, f: i64, pk: &Pk, now: Inside) -> Result<()> {
    let since = now.since.map_or(ValueRef::Null, ValueRef::Integer);
    store.conn.run(
        "INSERT OR REPLACE INTO main._crdt_inside(f, pk, first, since) VALUES (?1, ?2, ?3, ?4)",
        &[f.into(), pk.as_ref(), now.first.into(), since],
    )?;
    Ok(())
}

/// Notes that a record was inside, unless that is known.
pub fn note(store: &Store<'_>, f: i64, pk: &Pk, seq: i64) -> Result<()> {
    let sql = "INSERT OR IGNORE INTO main._crdt_inside(f, pk, first) VALUES (?1, ?2, ?3)";
    store.conn.run(sql, &[f.into(), pk.as_ref(), seq.into()])?;
    Ok(())
}

/// Whether a record was inside a filter of its table at some log row up to `upto`.
pub fn was_inside(store: &Store<'_>, f: i64, t: i64, pk: &Pk, upto: i64) -> Result<bool> {
    let sql = "SELECT 1 FROM main._crdt_inside i JOIN main._crdt_filter r ON r.f = i.f
               WHERE i.f = ?1 AND i.pk = ?2 AND i.first <= ?3 AND r.t = ?4";
    Ok(store.conn.int(sql, &[f.into(), pk.as_ref(), upto.into(), t.into()])?.is_some())
}

/// Entries of the log went, each with the next one of its record that stays: who was to be sent the record by the one is to be
/// sent it by the other.
pub fn entries_went(store: &Store<'_>, mut gone: Vec<(i64, i64)>) -> Result<()> {
    if gone.is_empty() {
        return Ok(());
    }
    gone.sort_unstable();
    let sql =
        "UPDATE OR FAIL main._crdt_inside SET since = _crdt_give(0) WHERE since IS NOT NULL AND _crdt_meet(since)";
    store.conn.run_pass(sql, &[], Rc::new(Went { gone, next: Cell::new(0) })).map(drop)
}

struct Went {
    /// In rising order.
    gone: Vec<(i64, i64)>,
    /// Where the record met last enters now.
    next: Cell<i64>,
}

impl Pass for Went {
    fn meet(&self, row: &Call<'_, Conn>) -> bool {
        let Some(since) = row.arg(0).as_i64() else { return false };
        let found = self.gone.binary_search_by_key(&since, |(seq, _)| *seq).ok().and_then(|at| self.gone.get(at));
        found.map(|(_, next)| self.next.set(*next)).is_some()
    }

    fn give(&self, _: i64) -> Out {
        Out::Int(self.next.get())
    }
}

/// The error where a filter is new and cannot be written down.
pub fn cannot_begin(store: &Store<'_>) -> Error {
    match store.conn.outermost.get() {
        true => Error::sqlite(5, "the filter is new to this database and another connection holds the write lock; try again"),
        false => Error::caller(
            "the filter is new to this database, and inside a transaction nothing is written; call this once outside of one",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entering_and_leaving() {
        let entered = step(None, true, 5);
        assert_eq!(entered, Some(Inside { first: 5, since: Some(5) }));
        assert_eq!(step(entered, true, 6), entered);
        let left = step(entered, false, 7);
        assert_eq!(left, Some(Inside { first: 5, since: None }));
        assert_eq!(step(left, true, 8), Some(Inside { first: 5, since: Some(8) }));
        assert_eq!(step(None, false, 9), None);
    }
}
