//! Last writer wins: the highest stamp holds the cell (Shapiro, Preguiça, Baquero, Zawirski 2011, LWW-register).

use std::cmp::Ordering;

use crate::clock::Hlc;

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
}

impl Lww {
    /// A local write, whose value is in the live row.
    pub fn live(hlc: Hlc, prev: Option<Hlc>) -> Self {
        Lww { hlc, prev, altered: false, saved: None }
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

/// Whether two different writes of one cell were made without knowledge of each other, as far as their `prev` tells.
///
/// `lo` is the one with the lower stamp. The higher one had seen the lower if what it overwrote is the lower one or later.
pub fn concurrent(lo: &Hlc, hi_prev: Option<&Hlc>) -> bool {
    hi_prev.is_none_or(|seen| seen < lo)
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
    fn succession_is_not_concurrency() {
        assert!(!concurrent(&at(5), Some(&at(5))));
        assert!(!concurrent(&at(5), Some(&at(6))));
        assert!(concurrent(&at(5), Some(&at(4))));
        assert!(concurrent(&at(5), None));
    }
}
