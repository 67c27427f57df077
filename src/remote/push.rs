//! To a peer: what it has not confirmed, page by page.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::place::{Cursors, Place};
use super::{grove, own_id, Exchange, Transport};
use crate::conn::Conn;
use crate::error::{excerpt, Error, Result};
use crate::outbound::Scope;
use crate::store::Store;
use crate::value::write_text;
use crate::{functions, session};

/// A page of ours.
#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    changes: Vec<&'a RawValue>,
    #[serde(borrow)]
    latest_hlc: &'a RawValue,
    has_more: bool,
}

/// A peer's answer.
#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow, rename = "latest_hlc")]
    _latest_hlc: &'a RawValue,
    #[serde(default)]
    rejected: Option<Vec<Rejected>>,
    /// In the peer's log after this push, where it had nothing else for us.
    #[serde(borrow, default)]
    cursor: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Rejected {
    #[serde(default)]
    reason: String,
}

/// Pushes until the peer has everything.
pub fn all(exchange: &mut Exchange<'_, '_>, place: &Place) -> Result<()> {
    let conn = exchange.conn;
    let known = place.read(conn)?;
    let mut since = known.pushed.clone();
    // Whether the peer has taken all that was sent: the cursor stays before what it refused.
    let mut taken = true;
    for _ in 0..exchange.wanted.pages {
        let json = page(conn, place, since.as_deref(), exchange.wanted.page)?;
        let page: Page<'_> =
            serde_json::from_str(&json).map_err(|e| Error::internal(format!("a page of ours cannot be read: {e}")))?;
        let to_grove = known.pulled.as_deref().is_some_and(grove::is_time);
        let news: Vec<&RawValue> = page
            .changes
            .into_iter()
            .filter(|change| !(exchange.told.has(change) || to_grove && grove::cannot_take(change)))
            .collect();
        let mut reached = Cursors { pushed: Some(page.latest_hlc.get().to_owned()), ..Cursors::default() };
        if !news.is_empty() {
            let (rejected, cursor) = send(conn, place, exchange.transport, &news)?;
            taken &= rejected.is_empty();
            let round = &mut exchange.round;
            round.pushed += news.len().saturating_sub(rejected.len()) as u64;
            round.rejected += rejected.len() as u64;
            let first = rejected.into_iter().next().map(|r| r.reason);
            round.reason = round.reason.take().or(first);
            reached.pulled = cursor;
        }
        let next = reached.pushed.clone();
        if !taken {
            reached.pushed = None;
        }
        if reached.pulled.is_some() || (taken && next != since) {
            session::write(conn, |store| place.save(store, &reached))?;
        }
        since = next;
        if !page.has_more {
            return Ok(());
        }
    }
    exchange.round.has_more = true;
    Ok(())
}

/// What the peer has not confirmed, as far as a page goes.
fn page(conn: &Conn, place: &Place, since: Option<&str>, limit: i64) -> Result<String> {
    let page = |store: &Store<'_>| {
        let scope = Scope::new(store, Some(&place.tables))?;
        functions::page(store, since, &scope, limit)
    };
    session::read(conn, page)?.ok_or_else(|| Error::internal("the tables of ours are gone"))
}

/// Sends changes. What the peer refused of them, and the cursor to pull from next, if it tells.
fn send(
    conn: &Conn,
    place: &Place,
    transport: &mut dyn Transport,
    changes: &[&RawValue],
) -> Result<(Vec<Rejected>, Option<String>)> {
    let mut request = String::from("{\"node_id\":");
    write_text(&mut request, &own_id(conn)?);
    if let Some(pulled) = place.read(conn)?.pulled.filter(|cursor| !grove::is_time(cursor)) {
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
    let body = transport.post("push", request)?;
    let answer: Answer<'_> = crate::json::object(&body).map_err(|e| {
        Error::peer(format!(
            "the answer to a push is not {{\"merged\",\"latest_hlc\"}} ({e}): {}; is this the address of a sync endpoint?",
            excerpt(&body)
        ))
    })?;
    Ok((
        answer.rejected.unwrap_or_default(),
        answer.cursor.map(|json| json.get().to_owned()).filter(|json| json != "null"),
    ))
}
