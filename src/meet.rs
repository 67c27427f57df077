//! A write of a cell meets the one that holds it. Knows no record and no SQL.

use std::cmp::Ordering;

use crate::clock::Hlc;
use crate::error::Result;
use crate::ffi::Value;
use crate::types::lww::{judge, knows, Lww, Past, Verdict};
use crate::types::seen::Seen;
use crate::value;

/// A write of a cell as it came.
#[derive(Clone, Copy, Debug)]
pub struct Write<'w> {
    /// Its stamp.
    pub hlc: &'w Hlc,
    /// The stamp that it overwrote.
    pub prev: Option<&'w Hlc>,
    /// A hook changed the value.
    pub altered: bool,
    /// The value as JSON.
    pub value: &'w str,
    /// What else its author had seen.
    pub seen: Option<&'w Seen>,
}

/// What comes of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Meeting {
    /// The write takes the cell.
    pub news: bool,
    /// It lost, and is to be remembered.
    pub noted: bool,
    /// Neither author had seen the other's.
    pub conflict: bool,
    /// Another value stands under its very stamp.
    pub twin: bool,
    /// It is known, and nobody holds its value any more.
    lost: bool,
}

impl Write<'_> {
    /// The clock of a cell that it holds.
    pub fn clock(&self) -> Lww {
        let past = Past::of(self.seen.cloned().unwrap_or_default(), Seen::default());
        Lww { hlc: self.hlc.clone(), prev: self.prev.cloned(), altered: self.altered, saved: None, past }
    }

    /// How it meets the one that holds the cell. `holds` gives the cell's value as JSON; it is asked only when stamps are equal.
    /// `overtaken` where the record's delete had seen it.
    pub fn meet(
        &self,
        now: &Lww,
        overtaken: bool,
        holds: &mut dyn FnMut() -> Result<Option<String>>,
    ) -> Result<Meeting> {
        let (mut order, mut lost) = (Ordering::Equal, false);
        if now.hlc == *self.hlc && now.altered == self.altered {
            match holds()? {
                Some(held) => order = compare(self.value, &held),
                // As when its column was renamed: here it is again.
                None => lost = true,
            }
        }
        let verdict = judge(now, self.hlc, self.altered, || order);
        let twin = order != Ordering::Equal;
        let conflict = match verdict {
            Verdict::Wins if twin => true,
            _ if verdict == Verdict::Known || overtaken => false,
            Verdict::Wins => !knows(self.hlc, self.prev, self.seen, &now.hlc),
            _ => !now.is_settled(self.hlc),
        };
        let (news, noted) = (verdict == Verdict::Wins, conflict && verdict == Verdict::Loses);
        Ok(Meeting { news, noted, conflict, twin, lost })
    }
}

impl Meeting {
    /// Does to the cell's clock what comes of the meeting. True where the value is the write's from now on; the clock does not
    /// hold it yet.
    pub fn settle(&self, now: &mut Lww, write: &Write<'_>) -> bool {
        if self.news {
            let before = std::mem::replace(now, write.clock());
            now.miss_all(&before);
        } else if self.noted {
            let seen = write.seen.into_iter().flat_map(Seen::stamps);
            std::iter::once(write.hlc).chain(write.prev).chain(seen).for_each(|stamp| now.miss(stamp));
        }
        self.news || self.lost
    }
}

/// Order of two JSON values: by SQLite type, then bytes, then by how we spell them. Whoever passed one on may have spelled it otherwise:
/// that makes it no other value.
fn compare(a: &str, b: &str) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    match (value::decode(a), value::decode(b)) {
        // SQL cannot tell 0.0 from -0.0: a write of the one over the other has no stamp of its own.
        (Ok(Value::Real(x)), Ok(Value::Real(y))) if x == 0.0 && y == 0.0 => Ordering::Equal,
        (Ok(x), Ok(y)) => value::rank(x.as_ref(), y.as_ref()).then_with(|| value::spelled(a).cmp(&value::spelled(b))),
        _ => a.cmp(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_an_order_whatever_they_are() {
        // By type, by value, by their text; what is no JSON comes by its bytes.
        let ascending = ["", "null", "1", "1.0", "2.5", "\"a\"", "\"b\"", "{\"$blob\":\"00\"}"];
        for (i, a) in ascending.iter().enumerate().skip(1) {
            for (j, b) in ascending.iter().enumerate().skip(1) {
                assert_eq!(compare(a, b), i.cmp(&j), "{a} and {b}");
            }
        }
        assert_eq!(compare("0.0", "-0.0"), Ordering::Equal);
        for (a, b) in [
            ("\"R&D\"", "\"R\\u0026D\""),
            ("1.0", "1e0"),
            ("{\"$blob\": \"AA\"}", "{\"$blob\":\"aa\"}"),
            ("\"é/\"", "\"\\u00e9\\/\""),
        ] {
            assert_eq!(compare(a, b), Ordering::Equal, "{a} and {b}");
        }
        // What a column of another type would show otherwise.
        assert_ne!(compare("true", "1"), Ordering::Equal);
        assert_ne!(compare("[1]", "\"[1]\""), Ordering::Equal);
        assert_eq!(compare("", "[").reverse(), compare("[", ""));
        assert_eq!(compare("", ""), Ordering::Equal);
    }
}
