//! What is known of many records, and their rows: looked up by one statement, as a statement for each would cost more than
//! what it finds.

use std::rc::Rc;

use crate::batch::Rows;
use crate::clock::Hlc;
use crate::conn::Cached;
use crate::error::{Error, Result};
use crate::ffi::{Stmt, ValueRef};
use crate::key::Pk;
use crate::pack::{unpack_cells, Cells, Nodes};
use crate::row;
use crate::schema::{Form, Table};
use crate::store::Store;

/// Columns before those of the row.
const OWN: usize = 6;

/// Records looked up in a table whose key is one column, one after the other in the order in which they were asked for.
pub struct Found<'c> {
    rows: Cached<'c>,
}

impl<'c> Found<'c> {
    /// Looks for records, of which there is at least one, and goes to the first.
    pub fn new<'k>(store: &Store<'c>, t: i64, form: &Form, keys: impl Iterator<Item = &'k Pk>) -> Result<Found<'c>> {
        let mut wanted = Rows::new(1);
        wanted.extend(keys.map(Pk::as_ref));
        let mut rows = store.conn.stmt(&row::found(form))?;
        rows.bind_all(&[t.into()])?;
        let mut found = Found { rows };
        // What is asked for is read at the first step.
        store.conn.with_batch(&Rc::new(wanted), || found.next())?;
        Ok(found)
    }

    /// Goes to the next record.
    pub fn next(&mut self) -> Result<()> {
        match self.rows.step()? {
            true => Ok(()),
            false => Err(Error::internal("a record that was looked for has no place")),
        }
    }

    /// Whether anything is known of the record.
    pub fn is_known(&self) -> bool {
        self.rows.column(0) != ValueRef::Null
    }

    /// Whether what is known of the record has a row.
    pub fn has_row(&self) -> bool {
        self.rows.column(OWN) != ValueRef::Null
    }

    /// Tracked column `i` of the row.
    pub fn cell(&self, i: usize) -> ValueRef<'_> {
        self.rows.column(OWN + 1 + i)
    }

    /// The record as it is stored: generation, base stamp, all else.
    pub fn clock(&self) -> (Option<i64>, [Option<i64>; 3], Option<&[u8]>) {
        let row = &self.rows;
        (row.i64(1), [row.i64(2), row.i64(3), row.i64(4)], row.bytes(5))
    }

    /// The statement that is on the row, and its first tracked column.
    pub fn row(&self) -> (&Stmt, usize) {
        (&self.rows, OWN + 1)
    }

    /// Whether it is a row as it was inserted under `hlc`, with all columns of today.
    pub fn is_base(&self, store: &Store<'_>, table: &Table, hlc: &Hlc) -> Result<bool> {
        let row = &self.rows;
        let same = row.i64(2) == Some(hlc.ts) && row.i64(3) == Some(i64::from(hlc.c)) && row.bytes(5).is_none();
        let node = row.i64(4).and_then(|n| u32::try_from(n).ok()).filter(|_| same);
        match node.filter(|_| row.i64(1) == Some(i64::from(table.gen))) {
            Some(node) => Ok(store.nodes.node(node)? == hlc.node),
            None => Ok(false),
        }
    }

    /// The clocks of the record's columns; false where there is more to it.
    pub fn cells(&self, store: &Store<'_>, table: &Table, cells: &mut Cells) -> Result<bool> {
        let row = &self.rows;
        let base = store.base([row.i64(2), row.i64(3), row.i64(4)])?;
        let gen = row.i64(1).and_then(|gen| u32::try_from(gen).ok());
        let (Some(base), Some(gen), None) = (base, gen, table.ended()) else { return Ok(false) };
        let (x, covered) = (row.bytes(5).unwrap_or_default(), table.covered());
        match gen == table.gen {
            true => unpack_cells(&base, x, (covered, covered), &store.nodes, cells),
            false => unpack_cells(&base, x, (covered, &table.covered_in(gen)), &store.nodes, cells),
        }
    }
}
