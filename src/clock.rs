//! The hybrid logical clock: a total order on writes that never contradicts cause and effect and stays near wall time.
//!
//! Kulkarni, Demirbas, Madappa, Avva, Leone: "Logical Physical Clocks" (OPODIS 2014). Pure: the caller brings the wall time.

use std::fmt;
use std::rc::Rc;

use crate::error::{Error, Result};

/// Nanoseconds in a microsecond: the grain of our own stamps, exact in a JavaScript number.
const GRAIN: i64 = 1_000;
/// Nanoseconds in a millisecond: the grain of the wall clock that SQLite gives.
pub const MILLISECOND: i64 = 1_000_000;
/// Longest node id, bytes.
pub const MAX_NODE_BYTES: usize = 255;
/// The shared author of rows that were there before `crdt_enable`.
pub const BASE_NODE: &str = "_base";

/// One stamp. Ordered by `ts`, then `c`, then `node` bytewise.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Hlc {
    /// Nanoseconds since the Unix epoch.
    pub ts: i64,
    /// Orders stamps that share `ts`.
    pub c: u32,
    /// The node that made it.
    pub node: Rc<str>,
}

impl Hlc {
    /// A stamp from its three parts.
    pub fn new(ts: i64, c: u32, node: &Rc<str>) -> Self {
        Hlc { ts, c, node: Rc::clone(node) }
    }

    /// The stamp below every real write: "nothing yet".
    pub fn zero() -> Self {
        Hlc { ts: 0, c: 0, node: Rc::from("") }
    }

    /// The place in time without the author.
    pub fn tick(&self) -> Tick {
        Tick { ts: self.ts, c: self.c }
    }

    /// Appends the JSON form `{"ts":…,"c":…,"node":…}`.
    pub fn write_json(&self, out: &mut String) {
        out.push_str("{\"ts\":");
        push_int(out, self.ts);
        out.push_str(",\"c\":");
        push_int(out, i64::from(self.c));
        out.push_str(",\"node\":");
        crate::value::write_text(out, &self.node);
        out.push('}');
    }

    /// The JSON form as a string of its own.
    pub fn to_json(&self) -> String {
        let mut out = String::with_capacity(64);
        self.write_json(&mut out);
        out
    }
}

/// Grove's text form, as `crdt_inspect` prints it.
impl fmt::Display for Hlc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HLC{{ts:{} c:{} node:{}}}", self.ts, self.c, self.node)
    }
}

/// A stamp whose author is known from elsewhere: a database's own clock, a set's pairs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Tick {
    /// Nanoseconds since the Unix epoch.
    pub ts: i64,
    /// Orders ticks that share `ts`.
    pub c: u32,
}

impl Tick {
    /// This tick with its author.
    pub fn by(self, node: &Rc<str>) -> Hlc {
        Hlc::new(self.ts, self.c, node)
    }

    /// The next tick in the same instant. Goes to the next whole microsecond when `c` is full, or after a foreign stamp
    /// that is none; where time ends before that it counts on, up to the last tick of all.
    fn next(self) -> Tick {
        let (c, later) = (self.c.saturating_add(1), self.ts.saturating_add(GRAIN) / GRAIN * GRAIN);
        match self.ts % GRAIN == 0 && c > self.c || later <= self.ts {
            true => Tick { ts: self.ts, c },
            false => Tick { ts: later, c: 0 },
        }
    }

    /// The stamp of a new event at wall time `at` (nanoseconds): later than every tick seen, near `at`.
    pub fn advance(self, at: i64) -> Tick {
        let at = at / GRAIN * GRAIN;
        if at > self.ts {
            Tick { ts: at, c: 0 }
        } else {
            self.next()
        }
    }

    /// A tick after this one whose `c` lies in the upper half, at a place given by `random` (below 2^31).
    pub fn aside(self, random: u32) -> Tick {
        const UPPER: u32 = 1 << 31;
        let c = UPPER | random;
        match c > self.c {
            true => Tick { ts: self.ts, c },
            false => Tick { ts: self.ts.saturating_add(GRAIN), c },
        }
    }

    /// The clock after taking in a foreign stamp: not below it. (The next `advance` is then above it.)
    pub fn observe(self, seen: Tick) -> Tick {
        self.max(seen)
    }
}

/// Decimal text of `n` appended to `out`.
pub fn push_int(out: &mut String, n: i64) {
    out.push_str(itoa::Buffer::new().format(n));
}

/// Refuses a node id that no node can have.
pub fn check_node(node: &str) -> Result<()> {
    if node.is_empty() || node.len() > MAX_NODE_BYTES {
        return Err(Error::peer(format!("a node id has 1 to {MAX_NODE_BYTES} bytes, this one has {}", node.len())));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn order_is_time_counter_node() {
        let (a, b): (Rc<str>, Rc<str>) = (Rc::from("a"), Rc::from("b"));
        assert!(Hlc::new(1, 9, &b) < Hlc::new(2, 0, &a));
        assert!(Hlc::new(1, 1, &b) < Hlc::new(1, 2, &a));
        assert!(Hlc::new(1, 1, &a) < Hlc::new(1, 1, &b));
    }

    #[test]
    fn a_full_counter_carries_into_the_time() {
        let t = Tick { ts: 5_000, c: u32::MAX };
        assert_eq!(t.advance(0), Tick { ts: 6_000, c: 0 });
        let foreign = Tick { ts: 5_001, c: u32::MAX };
        assert!(foreign.advance(0) > foreign);
        assert_eq!(foreign.advance(0).ts % GRAIN, 0);
    }

    #[test]
    fn at_the_end_of_time_the_counter_goes_on() {
        for ts in (i64::MAX - 2 * GRAIN..=i64::MAX).step_by(7).chain([i64::MAX]) {
            let before = Tick { ts, c: 5 };
            assert!(before.advance(0) > before, "{before:?}");
            assert!(before.advance(0).advance(i64::MAX) > before, "{before:?}");
        }
        let last = Tick { ts: i64::MAX, c: u32::MAX };
        assert_eq!(last.advance(i64::MAX), last);
    }

    #[test]
    fn text_form_is_groves() {
        assert_eq!(Hlc::new(7, 2, &Rc::from("n")).to_string(), "HLC{ts:7 c:2 node:n}");
    }

    proptest! {
        #[test]
        fn advance_rises_and_new_times_are_whole_microseconds(ts in 0i64..i64::MAX / 2, c: u32, at in 0i64..i64::MAX / 2) {
            let before = Tick { ts, c };
            let after = before.advance(at);
            prop_assert!(after > before);
            prop_assert!(after.ts % GRAIN == 0);
        }

        #[test]
        fn aside_rises_too(ts in 0i64..i64::MAX / 2, c: u32, random in 0u32..1 << 31) {
            let before = Tick { ts, c };
            prop_assert!(before.aside(random) > before);
        }

        #[test]
        fn observe_is_a_join(a in any::<(i64, u32)>(), b in any::<(i64, u32)>()) {
            let (a, b) = (Tick { ts: a.0, c: a.1 }, Tick { ts: b.0, c: b.1 });
            prop_assert_eq!(a.observe(b), b.observe(a));
            prop_assert_eq!(a.observe(a), a);
        }
    }
}
