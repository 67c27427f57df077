//! The order in which a record's row was written, where the log has another.
//!
//! SQLite fires the newest trigger first, and temporary ones before all. So what a trigger of the application's does that is newer
//! than ours is logged before the write that it fires on: the update of a row before its insert, the insert of a row before the
//! delete that it follows on.

use std::collections::HashSet;
use std::ops::Range;
use std::rc::Rc;

use super::{What, Write};
use crate::clock::BASE_NODE;
use crate::error::Result;
use crate::ffi::Value;
use crate::record::FieldId;
use crate::store::RecordKey;

/// Counters and sets of a row.
pub(super) type Values = Vec<(FieldId, Value)>;

/// How far behind an update its insert is looked for, in log rows, where what is between them is not all in memory.
const BEHIND: usize = 1_000;
/// How far behind an insert its delete is, in the same way.
const NEAR: usize = 100;

/// Takes out the updates at the end that may belong behind an insert to come, and the inserts that may belong behind a delete.
pub(super) fn hold_back(written: &mut Vec<(RecordKey, Write)>) -> Vec<(RecordKey, Write)> {
    let lately = written.split_off(written.len().saturating_sub(BEHIND));
    let (mut settled, mut inserted, mut held, mut others) = (HashSet::new(), HashSet::new(), Vec::new(), Vec::new());
    for (place, (key, write)) in lately.into_iter().rev().enumerate() {
        // An insert goes with the updates before it.
        let late = place < NEAR && is_insert(&write) && inserted.insert(key.clone());
        let belongs = late || is_update(&write.what);
        if belongs && !settled.contains(&key) {
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

/// Puts the delete of a row that is there nevertheless before the insert that made it. `row` gives the counters and sets of the row as it is
/// now, as far as they tell of it; None where there is no row.
pub(super) fn deletes_first(writes: &mut [Write], row: impl Fn() -> Result<Option<Values>>) -> Result<()> {
    let mut from = 0; // what is before belongs to earlier deletes
    while let Some(at) = next(writes, from, |write| matches!(write.what, What::Delete(_))) {
        let made = writes.get(from..at).and_then(|before| before.iter().rposition(is_insert)).map(|place| from + place);
        from = at + 1;
        let Some(made) = made else { continue };
        let (until, ends) = match next(writes, from, |write| !is_update(&write.what)) {
            // An insert may have had its updates logged before it: they tell nothing of this row.
            Some(place) if writes.get(place).is_some_and(is_insert) => continue,
            Some(place) => (place, false),
            None => (writes.len(), true),
        };
        let live = if ends { row()? } else { None };
        // What is updated is there.
        if until > from || live.is_some() {
            to_front(writes.get_mut(made..=at).unwrap_or_default());
            hold(writes, made + 1..from, from..until, live.unwrap_or_default());
        }
    }
    Ok(())
}

/// Gives an insert that a trigger made the values that its row had in the end, as what follows tells, or `live`: what triggers did to it may have been logged
/// before it.
fn hold(writes: &mut [Write], insert: Range<usize>, behind: Range<usize>, live: Values) {
    let after: Vec<&What> = writes.get(behind).into_iter().flatten().map(|write| &write.what).collect();
    let old = |field: FieldId| {
        after.iter().find_map(|what| match what {
            What::Part(of, change) if *of == field => Some(change[0].clone()),
            _ => None,
        })
    };
    let value =
        |field: FieldId| old(field).or_else(|| live.iter().find(|(of, _)| *of == field).map(|(_, v)| v.clone()));
    let Some(What::Row { values, .. }) = writes.get(insert.start).map(|write| &write.what) else { return };
    let known: Values = values.iter().filter_map(|(field, _)| Some((*field, value(*field)?))).collect();
    for write in writes.get_mut(insert).into_iter().flatten() {
        match &mut write.what {
            What::Row { values, .. } => {
                let now = |field: FieldId| known.iter().find(|(of, _)| *of == field);
                values.iter_mut().for_each(|pair| *pair = now(pair.0).unwrap_or(pair).clone());
            }
            What::Part(field, _) if known.iter().any(|(of, _)| of == field) => write.what = What::Cells(Rc::from([])),
            _ => {}
        }
    }
}

fn next(writes: &[Write], from: usize, which: impl Fn(&Write) -> bool) -> Option<usize> {
    Some(from + writes.get(from..)?.iter().position(which)?)
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
    writes.get(place).is_some_and(is_insert).then_some(place)
}

fn is_insert(write: &Write) -> bool {
    matches!(write.what, What::Whole | What::Row { backfill: false, .. }) && *write.stamp.node != *BASE_NODE
}

fn is_update(what: &What) -> bool {
    matches!(what, What::Cells(_) | What::Part(..))
}
