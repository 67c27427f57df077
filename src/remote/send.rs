//! Changes to a peer, in as many requests as the length takes that it lets through: that of a proxy is not known before one was
//! too long.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::place::{Cursors, Place};
use super::{grove, own_id, Exchange};
use crate::error::{cut, excerpt, Error, Result};
use crate::session;
use crate::value::write_text;

/// A peer that had to wait too long for fewer bytes, or was cut off from us meanwhile, has a bad line: no less would have come
/// through.
const SLOW: usize = 64 << 10;

/// A peer's answer.
#[derive(Deserialize)]
struct Answer<'a> {
    /// None where all of the push is rejected.
    #[serde(borrow, default)]
    latest_hlc: Option<&'a RawValue>,
    #[serde(default)]
    rejected: Option<Vec<Rejected>>,
    /// In the peer's log after this push, where it had nothing else for us.
    #[serde(borrow, default)]
    cursor: Option<&'a RawValue>,
}

/// A change that the peer will not have.
#[derive(Deserialize)]
pub struct Rejected {
    /// Its place among those that were sent.
    #[serde(default)]
    pub index: Option<usize>,
    /// Why.
    #[serde(default, deserialize_with = "reason")]
    pub reason: String,
}

/// Characters of a reason: a sentence, which is kept and told.
const REASON: usize = 500;

fn reason<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<String, D::Error> {
    Cow::<str>::deserialize(from).map(|reason| cut(&reason, REASON))
}

/// What a peer said to changes.
#[derive(Default)]
pub struct Said {
    /// What it will not have.
    pub rejected: Vec<Rejected>,
    /// The cursor to pull from next, if it tells.
    pub cursor: Option<String>,
    /// Its node id.
    pub node: Option<String>,
}

/// The record that a change is about.
#[derive(Deserialize, PartialEq, Eq)]
struct About<'a> {
    #[serde(borrow)]
    table: Cow<'a, str>,
    #[serde(borrow)]
    pk: Cow<'a, str>,
}

/// Sends changes; those of a record stay together.
pub fn send(exchange: &mut Exchange<'_, '_>, place: &Place, changes: &[&RawValue]) -> Result<Said> {
    let (mut all, mut sent, mut broke) = (Said::default(), 0, None);
    while sent < changes.len() {
        let left = changes.get(sent..).unwrap_or_default();
        let part = left.get(..fitting(left, exchange.most)).unwrap_or(left);
        match post(exchange, place, part) {
            Ok(said) => {
                let place_of = |index: usize| (index < part.len()).then_some(index + sent);
                let rejected = said.rejected.into_iter();
                all.rejected.extend(rejected.map(|it| Rejected { index: it.index.and_then(place_of), ..it }));
                sent += part.len();
                if sent < changes.len() && said.cursor.is_some() {
                    // The next request tells it.
                    let reached = Cursors { pulled: said.cursor.clone(), ..Cursors::default() };
                    session::write(exchange.conn, |store| place.save(store, &reached))?;
                }
                (all.cursor, all.node) = (said.cursor, said.node.or(all.node));
            }
            Err(e) => {
                let bytes = bytes(part);
                // On a slow line who is told that it was too long still sends when the peer has stopped to listen.
                let is_too_long = e.is_too_long() || (e.is_too_slow() || e.is_broken()) && bytes > SLOW;
                if !is_too_long {
                    return Err(e);
                }
                if fitting(part, Some(0)) < part.len() {
                    exchange.most = Some(bytes / 2);
                    continue;
                }
                if e.is_broken() && broke.replace(sent) != Some(sent) {
                    continue; // that may have been for another reason
                }
                let reason = format!("the record has {bytes} bytes, and by itself is too long: {}", e.message());
                let whole = sent..sent + part.len();
                all.rejected.extend(whole.map(|index| Rejected { index: Some(index), reason: reason.clone() }));
                sent += part.len();
            }
        }
    }
    Ok(all)
}

/// How many changes go into one request of at most so many bytes: those of one record at the least.
fn fitting(changes: &[&RawValue], most: Option<usize>) -> usize {
    let Some(most) = most else { return changes.len() };
    let (mut count, mut total) = (0, 0);
    for record in changes.chunk_by(|one, next| about(one).is_some_and(|one| Some(one) == about(next))) {
        total += bytes(record);
        if count > 0 && total > most {
            break;
        }
        count += record.len();
    }
    count
}

fn about(change: &RawValue) -> Option<About<'_>> {
    serde_json::from_str(change.get()).ok()
}

fn bytes(changes: &[&RawValue]) -> usize {
    changes.iter().map(|change| change.get().len() + 1).sum()
}

/// One request.
fn post(exchange: &mut Exchange<'_, '_>, place: &Place, changes: &[&RawValue]) -> Result<Said> {
    let mut request = String::with_capacity(bytes(changes) + 1024);
    request.push_str("{\"node_id\":");
    write_text(&mut request, &own_id(exchange.conn)?);
    // Where deletes are lost, the cursor is to stay.
    let pulled = place.read(exchange.conn)?.pulled.filter(|cursor| !exchange.deletes_lost && !grove::is_time(cursor));
    if let Some(pulled) = pulled {
        request.push_str(&format!(",\"tables\":{},\"since\":{pulled}", place.tables_json()));
    }
    request.push_str(",\"changes\":[");
    for (i, change) in changes.iter().enumerate() {
        if i > 0 {
            request.push(',');
        }
        request.push_str(change.get());
    }
    request.push_str("]}");
    let body = exchange.transport.post("push", request)?;
    let bad = |why: &str| {
        Error::peer(format!(
            "the answer to a push is not {{\"merged\",\"latest_hlc\"}} ({why}): {}; is this the address of a sync endpoint?",
            excerpt(&body)
        ))
    };
    let answer: Answer<'_> = crate::json::object(&body).map_err(|e| bad(&e.to_string()))?;
    let rejected = answer.rejected.unwrap_or_default();
    if answer.latest_hlc.is_none() && rejected.is_empty() {
        return Err(bad("latest_hlc is missing"));
    }
    Ok(Said {
        rejected,
        cursor: answer.cursor.map(|json| json.get().to_owned()).filter(|json| grove::is_stamp(json)),
        node: answer.latest_hlc.and_then(|json| grove::node(json.get())).filter(|node| !node.is_empty()),
    })
}
