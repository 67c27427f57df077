//! What is known of many records, and their rows: looked up by one statement, as a statement for each would cost more than
//! what it finds.

use std::rc::Rc;

use crate::batch::Rows;
use crate::clock::Hlc;
use crate::conn::Cached;
use crate::error::{Error, Result};
use crate::ffi::ValueRef;
use crate::key::Pk;
use crate::pack::Nodes;
use crate::record::Record;
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

    /// The record's state, but for parts that are kept apart.
    pub fn unpack(&self, store: &Store<'_>, table: &Table) -> Result<Record> {
        let row = &self.rows;
        store.unpack(table, row.i64(1), [row.i64(2), row.i64(3), row.i64(4)], row.bytes(5))
    }
}
