//! One statement that goes through a table's rows in their order, and is told which of them to write and how:
//! `UPDATE … SET x = _crdt_give(0) WHERE … AND _crdt_meet(pk, x)`, or, where all are to be written, `SET x = _crdt_edit(pk, x)`.
//! A statement for each row would look for each from the root of the tree; an `UPDATE … FROM main._crdt_batch` puts all of them into a
//! table of its own first.

use std::cell::Cell;
use std::rc::Rc;

use crate::conn::Conn;
use crate::error::{Error, Result};
use crate::ffi::{Call, Out, ValueRef};

/// Rows that one statement is to write. SQLite keeps a copy of each page that it changes, in memory as long as those take 64 KiB at
/// most, then in a file. Few where assertions are on, so that tests need several.
pub const TOGETHER: usize = if cfg!(debug_assertions) { 5 } else { 256 };

/// Rows that a statement meets. It cannot fail: a statement that stops halfway would take its transaction with it.
pub trait Pass {
    /// Whether the row is to be written; `row` gives what the statement tells of it.
    fn meet(&self, row: &Call<'_, Conn>) -> bool;

    /// The `i`-th value for the row met last.
    fn give(&self, i: i64) -> Out;
}

/// The clocks between two keys are gone through when there are at most so many for each hundred records to be met.
const NEAR: usize = 400;
/// The same of rows, which cost more each. More where assertions are on, so that tests pass some over.
const DENSE: usize = if cfg!(debug_assertions) { NEAR } else { 150 };

/// The first so many of the records are looked at by themselves: where they lie far from each other, the others need not be.
const FIRST: usize = 16;

/// How many clocks of a table there are from the first of some keys to the last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Between {
    /// No more than keys.
    Dense,
    /// Few enough to go through for all of them.
    Near,
    /// More.
    Far,
}

/// How many clocks there are from the first of `count` keys to the last. They are in order; `key` gives each.
pub fn between<'k>(conn: &Conn, t: i64, count: usize, key: impl Fn(usize) -> Option<ValueRef<'k>>) -> Result<Between> {
    if count > FIRST && !are_few(conn, t, (FIRST, NEAR), &key)? {
        return Ok(Between::Far);
    }
    Ok(match are_dense(conn, t, count, &key)? {
        true => Between::Dense,
        false if are_few(conn, t, (count, NEAR), &key)? => Between::Near,
        false => Between::Far,
    })
}

/// Whether the clocks from the first of `count` keys to the last are few enough to go through their rows.
pub fn is_dense<'k>(conn: &Conn, t: i64, count: usize, key: impl Fn(usize) -> Option<ValueRef<'k>>) -> Result<bool> {
    Ok(are_few(conn, t, (count.min(FIRST), DENSE), &key)?
        && (count <= FIRST || are_few(conn, t, (count, DENSE), &key)?))
}

/// Whether there are at most so many for each hundred keys.
fn are_few<'k>(
    conn: &Conn,
    t: i64,
    (count, most): (usize, usize),
    key: &impl Fn(usize) -> Option<ValueRef<'k>>,
) -> Result<bool> {
    let (Some(first), Some(last)) = (key(0), count.checked_sub(1).and_then(key)) else { return Ok(false) };
    let far = "SELECT 1 FROM main._crdt_clock WHERE t = ?1 AND pk >= ?2 AND pk <= ?3 LIMIT 1 OFFSET ?4";
    let most = i64::try_from(count.saturating_mul(most) / 100).unwrap_or(i64::MAX);
    Ok(conn.int(far, &[t.into(), first, last, most.into()])?.is_none())
}

/// Whether there are no more than keys. One comparison, where the range would cost one for each clock.
fn are_dense<'k>(conn: &Conn, t: i64, count: usize, key: &impl Fn(usize) -> Option<ValueRef<'k>>) -> Result<bool> {
    let (Some(first), Some(last)) = (key(0), count.checked_sub(1).and_then(key)) else { return Ok(false) };
    let next = "SELECT pk <= ?3 FROM main._crdt_clock WHERE t = ?1 AND pk >= ?2 LIMIT 1 OFFSET ?4";
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    Ok(conn.int(next, &[t.into(), first, last, count.into()])? != Some(1))
}

/// A pass under way.
pub struct Running {
    pass: Rc<dyn Pass>,
    /// Whether a row was met whose values SQLite has not taken yet.
    met: Cell<bool>,
    /// Whether another was met before that: SQLite goes through the rows twice, and would give each the values of the last.
    skewed: Cell<bool>,
}

impl Conn {
    /// Runs a statement that asks `pass`; how many rows it wrote.
    ///
    /// # Errors
    /// SQLite's, or it did not write rows as it met them: the caller's savepoint is to be undone.
    pub fn run_pass(&self, sql: &str, values: &[ValueRef<'_>], pass: Rc<dyn Pass>) -> Result<i64> {
        self.pass.replace(Some(Running { pass, met: Cell::new(false), skewed: Cell::new(false) }));
        let outcome = self.run(sql, values);
        match self.pass.take() {
            Some(running) if running.skewed.get() => {
                Err(Error::internal("this SQLite does not write rows as it meets them; please report its version"))
            }
            _ => outcome,
        }
    }
}

impl Running {
    fn meet(&self, row: &Call<'_, Conn>) -> bool {
        let met = self.pass.meet(row);
        if self.met.replace(met) {
            self.skewed.set(true);
        }
        met
    }

    fn give(&self, i: i64) -> Out {
        self.met.set(false);
        self.pass.give(i)
    }
}

/// `_crdt_meet(…)`: whether a row is to be written. NULL but while a statement of ours runs.
pub fn meet(call: &Call<'_, Conn>) -> Result<Out> {
    let pass = call.state().pass.borrow();
    Ok(pass.as_ref().map_or(Out::Null, |running| Out::Int(running.meet(call).into())))
}

/// `_crdt_give(i)`: its `i`-th value.
pub fn give(call: &Call<'_, Conn>) -> Result<Out> {
    let pass = call.state().pass.borrow();
    Ok(pass.as_ref().map_or(Out::Null, |running| running.give(call.arg(0).as_i64().unwrap_or(0))))
}

/// `_crdt_edit(…, old)`: the 0-th value of a row that is to be written, `old` of another: one call where there would be two.
pub fn edit(call: &Call<'_, Conn>) -> Result<Out> {
    let pass = call.state().pass.borrow();
    let old = || Out::Value(call.arg(call.len().saturating_sub(1)).to_value());
    let edited = |running: &Running| if running.pass.meet(call) { running.pass.give(0) } else { old() };
    Ok(pass.as_ref().map_or(Out::Null, edited))
}
