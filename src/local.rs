//! What a local write does to a record's state. Pure.

use std::rc::Rc;

use crate::clock::Hlc;
use crate::ffi::Value;
use crate::record::{FieldId, Record};
use crate::types::counter::{shown, Part};
use crate::types::lww::Lww;
use crate::types::seen::Seen;
use crate::types::set::Mark;

/// A row was inserted: every lww field is written.
pub fn insert(record: &mut Record, fields: &[FieldId], stamp: &Hlc) {
    end_epitaph(record, stamp);
    record.row = Some(stamp.clone());
    update(record, fields, stamp);
}

/// A forgotten record that is written again begins anew; whether it was one.
fn end_epitaph(record: &mut Record, stamp: &Hlc) -> bool {
    let ended = record.epitaph && record.tomb.as_ref() < Some(stamp);
    if let Some(tomb) = record.tomb.clone().filter(|_| ended) {
        record.begin_anew(&tomb);
    }
    record.epitaph &= !ended;
    ended
}

/// Cells were updated.
pub fn update(record: &mut Record, fields: &[FieldId], stamp: &Hlc) {
    end_epitaph(record, stamp);
    let deleted = record.known_by_delete();
    for field in fields {
        let write = match record.lww.get(field) {
            Some(old) => old.overwritten(stamp.clone(), &deleted),
            None => Lww::first(stamp.clone(), &deleted),
        };
        record.lww.insert(*field, write);
    }
}

/// A row that was there before `crdt_enable`: its stamps lie below every real write.
pub fn backfill(record: &mut Record, fields: &[FieldId], stamp: &Hlc) {
    if !record.epitaph {
        record.join_row(stamp);
        for field in fields {
            record.lww.entry(*field).or_insert_with(|| Lww::live(stamp.clone(), None));
        }
    }
}

/// The stamp of a value from before its column had its type: `base`, or, where the record was made anew since, the first of its present
/// life. The same on every node.
pub fn base_of(record: &Record, base: &Hlc) -> Hlc {
    match &record.forgotten {
        Some(until) => Hlc { ts: until.ts, c: until.c.saturating_add(1), node: Rc::clone(&base.node) },
        None => base.clone(),
    }
}

/// A row was deleted; `values` are its lww values as JSON, kept for a revival.
pub fn delete(record: &mut Record, values: Vec<(FieldId, Option<String>)>, stamp: &Hlc) {
    for (field, value) in values {
        if let Some(lww) = record.lww.get_mut(&field) {
            // A value that the cell could not hold is the state; the cell's was only what was shown.
            lww.saved = lww.saved.take().or(value);
        }
    }
    let stamps = record.stamps();
    let replaced = record.lww.values().flat_map(Lww::others);
    let before = record.known_by_delete();
    let shed: Vec<Hlc> = record.shed.iter().map(|(node, tick)| tick.by(node)).collect();
    let seen: Seen =
        stamps.iter().chain(replaced).chain(&before).chain(&shed).filter(|seen| seen.node != stamp.node).collect();
    record.join_tomb(stamp, Some(seen));
}

/// A counter's value in an inserted row: what it adds to what is kept, so that the cell shows what was written. `apart` as
/// in [`add`].
pub fn counter_insert(record: &mut Record, field: FieldId, value: &Value, stamp: &Hlc, apart: bool) {
    let kept = record.sum(field);
    match (value, kept) {
        (Value::Integer(v), _) => add(record, field, i128::from(*v).saturating_sub(kept.unwrap_or(0)), stamp, apart),
        (_, Some(kept)) => add(record, field, kept.saturating_neg(), stamp, apart),
        _ => {}
    }
}

/// A counter's cell was updated. `apart` as in [`add`].
pub fn counter_update(record: &mut Record, field: FieldId, old: &Value, new: &Value, stamp: &Hlc, apart: bool) {
    let number = |value: &Value| match value {
        Value::Integer(v) => *v,
        _ => 0,
    };
    if end_epitaph(record, stamp) {
        return counter_insert(record, field, new, stamp, apart);
    }
    let kept = record.sum(field);
    if kept.is_none() && *new == Value::Null {
        return;
    }
    let kept = kept.unwrap_or(0);
    // A sum beyond what a cell can hold: the difference is to the true sum.
    let from =
        if i128::from(shown(kept)) != kept && shown(kept) == number(old) { kept } else { i128::from(number(old)) };
    add(record, field, i128::from(number(new)).saturating_sub(from), stamp, apart);
}

