//! The clocks of a whole window's records, and where their rows are: both read in the order of the keys, so that the rows can be
//! read in their own.

use std::ops::Range;
use std::rc::Rc;

use super::whole::{state, State};
use super::window::Window;
use crate::error::Result;
use crate::key::Pk;
use crate::schema::Table;
use crate::store::Store;
use crate::walk::Walk;

/// The clock of a record as it is stored, and where its row is.
pub struct Known {
    gen: Option<i64>,
    base: [Option<i64>; 3],
    x: Option<Range<usize>>,
    /// None where there is no row.
    pub rowid: Option<i64>,
}

/// What is known of a window's records, by their places in it.
#[derive(Default)]
pub struct Clocks {
    known: Vec<Option<Known>>,
    bytes: Vec<u8>,
    tables: Vec<Rc<Table>>,
}

impl Clocks {
    /// Reads the clocks of the records from the place `first` on, those of tables whose keys SQLite has in our order, next to
    /// rowids.
    pub fn read(store: &Store<'_>, window: &Window, first: usize) -> Result<Clocks> {
        let mut clocks = Clocks::default();
        clocks.known.resize_with(window.found.len(), || None);
        if !store.overlay.is_empty() || !store.conn.is_utf8()? {
            return Ok(clocks);
        }
        let mut found = window.order.iter().filter_map(|place| Some((*place, window.found.get(*place)?))).peekable();
        while let Some((_, ((t, _), ..))) = found.peek() {
            let t = *t;
            let table = store.table(t);
            let records = std::iter::from_fn(|| found.next_if(|(_, ((next, _), ..))| *next == t));
            let records = records.filter(|(place, _)| *place >= first).map(|(place, ((_, pk), ..))| (place, pk));
            match table {
                Some(table) => clocks.read_table(store, &table, records)?,
                None => records.for_each(drop),
            }
        }
        Ok(clocks)
    }

    fn read_table<'r>(
        &mut self,
        store: &Store<'_>,
        table: &Rc<Table>,
        records: impl Iterator<Item = (usize, &'r Pk)>,
    ) -> Result<()> {
        let mut ways = None;
        if let Some(form) = table.form_if_usable(store.conn)?.filter(|_| table.captured) {
            let rows = if form.shape.rowid_alias { None } else { Walk::of_rows(store, form)? };
            if form.shape.rowid_alias || rows.is_some() {
                self.tables.push(Rc::clone(table));
                ways = Some((Walk::new(store, table.id)?, rows, &form.shape.classes));
            }
        }
        for (place, pk) in records {
            let Some((clocks, rows, classes)) = &mut ways else { continue };
            if pk.plain(classes).is_none() || !clocks.find(pk)? {
                continue;
            }
            let rowid = match (rows, pk) {
                (Some(rows), _) => rows.find(pk)?.then(|| rows.rowid()).flatten(),
                (None, Pk::Int(rowid)) => Some(*rowid),
                (None, Pk::Text(_)) => continue,
            };
            let (gen, base, x) = clocks.clock();
            let from = self.bytes.len();
            self.bytes.extend_from_slice(x.unwrap_or_default());
            let x = x.map(|_| from..self.bytes.len());
            if let Some(known) = self.known.get_mut(place) {
                *known = Some(Known { gen, base, x, rowid });
            }
        }
        Ok(())
    }

    /// What is known of the record at that place.
    pub fn get(&self, place: usize) -> Option<&Known> {
        self.known.get(place)?.as_ref()
    }

    /// The tables of the records that something is known of.
    pub fn tables(&self) -> &[Rc<Table>] {
        &self.tables
    }

    /// The state of a record.
    pub fn state(&self, store: &Store<'_>, table: &Table, pk: &Pk, known: &Known) -> Result<State> {
        let x = known.x.as_ref().map(|range| self.bytes.get(range.clone()).unwrap_or_default());
        state(store, table, pk, (known.gen, known.base, x))
    }
}
