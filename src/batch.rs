//! Many rows for one statement: `INSERT … SELECT c0, c1 FROM main._crdt_batch`. To run a statement for each row costs more than
//! what it does: it opens its tables, and begins and ends, every time.

use std::ops::Range;
use std::rc::Rc;

use crate::conn::Conn;
use crate::error::Result;
use crate::ffi::{Context, Out, RowCursor, Stmt, TableFunction, Value, ValueRef};

/// Most columns of a row.
pub const WIDTH: usize = 64;

/// A value, its bytes kept aside.
#[derive(Clone, Debug)]
enum Cell {
    Null,
    Integer(i64),
    Real(f64),
    Text(Range<usize>),
    Blob(Range<usize>),
}

/// Rows of the same width.
#[derive(Clone, Default, Debug)]
pub struct Rows {
    width: usize,
    cells: Vec<Cell>,
    bytes: Vec<u8>,
}

impl Rows {
    /// No rows yet, of `width` columns each, at most [`WIDTH`].
    pub fn new(width: usize) -> Rows {
        Rows { width, ..Rows::default() }
    }

    /// Appends the next value.
    pub fn push(&mut self, value: ValueRef<'_>) {
        let mut keep = |bytes: &[u8]| {
            let from = self.bytes.len();
            self.bytes.extend_from_slice(bytes);
            from..self.bytes.len()
        };
        let cell = match value {
            ValueRef::Null => Cell::Null,
            ValueRef::Integer(i) => Cell::Integer(i),
            ValueRef::Real(r) => Cell::Real(r),
            ValueRef::Text(text) => Cell::Text(keep(text)),
            ValueRef::Blob(blob) => Cell::Blob(keep(blob)),
        };
        self.cells.push(cell);
    }

    /// Appends values.
    pub fn extend<'v>(&mut self, values: impl IntoIterator<Item = ValueRef<'v>>) {
        values.into_iter().for_each(|value| self.push(value));
    }

    /// Appends the rows of another of the same width.
    pub fn append(&mut self, other: &Rows) {
        let by = self.bytes.len();
        let moved = |range: &Range<usize>| range.start + by..range.end + by;
        self.cells.extend(other.cells.iter().map(|cell| match cell {
            Cell::Text(range) => Cell::Text(moved(range)),
            Cell::Blob(range) => Cell::Blob(moved(range)),
            cell => cell.clone(),
        }));
        self.bytes.extend_from_slice(&other.bytes);
    }

    /// Lets all rows go but the first `len`.
    pub fn truncate(&mut self, len: usize) {
        let gone = self.cells.drain((len * self.width).min(self.cells.len())..);
        let first = gone.filter_map(|cell| match cell {
            Cell::Text(range) | Cell::Blob(range) => Some(range.start),
            _ => None,
        });
        if let Some(end) = first.min() {
            self.bytes.truncate(end);
        }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.cells.len().checked_div(self.width).unwrap_or(0)
    }

    /// Bytes of all values.
    pub fn size(&self) -> usize {
        self.bytes.len() + self.cells.len() * size_of::<Cell>()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// Column `i` of row `row`.
    pub fn get(&self, row: usize, i: usize) -> ValueRef<'_> {
        let bytes = |range: &Range<usize>| self.bytes.get(range.clone()).unwrap_or_default();
        match self.cells.get(row * self.width + i).filter(|_| i < self.width) {
            None | Some(Cell::Null) => ValueRef::Null,
            Some(Cell::Integer(i)) => ValueRef::Integer(*i),
            Some(Cell::Real(r)) => ValueRef::Real(*r),
            Some(Cell::Text(range)) => ValueRef::Text(bytes(range)),
            Some(Cell::Blob(range)) => ValueRef::Blob(bytes(range)),
        }
    }
}

impl Conn {
    /// Runs a statement that reads `rows` from `_crdt_batch`; how many rows it changed.
    pub fn run_batch(&self, sql: &str, values: &[ValueRef<'_>], rows: &Rc<Rows>) -> Result<i64> {
        if rows.is_empty() {
            return Ok(0);
        }
        self.with_batch(rows, || self.run(sql, values))
    }

    /// Does `work` while `_crdt_batch` gives `rows` to statements that begin.
    pub fn with_batch<T>(&self, rows: &Rc<Rows>, work: impl FnOnce() -> T) -> T {
        self.batch.replace(Rc::clone(rows));
        let outcome = work();
        self.batch.take();
        outcome
    }

    /// Begins a statement that reads `rows` from `_crdt_batch` first of all; whether it gives a row.
    pub fn begin_batch(&self, stmt: &mut Stmt, rows: &Rc<Rows>) -> Result<bool> {
        if rows.is_empty() {
            return Ok(false);
        }
        self.batch.replace(Rc::clone(rows));
        let more = stmt.step();
        self.batch.take();
        more
    }
}

/// `_crdt_batch`: empty but while a statement of ours reads it.
pub struct Batch;

/// The rows of `_crdt_batch`.
pub struct At {
    rows: Rc<Rows>,
    /// Rows begun.
    begun: usize,
}

impl TableFunction for Batch {
    type State = Conn;
    type Cursor = At;
    const SCHEMA: &'static std::ffi::CStr =
        c"CREATE TABLE x(c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13, c14, c15, c16, c17, c18, c19, c20, c21, c22, \
         c23, c24, c25, c26, c27, c28, c29, c30, c31, c32, c33, c34, c35, c36, c37, c38, c39, c40, c41, c42, c43, c44, c45, c46, \
         c47, c48, c49, c50, c51, c52, c53, c54, c55, c56, c57, c58, c59, c60, c61, c62, c63)";
    const FIRST_HIDDEN: usize = WIDTH;
    const N_HIDDEN: usize = 0;

    fn open(conn: &Rc<Conn>, _args: &[Option<Value>]) -> Result<At> {
        Ok(At { rows: Rc::clone(&conn.batch.borrow()), begun: 0 })
    }
}

impl RowCursor for At {
    fn next(&mut self) -> Result<bool> {
        self.begun += 1;
        Ok(self.begun <= self.rows.len())
    }

    fn column(&self, i: usize) -> Result<Out> {
        Ok(Out::Value(self.rows.get(self.begun - 1, i).to_value()))
    }

    fn answer(&self, i: usize, to: Context<'_>) -> Result<()> {
        to.result(self.rows.get(self.begun - 1, i));
        Ok(())
    }

    fn rowid(&self) -> i64 {
        self.begun as i64
    }
}