/// A counter's value in a row from before `crdt_enable`.
pub fn counter_backfill(record: &mut Record, field: FieldId, value: &Value, stamp: &Hlc) {
    if let Value::Integer(v) = value {
        let mut part = Part::empty(stamp.clone());
        part.add(i128::from(*v), stamp.clone());
        let parts = record.counters.entry(field).or_default();
        parts.entry((Rc::clone(&stamp.node), String::new())).or_insert_with(|| part.clone()).join(&part);
    }
}

/// Adds to this node's part. A difference of nothing is recorded only as the counter's first part. `apart`: totals of this
/// node's may be elsewhere that are not in this part, as the record was dropped here once.
fn add(record: &mut Record, field: FieldId, delta: i128, stamp: &Hlc, apart: bool) {
    let parts = record.counters.entry(field).or_default();
    if delta == 0 && !parts.is_empty() {
        return;
    }
    let own = (Rc::clone(&stamp.node), String::new());
    // A deleted record may have been forgotten here, and writes of peers may have brought it back without this node's totals, or
    // with what they were once. Totals that go on after that are told apart by their birth, and take over what is here.
    let begins = match parts.get(&own) {
        Some(part) => apart || record.tomb.as_ref() >= Some(&part.hlc),
        None => apart || record.forgotten.is_some() || record.tomb.is_some(),
    };
    let part = parts.entry(own).or_insert_with(|| Part::empty(stamp.clone()));
    if begins {
        part.born = Some(stamp.clone());
    }
    part.add(delta, stamp.clone());
}

/// A set's cell changed from `old` to `new` (canonical elements, sorted).
pub fn set(record: &mut Record, field: FieldId, old: &[String], new: &[String], stamp: &Hlc) {
    let old = if end_epitaph(record, stamp) { &[] } else { old };
    for gained in new.iter().filter(|e| old.binary_search(e).is_err()) {
        mark(record, field, gained, stamp, Mark::added(stamp.tick()));
    }
    for lost in old.iter().filter(|e| new.binary_search(e).is_err()) {
        for seen in crate::merge::seen_adds(record, field, lost, stamp) {
            mark(record, field, lost, &seen, Mark::removed(seen.tick(), stamp));
        }
        mark(record, field, lost, stamp, Mark::operation(stamp.tick()));
    }
}

