//! Whether a change would tell a record anything. Pure.

use crate::change::{operation_name, Body};
use crate::clock::Hlc;
use crate::error::Result;
use crate::merge::{merge, Held};
use crate::record::{FieldId, Marks, Record};

/// Whether merging the change would change the record's state.
///
/// `held` is as in [`merge`].
pub fn is_news(record: &Record, field: FieldId, hlc: &Hlc, body: &Body, held: &mut Held<'_>) -> Result<bool> {
    // The row's stamp is measured against all fields, a delete against none; any other change against what it touches.
    let mut part = match body {
        Body::Row => Record { row: record.latest(), ..Record::default() },
        _ => touched(record, field, hlc, body),
    };
    part.tomb = record.tomb.clone();
    part.forgotten = record.forgotten.clone();
    part.epitaph = record.epitaph;
    Ok(merge(&mut part, field, hlc, body, None, held)?.news)
}

/// Whether a cell holds the write of that stamp, altered or not: the value that stands there may be what a hook made of it.
pub fn holds(record: &Record, field: FieldId, hlc: &Hlc, body: &Body) -> bool {
    matches!(body, Body::Lww { .. }) && record.lww.get(&field).is_some_and(|lww| lww.hlc == *hlc)
}

/// What of a record a change can touch: to copy the whole for each change would make long sets slow.
fn touched(record: &Record, field: FieldId, hlc: &Hlc, body: &Body) -> Record {
    let mut part = Record::default();
    match body {
        Body::Tombstone { .. } | Body::Left(_) | Body::Row => {}
        Body::Lww { .. } => part.lww.extend(record.lww.get(&field).map(|lww| (field, lww.clone()))),
        Body::Counter { operation, .. } => {
            let name = if *operation { operation_name(hlc.tick()) } else { String::new() };
            let key = (std::rc::Rc::clone(&hlc.node), name);
            let held = record.counters.get(&field).and_then(|parts| parts.get(&key));
            part.counters.extend(held.map(|held| (field, [(key.clone(), held.clone())].into())));
        }
        Body::Add(elements) | Body::Remove { elements, .. } => {
            part.sets.insert(field, marks_of(record, field, elements));
        }
        Body::Other { .. } => {
            let held = record.kept.get(&field).and_then(|kept| kept.get(hlc));
            part.kept.extend(held.map(|json| (field, [(hlc.clone(), json.clone())].into())));
        }
    }
    part
}

/// The marks of some elements of a set.
fn marks_of(record: &Record, field: FieldId, elements: &[String]) -> Marks {
    let Some(marks) = record.sets.get(&field) else { return Marks::new() };
    let of = |element: &String| {
        let from = (element.clone(), std::rc::Rc::from(""));
        let element = element.clone();
        marks.range(from..).take_while(move |((e, _), _)| *e == element)
    };
    elements.iter().flat_map(of).map(|(key, mark)| (key.clone(), mark.clone())).collect()
}
