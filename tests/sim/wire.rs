//! Change records and export answers as they stand on the wire.

use std::fmt;

use super::json::{canonical, parse, Json};

/// An HLC value; the order is `ts`, then `c`, then the node's bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    pub ts: i64,
    pub c: u32,
    pub node: String,
}

impl Stamp {
    pub fn read(json: &Json) -> Result<Stamp, String> {
        let narrow = |key: &str| json.get(key)?.integer();
        Ok(Stamp {
            ts: i64::try_from(narrow("ts")?).map_err(|e| e.to_string())?,
            c: u32::try_from(narrow("c")?).map_err(|e| e.to_string())?,
            node: json.get("node")?.text()?.to_string(),
        })
    }
}

impl fmt::Debug for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}@{}", self.ts, self.c, self.node)
    }
}

/// What a change says about its field.
#[derive(Clone, Debug, PartialEq)]
pub enum Says {
    Tombstone,
    Lww(Json),
    /// The author's running totals.
    Counter {
        inc: i128,
        dec: i128,
    },
    Add(Vec<String>),
    /// The elements, and the stamps of the adds that are removed.
    Remove(Vec<String>, Vec<Stamp>),
}

/// One change record; `raw` is its text, which is what other nodes get.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    pub table: String,
    pub pk: String,
    pub field: String,
    pub stamp: Stamp,
    pub says: Says,
    pub raw: String,
}

impl Change {
    /// Reads a record and checks what the contract says of every record.
    pub fn read(json: &Json) -> Result<Change, String> {
        let wrong = |what: String| format!("{what} in change {}", json.raw);
        let stamp = Stamp::read(json.get("hlc")?).map_err(wrong)?;
        if json.get("node_id")?.text()? != stamp.node {
            return Err(wrong("node_id differs from hlc.node".into()));
        }
        let field = json.get("field")?.text()?.to_string();
        let says = if json.find("tombstone").is_some() {
            if field != "_tombstone" || !json.get("tombstone")?.truth()? {
                return Err(wrong("tombstone on a field".into()));
            }
            Says::Tombstone
        } else {
            match json.get("crdt_type")?.text()? {
                "lww" => Says::Lww(json.get("value")?.clone()),
                "counter" => counter(json.get("counter_delta")?).map_err(wrong)?,
                "set" => set(json.get("set_op")?).map_err(wrong)?,
                other => return Err(wrong(format!("type {other:?}"))),
            }
        };
        Ok(Change {
            table: json.get("table")?.text()?.to_string(),
            pk: json.get("pk")?.text()?.to_string(),
            field,
            stamp,
            says,
            raw: json.raw.clone(),
        })
    }
}

fn counter(delta: &Json) -> Result<Says, String> {
    let (inc, dec) = (delta.get("inc")?.integer()?, delta.get("dec")?.integer()?);
    if inc < 0 || dec < 0 {
        return Err("negative counter total".into());
    }
    Ok(Says::Counter { inc, dec })
}

fn set(op: &Json) -> Result<Says, String> {
    let elements: Vec<_> = op.get("elements")?.items()?.iter().map(canonical).collect();
    match op.get("op")?.text()? {
        "add" => Ok(Says::Add(elements)),
        "remove" => {
            if elements.len() > 1 {
                return Err("a remove names several elements".into());
            }
            let tags = match op.find("tags") {
                Some(tags) => tags.items()?.iter().map(Stamp::read).collect(),
                None => Ok(Vec::new()),
            };
            Ok(Says::Remove(elements, tags?))
        }
        other => Err(format!("set op {other:?}")),
    }
}

/// The answer of `crdt_changes_since`. `cursor` is the text of `latest_hlc`.
pub struct Export {
    pub changes: Vec<Change>,
    pub cursor: String,
    pub has_more: bool,
}

impl Export {
    pub fn read(text: &str) -> Result<Export, String> {
        let json = parse(text)?;
        let changes = json.get("changes")?.items()?;
        let cursor = json.get("latest_hlc")?;
        Stamp::read(cursor)?;
        Ok(Export {
            changes: changes.iter().map(Change::read).collect::<Result<_, _>>()?,
            cursor: cursor.raw.clone(),
            has_more: json.get("has_more")?.truth()?,
        })
    }
}

/// The JSON array of some changes, for `crdt_merge`.
pub fn array<'a>(changes: impl IntoIterator<Item = &'a Change>) -> String {
    let parts: Vec<_> = changes.into_iter().map(|c| c.raw.as_str()).collect();
    format!("[{}]", parts.join(","))
}
