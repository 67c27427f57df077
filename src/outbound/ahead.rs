//! Records told ahead of their turn, in the order of their keys: b-trees are read from one end to the other then, and the
//! answer is still in the order of the log.

use std::ops::Range;

use super::json::Json;
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

/// The JSON of some records to come.
#[derive(Clone, Default)]
pub struct Ahead {
    /// The place in the queue of the first.
    first: usize,
    text: String,
    records: Vec<Told>,
}

/// One record: where its JSON is, how many changes that are, and their latest stamp.
#[derive(Clone, Default)]
struct Told {
    text: Range<usize>,
    changes: usize,
    latest: Tick,
}

impl Ahead {
    /// How many records to tell next.
    pub fn size(&self) -> usize {
        (self.records.len() * 2).clamp(LEAST, MOST)
    }

    /// Whether the record at this place of the queue is told.
    pub fn has(&self, place: usize) -> bool {
        place.checked_sub(self.first).is_some_and(|i| i < self.records.len())
    }

    /// Tells up to `size` records of `queue` from the place `first` on.
    pub fn read(store: &Store<'_>, queue: &[Found], first: usize, size: usize) -> Result<Ahead> {
        let next = queue.iter().skip(first).take(size);
        let mut order: Vec<(usize, &Found)> = next.enumerate().collect();
        order.sort_unstable_by(|a, b| a.1 .0.cmp(&b.1 .0));
        let mut ahead = Ahead { first, text: String::new(), records: vec![Told::default(); order.len()] };
        for (i, (key, pick, _)) in order {
            let Some(table) = store.table(key.0) else { continue };
            let Some(whole) = Whole::read(store, &table, &key.1)? else { continue };
            let from = ahead.text.len();
            let mut json = Json::new(&mut ahead.text);
            json.record(&table.name, &key.1.wire());
            let latest = tell(&table, &whole, pick, &mut json);
            let changes = json.count;
            if let Some(told) = ahead.records.get_mut(i) {
                *told = Told { text: from..ahead.text.len(), changes, latest };
            }
        }
        Ok(ahead)
    }

    /// Appends the record at a place of the queue to an answer; its latest stamp.
    pub fn write(&self, place: usize, out: &mut Json<'_>) -> Tick {
        let told = place.checked_sub(self.first).and_then(|i| self.records.get(i));
        let Some(told) = told else { return Tick::default() };
        out.changes(self.text.get(told.text.clone()).unwrap_or_default(), told.changes);
        told.latest
    }
}
