//! The request of a push, as far as it is looked at: the records that its changes are about, and the request without some of them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use rusqlite::Connection;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::errors::{Refusal, Result};

/// What stands for a change that is not to be merged: `crdt_push` rejects it.
const NOTHING: &str = "null";
/// What of a request there is besides its changes; what else it says is not carried along.
const HEAD: [&str; 4] = ["node_id", "tables", "since", "counters"];
/// Characters of a key in a reason.
const KEY: usize = 80;

/// The record that a change is about.
#[derive(Deserialize)]
pub struct About<'a> {
    /// The table as it was sent.
    #[serde(borrow)]
    pub table: Cow<'a, str>,
    /// The key.
    #[serde(borrow)]
    pub pk: Cow<'a, str>,
    #[serde(borrow, default)]
    hlc: Option<Stamp<'a>>,
}

/// Who made a change.
#[derive(Deserialize)]
struct Stamp<'a> {
    #[serde(borrow, default)]
    node: Cow<'a, str>,
}

impl<'a> About<'a> {
    /// None for a change that cannot be read.
    pub fn read(change: &'a str) -> Option<About<'a>> {
        serde_json::from_str(change).ok().filter(|_| change.starts_with('{'))
    }

    /// What it is called.
    pub fn record(&self) -> Record {
        (self.table.to_ascii_lowercase(), self.pk.to_string())
    }

    /// Whether that node is said to have made the change.
    pub fn is_of(&self, node: &str) -> bool {
        self.hlc.as_ref().is_some_and(|hlc| hlc.node == node)
    }
}

/// Table in lower case and key as it was sent.
pub type Record = (String, String);

/// A key as a reason names it.
pub fn short(pk: &str) -> Cow<'_, str> {
    match pk.char_indices().nth(KEY) {
        Some((end, _)) => Cow::Owned(format!("{}…", &pk[..end])),
        None => Cow::Borrowed(pk),
    }
}

/// A request of which only those changes stay, each at its place, that are to pass.
pub fn rewritten(request: &str, mut pass: impl FnMut(&str) -> Result<bool>) -> Result<String> {
    let mut keys = object(request)?;
    let mut passed = String::from("[");
    for change in changes_of(&keys)? {
        if passed.len() > 1 {
            passed.push(',');
        }
        passed.push_str(if pass(change.get())? { change.get() } else { NOTHING });
    }
    passed.push(']');
    let passed = RawValue::from_string(passed).map_err(bad)?;
    keys.retain(|key, _| HEAD.contains(&key.as_str()));
    keys.insert("changes".to_owned(), &passed);
    serde_json::to_string(&keys).map_err(bad)
}

/// The changes of a request.
pub fn changes(request: &str) -> Result<Vec<&RawValue>> {
    changes_of(&object(request)?)
}

fn changes_of<'a>(keys: &BTreeMap<String, &'a RawValue>) -> Result<Vec<&'a RawValue>> {
    let changes: Option<Option<Vec<&RawValue>>> =
        keys.get("changes").map(|changes| serde_json::from_str(changes.get())).transpose().map_err(bad)?;
    Ok(changes.flatten().unwrap_or_default())
}

/// The request in the plain form, of `most` bytes at most.
pub fn plain<'a>(conn: &Connection, json: &'a str, most: usize) -> Result<Cow<'a, str>> {
    let compact = object(json)?.get("format").is_some_and(|format| format.get() != "null");
    if !compact {
        return Ok(Cow::Borrowed(json));
    }
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let sql = "SELECT crdt_convert(?1, 'grove', ?2)";
    let converted = conn.query_row(sql, rusqlite::params![json, most], |row| row.get(0))?;
    Ok(Cow::Owned(converted))
}

fn object(json: &str) -> Result<BTreeMap<String, &RawValue>> {
    serde_json::from_str(json).map_err(bad)
}

fn bad(e: serde_json::Error) -> Refusal {
    Refusal::bad(format!("not a push request {{\"node_id\",\"changes\"}}: {e}"))
}