fn mark(record: &mut Record, field: FieldId, element: &str, by: &Hlc, mark: Mark) {
    let marks = record.sets.entry(field).or_default();
    marks.entry((element.to_owned(), Rc::clone(&by.node))).or_default().join(&mark);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ts: i64) -> Hlc {
        Hlc::new(ts, 0, &Rc::from("n"))
    }

    fn int(v: i64) -> Value {
        Value::Integer(v)
    }

    #[test]
    fn a_counter_shows_what_was_written() {
        let mut record = Record::default();
        counter_insert(&mut record, 1, &Value::Null, &at(1), false);
        assert_eq!(record.sum(1), None, "NULL makes no part");
        counter_insert(&mut record, 1, &int(0), &at(1), false);
        assert_eq!(record.sum(1), Some(0), "0 makes an empty one");
        counter_update(&mut record, 1, &int(0), &int(5), &at(2), false);
        counter_update(&mut record, 1, &int(5), &Value::Null, &at(3), false);
        assert_eq!(record.sum(1), Some(0));
        counter_update(&mut record, 1, &Value::Null, &int(i64::MIN), &at(4), false);
        counter_update(&mut record, 1, &int(i64::MIN), &int(i64::MAX), &at(5), false);
        assert_eq!(record.sum(1), Some(i128::from(i64::MAX)));
        counter_insert(&mut record, 1, &int(2), &at(6), false);
        assert_eq!(record.sum(1), Some(2), "an insert over kept state too");
    }

    #[test]
    fn a_counter_that_stays_null_has_no_state() {
        let mut record = Record::default();
        counter_update(&mut record, 1, &Value::Null, &Value::Null, &at(1), false);
        assert_eq!(record, Record::default());
    }

    #[test]
    fn a_record_whose_history_was_forgotten_is_not_filled_in() {
        let forgotten = Record { tomb: Some(at(5)), epitaph: true, ..Record::default() };
        let mut record = forgotten.clone();
        backfill(&mut record, &[1, 2], &at(1));
        assert_eq!(record, forgotten);
        let mut record = Record::default();
        backfill(&mut record, &[1, 2], &at(1));
        assert_eq!((record.alive(), record.lww.len()), (true, 2));
    }

    #[test]
    fn a_write_to_a_forgotten_record_begins_anew_with_what_it_shows() {
        let of = |text: &str| crate::types::set::elements(text).unwrap();
        let forgotten = || Record { tomb: Some(at(5)), epitaph: true, ..Record::default() };
        let (mut cell, mut counter, mut elements) = (forgotten(), forgotten(), forgotten());
        update(&mut cell, &[1], &at(9));
        counter_update(&mut counter, 1, &int(5), &int(6), &at(9), false);
        set(&mut elements, 1, &of(r#"["a"]"#), &of(r#"["a","b"]"#), &at(9));
        for record in [&cell, &counter, &elements] {
            assert!(record.alive() && !record.epitaph);
            assert_eq!(record.forgotten, Some(at(5)));
        }
        assert_eq!(counter.sum(1), Some(6));
        assert_eq!(elements.elements(1), [r#""a""#, r#""b""#]);
    }

    #[test]
    fn a_saturated_counter_counts_from_its_true_sum() {
        let mut record = Record::default();
        counter_insert(&mut record, 1, &int(i64::MAX), &at(1), false);
        let other = Part { inc: 10, dec: 0, hlc: Hlc::new(1, 0, &Rc::from("b")), born: None };
        record.counters.entry(1).or_default().insert((Rc::from("b"), String::new()), other);
        counter_update(&mut record, 1, &int(i64::MAX), &int(i64::MAX - 1), &at(2), false);
        assert_eq!(record.sum(1), Some(i128::from(i64::MAX) - 1));
    }

    #[test]
    fn a_set_records_the_difference() {
        let of = |text: &str| crate::types::set::elements(text).unwrap();
        let mut record = Record::default();
        set(&mut record, 1, &[], &of(r#"["a","b"]"#), &at(1));
        set(&mut record, 1, &of(r#"["a","b"]"#), &of(r#"["b","c"]"#), &at(2));
        assert_eq!(record.elements(1), [r#""b""#, r#""c""#]);
        set(&mut record, 1, &of(r#"["b","c"]"#), &of(r#"["a"]"#), &at(3));
        assert_eq!(record.elements(1), [r#""a""#]);
        assert_eq!(record.latest(), Some(at(3)));
    }

    #[test]
    fn a_delete_has_seen_what_a_dropped_column_held() {
        let mut record = Record::default();
        record.lww.insert(1, Lww::live(Hlc::new(1, 0, &Rc::from("b")), None));
        record.lww.insert(2, Lww::live(Hlc::new(2, 0, &Rc::from("c")), None));
        record.let_go(|field| field == 1);
        delete(&mut record, Vec::new(), &at(3));
        assert!(record.tomb_seen.is_some_and(|seen| seen.knows(&Hlc::new(1, 0, &Rc::from("b")))));
    }

    #[test]
    fn a_deleted_row_keeps_its_values_and_an_insert_lets_them_go() {
        let mut record = Record::default();
        insert(&mut record, &[1], &at(1));
        delete(&mut record, vec![(1, Some("7".into()))], &at(2));
        assert!(!record.alive());
        assert_eq!(record.lww.get(&1).and_then(|l| l.saved.as_deref()), Some("7"));
        insert(&mut record, &[1], &at(3));
        assert!(record.alive());
        assert_eq!(record.lww.get(&1).and_then(|l| l.saved.as_deref()), None);
    }
}
