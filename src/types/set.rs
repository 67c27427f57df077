//! The observed-remove set: add wins over a concurrent remove.
//!
//! For each element and node one mark is kept: the node's latest add, and the remove that took it, if any. A node's later add
//! stands for its earlier ones, so dead tags do not pile up ("An optimized conflict-free replicated set", Bieniusa et al.
//! 2012, with one tag for each node). Marks merge by maximum: later add first,
//! removed above live, the later of two removes.

use crate::clock::{Hlc, Tick};
use crate::error::{Error, Result};

/// Deepest nesting of arrays and objects in a set's column.
const MAX_DEPTH: usize = 120;

/// What is known of one node's dealings with one element.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Mark {
    /// The node's latest add of the element.
    pub add: Option<Tick>,
    /// The remove that took that add, by anyone; the latest, when several did.
    pub gone: Option<Hlc>,
    /// The node's own latest remove of the element.
    pub op: Option<Tick>,
}

impl Mark {
    /// A new add.
    pub fn added(tick: Tick) -> Self {
        Mark { add: Some(tick), ..Mark::default() }
    }

    /// An add that the remove `by` took.
    pub fn removed(tick: Tick, by: &Hlc) -> Self {
        Mark { add: Some(tick), gone: Some(by.clone()), op: None }
    }

    /// A remove made by this mark's node.
    pub fn operation(tick: Tick) -> Self {
        Mark { op: Some(tick), ..Mark::default() }
    }

    /// Whether this node's add keeps the element in the set.
    pub fn is_live(&self) -> bool {
        self.add.is_some() && self.gone.is_none()
    }

    /// The latest stamp that this mark shows.
    pub fn latest(&self) -> Option<Tick> {
        self.add.max(self.op)
    }

    /// Lets go what is stamped up to `until`; false when nothing is left. `node` is the mark's own.
    pub fn forget(&mut self, node: &std::rc::Rc<str>, until: &Hlc) -> bool {
        let over = |tick: &Tick| tick.by(node) <= *until;
        if self.add.as_ref().is_some_and(over) {
            (self.add, self.gone) = (None, None);
        }
        self.op = self.op.filter(|op| !over(op));
        self.add.is_some() || self.op.is_some()
    }

    /// Takes in another copy of the mark; true when it told something new.
    pub fn join(&mut self, other: &Mark) -> bool {
        let (add, gone) = (self.add, self.gone.clone()).max((other.add, other.gone.clone()));
        let joined = Mark { add, gone, op: self.op.max(other.op) };
        let news = joined != *self;
        *self = joined;
        news
    }
}

