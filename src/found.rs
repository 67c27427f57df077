//! What is known of many records, and their rows: looked up by one statement, as a statement for each would cost more than
//! what it finds, or by two that go from key to key, where the keys lie next to each other.

use std::rc::Rc;

use crate::batch::Rows;
use crate::clock::Hlc;
use crate::conn::{Cached, Conn};
use crate::error::{Error, Result};
use crate::ffi::{Stmt, ValueRef};
use crate::key::Pk;
use crate::pack::{unpack_cells, Cells, Nodes};
use crate::pass::is_dense;
use crate::row;
use crate::schema::{Form, Table};
use crate::store::Store;
use crate::walk::Walk;

/// So many records are worth asking whether they lie next to each other, and how the table has its keys.
const MANY: usize = if cfg!(debug_assertions) { 2 } else { 64 };

/// Columns before those of the row, where both are of one statement.
const OWN: usize = 6;

/// Records looked up in a table whose key is one column, one after the other in the order of their keys.
pub struct Found<'c>(Way<'c>);

enum Way<'c> {
    /// One statement looks for each. Before its first step it is given what is wanted.
    Join { conn: &'c Conn, wanted: Option<Rc<Rows>>, rows: Cached<'c>, here: bool },
    /// Two go from key to key.
    Walks { clocks: Walk<'c>, rows: Walk<'c>, known: bool, here: bool },
}

impl<'c> Found<'c> {
    /// Looks for records.
    pub fn new<'k>(store: &Store<'c>, t: i64, form: &Form, keys: impl Iterator<Item = &'k Pk>) -> Result<Found<'c>> {
        let mut wanted = Rows::new(1);
        wanted.extend(keys.map(Pk::as_ref));
        let mut rows = store.conn.stmt(&row::found(form))?;
        rows.bind_all(&[t.into()])?;
        Ok(Found(Way::Join { conn: store.conn, wanted: Some(Rc::new(wanted)), rows, here: false }))
    }

    /// The same for records of which `key` gives each one's key: there may be many next to each other.
    pub fn many<'k>(
        store: &Store<'c>,
        t: i64,
        form: &Form,
        count: usize,
        key: impl Fn(usize) -> Option<&'k Pk>,
    ) -> Result<Found<'c>> {
        let stored = |i| key(i).map(Pk::as_ref);
        if count >= MANY && store.conn.is_utf8()? && is_dense(store.conn, t, count, stored)? {
            if let Some(rows) = Walk::through_rows(store, form)? {
                return Ok(Found(Way::Walks { clocks: Walk::new(store, t)?, rows, known: false, here: false }));
            }
        }
        Found::new(store, t, form, (0..count).filter_map(key))
    }

    /// Goes to the next record, whose key is `pk`.
    pub fn next(&mut self, pk: &Pk) -> Result<()> {
        match &mut self.0 {
            Way::Join { conn, wanted, rows, here } => {
                let more = match wanted.take() {
                    Some(wanted) => conn.begin_batch(rows, &wanted)?,
                    None => rows.step()?,
                };
                if !more {
                    return Err(Error::internal("a record that was looked for has no place"));
                }
                // SQL finds -9223372036854775808.0, which an INTEGER column keeps as it is, equal to the integer.
                *here = match rows.column(OWN) {
                    ValueRef::Integer(_) => matches!(pk, Pk::Int(_)),
                    ValueRef::Text(_) => matches!(pk, Pk::Text(_)),
                    _ => false,
                };
            }
            Way::Walks { clocks, rows, known, here } => {
                *known = clocks.find(pk)?;
                *here = *known && rows.find(pk)?;
            }
        }
        Ok(())
    }

    /// Whether anything is known of the record.
    pub fn is_known(&self) -> bool {
        match &self.0 {
            Way::Join { rows, .. } => rows.column(0) != ValueRef::Null,
            Way::Walks { known, .. } => *known,
        }
    }

    /// Whether what is known of the record has a row.
    pub fn has_row(&self) -> bool {
        match &self.0 {
            Way::Join { here, .. } | Way::Walks { here, .. } => *here,
        }
    }

    /// Tracked column `i` of the row.
    pub fn cell(&self, i: usize) -> ValueRef<'_> {
        let (row, first) = self.row();
        row.column(first + i)
    }

    /// The record as it is stored: generation, base stamp, all else.
    pub fn clock(&self) -> (Option<i64>, [Option<i64>; 3], Option<&[u8]>) {
        let row = self.known();
        (row.i64(1), [row.i64(2), row.i64(3), row.i64(4)], row.bytes(5))
    }

    /// The statement that is on the row, and its first tracked column.
    pub fn row(&self) -> (&Stmt, usize) {
        match &self.0 {
            Way::Join { rows, .. } => (rows, OWN + 1),
            Way::Walks { rows, .. } => (rows.stmt(), 1),
        }
    }

    /// The statement that is on the record: behind the first column, what is stored of it.
    fn known(&self) -> &Stmt {
        match &self.0 {
            Way::Join { rows, .. } => rows,
            Way::Walks { clocks, .. } => clocks.stmt(),
        }
    }

    /// Whether it is a row as it was inserted under `hlc`, with all columns of today.
    pub fn is_base(&self, store: &Store<'_>, table: &Table, hlc: &Hlc) -> Result<bool> {
        let row = self.known();
        let same = row.i64(2) == Some(hlc.ts) && row.i64(3) == Some(i64::from(hlc.c)) && row.bytes(5).is_none();
        let node = row.i64(4).and_then(|n| u32::try_from(n).ok()).filter(|_| same);
        match node.filter(|_| row.i64(1) == Some(i64::from(table.gen))) {
            Some(node) => Ok(store.nodes.node(node)? == hlc.node),
            None => Ok(false),
        }
    }

    /// The clocks of the record's columns; false where there is more to it.
    pub fn cells(&self, store: &Store<'_>, table: &Table, cells: &mut Cells) -> Result<bool> {
        let row = self.known();
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
