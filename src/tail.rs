//! The log's tail as it was folded in memory, kept from one page of a readable view to the next: each would fold all of it again.

use std::collections::BTreeMap;

use crate::clock::Tick;
use crate::error::Result;
use crate::record::Record;
use crate::store::{RecordKey, Store};

/// What a tail was made from: the fold's mark, the end of the log, and what tells that anything was written.
pub type Mark = [Option<i64>; 4];

/// A tail that was folded.
pub struct Tail {
    mark: Mark,
    overlay: BTreeMap<RecordKey, Record>,
    clock: Tick,
    end: i64,
}

/// What the tail of a state that was not folded yet is made from.
pub fn mark(store: &Store<'_>) -> Result<Mark> {
    let number = |sql| store.conn.int(sql, &[]);
    let written = [number("SELECT total_changes()")?, number("PRAGMA main.data_version")?];
    Ok([Some(store.folded), Some(store.last_seq()?), written[0], written[1]])
}

impl Tail {
    /// Takes from a state what was folded.
    pub fn of(store: &mut Store<'_>, mark: Mark) -> Tail {
        Tail { mark, overlay: std::mem::take(&mut store.overlay), clock: store.clock, end: store.folded }
    }

    /// Gives it to a state, if nothing was written since; whether it did.
    pub fn give(self, store: &mut Store<'_>, mark: Mark) -> bool {
        let same = self.mark == mark;
        if same {
            (store.overlay, store.clock, store.folded) = (self.overlay, self.clock, self.end);
        }
        same
    }
}
