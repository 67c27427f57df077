//! What an answer is written in: one form or the other.

use std::rc::Rc;

use super::item::Item;
use super::tell::Sink;
use crate::schema::Table;

/// An answer in the making. As a sink it takes what a record has to tell, which is written when the record's turn comes.
pub trait Answer: Sink {
    /// What was told of one record.
    type Draft: Clone + Default;

    /// Whose changes come next.
    fn record(&mut self, table: &Rc<Table>, pk: &str);

    /// What was told of it.
    fn drafted(&mut self) -> Self::Draft;

    /// Forgets all drafts.
    fn clear(&mut self);

    /// Writes a draft.
    fn put(&mut self, draft: &Self::Draft);

    /// Writes changes of one record.
    fn items(&mut self, items: Vec<Item>);
}

/// An answer that is as long as its reader wants it.
pub trait Paged: Answer {
    /// How many changes are written.
    fn count(&self) -> usize;

    /// Bytes of the answer so far.
    fn len(&self) -> usize;
}
