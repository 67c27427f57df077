//! What a table-valued function of this crate provides.

use super::function::{Context, Out};
use super::value::Value;
use crate::error::Result;
use std::ffi::CStr;
use std::rc::Rc;

/// A table-valued function.
pub trait TableFunction: 'static {
    /// What it is registered with.
    type State: 'static;
    /// Its rows.
    type Cursor: RowCursor;
    /// `CREATE TABLE x(..., argument HIDDEN, ...)`, the hidden columns last.
    const SCHEMA: &'static CStr;
    /// The number (from 0) of the first hidden column.
    const FIRST_HIDDEN: usize;
    /// How many arguments it takes, at most 30.
    const N_HIDDEN: usize;

    /// Starts over with these arguments, one for each hidden column, `None` where none was given.
    ///
    /// # Errors
    /// Whatever makes the statement fail.
    fn open(state: &Rc<Self::State>, args: &[Option<Value>]) -> Result<Self::Cursor>;

    /// The connection closes or the module is replaced: last chance to finalise statements.
    fn disconnect(_state: &Rc<Self::State>) {}
}

/// The rows of a table-valued function. Starts before the first row.
pub trait RowCursor: 'static {
    /// Moves to the next row; `false` when there is none.
    ///
    /// # Errors
    /// Whatever makes the statement fail.
    fn next(&mut self) -> Result<bool>;

    /// Column `i` of the row. Never asked for the hidden columns.
    ///
    /// # Errors
    /// Whatever makes the statement fail.
    fn column(&self, i: usize) -> Result<Out>;

    /// Answers column `i` of the row.
    ///
    /// # Errors
    /// As [`RowCursor::column`].
    fn answer(&self, i: usize, to: Context<'_>) -> Result<()> {
        to.result_out(self.column(i)?);
        Ok(())
    }

    /// A number for the row.
    fn rowid(&self) -> i64;
}
