//! The merge: one change into one record's state. Commutative, associative, idempotent; knows no SQL.

use crate::change::{operation_name, Body};
use crate::clock::{Hlc, BASE_NODE};
use crate::error::Result;
use crate::meet::{Meeting, Write};
use crate::record::{FieldId, Record};
use crate::types::counter::Part;
use crate::types::lww::Lww;
use crate::types::seen::Seen;
use crate::types::set::Mark;

/// What a change did to the record.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Outcome {
    /// The state changed: the change is to be applied and passed on.
    pub news: bool,
    /// It met a write that its author had not seen, and whose author had not seen it.
    pub conflict: Option<Box<Conflict>>,
    /// Another value stands under its very stamp: a node is broken or was copied.
    pub twin: bool,
    /// The record is to be kept though nothing is news: it remembers a write that lost, so as not to tell of it again.
    pub noted: bool,
}

/// Two writes that did not know of each other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Conflict {
    /// The field that both wrote; 0 where one of the two is a delete.
    pub field: FieldId,
    /// The field that was written against a delete; 0 for the row itself, and where both wrote.
    pub written: FieldId,
    /// The incoming one holds now.
    pub incoming_won: bool,
    /// What was here.
    pub local: Side,
    /// What came.
    pub incoming: Side,
}

/// One of the two writes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Side {
    /// Its stamp.
    pub hlc: Hlc,
    /// The cell's value as JSON; None for deletes and for other types than lww.
    pub value: Option<String>,
}

impl Side {
    fn new(hlc: &Hlc, value: Option<String>) -> Self {
        Side { hlc: hlc.clone(), value }
    }
}

impl Outcome {
    fn news(news: bool) -> Self {
        Outcome { news, ..Outcome::default() }
    }
}

/// The JSON value that the live cell of a field holds.
pub type Held<'h> = dyn FnMut(FieldId) -> Result<Option<String>> + 'h;

/// Merges `body`, stamped `hlc`, into `field` of `record`; `seen` is what its author knew besides what the body tells.
///
/// `held` gives the JSON value that a cell holds now; it is asked only when stamps are equal, and for a conflict.
pub fn merge(
    record: &mut Record,
    field: FieldId,
    hlc: &Hlc,
    body: &Body,
    seen: Option<&Seen>,
    held: &mut Held<'_>,
) -> Result<Outcome> {
    if forgotten(record, hlc, body) {
        return Ok(Outcome::default());
    }
    let mut outcome = match body {
        Body::Tombstone { forgotten } => return delete(record, hlc, forgotten.as_ref(), seen, held),
        Body::Left(_) => Outcome::default(), // between merges: src/left.rs
        Body::Row => Outcome::news(record.join_row(hlc)),
        Body::Lww { value, prev, altered } => {
            let write = Write { hlc, prev: prev.as_ref(), altered: *altered, value, seen };
            cell(record, field, &write, held)?
        }
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
            // Two under one stamp: the greater by its bytes, on every node.
            let (news, twin) = match kept.get(hlc) {
                Some(held) => (held < json, held != json),
                None => (true, false),
            };
            if news {
                kept.insert(hlc.clone(), json.clone());
            }
            Outcome { twin, ..Outcome::news(news) }
        }
    };
    if outcome.news {
        record.epitaph = false;
        if let Some(conflict) = against_delete(record, field, hlc, body) {
            outcome.conflict = Some(Box::new(conflict));
        }
    }
    Ok(outcome)
}

/// Whether the change belongs to a life of the record that has ended and been forgotten.
fn forgotten(record: &Record, hlc: &Hlc, body: &Body) -> bool {
    let ended = match body {
        Body::Tombstone { .. } => return false,
        body if body.counts() => record.forgotten.as_ref(),
        _ => None,
    };
    ended.max(record.tomb.as_ref().filter(|_| record.epitaph)).is_some_and(|ended| hlc <= ended)
}

/// A delete comes in.
fn delete(
    record: &mut Record,
    hlc: &Hlc,
    forgotten: Option<&Hlc>,
    seen: Option<&Seen>,
    held: &mut Held<'_>,
) -> Result<Outcome> {
    let anew = forgotten.is_some_and(|until| record.begin_anew(until));
    let before = record.tomb.clone().map(|tomb| (tomb, record.tomb_seen.clone()));
    if !record.join_tomb(hlc, seen.cloned()) {
        return Ok(Outcome { news: anew, noted: miss_delete(record, hlc, seen), ..Outcome::default() });
    }
    if let Some((tomb, seen)) = before {
        miss_delete(record, &tomb, seen.as_ref());
    }
    let met = unseen_write(record, hlc);
    let conflict = match met {
        None => None,
        Some((written, stamp)) => {
            let lww = record.lww.get(&written).filter(|lww| lww.hlc == stamp);
            let value = match lww {
                Some(lww) if lww.saved.is_some() => lww.saved.clone(),
                Some(_) => held(written)?,
                None => None,
            };
            let (local, incoming) = (Side::new(&stamp, value), Side::new(hlc, None));
            Some(Box::new(Conflict { field: 0, written, incoming_won: !record.alive(), local, incoming }))
        }
    };
    Ok(Outcome { news: true, conflict, ..Outcome::default() })
}

