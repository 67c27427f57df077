//! Records gathered from the log, each once.

use std::ops::Range;

use super::pick::Pick;
use super::Found;
use crate::error::Result;
use crate::key::places_in_order;

/// Records gathered from the log.
#[derive(Default)]
pub struct Window {
    /// How often records were gathered.
    pub(super) number: u64,
    /// In the order of the log, each once.
    pub(super) found: Vec<Found>,
    /// Their places, in the order of tables and keys.
    pub(super) order: Vec<usize>,
    /// How many of them are wanted, as far as that is known.
    pub(super) wanted: Option<usize>,
}

impl Window {
    /// Gathers records until as many are there as `enough` says of those so far. `read` appends what comes next in the log until
    /// there are as many as it is told, and says whether that is all.
    pub(super) fn fill(
        &mut self,
        enough: &dyn Fn(&[Found]) -> usize,
        read: &mut dyn FnMut(&mut Vec<Found>, usize) -> Result<bool>,
    ) -> Result<bool> {
        let mut ended = false;
        loop {
            let (have, enough) = (self.found.len(), enough(&self.found));
            if ended || have >= enough {
                self.wanted = Some(enough);
                return Ok(ended);
            }
            // Each time all is sorted, so that half as many at least have to come in between: where records are touched again
            // and again, hardly a row may be of another one.
            ended = read(&mut self.found, enough.max(have + enough.div_ceil(2)))?;
            self.settle();
        }
    }

    /// Places in the order of tables and keys.
    pub(super) fn in_order(&self, places: Range<usize>) -> Vec<usize> {
        // Where most are wanted it is faster to leave the others out than to compare keys again.
        if places.len() * 8 > self.order.len() {
            return self.order.iter().copied().filter(|place| places.contains(place)).collect();
        }
        let mut few: Vec<usize> = places.collect();
        few.sort_unstable_by_key(|place| self.found.get(*place).map(|(key, ..)| key));
        few
    }

    /// Makes one of those that are of the same record, at the place of the first, and finds the order of the keys.
    pub(super) fn settle(&mut self) {
        let order = places_in_order(self.found.iter().map(|((t, pk), ..)| (*t, pk)));
        let mut first: Vec<usize> = (0..self.found.len()).collect();
        for pair in order.windows(2) {
            let [a, b] = pair else { continue };
            let same = self.found.get(*a).map(|found| &found.0) == self.found.get(*b).map(|found| &found.0);
            if let (true, Some(of_a)) = (same, first.get(*a).copied()) {
                if let Some(of_b) = first.get_mut(*b) {
                    *of_b = of_a;
                }
                let pick = self.found.get_mut(*b).map(|found| std::mem::replace(&mut found.1, Pick::Later));
                if let (Some(pick), Some(found)) = (pick, self.found.get_mut(of_a)) {
                    found.1.add(pick);
                }
            }
        }
        // Where those that stay go to.
        let stays = |place: usize| first.get(place) == Some(&place);
        let mut to: Vec<usize> = vec![0; self.found.len()];
        let mut count = 0;
        for (place, to) in to.iter_mut().enumerate() {
            *to = count;
            count += usize::from(stays(place));
        }
        self.order =
            order.into_iter().filter(|place| stays(*place)).filter_map(|place| to.get(place).copied()).collect();
        let mut place = 0..;
        self.found.retain(|_| place.next().is_some_and(stays));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Pk;

    /// Rows that touch `hot` records in turn are read into a window of `size`; how many records it has, and how often it was
    /// sorted.
    fn filled(hot: i64, rows: i64, size: usize) -> (usize, usize) {
        let (mut window, mut seq, mut sorted) = (Window::default(), 0, 0);
        let mut read = |found: &mut Vec<Found>, most: usize| {
            sorted += 1;
            while found.len() < most && seq < rows {
                seq += 1;
                found.push(((1, Pk::Int(seq % hot)), Pick::All, seq));
            }
            Ok(found.len() < most)
        };
        assert_eq!(window.fill(&|_| size, &mut read).ok(), Some(true));
        (window.found.len(), sorted)
    }

    #[test]
    fn rows_of_the_same_records_are_sorted_together() {
        for hot in [1, 50, 98, 99] {
            let (records, sorted) = filled(hot, 10_000, 100);
            assert_eq!(i64::try_from(records), Ok(hot));
            assert!(sorted <= 10_000 / 50 + 1, "{sorted} times for {hot} records");
        }
    }
}
