//! A set of a table's fields: a bit for each of the first 64, which is all of them in nearly every table.

use std::collections::BTreeSet;

use crate::record::FieldId;

/// Fields of one table.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct FieldSet {
    low: u64,
    /// Those from 64 on; None where there is none.
    #[allow(clippy::box_collection, reason = "one word where a tree takes three: there is one for each log row")]
    high: Option<Box<BTreeSet<FieldId>>>,
}

/// A field's bit; None from 64 on.
fn bit(field: FieldId) -> Option<u64> {
    1u64.checked_shl(field)
}

impl FieldSet {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.low == 0 && self.high.is_none()
    }

    /// Whether a field is among them.
    pub fn has(&self, field: FieldId) -> bool {
        match bit(field) {
            Some(bit) => self.low & bit != 0,
            None => self.high.as_ref().is_some_and(|high| high.contains(&field)),
        }
    }

    /// Whether all of `other` are among them.
    pub fn includes(&self, other: &FieldSet) -> bool {
        let has_high = |theirs: &BTreeSet<FieldId>| self.high.as_ref().is_some_and(|high| theirs.is_subset(high));
        self.low & other.low == other.low && other.high.as_ref().is_none_or(|theirs| has_high(theirs))
    }

    /// Takes others in.
    pub fn add(&mut self, more: FieldSet) {
        self.low |= more.low;
        match (&mut self.high, more.high) {
            (Some(high), Some(more)) => high.extend(*more),
            (high @ None, more) => *high = more,
            (Some(_), None) => {}
        }
    }

    /// The fields, in rising order.
    pub fn iter(&self) -> impl Iterator<Item = FieldId> + '_ {
        let low = (0..u64::BITS).filter(|field| self.low >> field & 1 == 1);
        low.chain(self.high.iter().flat_map(|high| high.iter().copied()))
    }
}

impl FromIterator<FieldId> for FieldSet {
    fn from_iter<I: IntoIterator<Item = FieldId>>(fields: I) -> FieldSet {
        let mut set = FieldSet::default();
        for field in fields {
            match bit(field) {
                Some(bit) => set.low |= bit,
                None => {
                    set.high.get_or_insert_default().insert(field);
                }
            }
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fields() -> impl Strategy<Value = BTreeSet<FieldId>> {
        prop::collection::btree_set(prop_oneof![0..8u32, 60..70u32, any::<u32>()], 0..6)
    }

    proptest! {
        #[test]
        fn it_is_a_set(a in fields(), b in fields(), field in prop_oneof![0..8u32, 60..70u32]) {
            let set = |of: &BTreeSet<FieldId>| of.iter().copied().collect::<FieldSet>();
            let (x, y) = (set(&a), set(&b));
            prop_assert_eq!(x.iter().collect::<Vec<_>>(), a.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(x.is_empty(), a.is_empty());
            prop_assert_eq!(x.has(field), a.contains(&field));
            prop_assert_eq!(x.includes(&y), b.is_subset(&a));
            prop_assert_eq!(x == y, a == b);
            let mut both = x.clone();
            both.add(y);
            prop_assert_eq!(both, set(&a.union(&b).copied().collect()));
        }
    }
}