/// Remembers a delete that gave way to a later one, and what its author had seen: what is written here afterwards has seen
/// both. True when it was news.
fn miss_delete(record: &mut Record, hlc: &Hlc, seen: Option<&Seen>) -> bool {
    let known = record.known_by_delete();
    if known.iter().any(|seen| seen.node == hlc.node && seen >= hlc) {
        return false;
    }
    let mut news = false;
    for lww in record.lww.values_mut().filter(|lww| !lww.is_settled(hlc)) {
        lww.miss(hlc);
        seen.iter().flat_map(|seen| seen.stamps()).for_each(|seen| lww.miss(seen));
        news = true;
    }
    news
}

/// The latest write that the record's delete had not seen and that had not seen it, and its field. Cells go before others of
/// the same stamp, as they have a value to show.
fn unseen_write(record: &Record, tomb: &Hlc) -> Option<(FieldId, Hlc)> {
    let unseen = |stamp: &Hlc| !delete_knows(record, tomb, stamp);
    let cells = record.lww.iter().filter(|(_, lww)| unseen(&lww.hlc) && !lww.knows(tomb));
    let cell = cells.map(|(field, lww)| (*field, lww.hlc.clone())).max_by(|a, b| a.1.cmp(&b.1));
    // What else an author wrote with or after a cell that had seen the delete had seen it too.
    let knowing: Vec<&Hlc> = record.lww.values().filter(|lww| lww.knows(tomb)).map(|lww| &lww.hlc).collect();
    let knew = |stamp: &Hlc| knowing.iter().any(|cell| cell.node == stamp.node && *cell <= stamp);
    let parts = record.counters.keys().chain(record.sets.keys()).chain(record.kept.keys());
    let parts = parts.filter_map(|field| Some((*field, record.stamp_of(*field)?)));
    let others = parts.chain(record.visible_row().map(|row| (0, row.clone())));
    let other = others.filter(|(_, stamp)| unseen(stamp) && !knew(stamp)).max_by(|a, b| a.1.cmp(&b.1));
    match (cell, other) {
        (Some(cell), Some(other)) if other.1 > cell.1 => Some(other),
        (cell, other) => cell.or(other),
    }
}

/// Whether the author of the record's delete had seen a write. One that does not tell has seen what is stamped before it.
fn delete_knows(record: &Record, tomb: &Hlc, write: &Hlc) -> bool {
    let told = record.tomb_seen.as_ref().map_or(write < tomb, |seen| seen.knows(write));
    told || &*write.node == BASE_NODE || (write.node == tomb.node && write <= tomb)
}

/// A write comes in that changed the record: its conflict with the record's delete, if neither had seen the other.
fn against_delete(record: &Record, field: FieldId, hlc: &Hlc, body: &Body) -> Option<Conflict> {
    let tomb = record.tomb.as_ref()?;
    let unseen = if hlc <= tomb {
        // A delete that does not tell what it had seen comes with the fields that it had: this one came apart from it.
        let told = record.tomb_seen.as_ref().is_some_and(|seen| seen.knows(hlc));
        hlc.node != tomb.node && &*hlc.node != BASE_NODE && !told
    } else {
        // Only cells tell what they had seen.
        matches!(body, Body::Lww { .. }) && record.lww.get(&field).is_some_and(|lww| !lww.knows(tomb))
    };
    let value = match body {
        Body::Lww { value, .. } => Some(value.clone()),
        _ => None,
    };
    let (local, incoming) = (Side::new(tomb, None), Side::new(hlc, value));
    unseen.then(|| Conflict { field: 0, written: field, incoming_won: record.alive(), local, incoming })
}

/// A write of a cell comes in.
fn cell(record: &mut Record, field: FieldId, write: &Write<'_>, held: &mut Held<'_>) -> Result<Outcome> {
    // Its successor, the delete, has met what is here already.
    let overtaken = record.tomb.as_ref().is_some_and(|tomb| {
        let told = record.tomb_seen.as_ref().is_some_and(|seen| seen.knows(write.hlc));
        told || (tomb.node == write.hlc.node && *write.hlc <= *tomb)
    });
    let value = || Some(write.value.to_owned());
    let Some(now) = record.lww.get_mut(&field) else {
        record.lww.insert(field, Lww { saved: value(), ..write.clock() });
        return Ok(Outcome::news(true));
    };
    let mut holds = || match &now.saved {
        Some(json) => Ok(Some(json.clone())),
        None => held(field),
    };
    let meeting = write.meet(now, overtaken, &mut holds)?;
    let Meeting { news, noted, twin, .. } = meeting;
    let conflict = if meeting.conflict {
        let (local, incoming) = (Side::new(&now.hlc, holds()?), Side::new(write.hlc, value()));
        Some(Box::new(Conflict { field, written: 0, incoming_won: news, local, incoming }))
    } else {
        None
    };
    if meeting.settle(now, write) {
        now.saved = value();
    }
    Ok(Outcome { news, conflict, twin, noted })
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
    let ended = record.forgotten.clone();
    for tag in named.iter().filter(|tag| ended.as_ref() < Some(*tag)) {
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
