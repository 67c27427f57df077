//! What an author knew of others when it wrote: the latest stamp of each node. Pure.
//!
//! A version vector (Parker et al. 1983), kept for one cell or one record: whoever knows a node's stamp knows what that node
//! wrote there before it.

use crate::clock::{Hlc, BASE_NODE};

/// Nodes kept at most: the latest. What is older than all of a full list counts as known.
pub const MOST: usize = 16;

/// Stamps, the latest first, one for each node.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Seen(Vec<Hlc>);

impl Seen {
    /// Takes in a stamp, and with it all that its node wrote before.
    pub fn add(&mut self, hlc: &Hlc) {
        // What was there before crdt_enable is known to all.
        if &*hlc.node == BASE_NODE || self.0.iter().any(|s| s.node == hlc.node && s >= hlc) {
            return;
        }
        self.0.retain(|s| s.node != hlc.node);
        let at = self.0.partition_point(|s| s > hlc);
        self.0.insert(at, hlc.clone());
        self.0.truncate(MOST);
    }

    /// Whether `hlc` is among what was known.
    pub fn knows(&self, hlc: &Hlc) -> bool {
        let older = || self.0.len() == MOST && self.0.last().is_some_and(|last| last > hlc);
        self.0.iter().any(|s| s.node == hlc.node && s >= hlc) || older()
    }

    /// The stamps, the latest first.
    pub fn stamps(&self) -> &[Hlc] {
        &self.0
    }

    /// Whether nothing was known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'h> FromIterator<&'h Hlc> for Seen {
    fn from_iter<I: IntoIterator<Item = &'h Hlc>>(stamps: I) -> Self {
        let mut seen = Seen::default();
        stamps.into_iter().for_each(|hlc| seen.add(hlc));
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::rc::Rc;

    fn stamp() -> impl Strategy<Value = Hlc> {
        (0i64..9, 0u32..2, 0u8..5).prop_map(|(ts, c, n)| Hlc::new(ts, c, &Rc::from(n.to_string())))
    }

    proptest! {
        #[test]
        fn order_does_not_matter_and_all_that_was_added_is_known(stamps in proptest::collection::vec(stamp(), 0..12)) {
            let seen: Seen = stamps.iter().collect();
            prop_assert_eq!(&seen, &stamps.iter().rev().collect());
            prop_assert!(stamps.iter().all(|hlc| seen.knows(hlc)));
        }

        #[test]
        fn nothing_else_is_known(stamps in proptest::collection::vec(stamp(), 0..12), other in stamp()) {
            let seen: Seen = stamps.iter().collect();
            let known = stamps.iter().any(|s| s.node == other.node && *s >= other);
            prop_assert_eq!(seen.knows(&other), known);
        }
    }

    #[test]
    fn a_full_list_keeps_the_latest_and_takes_what_is_older_for_known() {
        let at = |ts: i64| Hlc::new(ts, 0, &Rc::from(format!("n{ts}")));
        let all: Vec<Hlc> = (0..40).map(at).collect();
        let seen: Seen = all.iter().collect();
        assert_eq!(seen.stamps().len(), MOST);
        assert_eq!(seen.stamps().first(), all.last());
        assert!(all.iter().all(|hlc| seen.knows(hlc)));
        assert!(!seen.knows(&Hlc::new(30, 0, &Rc::from("x"))));
    }
}
