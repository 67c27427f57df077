//! Cells in the very spelling of our own exports, read without looking for keys; all else is left to the reader of any JSON. Pure.
//!
//! A record's cells follow one another and mostly share their stamp, so that nearly all of a change is what stood in the
//! one before, byte for byte: a comparison reads it.

use std::rc::Rc;

use super::{Body, Change, Names, MAX_NAME_BYTES};
use crate::clock::{check_node, Hlc};
use crate::key::MAX_KEY_BYTES;
use crate::value;

/// Reads cells from JSON text, one after the other.
pub struct Quick<'j> {
    json: &'j str,
    /// `{"table":"…","pk":"…","field":"` as last read, and what it says.
    head: Option<(&'j str, Rc<str>, &'j str)>,
    /// The fields of the record before as far as they stood in their places in this one too, and the place of the next one.
    fields: Vec<&'j str>,
    next: usize,
    /// `","crdt_type":"lww","hlc":{…},"node_id":"…","value":` as last read, and what it says.
    middle: Option<(&'j str, Hlc)>,
    /// `,"prev":{…}` as last read, and what it says.
    prev: Option<(&'j str, Hlc)>,
}

/// A cell as it stands in the JSON, behind what [`Quick`] has read last.
#[derive(Clone, Copy)]
pub struct Spelled<'j> {
    /// Its field.
    pub field: &'j str,
    /// Its value: to be kept as it stands.
    pub value: &'j str,
    /// Whether it is of the record of the cell read before.
    pub same: bool,
    /// Whether it tells what it overwrote.
    prev: bool,
}

impl<'j> Quick<'j> {
    /// A reader of places in `json`.
    pub fn new(json: &'j str) -> Quick<'j> {
        Quick { json, head: None, fields: Vec::new(), next: 0, middle: None, prev: None }
    }

    /// The cell at `at`, and where it ends; None when what stands there is anything else, or is spelled otherwise.
    pub fn cell(&mut self, at: usize, names: &mut Names) -> Option<(Spelled<'j>, usize)> {
        let mut text = Text { json: self.json, at };
        let same = self.head(&mut text, names)?;
        let field = self.field(&mut text, same)?;
        if field.is_empty() || field.starts_with('_') {
            return None; // it may be no cell
        }
        self.middle(&mut text, names)?;
        let value = text.value()?;
        let prev = text.rest().starts_with(b",");
        if prev {
            self.prev(&mut text, names)?;
        }
        text.take("}")?;
        Some((Spelled { field, value, same, prev }, text.at)).filter(|_| value::is_checked(value))
    }

    /// The table and the key of the cell read last.
    pub fn record(&self) -> Option<(&Rc<str>, &'j str)> {
        self.head.as_ref().map(|(_, table, pk)| (table, *pk))
    }

    /// The stamp of the cell read last, and what it overwrote.
    pub fn stamps(&self, cell: &Spelled<'_>) -> Option<(&Hlc, Option<&Hlc>)> {
        let prev = self.prev.as_ref().filter(|_| cell.prev).map(|(_, hlc)| hlc);
        Some((&self.middle.as_ref()?.1, prev))
    }

    /// The cell read last as a change.
    pub fn change(&self, cell: &Spelled<'_>, names: &mut Names) -> Option<Change> {
        let ((table, pk), (hlc, prev)) = (self.record()?, self.stamps(cell)?);
        let body = Body::Lww { value: cell.value.to_owned(), prev: prev.cloned(), altered: false };
        let (table, pk, field) = (Rc::clone(table), names.key(pk), names.share(cell.field));
        Some(Change { table, pk, field, hlc: hlc.clone(), body, seen: None })
    }

    /// Whether it is that of the cell before.
    fn head(&mut self, text: &mut Text<'j>, names: &mut Names) -> Option<bool> {
        if let Some((same, ..)) = &self.head {
            if text.take(same).is_some() {
                return Some(true);
            }
        }
        let from = text.at;
        text.take("{\"table\":\"")?;
        let table = text.plain(MAX_NAME_BYTES)?;
        text.take("\",\"pk\":\"")?;
        let pk = text.plain(MAX_KEY_BYTES)?;
        text.take("\",\"field\":\"")?;
        self.head = Some((self.json.get(from..text.at)?, names.share(table), pk));
        Some(false)
    }

    /// A field's name: mostly the one that stood there in the record before.
    fn field(&mut self, text: &mut Text<'j>, same: bool) -> Option<&'j str> {
        let place = if same { self.next } else { 0 };
        self.next = place + 1;
        if let Some(field) = self.fields.get(place) {
            let rest = text.rest();
            if rest.get(field.len()) == Some(&b'"') && rest.starts_with(field.as_bytes()) {
                text.at += field.len();
                return Some(field);
            }
        }
        let field = text.plain(MAX_NAME_BYTES)?;
        self.fields.truncate(place);
        self.fields.push(field);
        Some(field)
    }

    fn middle(&mut self, text: &mut Text<'j>, names: &mut Names) -> Option<()> {
        if let Some((same, _)) = &self.middle {
            if text.take(same).is_some() {
                return Some(());
            }
        }
        let from = text.at;
        text.take("\",\"crdt_type\":\"lww\",\"hlc\":{")?;
        let hlc = text.stamp(names)?;
        text.take(",\"node_id\":\"")?;
        text.take(&hlc.node)?;
        text.take("\",\"value\":")?;
        self.middle = Some((self.json.get(from..text.at)?, hlc));
        Some(())
    }

    fn prev(&mut self, text: &mut Text<'j>, names: &mut Names) -> Option<()> {
        if let Some((same, _)) = &self.prev {
            if text.take(same).is_some() {
                return Some(());
            }
        }
        let from = text.at;
        text.take(",\"prev\":{")?;
        let hlc = text.stamp(names)?;
        self.prev = Some((self.json.get(from..text.at)?, hlc));
        Some(())
    }
}

/// A place in JSON text.
struct Text<'j> {
    json: &'j str,
    at: usize,
}

impl<'j> Text<'j> {
    fn rest(&self) -> &'j [u8] {
        self.json.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// Goes past `what`, if it stands here.
    fn take(&mut self, what: &str) -> Option<()> {
        self.rest().starts_with(what.as_bytes()).then(|| self.at += what.len())
    }

