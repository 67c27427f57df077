//! Which records nothing is known of, asked in the order of their keys: one question answers for all keys in a gap.

use crate::conn::Cached;
use crate::error::Result;
use crate::key::Pk;
use crate::store::Store;

/// Asks for the records of one table, in rising order of their keys. Between two questions only records of the keys asked for
/// may come to be.
pub struct Gaps<'c> {
    t: i64,
    next: Cached<'c>,
    /// No record stands from the first key on before the second, or before the table's end.
    gap: Option<(Pk, Option<Pk>)>,
}

impl<'c> Gaps<'c> {
    /// A look at the table of number `t`.
    pub fn new(store: &Store<'c>, t: i64) -> Result<Gaps<'c>> {
        let next = store.conn.stmt("SELECT pk FROM main._crdt_clock WHERE t = ?1 AND pk >= ?2 ORDER BY pk LIMIT 1")?;
        Ok(Gaps { t, next, gap: None })
    }

    /// The table's number.
    pub fn table(&self) -> i64 {
        self.t
    }

    /// Whether nothing is known of a record.
    pub fn is_absent(&mut self, pk: &Pk) -> Result<bool> {
        if let Some((from, until)) = &self.gap {
            if pk >= from && until.as_ref().is_none_or(|until| pk < until) {
                return Ok(true);
            }
        }
        self.next.bind_all(&[self.t.into(), pk.as_ref()])?;
        let until = if self.next.step()? { Some(Pk::from_stored(self.next.column(0))?) } else { None };
        self.next.reset();
        let absent = until.as_ref() != Some(pk);
        self.gap = absent.then(|| (pk.clone(), until));
        Ok(absent)
    }
}