/// The elements of a JSON array in canonical form, sorted by the bytes of their JSON, each once.
///
/// Canonical: object keys sorted by UTF-8 bytes, integers with all digits, other numbers shortest (1.0 as 1), no needless
/// escapes or white space.
pub fn elements(json: &str) -> Result<Vec<String>> {
    if crate::value::depth(json) > MAX_DEPTH {
        return Err(Error::peer("a set element is nested too deeply"));
    }
    let raw: Vec<&serde_json::value::RawValue> =
        serde_json::from_str(json).map_err(|e| Error::peer(format!("a set is a JSON array: {e}")))?;
    let mut all = raw.iter().map(|item| canonical(item.get())).collect::<Result<Vec<_>>>()?;
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

/// One element in canonical form.
pub fn canonical(json: &str) -> Result<String> {
    let mut out = String::with_capacity(json.len());
    write_canonical(json, &mut out)?;
    Ok(out)
}

fn write_canonical(json: &str, out: &mut String) -> Result<()> {
    let bad = |e: serde_json::Error| Error::peer(format!("a set element is not JSON: {e}"));
    let json = json.trim_matches([' ', '\t', '\n', '\r']);
    match json.as_bytes().first() {
        Some(b'"') => crate::value::write_text(out, &serde_json::from_str::<String>(json).map_err(bad)?),
        Some(b'[') => {
            let items: Vec<&serde_json::value::RawValue> = serde_json::from_str(json).map_err(bad)?;
            write_list(out, '[', ']', items.iter(), |item, out| write_canonical(item.get(), out))?;
        }
        Some(b'{') => {
            let map: std::collections::BTreeMap<String, &serde_json::value::RawValue> =
                serde_json::from_str(json).map_err(bad)?;
            write_list(out, '{', '}', map.iter(), |(key, item), out| {
                crate::value::write_text(out, key);
                out.push(':');
                write_canonical(item.get(), out)
            })?;
        }
        Some(b'-' | b'0'..=b'9') => write_number(json, out)?,
        _ => out.push_str(json),
    }
    Ok(())
}

fn write_list<T>(
    out: &mut String,
    open: char,
    close: char,
    items: impl Iterator<Item = T>,
    mut write: impl FnMut(T, &mut String) -> Result<()>,
) -> Result<()> {
    out.push(open);
    for (i, item) in items.enumerate() {
        if i > 0 {
            out.push(',');
        }
        write(item, out)?;
    }
    out.push(close);
    Ok(())
}

fn write_number(json: &str, out: &mut String) -> Result<()> {
    if !json.contains(['.', 'e', 'E']) {
        let digits = json.trim_start_matches('-');
        let zero = digits.bytes().all(|b| b == b'0');
        out.push_str(if zero { "0" } else { json });
        return Ok(());
    }
    let real: f64 = json.parse().map_err(|_| Error::peer("a set element holds a number that is not one"))?;
    if !real.is_finite() {
        return Err(Error::peer(format!("a set element holds {}, beyond all numbers", crate::error::excerpt(json))));
    }
    if real == 0.0 {
        out.push('0');
    } else if real.fract() == 0.0 && real.abs() < 9.2e18 {
        crate::clock::push_int(out, real as i64); // exact: integral and below 2^63
    } else {
        use std::fmt::Write;
        let _ = write!(out, "{real:?}"); // writing to a String cannot fail
    }
    Ok(())
}

/// The column's text for canonical elements in order.
pub fn column_text<'a>(elements: impl Iterator<Item = &'a str>) -> String {
    let mut out = String::from("[");
    for (i, element) in elements.enumerate() {
        if i > 0 {
            out.push(',');
        }
        out.push_str(element);
    }
    out.push(']');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mark() -> impl Strategy<Value = Mark> {
        let tick = || proptest::option::of((0i64..4, 0u32..2).prop_map(|(ts, c)| Tick { ts, c }));
        (tick(), tick(), tick()).prop_map(|(add, gone, op)| {
            let gone = gone.filter(|_| add.is_some()).map(|gone| gone.by(&std::rc::Rc::from("r")));
            Mark { add, gone, op }
        })
    }

    fn joined(a: &Mark, b: &Mark) -> Mark {
        let mut a = a.clone();
        a.join(b);
        a
    }

    proptest! {
        #[test]
        fn join_commutes_associates_and_repeats(a in mark(), b in mark(), c in mark()) {
            prop_assert_eq!(joined(&a, &b), joined(&b, &a));
            prop_assert_eq!(joined(&joined(&a, &b), &c), joined(&a, &joined(&b, &c)));
            prop_assert_eq!(joined(&a, &a), a);
        }

        #[test]
        fn canonical_is_a_fixed_point(text: String, n: i64, r in -1e20f64..1e20) {
            let mut json = String::from("[");
            crate::value::write_text(&mut json, &text);
            json += &format!(",{n},{r:?},{{\"b\":1,\"a\":[{r:?}]}}]");
            let once = elements(&json).unwrap();
            let again = elements(&column_text(once.iter().map(String::as_str))).unwrap();
            prop_assert_eq!(once, again);
        }
    }

    #[test]
    fn add_wins_over_a_remove_that_had_not_seen_it() {
        let (old, new) = (Tick { ts: 1, c: 0 }, Tick { ts: 2, c: 0 });
        let by = Tick { ts: 9, c: 0 }.by(&std::rc::Rc::from("r"));
        assert!(joined(&Mark::added(new), &Mark::removed(old, &by)).is_live());
        assert!(!joined(&Mark::added(old), &Mark::removed(old, &by)).is_live());
        assert!(!joined(&Mark::added(old), &Mark::removed(new, &by)).is_live(), "a remove may come before its add");
    }

    #[test]
    fn one_form_for_each_element() {
        let one = |json: &str| elements(json).unwrap();
        assert_eq!(one(r#"["b", "a", "a", "\u0061"]"#), ["\"a\"", "\"b\""]);
        assert_eq!(one("[1, 1.0, 1e0, 10e-1]"), ["1"]);
        assert_eq!(one("[-0, 0.0, -0.0, 0]"), ["0"]);
        assert_eq!(one(r#"[{"b":1, "a":"\u003c"}]"#), [r#"{"a":"<","b":1}"#]);
        assert_eq!(one("[12345678901234567890, 0.10]"), ["0.1", "12345678901234567890"]);
        assert!(elements("[1e999]").is_err());
        assert!(elements(r#"["\ud800"]"#).is_err());
        assert!(elements("{}").is_err());
    }
}