    /// What a string without escapes holds, up to its closing quote: at most `most` bytes.
    fn plain(&mut self, most: usize) -> Option<&'j str> {
        let length = memchr::memchr2(b'"', b'\\', self.rest()).filter(|length| *length <= most)?;
        let text = self.json.get(self.at..self.at + length)?;
        let control = text.bytes().fold(false, |any, b| any | (b < 0x20));
        self.at += length;
        (!control && self.rest().first() == Some(&b'"')).then_some(text)
    }

    /// A whole number as JSON spells it, of 64 bits.
    fn number(&mut self) -> Option<i64> {
        let (mut number, mut digits) = (0i64, 0);
        for digit in self.rest().iter().map(|b| b.wrapping_sub(b'0')).take_while(|digit| *digit < 10) {
            if number == 0 && digits > 0 {
                return None; // it begins with 0
            }
            number = number.checked_mul(10)?.checked_add(digit.into())?;
            digits += 1;
        }
        self.at += digits;
        (digits > 0).then_some(number)
    }

    /// A stamp behind its opening brace.
    fn stamp(&mut self, names: &mut Names) -> Option<Hlc> {
        self.take("\"ts\":")?;
        let ts = self.number()?;
        self.take(",\"c\":")?;
        let c = u32::try_from(self.number()?).ok()?;
        self.take(",\"node\":\"")?;
        let node = self.plain(MAX_NAME_BYTES)?;
        self.take("\"}")?;
        check_node(node).ok()?;
        Some(Hlc { ts, c, node: names.share(node) })
    }

