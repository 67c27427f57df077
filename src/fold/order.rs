//! The order in which a record's row was written, where the log has another.
//!
//! SQLite fires the newest trigger first, and temporary ones before all. So what a trigger of the application's does that is newer
//! than ours is logged before the write that it fires on.

use std::collections::HashSet;

use super::{What, Write};
use crate::clock::BASE_NODE;
use crate::error::Result;
use crate::store::RecordKey;

/// How far behind an update its insert is looked for, in log rows, where what is between them is not all in memory.
const BEHIND: usize = 1_000;

/// Takes out the updates at the end that may belong behind an insert to come.
pub(super) fn hold_back(written: &mut Vec<(RecordKey, Write)>) -> Vec<(RecordKey, Write)> {
    let lately = written.split_off(written.len().saturating_sub(BEHIND));
    let (mut settled, mut held, mut others) = (HashSet::new(), Vec::new(), Vec::new());
    for (key, write) in lately.into_iter().rev() {
        if is_update(&write.what) && !settled.contains(&key) {
            held.push((key, write));
        } else {
            settled.insert(key.clone());
            others.push((key, write));
        }
    }
    written.extend(others.into_iter().rev());
    held.reverse();
    held
}

/// Puts updates of a row that is not there behind the insert that follows: nothing else can be updated. The stamps stay where they
/// are, so that they rise. `there`: whether the row is there before all.
pub(super) fn inserts_first(writes: &mut [Write], there: impl FnOnce() -> Result<bool>) -> Result<()> {
    let updated = writes.first().is_some_and(|write| is_update(&write.what));
    let mut there = match insert(writes) {
        Some(_) if updated => there()?,
        _ => updated,
    };
    for at in 0..writes.len() {
        let Some(rest) = writes.get_mut(at..) else { break };
        let Some(first) = rest.first() else { break };
        if is_update(&first.what) && !there {
            if let Some(behind) = insert(rest).and_then(|place| rest.get_mut(..=place)) {
                to_front(behind);
            }
        }
        there = !matches!(writes.get(at), Some(Write { what: What::Delete(_), .. }));
    }
    Ok(())
}

/// Makes the last write the first.
fn to_front(writes: &mut [Write]) {
    let stamps: Vec<_> = writes.iter().map(|write| write.stamp.clone()).collect();
    writes.rotate_right(1);
    for (write, stamp) in writes.iter_mut().zip(stamps) {
        write.stamp = stamp;
    }
}

/// The place of the insert that follows on nothing but updates.
fn insert(writes: &[Write]) -> Option<usize> {
    let place = writes.iter().position(|write| !is_update(&write.what))?;
    let write = writes.get(place)?;
    let new = matches!(write.what, What::Whole | What::Row { backfill: false, .. }) && *write.stamp.node != *BASE_NODE;
    new.then_some(place)
}

fn is_update(what: &What) -> bool {
    matches!(what, What::Cells(_) | What::Part(..))
}
