//! A record's state: the clocks of its fields, its tombstone, the parts of its counters and sets. Pure.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::change::Change;
use crate::clock::{Hlc, Tick};
use crate::types::counter::Part;
use crate::types::lww::Lww;
use crate::types::seen::Seen;
use crate::types::set::Mark;

/// A field's number within its table: interned by name and type, never used again for another.
pub type FieldId = u32;

/// The parts of one counter: by author, and by operation for clients that send single operations.
///
/// The second half of the key is empty for totals and the operation's `ts:c` for an operation.
pub type Parts = BTreeMap<(Rc<str>, String), Part>;
/// The marks of one set, by element and node.
pub type Marks = BTreeMap<(String, Rc<str>), Mark>;
/// Changes of a type that this version does not have, by author and stamp: the whole change as JSON.
pub type Kept = BTreeMap<Hlc, String>;

/// Everything that is replicated of one row.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Record {
    /// The latest delete.
    pub tomb: Option<Hlc>,
    /// What its author had seen of the record; None when it does not tell.
    pub tomb_seen: Option<Seen>,
    /// The latest insert, where no field shows a stamp as late.
    pub row: Option<Hlc>,
    /// The clocks of last-writer-wins fields.
    pub lww: BTreeMap<FieldId, Lww>,
    /// The parts of counters.
    pub counters: BTreeMap<FieldId, Parts>,
    /// The marks of sets.
    pub sets: BTreeMap<FieldId, Marks>,
    /// What is kept for later versions.
    pub kept: BTreeMap<FieldId, Kept>,
    /// Parts of counters and marks of sets up to this stamp are of an earlier life, which was forgotten, and count no more.
    pub forgotten: Option<Hlc>,
    /// Each author's latest stamp in fields that were let go with their columns: known here, and no part of the state.
    pub shed: BTreeMap<Rc<str>, Tick>,
    /// Field states were forgotten: only the key and the tombstone remain.
    pub epitaph: bool,
    /// The parts are stored in rows of their own.
    pub apart: bool,
}

impl Record {
    /// A row that was inserted and not touched since.
    pub fn new(base: &Hlc, covered: &[FieldId]) -> Record {
        let mut lww = BTreeMap::new();
        for field in covered {
            lww.insert(*field, Lww::live(base.clone(), None)); // to collect them would sort them first
        }
        Record { row: Some(base.clone()), lww, ..Record::default() }
    }

    /// The latest stamp of any field, the row's own not included.
    fn latest_field(&self) -> Option<Hlc> {
        let lww = self.lww.values().map(|l| &l.hlc);
        let parts = self.counters.values().flat_map(|p| p.values().map(|p| &p.hlc));
        let kept = self.kept.values().flat_map(|k| k.keys());
        let latest = lww.chain(parts).chain(kept).max().cloned();
        let marks = self
            .sets
            .values()
            .flat_map(|marks| marks.iter())
            .filter_map(|((_, node), mark)| mark.latest().map(|tick| tick.by(node)))
            .max();
        latest.max(marks)
    }

    /// The latest stamp of any write to the record, deletes not included.
    pub fn latest(&self) -> Option<Hlc> {
        self.latest_field().max(self.row.clone())
    }

    /// Whether a change makes a deleted record anew.
    pub fn is_born_by(&self, change: &Change) -> bool {
        !change.is_delete() && self.tomb.as_ref() < Some(&change.hlc)
    }

