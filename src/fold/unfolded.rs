//! A short tail of the log that holds nothing but updates of cells: told as it is, so that an export of a few rows writes no records and waits
//! for nobody. What the fold would make of it is made of each record when it is told.
//!
//! It is kept with the connection: the next export reads only what was logged since. Stamps are those that the fold will give, as
//! nothing else is between it and them: the log grows at its end only, and whatever else moves the clock folds first.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::entries::Entries;
use super::{Fold, Into, What};
use crate::clock::{Hlc, Tick};
use crate::error::Result;
use crate::ffi::Value;
use crate::filter::registry;
use crate::key::Pk;
use crate::local;
use crate::log::{self, Event};
use crate::pack::Cells;
use crate::record::{FieldId, Record};
use crate::schema::Catalog;
use crate::store::Store;
use crate::types::lww::Lww;

/// Log rows that are told so at most: then they are folded, many for each page that this writes. Few where assertions are on, so that
/// tests come past them.
const MOST: i64 = if cfg!(debug_assertions) { 6 } else { 2_000 };
/// Bytes of their keys at most: they stay in memory.
const MOST_BYTES: usize = 1 << 20;

/// Updates of cells that are not folded yet.
#[derive(Default)]
pub struct Unfolded {
    /// In the order of the log.
    updates: Vec<Update>,
    /// Their places, by table and record.
    places: BTreeMap<i64, BTreeMap<Rc<Pk>, Vec<usize>>>,
    bytes: usize,
    /// The log row that they come after; None where the log was not read.
    from: Option<i64>,
}

/// A log row that says that cells were updated.
pub struct Update {
    /// Its place in the log.
    pub seq: i64,
    /// The table's number.
    pub t: i64,
    /// The record's key.
    pub pk: Rc<Pk>,
    /// The fields that were updated.
    pub fields: Rc<[FieldId]>,
    stamp: Hlc,
}

/// Those that a connection has read, and what they were read on top of.
pub struct Kept {
    unfolded: Rc<Unfolded>,
    catalog: Rc<Catalog>,
    /// The fold's mark, and its clock.
    folded: (i64, Tick),
    /// The last log row that was read, all of its values, and the clock after it.
    last: (i64, Option<Vec<Value>>, Tick),
}

/// Takes the log's tail up to `end` as it is, into `store.unfolded`; false where it is to be folded.
pub fn take(store: &mut Store<'_>, end: i64) -> Result<bool> {
    let kept = store.conn.unfolded.take();
    if end.saturating_sub(store.folded) > MOST || !is_plain(store)? {
        return Ok(false);
    }
    let folded = (store.folded, store.clock);
    let kept = match kept {
        // A statement under way may still tell of them.
        Some(kept) if kept.fits(store)? => Rc::try_unwrap(kept.unfolded).ok().map(|unfolded| (kept.last, unfolded)),
        _ => None,
    };
    let (from, mut unfolded) = match kept {
        Some(((seq, _, clock), unfolded)) => {
            store.clock = clock;
            (seq, unfolded)
        }
        None => (store.folded, Unfolded { from: Some(store.folded), ..Unfolded::default() }),
    };
    if !unfolded.read(store, (from, end), folded.1)? {
        store.clock = folded.1;
        return Ok(false);
    }
    store.folded = end;
    store.unfolded = Rc::new(unfolded);
    let last = (end, log::values(store.conn, end)?, store.clock);
    let (unfolded, catalog) = (Rc::clone(&store.unfolded), Rc::clone(&store.catalog));
    store.conn.unfolded.replace(Some(Kept { unfolded, catalog, folded, last }));
    Ok(true)
}

/// Whether nothing is going on that a fold would see to, or that looks at records otherwise than one by one.
fn is_plain(store: &Store<'_>) -> Result<bool> {
    let catalog = &store.catalog;
    let is_quiet = !catalog.has_notes && !catalog.counts_anew && catalog.hooks.all().is_empty();
    Ok(is_quiet && !store.any_pending.get() && registry::own(store.conn)?.is_empty())
}

impl Kept {
    /// Whether the state is still what they were read on top of.
    fn fits(&self, store: &Store<'_>) -> Result<bool> {
        let (seq, row, _) = &self.last;
        let same = Rc::ptr_eq(&self.catalog, &store.catalog) && self.folded == (store.folded, store.clock);
        // Another file may have been put in this one's place.
        Ok(same && row.is_some() && log::values(store.conn, *seq)? == *row)
    }
}

impl Unfolded {
    /// Reads log rows; false where one is none of these. `folded` is the clock of the fold.
    fn read(&mut self, store: &mut Store<'_>, (from, end): (i64, i64), folded: Tick) -> Result<bool> {
        // A time up to here is one to go by, whatever the wall clock is at the fold.
        let sure = folded.ts.saturating_add(store.max_drift);
        let mut rows = Entries::new(store.conn, from, end)?;
        let mut fold = Fold::new(store, Into::Memory);
        while let Some(entries) = rows.next(|t| fold.classes(t))? {
            for entry in entries {
                if entry.at > sure || !matches!(entry.event, Event::Update(_)) {
                    return Ok(false);
                }
                let seq = entry.seq;
                fold.take(entry)?;
                let Some(((t, pk), write)) = fold.written.pop() else { continue };
                let What::Cells(fields) = write.what else { return Ok(false) };
                self.add(Update { seq, t, pk: Rc::new(pk), fields, stamp: write.stamp });
                let may_be_told = fold.store.table(t).is_some_and(|table| table.ended().is_none());
                if !may_be_told || self.bytes > MOST_BYTES {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn add(&mut self, update: Update) {
        self.bytes = self.bytes.saturating_add(update.pk.bytes());
        let of_table = self.places.entry(update.t).or_default();
        of_table.entry(Rc::clone(&update.pk)).or_default().push(self.updates.len());
        self.updates.push(update);
    }

    /// All that the log has after a row; None where that was not read.
    pub fn after(&self, seq: i64) -> Option<&[Update]> {
        self.from.filter(|from| *from <= seq)?;
        self.updates.get(self.updates.partition_point(|update| update.seq <= seq)..)
    }

    /// Those of a record.
    pub fn of(&self, t: i64, pk: &Pk) -> OfRecord<'_> {
        let places = self.places.get(&t).and_then(|of_table| of_table.get(pk));
        OfRecord { all: &self.updates, places: places.map_or(&[], Vec::as_slice) }
    }
}

/// The updates of a record, in the order of the log.
pub struct OfRecord<'u> {
    all: &'u [Update],
    places: &'u [usize],
}

impl OfRecord<'_> {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    fn each(&self) -> impl Iterator<Item = &Update> {
        self.places.iter().filter_map(|place| self.all.get(*place))
    }

    /// Updates the record.
    pub fn update(&self, record: &mut Record) {
        for Update { stamp, fields, .. } in self.each() {
            local::update(record, fields, stamp);
        }
    }

    /// Updates a record that has nothing but the clocks of the fields `covered`; false where there would be more to it.
    pub fn update_cells(&self, covered: &[FieldId], cells: &mut Cells) -> bool {
        self.each().all(|Update { stamp, fields, .. }| {
            fields.iter().all(|field| {
                let place = covered.binary_search(field).ok();
                let Some(cell) = place.and_then(|place| cells.get_mut(place)) else { return false };
                *cell = Some(match cell {
                    Some(old) => old.overwritten(stamp.clone(), &[]),
                    None => Lww::first(stamp.clone(), &[]),
                });
                true
            })
        })
    }
}
