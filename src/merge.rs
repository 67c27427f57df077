//! The merge: one change into one record's state. Commutative, associative, idempotent; knows no SQL.

use std::cmp::Ordering;

use crate::change::{operation_name, Body};
use crate::clock::Hlc;
use crate::error::Result;
use crate::ffi::Value;
use crate::record::{FieldId, Record};
use crate::types::counter::Part;
use crate::types::lww::{concurrent, judge, Lww, Verdict};
use crate::types::set::Mark;
use crate::value;

/// What a change did to the record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Outcome {
    /// The state changed: the change is to be applied and passed on.
    pub news: bool,
    /// It met a write that its author had not seen.
    pub conflict: bool,
    /// Another value stands under its very stamp: a node is broken or was copied.
    pub twin: bool,
}

impl Outcome {
    fn news(news: bool) -> Self {
        Outcome { news, ..Outcome::default() }
    }
}

/// Merges `body`, stamped `hlc`, into `field` of `record`.
///
/// `held` gives the JSON value that the cell holds now; it is asked only when the stamps are equal.
pub fn merge(
    record: &mut Record,
    field: FieldId,
    hlc: &Hlc,
    body: &Body,
    held: &mut dyn FnMut() -> Result<Option<String>>,
) -> Result<Outcome> {
    if forgotten(record, hlc, body) {
        return Ok(Outcome::default());
    }
    let outcome = match body {
        Body::Tombstone => delete(record, hlc),
        Body::Left(_) => Outcome::default(), // between merges: src/left.rs
        Body::Row => Outcome::news(record.join_row(hlc)),
        Body::Lww { value, prev, altered } => cell(record, field, hlc, value, prev.as_ref(), *altered, held)?,
        Body::Counter { inc, dec, born, operation } => {
            let name = if *operation { operation_name(hlc.tick()) } else { String::new() };
            let part = Part { inc: *inc, dec: *dec, hlc: hlc.clone(), born: born.clone() };
            Outcome::news(join_part(record, field, name, part))
        }
        Body::Add(elements) => {
            let mark = Mark::added(hlc.tick());
            Outcome::news(elements.iter().fold(false, |news, e| join_mark(record, field, e, hlc, &mark) | news))
        }
        Body::Remove { elements, tags } => {
            Outcome::news(elements.iter().fold(false, |news, e| remove(record, field, hlc, e, tags.as_deref()) | news))
        }
        Body::Other { json, .. } => {
            let kept = record.kept.entry(field).or_default();
            Outcome::news(kept.insert(hlc.clone(), json.clone()).is_none())
        }
    };
    if outcome.news && !matches!(body, Body::Tombstone) {
        record.epitaph = false;
    }
    Ok(outcome)
}

/// Whether the change belongs to a life of the record that has ended and been forgotten.
fn forgotten(record: &Record, hlc: &Hlc, body: &Body) -> bool {
    let Some(tomb) = record.tomb.as_ref().filter(|_| record.epitaph) else { return false };
    !matches!(body, Body::Tombstone) && hlc <= tomb
}

fn delete(record: &mut Record, hlc: &Hlc) -> Outcome {
    let unseen = record.latest().is_some_and(|latest| latest > *hlc);
    let news = record.join_tomb(hlc);
    Outcome { news, conflict: news && unseen, twin: false }
}