    /// A record is alive when any stamp lies above its tombstone's.
    pub fn alive(&self) -> bool {
        if self.tomb.is_none() && !self.lww.is_empty() {
            return true;
        }
        match (&self.tomb, self.latest()) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(tomb), Some(latest)) => latest > *tomb,
        }
    }

    /// The row's own stamp, when the record's fields would not show one as late: only then is it part of the state.
    pub fn visible_row(&self) -> Option<&Hlc> {
        let row = self.row.as_ref().filter(|row| self.lww.values().all(|lww| lww.hlc < **row))?;
        (self.latest_field().as_ref() < Some(row)).then_some(row)
    }

    /// The latest stamp of one field; None when it has no state.
    pub fn stamp_of(&self, field: FieldId) -> Option<Hlc> {
        let lww = self.lww.get(&field).map(|l| l.hlc.clone());
        let part = self.counters.get(&field).and_then(|parts| parts.values().map(|p| &p.hlc).max().cloned());
        let marks = self.sets.get(&field).into_iter().flatten();
        let mark = marks.filter_map(|((_, node), mark)| mark.latest().map(|tick| tick.by(node))).max();
        let kept = self.kept.get(&field).and_then(|kept| kept.keys().max().cloned());
        lww.max(part).max(mark).max(kept)
    }

    /// The stamp of the latest write or delete.
    pub fn last_stamp(&self) -> Option<Hlc> {
        self.latest().max(self.tomb.clone())
    }

    /// Takes in a stamp of the row itself; true when it was news.
    pub fn join_row(&mut self, hlc: &Hlc) -> bool {
        let news = self.latest().as_ref() < Some(hlc);
        if self.row.as_ref() < Some(hlc) {
            self.row = Some(hlc.clone());
        }
        news
    }

    /// Every stamp of a write that the record shows.
    pub fn stamps(&self) -> Vec<Hlc> {
        let lww = self.lww.values().map(|lww| lww.hlc.clone());
        let parts = self.counters.values().flat_map(|parts| parts.values().map(|part| part.hlc.clone()));
        let kept = self.kept.values().flat_map(|kept| kept.keys().cloned());
        let marks = self.sets.values().flatten();
        let marks = marks.filter_map(|((_, node), mark)| mark.latest().map(|tick| tick.by(node)));
        lww.chain(parts).chain(kept).chain(marks).chain(self.row.clone()).collect()
    }

    /// The delete's stamp, and those that its author had seen.
    pub fn known_by_delete(&self) -> Vec<Hlc> {
        let seen = self.tomb_seen.iter().flat_map(|seen| seen.stamps());
        self.tomb.iter().chain(seen).cloned().collect()
    }

    /// Takes in a delete, with what its author had seen; true when it was news.
    pub fn join_tomb(&mut self, hlc: &Hlc, seen: Option<Seen>) -> bool {
        let news = self.tomb.as_ref() < Some(hlc);
        if news {
            self.tomb = Some(hlc.clone());
            self.tomb_seen = seen;
        }
        news
    }

    /// The exact sum of a counter; None while it has no part.
    pub fn sum(&self, field: FieldId) -> Option<i128> {
        let parts = self.counters.get(&field).filter(|parts| !parts.is_empty())?;
        Some(crate::types::counter::sum(parts.values()))
    }

    /// The live elements of a set, in canonical order.
    pub fn elements(&self, field: FieldId) -> Vec<&str> {
        let mut live: Vec<&str> = self
            .sets
            .get(&field)
            .into_iter()
            .flatten()
            .filter(|(_, mark)| mark.is_live())
            .map(|((element, _), _)| element.as_str())
            .collect();
        live.dedup(); // sorted by element already
        live
    }

    /// Lets go of lww fields that have `ended` and whose values are known to nobody here: they went with their columns, or with a
    /// row that went while no trigger told. That someone wrote them stays known as a sign of the row's life, and by whom: a peer may
    /// keep their values, and asks whether they are known.
    pub fn let_go(&mut self, ended: impl Fn(FieldId) -> bool) {
        let gone = |(field, lww): &(&FieldId, &Lww)| lww.saved.is_none() && ended(**field);
        let gone: Vec<FieldId> = self.lww.iter().filter(gone).map(|(field, _)| *field).collect();
        for lww in gone.iter().filter_map(|field| self.lww.remove(field)).collect::<Vec<_>>() {
            self.join_row(&lww.hlc);
            std::iter::once(&lww.hlc).chain(lww.others()).for_each(|stamp| self.shed(stamp));
        }
    }

    /// Remembers a write that the record shows no more.
    fn shed(&mut self, hlc: &Hlc) {
        let latest = self.shed.entry(Rc::clone(&hlc.node)).or_default();
        *latest = hlc.tick().max(*latest);
    }

    /// Drops the values and field states; key and tombstone remain.
    pub fn forget(&mut self) {
        let (tomb, forgotten) = (self.tomb.take(), self.forgotten.take());
        *self = Record { tomb, forgotten, epitaph: true, apart: self.apart, ..Record::default() };
    }

    /// The record was made anew after it had been forgotten: what its counters and sets held up to `until` is over. True
    /// when that was news.
    pub fn begin_anew(&mut self, until: &Hlc) -> bool {
        if self.forgotten.as_ref() >= Some(until) {
            return false;
        }
        self.forgotten = Some(until.clone());
        for parts in self.counters.values_mut() {
            parts.retain(|_, part| part.hlc > *until);
        }
        self.counters.retain(|_, parts| !parts.is_empty());
        for marks in self.sets.values_mut() {
            marks.retain(|(_, node), mark| mark.forget(node, until));
        }
        self.sets.retain(|_, marks| !marks.is_empty());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ts: i64) -> Hlc {
        Hlc::new(ts, 0, &Rc::from("n"))
    }

    #[test]
    fn a_later_write_of_any_kind_revives() {
        let mut record = Record { tomb: Some(at(5)), ..Record::default() };
        assert!(!record.alive());
        record.lww.insert(1, Lww::live(at(5), None));
        assert!(!record.alive(), "the tombstone wins a tie");
        record.counters.entry(2).or_default().insert((Rc::from("n"), String::new()), Part::empty(at(6)));
        assert!(record.alive());
    }

    #[test]
    fn a_field_without_column_and_value_leaves_its_stamp_to_the_row() {
        let mut record = Record { tomb: Some(at(5)), ..Record::default() };
        record.lww.insert(1, Lww::live(at(3), None));
        record.lww.insert(2, Lww::live(at(6), None));
        record.lww.insert(3, Lww { saved: Some("1".into()), ..Lww::live(at(4), None) });
        record.let_go(|field| field > 1);
        assert_eq!(record.lww.keys().copied().collect::<Vec<_>>(), [1, 3]);
        assert_eq!(record.shed, BTreeMap::from([(Rc::from("n"), at(6).tick())]));
        assert_eq!(record.visible_row(), Some(&at(6)));
        assert!(record.alive());
    }

    #[test]
    fn the_row_stamp_counts_only_while_no_field_is_as_late() {
        let mut record = Record::default();
        assert!(record.join_row(&at(3)));
        assert_eq!(record.visible_row(), Some(&at(3)));
        record.lww.insert(1, Lww::live(at(3), None));
        assert_eq!(record.visible_row(), None);
        assert!(!record.join_row(&at(3)));
    }
}
