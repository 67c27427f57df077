//! What was read of a payload: records that are nothing but cells in their usual spelling, and other changes. Pure.

use super::quick::{Quick, Spelled};
use super::{Change, Drafts, Names};

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

    /// How many cells and other changes there are.
    pub fn len(&self) -> usize {
        self.drafts.len() + self.changes.len()
    }

    /// Whether the cell just read is of the record read last.
    pub(super) fn is_last(&self, quick: &Quick<'j>, cell: &Spelled<'j>) -> Option<bool> {
        let (table, pk) = quick.record()?;
        Some(match self.other {
            true => self.changes.last().is_some_and(|last| *last.table == **table && *last.pk == *pk),
            false => cell.same && self.drafts.records() > 0,
        })
    }

    /// Whether a change is of the record read last.
    pub(super) fn is_of_last(&self, change: &Change) -> bool {
        if self.other {
            return self.changes.last().is_some_and(|last| last.table == change.table && last.pk == change.pk);
        }
        let last = self.drafts.records().checked_sub(1).map(|last| self.drafts.record(last));
        last.is_some_and(|(table, pk)| *self.drafts.name(table) == *change.table && *pk == *change.pk)
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

    /// Adds any other change. All that comes with it for a record stays together.
    pub(super) fn add_other(&mut self, change: Change, same: bool) {
        if same && !self.other {
            self.drafts.give_up(&mut self.changes);
        }
        self.other = true;
        self.changes.push(change);
    }
}
