//! The PN-counter: each author's running totals, merged by maximum (Shapiro et al. 2011, state-based PN-Counter).

use crate::clock::Hlc;

/// What one author added and took, in all.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// Sum of the author's increments.
    pub inc: u128,
    /// Sum of the author's decrements.
    pub dec: u128,
    /// The author's latest stamp on the counter.
    pub hlc: Hlc,
    /// The stamp at which these totals began, or went on, when the record had been deleted before; else none.
    pub born: Option<Hlc>,
}

impl Part {
    /// Nothing counted yet, stamped `hlc`.
    pub fn empty(hlc: Hlc) -> Self {
        Part { inc: 0, dec: 0, hlc, born: None }
    }

    /// Adds a local difference under the stamp `hlc`.
    pub fn add(&mut self, delta: i128, hlc: Hlc) {
        if delta >= 0 {
            self.inc = self.inc.saturating_add(delta.unsigned_abs());
        } else {
            self.dec = self.dec.saturating_add(delta.unsigned_abs());
        }
        self.hlc = hlc;
    }

    /// Takes in another copy of the same author's part; true when it told something new.
    ///
    /// Totals that began later replace earlier ones; totals of one beginning take the maximum.
    pub fn join(&mut self, other: &Part) -> bool {
        if other.born > self.born {
            *self = other.clone();
            return true;
        }
        if other.born < self.born {
            return false;
        }
        let joined = Part {
            inc: self.inc.max(other.inc),
            dec: self.dec.max(other.dec),
            hlc: self.hlc.clone().max(other.hlc.clone()),
            born: self.born.clone(),
        };
        let news = joined != *self;
        *self = joined;
        news
    }
}

/// The exact sum of the parts, which may lie outside what a cell can hold.
pub fn sum<'a>(parts: impl Iterator<Item = &'a Part>) -> i128 {
    parts.fold(0i128, |sum, part| {
        let (inc, dec) = (clamp(part.inc), clamp(part.dec));
        sum.saturating_add(inc.saturating_sub(dec))
    })
}

/// What the cell shows for a sum: saturated at the limits of i64.
pub fn shown(sum: i128) -> i64 {
    i64::try_from(sum).unwrap_or(if sum < 0 { i64::MIN } else { i64::MAX })
}

fn clamp(total: u128) -> i128 {
    i128::try_from(total).unwrap_or(i128::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::rc::Rc;

    fn part() -> impl Strategy<Value = Part> {
        (0u8..4, 0u8..4, 0i64..4, proptest::option::of(0i64..3)).prop_map(|(inc, dec, ts, born)| Part {
            inc: inc.into(),
            dec: dec.into(),
            hlc: Hlc::new(ts, 0, &Rc::from("n")),
            born: born.map(|b| Hlc::new(b, 0, &Rc::from("n"))),
        })
    }

    fn joined(a: &Part, b: &Part) -> Part {
        let mut a = a.clone();
        a.join(b);
        a
    }

    proptest! {
        #[test]
        fn join_commutes_associates_and_repeats(a in part(), b in part(), c in part()) {
            prop_assert_eq!(joined(&a, &b), joined(&b, &a));
            prop_assert_eq!(joined(&joined(&a, &b), &c), joined(&a, &joined(&b, &c)));
            prop_assert_eq!(joined(&a, &a), a.clone());
        }

        #[test]
        fn join_tells_whether_anything_was_new(a in part(), b in part()) {
            let mut after = a.clone();
            prop_assert_eq!(after.join(&b), after != a);
        }
    }

    #[test]
    fn sums_saturate_without_losing_the_parts() {
        let mut full = Part::empty(Hlc::zero());
        full.add(i128::from(i64::MAX), Hlc::zero());
        full.add(10, Hlc::zero());
        assert_eq!(shown(sum([&full].into_iter())), i64::MAX);
        full.add(-20, Hlc::zero());
        assert_eq!(shown(sum([&full].into_iter())), i64::MAX - 10);
    }
}
