//! A payload in the other form. What stands around its changes stays as it is.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::read::{read_changes, Take};
use super::{Writer, NAME};
use crate::change::{Change, Names};
use crate::error::{excerpt, Error, Result};
use crate::import;

/// A form of payloads.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Format {
    /// A change record for each change.
    #[default]
    Grove,
    /// This one.
    Compact,
}

impl Format {
    /// The form of that name.
    pub fn named(name: &str) -> Result<Format> {
        match name {
            "grove" => Ok(Format::Grove),
            NAME => Ok(Format::Compact),
            other => Err(Error::caller(format!("format '{}' is not one of: grove, {NAME}", excerpt(other)))),
        }
    }
}

/// Turns a payload into the form `to`: an array of changes, or an object with `changes`, such as an answer or a request. What stands
/// once in one form may stand many times in the other: the array may come to `most` bytes.
pub fn convert(json: &str, to: Format, most: usize) -> Result<String> {
    let keys = match json.trim_start().as_bytes().first() {
        Some(b'[') => vec![(Cow::Borrowed("changes"), raw(json)?)],
        _ => serde_json::from_str::<Keys<'_>>(json).map_err(bad)?.0,
    };
    let format = keys.iter().find(|(key, _)| key == "format");
    let from = match format.map(|(_, json)| serde_json::from_str::<String>(json.get())) {
        None => Format::Grove,
        Some(name) => Format::named(&name.map_err(bad)?)?,
    };
    let mut out = String::from(if to == Format::Compact { "{\"format\":\"compact\"" } else { "{" });
    let mut found = false;
    for (key, value) in keys.iter().filter(|(key, _)| key != "format") {
        if out.len() > 1 {
            out.push(',');
        }
        crate::value::write_text(&mut out, key);
        out.push(':');
        if key == "changes" {
            if std::mem::replace(&mut found, true) {
                return Err(Error::peer("\"changes\" stands there twice"));
            }
            changes(&mut out, value.get(), (from, to), most)?;
        } else {
            out.push_str(value.get());
        }
    }
    if !found {
        return Err(Error::peer("expected a JSON array of changes, or an object with \"changes\""));
    }
    out.push('}');
    Ok(out)
}

fn bad(e: serde_json::Error) -> Error {
    Error::peer(format!("not JSON that carries changes: {e}"))
}

fn raw(json: &str) -> Result<&RawValue> {
    serde_json::from_str(json).map_err(bad)
}

/// Appends the array of changes in the form `to`.
fn changes(out: &mut String, json: &str, (from, to): (Format, Format), most: usize) -> Result<()> {
    let (writer, names) = (Writer::default(), Names::default());
    let from_here = out.len() + 1;
    out.push('[');
    let mut into = Into { out, from_here, most, to, writer, held: Vec::new(), count: 0 };
    match from {
        Format::Compact => read_changes(json, &mut into)?,
        Format::Grove => grove(json, &mut into, names)?,
    }
    into.flush();
    into.check()?;
    out.push(']');
    Ok(())
}

fn grove(json: &str, into: &mut Into<'_>, mut names: Names) -> Result<()> {
    let all: Option<Vec<&RawValue>> = serde_json::from_str(json).map_err(bad)?;
    for (i, one) in all.iter().flatten().enumerate() {
        into.whole(one.get(), &mut names).map_err(|e| e.context(&format!("change {i}")))?;
    }
    Ok(())
}

/// The keys of an object with their values, in its order.
struct Keys<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Keys<'de> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> std::result::Result<Self, D::Error> {
        struct All;

        impl<'de> Visitor<'de> for All {
            type Value = Keys<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of changes, or an object with \"changes\"")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Keys<'de>, A::Error> {
                let mut keys = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    keys.push(entry);
                }
                Ok(Keys(keys))
            }
        }

        json.deserialize_any(All)
    }
}

/// Where changes go.
struct Into<'o> {
    out: &'o mut String,
    /// Where the array begins.
    from_here: usize,
    /// Bytes that it may have.
    most: usize,
    to: Format,
    writer: Writer,
    /// Changes of one record that are not written yet: what one write did makes one entry.
    held: Vec<Change>,
    count: usize,
}

impl Into<'_> {
    fn hold(&mut self, change: Change) {
        if self.held.last().is_some_and(|last| last.table != change.table || last.pk != change.pk) {
            self.flush();
        }
        self.held.push(change);
    }

    fn flush(&mut self) {
        self.writer.put_changes(self.out, &self.held);
        self.held.clear();
    }

    /// Counts a change that is written, or held.
    fn counted(&mut self) -> Result<()> {
        self.count += 1;
        self.check()
    }

    /// Fails where what is written is too much.
    fn check(&self) -> Result<()> {
        match self.out.len().saturating_sub(self.from_here) > self.most {
            true => Err(Error::peer(format!(
                "in that form the changes have more than {} bytes; send them in parts",
                self.most
            ))),
            false => Ok(()),
        }
    }

    fn comma(&mut self) {
        if self.out.len() > self.from_here {
            self.out.push(',');
        }
    }
}

impl Take<'_> for Into<'_> {
    fn change(&mut self, read: Result<Change>) -> Result<()> {
        let change = read?;
        match self.to {
            Format::Compact => self.hold(change),
            Format::Grove => {
                self.comma();
                change.write_json(self.out);
            }
        }
        self.counted()
    }

    fn whole(&mut self, json: &str, names: &mut Names) -> Result<()> {
        let change = import::one(json, names)?;
        match self.to {
            Format::Compact if says_all(&change, json) => self.hold(change),
            Format::Compact => {
                self.flush();
                self.writer.put_whole(self.out, json);
            }
            Format::Grove => {
                self.comma();
                self.out.push_str(json);
            }
        }
        self.counted()
    }

    fn count(&self) -> usize {
        self.count
    }
}

/// Whether a change, written anew, says all that its JSON did: there may be keys that mean nothing here.
fn says_all(change: &Change, json: &str) -> bool {
    let mut again = String::new();
    change.write_json(&mut again);
    let read = |json| serde_json::from_str::<serde_json::Value>(json);
    again == json || matches!((read(&again), read(json)), (Ok(a), Ok(b)) if a == b)
}
