//! One statement that goes through a table's rows in their order, and is told which of them to write and how:
//! `UPDATE … SET x = _crdt_give(0) WHERE … AND _crdt_meet(pk, x)`. A statement for each row would look for each from the root of the
//! tree; an `UPDATE … FROM _crdt_batch` puts all of them into a table of its own first.

use std::rc::Rc;

use crate::conn::Conn;
use crate::error::Result;
use crate::ffi::{Call, Out, ValueRef};

/// Rows that a statement meets. It cannot fail: a statement that stops halfway would take its transaction with it.
pub trait Pass {
    /// Whether the row is to be written; `row` gives what the statement tells of it.
    fn meet(&self, row: &Call<'_, Conn>) -> bool;

    /// The `i`-th value for the row met last.
    fn give(&self, i: i64) -> Out;
}

impl Conn {
    /// Runs a statement that asks `pass`; how many rows it wrote.
    pub fn run_pass(&self, sql: &str, values: &[ValueRef<'_>], pass: Rc<dyn Pass>) -> Result<i64> {
        self.pass.replace(Some(pass));
        let outcome = self.run(sql, values);
        self.pass.take();
        outcome
    }
}

/// `_crdt_meet(…)`: whether a row is to be written. NULL but while a statement of ours runs.
pub fn meet(call: &Call<'_, Conn>) -> Result<Out> {
    let pass = call.state().pass.borrow();
    Ok(pass.as_ref().map_or(Out::Null, |pass| Out::Int(pass.meet(call).into())))
}

/// `_crdt_give(i)`: its `i`-th value.
pub fn give(call: &Call<'_, Conn>) -> Result<Out> {
    let pass = call.state().pass.borrow();
    Ok(pass.as_ref().map_or(Out::Null, |pass| pass.give(call.arg(0).as_i64().unwrap_or(0))))
}