    /// A value that is no object, array or broken number. What stands in a string is not looked at.
    fn value(&mut self) -> Option<&'j str> {
        let from = self.at;
        match self.rest().first()? {
            b'"' => self.string()?,
            b'-' => {
                self.at += 1;
                self.number().filter(|number| *number > 0)?;
            }
            b'n' => self.take("null")?,
            b't' => self.take("true")?,
            b'f' => self.take("false")?,
            _ => drop(self.number()?),
        }
        self.json.get(from..self.at)
    }

    fn string(&mut self) -> Option<()> {
        self.at += 1;
        loop {
            let found = memchr::memchr2(b'"', b'\\', self.rest())?;
            self.at += found + 1;
            if self.json.as_bytes().get(self.at - 1) == Some(&b'"') {
                return Some(());
            }
            self.at += 1; // what is escaped
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::payload::{canonical, Parts};
    use super::super::Part;
    use super::*;
    use proptest::prelude::*;

    /// Cells of a few records, next to each other or not, and here and there something else.
    fn payload() -> impl Strategy<Value = String> {
        let name = prop_oneof![Just("t".to_owned()), Just("ü\"".to_owned()), "[a-z_\\\\]{0,3}"];
        let stamp = (0i64..3, 0u32..2, prop_oneof![Just("n"), Just("n\"1")]).prop_map(|(ts, c, node)| {
            let ts = if ts == 2 { i64::MAX } else { ts };
            Hlc::new(ts, c, &Rc::from(node))
        });
        let value = crate::value::tests_any_value()
            .prop_map(|value| crate::value::to_json(value.as_ref(), crate::value::Form::Plain));
        let cell = (name.clone(), name, stamp.clone(), value, proptest::option::of(stamp), 0u8..9).prop_map(
            |(table, field, hlc, value, prev, kind)| {
                let body = match kind {
                    0 => Body::Counter { inc: 1, dec: 0, born: None, operation: false },
                    _ => Body::Lww { value, prev, altered: kind == 1 },
                };
                let pk: Rc<str> = Rc::from(format!("{}", hlc.c));
                Change { table: Rc::from(table), pk, field: Rc::from(field), hlc, body, seen: None }
            },
        );
        proptest::collection::vec(cell, 0..6).prop_map(|changes| {
            let texts = changes.iter().map(|change| {
                let mut out = String::new();
                change.write_json(&mut out);
                out
            });
            format!("{{\"changes\":[{}],\"more\":false}}", texts.collect::<Vec<_>>().join(","))
        })
    }

    fn slowly(json: &str) -> Option<Vec<Change>> {
        let mut names = Names::default();
        let (raw, _) = crate::import::raw_changes(json).ok()?;
        raw.iter().map(|raw| crate::import::one(raw.get(), &mut names).ok()).collect()
    }

    /// The changes of each record, all that come for it next to each other; read some at a time, as drafts where that can be.
    fn in_parts(json: &str, count: usize) -> Option<Vec<Vec<Change>>> {
        let (mut parts, mut part, mut names, mut all) =
            (Parts::new(json)?, Part::default(), Names::default(), Vec::new());
        loop {
            let more = parts.read(&mut names, count, &mut part)?;
            let as_one = |a: &Change, b: &Change| a.table == b.table && a.pk == b.pk;
            all.extend(part.changes.chunk_by(as_one).map(<[Change]>::to_vec));
            for i in 0..part.drafts.records() {
                let mut changes = Vec::new();
                part.drafts.changes(i, &mut changes);
                all.push(changes);
            }
            part.clear();
            if !more {
                return Some(all);
            }
        }
    }

    /// Changes by runs of one record, in an order of their own.
    fn by_record(changes: Vec<Vec<Change>>) -> Vec<String> {
        let mut all: Vec<String> = changes.iter().map(|changes| format!("{changes:?}")).collect();
        all.sort_unstable();
        all
    }

    proptest! {
        #[test]
        fn what_comes_for_a_record_stays_together(json in payload(), count in 1usize..4) {
            let Some(parts) = in_parts(&json, count) else { return Ok(()) };
            let all = slowly(&json).unwrap();
            let as_one = |a: &Change, b: &Change| a.table == b.table && a.pk == b.pk;
            let runs: Vec<Vec<Change>> = all.chunk_by(as_one).map(<[Change]>::to_vec).collect();
            // Changes of one record may come to stand next to each other that did not.
            prop_assert_eq!(parts.iter().map(Vec::len).sum::<usize>(), all.len());
            let keys = |runs: &[Vec<Change>]| runs.iter().map(|run| (run[0].table.clone(), run[0].pk.clone())).collect::<std::collections::HashSet<_>>().len();
            if keys(&runs) == runs.len() {
                prop_assert_eq!(by_record(parts), by_record(runs));
            }
        }

        #[test]
        fn both_readers_read_the_same(json in payload(), at in any::<prop::sample::Index>(), put in "[\"\\\\0-9,{}a :]{0,2}") {
            let quick = canonical(&json, &mut Names::default());
            prop_assert_eq!(quick, slowly(&json));
            // What was changed anywhere is read the same, or left to the other.
            let at = at.index(json.len());
            if let (Some(before), Some(after)) = (json.get(..at), json.get(at + 1..)) {
                for changed in [format!("{before}{put}{after}"), format!("{before}{put}{}", &json[at..])] {
                    if let Some(quick) = canonical(&changed, &mut Names::default()) {
                        prop_assert_eq!(Some(quick), slowly(&changed));
                    }
                }
            }
        }
    }

    #[test]
    fn cells_as_we_write_them_are_read_quickly() {
        let text = r#"{"table":"t","pk":"1","field":"a","crdt_type":"lww","hlc":{"ts":1,"c":0,"node":"n"},"node_id":"n","value":"[\"x\"]","prev":{"ts":0,"c":7,"node":"m"}}"#;
        let (mut quick, mut names) = (Quick::new(text), Names::default());
        let (cell, end) = quick.cell(0, &mut names).unwrap();
        let change = quick.change(&cell, &mut names).unwrap();
        assert_eq!((end, Some(vec![change])), (text.len(), slowly(&format!("[{text}]"))));
    }

    #[test]
    fn numbers_that_are_no_json_are_left_to_the_other() {
        let cell = |ts: &str| {
            format!(
                r#"{{"changes":[{{"table":"t","pk":"1","field":"f","crdt_type":"lww","hlc":{{"ts":{ts},"c":0,"node":"n"}},"node_id":"n","value":1}}]}}"#
            )
        };
        assert!(canonical(&cell("1"), &mut Names::default()).is_some());
        for ts in ["01", "00", "", "99999999999999999999"] {
            assert!(canonical(&cell(ts), &mut Names::default()).is_none(), "{ts}");
        }
    }
}
