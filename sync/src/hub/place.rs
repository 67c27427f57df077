//! Cursors in URLs and event ids. Pure.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

/// A cursor, as `latest_hlc` has it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Place {
    /// Nanoseconds.
    pub ts: i64,
    /// The counter.
    pub c: u32,
    /// A node, or a place in a log.
    pub node: String,
}

impl Place {
    /// As an event's id: `<ts>-<c>-<node>`, the node's odd characters as `%` and hex digits.
    pub fn id(&self) -> String {
        let mut id = format!("{}-{}-", self.ts, self.c);
        for byte in self.node.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => id.push(char::from(byte)),
                // Writing to a String cannot fail.
                _ => drop(write!(id, "%{byte:02X}")),
            }
        }
        id
    }

    /// Back from an event's id.
    pub fn from_id(id: &str) -> Option<Place> {
        let (ts, rest) = id.split_once('-')?;
        let (c, node) = rest.split_once('-')?;
        // One pair without a key: the value is what is decoded, but a plus is no blank here.
        let node = format!("={}", node.replace('+', "%2B").replace('&', "%26"));
        let (_, node) = form_urlencoded::parse(node.as_bytes()).next()?;
        Some(Place { ts: ts.parse().ok()?, c: c.parse().ok()?, node: node.into_owned() })
    }

    /// As JSON.
    pub fn json(&self) -> String {
        serde_json::json!(self).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_back() {
        for node in ["", "hub~1f.12ab-cd", "a b+c%&=\n-é~7"] {
            let place = Place { ts: 1_795_208_132_433_098_001, c: 7, node: node.to_owned() };
            assert!(place.id().bytes().all(|b| b.is_ascii_graphic()), "{}", place.id());
            assert_eq!(Place::from_id(&place.id()), Some(place));
        }
        for bad in ["", "1", "1-2", "x-1-n", "1-x-n"] {
            assert_eq!(Place::from_id(bad), None, "{bad}");
        }
    }
}
