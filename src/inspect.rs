//! A record's state for people and programs: Grove's text, Grove's State JSON, Grove's shadow rows.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::rc::Rc;

use crate::clock::Hlc;
use crate::record::{Marks, Parts, Record};
use crate::schema::{Field, Kind, Table};
use crate::types::counter::{self, shown};
use crate::value::write_text;

/// The fields of a table in the order of its columns, others after them; of two of one name the column's own first.
fn ordered<'t>(table: &'t Table, columns: &[String]) -> Vec<&'t Field> {
    let place = |field: &Field| columns.iter().position(|c| *c == field.name).unwrap_or(usize::MAX);
    let mut fields: Vec<&Field> = table.fields.iter().filter(|f| f.kind != Kind::None).collect();
    fields.sort_by_key(|field| (place(field), !field.is_local(), field.id));
    fields
}

/// Grove's inspection text.
pub fn text(table: &Table, columns: &[String], pk: &str, record: &Record) -> String {
    let mut out = format!("CRDT State for {}[{pk}]", table.name);
    if !record.alive() {
        out.push_str(" [TOMBSTONED]");
    }
    for field in ordered(table, columns) {
        let name = &field.name;
        // Writing to a String cannot fail.
        if let Some(lww) = record.lww.get(&field.id) {
            let value = plain(lww.saved.as_deref().unwrap_or("null"));
            let _ = write!(out, "\n  {name} (lww): {value} (node={}, hlc={})", lww.hlc.node, lww.hlc);
        }
        if let Some(parts) = record.counters.get(&field.id).filter(|parts| !parts.is_empty()) {
            let totals = by_author(parts);
            let nodes: Vec<String> = totals.iter().map(|(node, (inc, dec))| format!("{node}: +{inc} -{dec}")).collect();
            let sum = shown(counter::sum(parts.values()));
            let _ = write!(out, "\n  {name} (counter): {sum} [{}]", nodes.join(", "));
        }
        if record.sets.contains_key(&field.id) {
            let elements: Vec<String> = record.elements(field.id).into_iter().map(plain).collect();
            let _ = write!(out, "\n  {name} (set): [{}]", elements.join(" "));
        }
        if let (Some(kept), Kind::Foreign(kind)) = (record.kept.get(&field.id), &field.kind) {
            let _ = write!(out, "\n  {name} ({kind}): [{} changes]", kept.len());
        }
    }
    out
}

/// A JSON value as Grove prints it: strings without quotes.
fn plain(json: &str) -> String {
    match json {
        "null" => "<nil>".to_owned(),
        _ => serde_json::from_str::<String>(json).unwrap_or_else(|_| json.to_owned()),
    }
}

fn by_author(parts: &Parts) -> BTreeMap<&Rc<str>, (u128, u128)> {
    let mut totals: BTreeMap<&Rc<str>, (u128, u128)> = BTreeMap::new();
    for ((node, _), part) in parts {
        let (inc, dec) = totals.entry(node).or_default();
        *inc = inc.saturating_add(part.inc);
        *dec = dec.saturating_add(part.dec);
    }
    totals
}

/// Grove's State of a record as JSON.
pub fn state(table: &Table, columns: &[String], pk: &str, record: &Record) -> String {
    let mut out = String::from("{\"table\":");
    write_text(&mut out, &table.name);
    out.push_str(",\"pk\":");
    write_text(&mut out, pk);
    out.push_str(",\"fields\":{");
    let mut first = true;
    let mut seen = BTreeSet::new();
    for field in ordered(table, columns) {
        // Where a peer has another type for a column, the local one shows.
        let Some(json) = field_state(field, record).filter(|_| seen.insert(field.name.as_str())) else { continue };
        if !std::mem::take(&mut first) {
            out.push(',');
        }
        write_text(&mut out, &field.name);
        out.push(':');
        out.push_str(&json);
    }
    let dead = !record.alive();
    out.push_str(if dead {
        "},\"tombstone\":true,\"tombstone_hlc\":"
    } else {
        "},\"tombstone\":false,\"tombstone_hlc\":"
    });
    crate::functions::stamp_or_zero(record.tomb.as_ref()).write_json(&mut out);
    out.push('}');
    out
}

fn field_state(field: &Field, record: &Record) -> Option<String> {
    if let Some(lww) = record.lww.get(&field.id) {
        return Some(lww_state(&lww.hlc, lww.saved.as_deref().unwrap_or("null")));
    }
    if let Some(parts) = record.counters.get(&field.id).filter(|parts| !parts.is_empty()) {
        return Some(counter_state(parts));
    }
    let marks = record.sets.get(&field.id)?;
    Some(set_state(marks, &record.elements(field.id)))
}

fn head(kind: &str, hlc: &Hlc) -> String {
    let mut out = format!("{{\"type\":\"{kind}\",\"hlc\":");
    hlc.write_json(&mut out);
    out.push_str(",\"node_id\":");
    write_text(&mut out, &hlc.node);
    out
}

fn lww_state(hlc: &Hlc, value: &str) -> String {
    format!("{},\"value\":{value}}}", head("lww", hlc))
}

