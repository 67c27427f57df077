//! What was read of a payload: records that are nothing but cells in their usual spelling, and other changes. Pure.

use super::quick::{Quick, Spelled};
use super::{Change, Drafts, Names};
use crate::compact::Entry;

/// A part of a payload.
#[derive(Default)]
pub struct Part<'j> {
    /// Records of nothing but cells.
    pub drafts: Drafts<'j>,
    /// The changes of all other records, in their order.
    pub changes: Vec<Change>,
    /// Whether all are wanted as changes.
    as_changes: bool,
    /// Whether what was read last is among the changes.
    other: bool,
}

impl<'j> Part<'j> {
    /// A part in which all are changes.
    pub fn of_changes() -> Part<'j> {
        Part { as_changes: true, ..Part::default() }
    }

    /// Lets all go.
    pub fn clear(&mut self) {
        self.drafts.clear();
        self.changes.clear();
    }

    /// How much there is, in changes: a cell takes about a quarter of the memory of one.
    pub fn size(&self) -> usize {
        self.drafts.len() / 4 + self.changes.len()
    }

    /// Whether the cell just read is of the record read last.
    pub(super) fn is_last(&self, quick: &Quick<'j>, cell: &Spelled<'j>) -> Option<bool> {
        let (table, pk) = quick.record()?;
        Some(match self.other {
            true => self.is_at(table, pk),
            false => cell.same && self.drafts.records() > 0,
        })
    }

    /// Whether a change is of the record read last.
    pub fn is_of_last(&self, change: &Change) -> bool {
        self.is_at(&change.table, &change.pk)
    }

    /// Whether that record has this table and key.
    pub fn is_at(&self, table: &str, pk: &str) -> bool {
        match self.other {
            true => self.changes.last().is_some_and(|last| *last.table == *table && *last.pk == *pk),
            false => self.drafts.is_at(table, pk),
        }
    }

    /// Adds the cell just read.
    pub(super) fn add(&mut self, quick: &Quick<'j>, cell: &Spelled<'j>, same: bool, names: &mut Names) -> Option<()> {
        if self.as_changes || (same && self.other) {
            self.other = true;
            self.changes.push(quick.change(cell, names)?);
            return Some(());
        }
        if !same {
            let (table, pk) = quick.record()?;
            self.drafts.begin(table, pk, names);
        }
        self.other = false;
        self.drafts.add(cell.field, cell.value, quick.stamps(cell)?, names);
        Some(())
    }

    /// Adds cells of one record; false where they are to be added as changes.
    pub fn add_entry(&mut self, entry: &Entry<'_, 'j>, same: bool, names: &mut Names) -> bool {
        if same && self.other {
            return false;
        }
        if !same {
            self.drafts.begin(entry.table, entry.pk, names);
        }
        self.other = false;
        entry.cells().for_each(|(field, value)| self.drafts.add(field, value, (entry.hlc, entry.prev), names));
        true
    }

    /// Adds any other change. All that comes with it for a record stays together.
    pub fn add_other(&mut self, change: Change, same: bool) {
        if same && !self.other {
            self.drafts.give_up(&mut self.changes);
        }
        self.other = true;
        self.changes.push(change);
    }
}