fn cell(
    record: &mut Record,
    field: FieldId,
    hlc: &Hlc,
    value: &str,
    prev: Option<&Hlc>,
    altered: bool,
    held: &mut dyn FnMut() -> Result<Option<String>>,
) -> Result<Outcome> {
    // Who deleted after it had seen it itself.
    let deleted_unseen = record.tomb.as_ref().is_some_and(|tomb| tomb > hlc && tomb.node != hlc.node);
    let write =
        |prev: Option<&Hlc>| Lww { hlc: hlc.clone(), prev: prev.cloned(), altered, saved: Some(value.to_owned()) };
    let Some(now) = record.lww.get_mut(&field) else {
        record.lww.insert(field, write(prev));
        return Ok(Outcome { news: true, conflict: deleted_unseen, twin: false });
    };
    let mut order = Ordering::Equal;
    if now.hlc == *hlc && now.altered == altered {
        match held()? {
            Some(held) => order = compare(value, &held),
            // Nobody holds it any more, as when its column was renamed: here it is again.
            None => now.saved = Some(value.to_owned()),
        }
    }
    let verdict = judge(now, hlc, altered, || order);
    let real = |stamp: &Hlc| &*stamp.node != crate::clock::BASE_NODE;
    let twin = order != Ordering::Equal;
    let conflict = match verdict {
        Verdict::Known => false,
        _ if twin => true,
        Verdict::Wins => real(&now.hlc) && concurrent(&now.hlc, prev),
        Verdict::Loses => real(hlc) && concurrent(hlc, now.prev.as_ref()),
    };
    if verdict == Verdict::Wins {
        *now = write(prev);
    }
    let news = verdict == Verdict::Wins;
    Ok(Outcome { news, conflict: conflict || (news && deleted_unseen), twin })
}

/// Order of two JSON values: by SQLite type, then bytes, then by the bytes of the JSON itself.
fn compare(a: &str, b: &str) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    match (value::decode(a), value::decode(b)) {
        // SQL cannot tell 0.0 from -0.0: a write of the one over the other has no stamp of its own.
        (Ok(Value::Real(x)), Ok(Value::Real(y))) if x == 0.0 && y == 0.0 => Ordering::Equal,
        (Ok(x), Ok(y)) => value::rank(x.as_ref(), y.as_ref()).then_with(|| a.cmp(b)),
        _ => a.cmp(b),
    }
}

fn join_part(record: &mut Record, field: FieldId, name: String, part: Part) -> bool {
    use std::collections::btree_map::Entry;
    let author = std::rc::Rc::clone(&part.hlc.node);
    match record.counters.entry(field).or_default().entry((author, name)) {
        Entry::Occupied(mut held) => held.get_mut().join(&part),
        Entry::Vacant(free) => {
            free.insert(part);
            true
        }
    }
}

fn join_mark(record: &mut Record, field: FieldId, element: &str, by: &Hlc, mark: &Mark) -> bool {
    let marks = record.sets.entry(field).or_default();
    marks.entry((element.to_owned(), std::rc::Rc::clone(&by.node))).or_default().join(mark)
}

fn remove(record: &mut Record, field: FieldId, hlc: &Hlc, element: &str, tags: Option<&[Hlc]>) -> bool {
    let named: Vec<Hlc> = match tags {
        Some(tags) => tags.to_vec(),
        None => {
            // A remove that names no adds gets its meaning here, once: those known now. Known again later, it means nothing new.
            let key = (element.to_owned(), std::rc::Rc::clone(&hlc.node));
            let known = record.sets.get(&field).and_then(|marks| marks.get(&key)).and_then(|mark| mark.op);
            if known >= Some(hlc.tick()) {
                return false;
            }
            seen_adds(record, field, element, hlc)
        }
    };
    let mut news = join_mark(record, field, element, hlc, &Mark::operation(hlc.tick()));
    for tag in &named {
        news |= join_mark(record, field, element, tag, &Mark::removed(tag.tick(), hlc));
    }
    news
}

/// The stamps of the live adds of `element` made before `hlc`.
pub fn seen_adds(record: &Record, field: FieldId, element: &str, hlc: &Hlc) -> Vec<Hlc> {
    let from = (element.to_owned(), std::rc::Rc::from(""));
    let marks = record.sets.get(&field).into_iter().flat_map(|marks| marks.range(from.clone()..));
    marks
        .take_while(|((e, _), _)| e == element)
        .filter(|(_, mark)| mark.is_live())
        .filter_map(|((_, node), mark)| mark.add.map(|tick| tick.by(node)))
        .filter(|add| add < hlc)
        .collect()
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