fn counter_state(parts: &Parts) -> String {
    let latest = crate::functions::stamp_or_zero(parts.values().map(|p| &p.hlc).max());
    let totals = by_author(parts);
    let side = |pick: &dyn Fn(&(u128, u128)) -> u128| {
        let mut out = String::from("{");
        for (i, (node, total)) in totals.iter().filter(|(_, total)| pick(total) > 0).enumerate() {
            if i > 0 {
                out.push(',');
            }
            write_text(&mut out, node);
            let _ = write!(out, ":{}", pick(total)); // cannot fail
        }
        out.push('}');
        out
    };
    let sum = shown(counter::sum(parts.values()));
    let (inc, dec) = (side(&|t| t.0), side(&|t| t.1));
    format!("{},\"value\":{sum},\"counter_state\":{{\"inc\":{inc},\"dec\":{dec}}}}}", head("counter", &latest))
}

fn set_state(marks: &Marks, live: &[&str]) -> String {
    let latest = marks.iter().filter_map(|((_, node), mark)| mark.latest().map(|tick| tick.by(node))).max();
    let mut entries: BTreeMap<&str, Vec<Hlc>> = BTreeMap::new();
    let mut removed = Vec::new();
    for ((element, node), mark) in marks {
        if let Some(add) = mark.add {
            entries.entry(element).or_default().push(add.by(node));
            if mark.gone.is_some() {
                removed.push(add.by(node));
            }
        }
    }
    let mut out = head("set", &crate::functions::stamp_or_zero(latest.as_ref()));
    let _ = write!(
        out,
        ",\"value\":{},\"set_state\":{{\"entries\":{{",
        crate::types::set::column_text(live.iter().copied())
    ); // cannot fail
    for (i, (element, tags)) in entries.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        write_text(&mut out, element);
        out.push_str(":[");
        for (i, tag) in tags.iter().enumerate() {
            out.push_str(if i > 0 { ",{\"node\":" } else { "{\"node\":" });
            write_text(&mut out, &tag.node);
            out.push_str(",\"hlc\":");
            tag.write_json(&mut out);
            out.push('}');
        }
        out.push(']');
    }
    out.push_str("},\"removed\":{");
    removed.sort();
    removed.dedup();
    for (i, tag) in removed.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        write_text(&mut out, &format!("{}:{tag}", tag.node));
        out.push_str(":true");
    }
    out.push_str("}}}");
    out
}

/// A text without U+0000, at which SQLite's `json_each` ends one: that is U+001A 0, and U+001A is U+001A 1.
fn without_nul(text: &str) -> Cow<'_, str> {
    match text.contains(['\0', '\u{1a}']) {
        true => text.replace('\u{1a}', "\u{1a}1").replace('\0', "\u{1a}0").into(),
        false => text.into(),
    }
}

/// The text that [`without_nul`] made another of, as the view `_crdt_show` does it.
pub fn with_nul(text: &str) -> String {
    text.replace("\u{1a}0", "\0").replace("\u{1a}1", "\u{1a}")
}

/// A record as rows of Grove's shadow table, each a JSON array of its columns: one a field, and node for counters and sets. Of its
/// texts [`with_nul`] makes what they are.
pub fn shadow(table: &Table, pk: &str, record: &Record, rows: &mut Vec<String>) {
    let mut push = |field: &str, hlc: &Hlc, tombstone: u8, state: Option<String>| {
        let mut out = String::from("[");
        write_text(&mut out, &without_nul(pk));
        out.push(',');
        write_text(&mut out, &without_nul(field));
        let _ = write!(out, ",{},{},", hlc.ts, hlc.c); // cannot fail
        write_text(&mut out, &without_nul(&hlc.node));
        let _ = write!(out, ",{tombstone},"); // cannot fail
        match state {
            Some(state) => write_text(&mut out, &state),
            None => out.push_str("null"),
        }
        out.push(']');
        rows.push(out);
    };
    for field in table.fields.iter().filter(|f| f.kind != Kind::None) {
        if let Some(lww) = record.lww.get(&field.id) {
            push(&field.name, &lww.hlc, 0, Some(lww_state(&lww.hlc, lww.saved.as_deref().unwrap_or("null"))));
        }
        for (key, part) in record.counters.get(&field.id).into_iter().flatten() {
            let own = Parts::from([(key.clone(), part.clone())]);
            push(&field.name, &part.hlc, 0, Some(counter_state(&own)));
        }
        let mut by_node: BTreeMap<Rc<str>, Marks> = BTreeMap::new();
        for (key, mark) in record.sets.get(&field.id).into_iter().flatten() {
            by_node.entry(Rc::clone(&key.1)).or_default().insert(key.clone(), mark.clone());
        }
        for (node, marks) in by_node {
            let live: Vec<&str> = marks.iter().filter(|(_, m)| m.is_live()).map(|((e, _), _)| e.as_str()).collect();
            let latest = marks.values().filter_map(|mark| mark.latest()).max().unwrap_or_default();
            push(&field.name, &latest.by(&node), 0, Some(set_state(&marks, &live)));
        }
        for (hlc, json) in record.kept.get(&field.id).into_iter().flatten() {
            push(&field.name, hlc, 0, Some(json.clone()));
        }
    }
    if let Some(row) = record.visible_row() {
        push(crate::change::ROW, row, 0, None);
    }
    if let Some(tomb) = &record.tomb {
        push(crate::change::TOMBSTONE, tomb, 1, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_comes_back_from_one_without_nul() {
        for text in ["", "a", "\0", "\u{1a}", "\0\u{1a}0\u{1a}1", "\u{1a}\0", "1\u{1a}\u{1a}0"] {
            assert!(!without_nul(text).contains('\0'), "{text:?}");
            assert_eq!(with_nul(&without_nul(text)), text);
        }
    }
}
