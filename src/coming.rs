//! Records and what came for them, as those roads see them that take many at once: changes, or what stands in a payload.

use std::rc::Rc;

use crate::gather::Incoming;
use crate::key::{places_in_order, Pk};
use crate::meet::Write;
use crate::schema::{Form, Table};

/// A record and what came for it.
pub trait Coming<'c> {
    /// Its table.
    fn table(&self) -> &Rc<Table>;

    /// Its key.
    fn pk(&self) -> &Pk;

    /// How many changes came.
    fn count(&self) -> usize;

    /// The `i`-th as a write of a tracked column, with its place; None for any other change.
    fn write(&self, form: &Form, i: usize) -> Option<(usize, Write<'c>)>;
}

impl<'c> Coming<'c> for Incoming<'c> {
    fn table(&self) -> &Rc<Table> {
        &self.table
    }

    fn pk(&self) -> &Pk {
        &self.pk
    }

    fn count(&self) -> usize {
        self.changes.len()
    }

    fn write(&self, form: &Form, i: usize) -> Option<(usize, Write<'c>)> {
        let (change, field, _) = self.changes.get(i).filter(|(_, _, local)| *local)?;
        let place = form.tracked.binary_search_by_key(field, |tracked| tracked.field).ok()?;
        Some((place, change.write()?))
    }
}

/// Puts records in the order of tables and keys; those of one record stay in their order.
pub fn sort<'c>(records: &mut [impl Coming<'c>]) {
    let order = places_in_order(records.iter().map(|record| (record.table().id, record.pk())));
    let mut to = vec![0; order.len()];
    for (place, from) in order.into_iter().enumerate() {
        if let Some(to) = to.get_mut(from) {
            *to = place;
        }
    }
    for i in 0..to.len() {
        // Each swap brings one of them to its place.
        while let Some(place) = to.get(i).copied().filter(|place| *place != i) {
            records.swap(i, place);
            to.swap(i, place);
        }
    }
}
