//! Last writer wins: the highest stamp holds the cell (Shapiro, Preguiça, Baquero, Zawirski 2011, LWW-register).

use std::cmp::Ordering;

use crate::clock::{Hlc, BASE_NODE};
use crate::types::seen::Seen;

/// A cell's clock, and its value where no live row holds it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lww {
    /// The stamp of the write that holds the cell.
    pub hlc: Hlc,
    /// The stamp that this write overwrote, where known.
    pub prev: Option<Hlc>,
    /// A hook changed the value: ranks below the original under the same stamp.
    pub altered: bool,
    /// The value as wire JSON, when the live cell does not hold it.
    pub saved: Option<String>,
    /// What is known of further writes; None when nothing is.
    pub past: Option<Box<Past>>,
}

/// Other writes of a cell than the one that holds it and the one that this overwrote.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Past {
    /// Those that the author had seen, of nodes other than itself and that of `prev`.
    pub seen: Seen,
    /// Those that have come here though the author had not seen them: each has met it, or what it replaced, already.
    pub missed: Seen,
}

impl Lww {
    /// A local write, whose value is in the live row.
    pub fn live(hlc: Hlc, prev: Option<Hlc>) -> Self {
        Lww { hlc, prev, altered: false, saved: None, past: None }
    }

    /// A write over this one by somebody who knows all that this replica knows; `also` is what else it has seen.
    pub fn overwritten(&self, hlc: Hlc, also: &[Hlc]) -> Self {
        let implied = |s: &&Hlc| s.node == hlc.node || (s.node == self.hlc.node && **s <= self.hlc);
        let seen: Seen = self.others().chain(also).filter(|s| !implied(s)).collect();
        Lww { past: Past::of(seen, Seen::default()), ..Lww::live(hlc, Some(self.hlc.clone())) }
    }

    /// A write by somebody who had seen nothing of the cell, but `also`.
    pub fn first(hlc: Hlc, also: &[Hlc]) -> Self {
        let seen: Seen = also.iter().filter(|s| s.node != hlc.node).collect();
        Lww { past: Past::of(seen, Seen::default()), ..Lww::live(hlc, None) }
    }

    /// What the author had seen besides what it overwrote; None when that is all.
    pub fn seen(&self) -> Option<&Seen> {
        self.past.as_ref().map(|past| &past.seen).filter(|seen| !seen.is_empty())
    }

    /// Whether the author had seen `other` when it wrote this.
    pub fn knows(&self, other: &Hlc) -> bool {
        knows(&self.hlc, self.prev.as_ref(), self.past.as_ref().map(|past| &past.seen), other)
    }

    /// Whether `other` has been taken into account here before, or by the author.
    pub fn is_settled(&self, other: &Hlc) -> bool {
        self.knows(other) || self.past.as_ref().is_some_and(|past| past.missed.knows(other))
    }

    /// Remembers a write that has come here and that the author had not seen.
    pub fn miss(&mut self, other: &Hlc) {
        if !self.is_settled(other) {
            self.past.get_or_insert_default().missed.add(other);
        }
    }

    /// Remembers a write, and what its author knew, that the author of this one had not seen.
    pub fn miss_all(&mut self, other: &Lww) {
        self.miss(&other.hlc);
        other.others().for_each(|seen| self.miss(seen));
    }

    /// The stamps of other writes that are known of.
    pub fn others(&self) -> impl Iterator<Item = &Hlc> {
        let past = self.past.iter().flat_map(|past| past.seen.stamps().iter().chain(past.missed.stamps()));
        self.prev.iter().chain(past)
    }
}

/// Whether the author of a write had seen `other`: by its stamp, the one that it overwrote, and what else it tells.
pub fn knows(hlc: &Hlc, prev: Option<&Hlc>, seen: Option<&Seen>, other: &Hlc) -> bool {
    let upto = |stamp: &Hlc| stamp.node == other.node && stamp >= other;
    upto(hlc) || prev.is_some_and(upto) || seen.is_some_and(|seen| seen.knows(other)) || &*other.node == BASE_NODE
}

impl Past {
    /// The two lists; None when both are empty.
    pub fn of(seen: Seen, missed: Seen) -> Option<Box<Past>> {
        (!seen.is_empty() || !missed.is_empty()).then(|| Box::new(Past { seen, missed }))
    }
}

/// How an incoming write stands to the one that holds the cell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It is the one.
    Known,
    /// It is older and loses.
    Loses,
    /// It takes the cell.
    Wins,
}

/// Compares an incoming write with the one that holds the cell. `values` orders the two values (incoming to held); it is
/// asked only under equal stamps, which two different values have when a node is broken or a file was copied.
pub fn judge(held: &Lww, hlc: &Hlc, altered: bool, values: impl FnOnce() -> Ordering) -> Verdict {
    let by_stamp = hlc.cmp(&held.hlc).then_with(|| held.altered.cmp(&altered));
    match by_stamp.then_with(values) {
        Ordering::Greater => Verdict::Wins,
        Ordering::Equal => Verdict::Known,
        Ordering::Less if *hlc == held.hlc => Verdict::Known,
        Ordering::Less => Verdict::Loses,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    fn at(ts: i64) -> Hlc {
        Hlc::new(ts, 0, &Rc::from("n"))
    }

    #[test]
    fn the_later_stamp_wins_whatever_the_value() {
        let held = Lww::live(at(5), None);
        assert_eq!(judge(&held, &at(6), false, || Ordering::Less), Verdict::Wins);
        assert_eq!(judge(&held, &at(4), false, || Ordering::Greater), Verdict::Loses);
    }

    #[test]
    fn under_one_stamp_the_greater_value_wins_and_altered_ranks_below() {
        let held = Lww::live(at(5), None);
        assert_eq!(judge(&held, &at(5), false, || Ordering::Equal), Verdict::Known);
        assert_eq!(judge(&held, &at(5), false, || Ordering::Greater), Verdict::Wins);
        assert_eq!(judge(&held, &at(5), true, || Ordering::Greater), Verdict::Known);
        let altered = Lww { altered: true, ..held };
        assert_eq!(judge(&altered, &at(5), false, || Ordering::Less), Verdict::Wins);
    }

    #[test]
    fn a_write_knows_what_was_overwritten_before_it_however_often() {
        let by = |ts, node: &str| Hlc::new(ts, 0, &Rc::from(node));
        let a1 = Lww::live(by(1, "a"), None);
        let b3 = a1.overwritten(by(2, "b"), &[]).overwritten(by(3, "b"), &[]);
        assert!(b3.knows(&by(1, "a")) && b3.knows(&by(2, "b")));
        assert!(!b3.knows(&by(2, "a")), "a's second write was not seen");
        let c4 = b3.overwritten(by(4, "c"), &[]);
        assert!(c4.knows(&by(1, "a")) && c4.knows(&by(3, "b")) && !c4.knows(&by(2, "a")));
        assert!(!c4.knows(&by(2, "d")));
    }

    #[test]
    fn what_only_came_here_is_settled_and_known_to_the_next_local_write() {
        let by = |ts, node: &str| Hlc::new(ts, 0, &Rc::from(node));
        let mut held = Lww::live(by(5, "a"), None);
        held.miss(&by(3, "b"));
        assert!(held.is_settled(&by(3, "b")) && !held.knows(&by(3, "b")));
        assert!(held.overwritten(by(6, "a"), &[]).knows(&by(3, "b")));
        let mut other = Lww::live(by(7, "c"), None);
        other.miss_all(&held);
        assert!(other.is_settled(&by(5, "a")) && other.is_settled(&by(3, "b")) && !other.knows(&by(5, "a")));
    }
}
