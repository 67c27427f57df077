//! Records told ahead of their turn, in the order of their keys: b-trees are read from one end to the other then, and the
//! answer is still in the order of the log.

use super::answer::Answer;
use super::tell::tell;
use super::whole::Whole;
use super::Found;
use crate::clock::Tick;
use crate::error::Result;
use crate::store::Store;

/// Records told ahead at first; each further time twice as many, as long as somebody goes on asking. Few where assertions are
/// on, so that tests come past the end of them.
const LEAST: usize = if cfg!(debug_assertions) { 1 } else { 64 };
/// Records told ahead at most: bounds what is read in vain at the end of a page.
const MOST: usize = if cfg!(debug_assertions) { 3 } else { 8_192 };

/// What some records to come have to tell.
pub struct Ahead<D> {
    /// Which of the export's windows they are of.
    window: u64,
    /// The place in the queue of the first.
    first: usize,
    /// Each record's draft, and the latest stamp told.
    records: Vec<(D, Tick)>,
}

impl<D: Clone + Default> Ahead<D> {
    /// Nothing yet.
    pub fn new() -> Self {
        Ahead { window: 0, first: 0, records: Vec::new() }
    }

    /// Writes the record at a place of the queue; its latest stamp. Those that come next are told with it.
    pub fn write<A: Answer<Draft = D>>(
        &mut self,
        store: &Store<'_>,
        (window, queue): (u64, &[Found]),
        place: usize,
        out: &mut A,
    ) -> Result<Tick> {
        if window != self.window {
            (self.window, self.records) = (window, Vec::new());
        }
        if self.at(place).is_none() {
            let size = (self.records.len() * 2).clamp(LEAST, MOST);
            out.clear();
            self.records = read(store, queue, place, size, out)?;
            self.first = place;
        }
        let Some((draft, latest)) = self.at(place) else { return Ok(Tick::default()) };
        out.put(draft);
        Ok(*latest)
    }

    fn at(&self, place: usize) -> Option<&(D, Tick)> {
        self.records.get(place.checked_sub(self.first)?)
    }
}

/// Tells up to `size` records of `queue` from the place `first` on.
fn read<A: Answer>(
    store: &Store<'_>,
    queue: &[Found],
    first: usize,
    size: usize,
    out: &mut A,
) -> Result<Vec<(A::Draft, Tick)>> {
    let next = queue.iter().skip(first).take(size);
    let mut order: Vec<(usize, &Found)> = next.enumerate().collect();
    order.sort_unstable_by(|a, b| a.1 .0.cmp(&b.1 .0));
    let mut records = vec![(A::Draft::default(), Tick::default()); order.len()];
    for (i, (key, pick, _)) in order {
        let Some(table) = store.table(key.0) else { continue };
        let Some(whole) = Whole::read(store, &table, &key.1)? else { continue };
        out.record(&table.name, &key.1.wire());
        let latest = tell(&table, &whole, pick, out);
        if let Some(record) = records.get_mut(i) {
            *record = (out.drafted(), latest);
        }
    }
    Ok(records)
}
