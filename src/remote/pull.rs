//! From a peer: page by page, each merged together with the cursor that comes after it.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::place::{Cursors, Place};
use super::{grove, own_id, Ahead, Exchange, Round};
use crate::confirmed::Confirmed;
use crate::conn::Conn;
use crate::error::{excerpt, Error, Result};
use crate::inbound::merge_changes;
use crate::store::Store;
use crate::value::write_text;
use crate::{cursor, import, session};

/// What is to be done then.
const DELETES_LOST: &str = "the peer has forgotten which records were deleted since this database came last, and some of them may be \
    here; with every table that this is said of: SELECT crdt_disable(table, 'purge'), DELETE FROM table, SELECT crdt_enable(table, …); \
    after that DELETE FROM _crdt_remote, and everything comes from the peer";

/// A peer's answer.
#[derive(Deserialize)]
struct Answer<'a> {
    /// Grove answers null when there is nothing.
    #[serde(borrow, deserialize_with = "Option::deserialize")]
    changes: Option<&'a RawValue>,
    #[serde(borrow)]
    latest_hlc: &'a RawValue,
    #[serde(default)]
    has_more: bool,
    /// The cursor did not fit: this is the beginning.
    #[serde(default)]
    resync: bool,
    /// As the peer has forgotten which records were deleted before.
    #[serde(default)]
    deletes_lost: bool,
}

impl Answer<'_> {
    /// Whether the peer has not any more what it had confirmed: it is another database, or was put back from a backup. Not where it
    /// has forgotten deletes: what is sent would bring the records back.
    fn is_of_another(&self, known: &Cursors) -> bool {
        let origin = cursor::origin(self.latest_hlc.get());
        let moved = known.pulled.as_deref().is_some_and(|pulled| cursor::origin(pulled) != origin)
            || known.node.is_some() && known.node != origin;
        moved || self.resync && !self.deletes_lost
    }
}

/// What a page did.
pub struct Page {
    /// Changes in it.
    pub changes: usize,
    /// The cursor after it, as the peer tells.
    pub latest: String,
    has_more: bool,
}

/// Pulls until the peer has no more; None where it is a Grove server, which is to be asked table by table.
pub fn all(exchange: &mut Exchange<'_, '_>, place: &Place) -> Result<Option<()>> {
    let mut since = place.read(exchange.conn)?.pulled;
    if since.as_deref().is_some_and(grove::is_time) {
        return Ok(None);
    }
    for _ in 0..exchange.wanted.pages {
        let body = ask(exchange, place, since.as_deref())?;
        let answer = read(&body)?;
        if grove::is_time(answer.latest_hlc.get()) {
            return Ok(None);
        }
        if answer.deletes_lost {
            // The cursor stays: the peer says so again until the tables are taken anew.
            exchange.deletes_lost = true;
            place.tables.iter().for_each(|table| exchange.round.fail(table, DELETES_LOST));
            return Ok(Some(()));
        }
        if answer.has_more && since.as_deref() == Some(answer.latest_hlc.get()) {
            return Err(Error::peer("the peer says that it has more, but its cursor does not move"));
        }
        let page = take(exchange, place, &body)?;
        if !page.has_more {
            return Ok(Some(()));
        }
        since = Some(page.latest);
    }
    exchange.round.has_more = true;
    Ok(Some(()))
}

/// Whether a peer that is only pushed to is one of ours, and no Grove server, which would lose what it is sent of sets.
pub fn is_ours(exchange: &mut Exchange<'_, '_>, place: &Place) -> Result<bool> {
    if let Some(pulled) = place.read(exchange.conn)?.pulled {
        return Ok(!grove::is_time(&pulled));
    }
    let request = request(exchange.conn, place, None, 1)?;
    match exchange.transport.post("pull", request) {
        Ok(body) => is_from_ours(&body),
        // It may be pushed to, and not pulled from: that is ours.
        Err(e) if e.is_refusal() => Ok(true),
        Err(e) => Err(e),
    }
}

/// Asks for what comes after a cursor; the answer's body.
pub fn ask(exchange: &mut Exchange<'_, '_>, place: &Place, since: Option<&str>) -> Result<String> {
    let request = request(exchange.conn, place, since, exchange.wanted.page)?;
    exchange.transport.post("pull", request)
}

/// Whether an answer is that of one of ours.
pub fn is_from_ours(body: &str) -> Result<bool> {
    Ok(!grove::is_time(read(body)?.latest_hlc.get()))
}

fn read(body: &str) -> Result<Answer<'_>> {
    let bad = |why: &dyn std::fmt::Display| {
        Error::peer(format!(
            "the answer to a pull is not {{\"changes\",\"latest_hlc\"}} ({why}): {}; is this the address of a sync endpoint?",
            excerpt(body)
        ))
    };
    let answer: Answer<'_> = crate::json::object(body).map_err(|e| bad(&e))?;
    if !grove::is_stamp(answer.latest_hlc.get()) {
        return Err(bad(&"latest_hlc is no HLC {\"ts\",\"c\",\"node\"}"));
    }
    Ok(answer)
}

/// Merges an answer, and notes the cursor after it.
pub fn take(exchange: &mut Exchange<'_, '_>, place: &Place, body: &str) -> Result<Page> {
    let answer = read(body)?;
    let changes = import::raw_changes(body)?.0;
    let (count, latest, has_more) = (changes.len(), answer.latest_hlc.get().to_owned(), answer.has_more);
    let page = Page { changes: count, latest, has_more };
    let known = place.read(exchange.conn)?;
    let is_of_another = answer.is_of_another(&known);
    if count == 0 && !is_of_another && !moves(&known, &page.latest) {
        return Ok(page);
    }
    let (done, confirmed) = session::write(exchange.conn, |store| merge(store, place, &answer))?;
    if !confirmed {
        // It would go out with what waits here.
        changes.iter().for_each(|change| exchange.told.add(change));
    }
    if is_of_another {
        exchange.ahead = Ahead::default();
        exchange.round.resync(place);
    }
    exchange.round.pulled += done.pulled;
    exchange.round.merged += done.merged;
    exchange.round.conflicts += done.conflicts;
    exchange.round.pending += done.pending;
    Ok(page)
}

/// Whether the cursor of an answer goes beyond the one that is known. A Grove server that has nothing new answers with no time at
/// all.
fn moves(known: &Cursors, latest: &str) -> bool {
    known.pulled.as_deref().is_none_or(|pulled| pulled != latest && !(grove::is_zero(latest) && grove::is_time(pulled)))
}

/// Grove's PullRequest, with a limit that Grove's servers do not know.
fn request(conn: &Conn, place: &Place, since: Option<&str>, limit: i64) -> Result<String> {
    let mut out = format!("{{\"tables\":{},\"since\":", place.tables_json());
    out.push_str(since.unwrap_or("{\"ts\":0,\"c\":0,\"node\":\"\"}"));
    out.push_str(",\"node_id\":");
    write_text(&mut out, &own_id(conn)?);
    out.push_str(&format!(",\"limit\":{limit}}}"));
    Ok(out)
}

/// Merges a page, and notes the cursor after it. What it did, and whether the peer has all that is here now.
fn merge(store: &mut Store<'_>, place: &Place, answer: &Answer<'_>) -> Result<(Round, bool)> {
    let changes = import::parse(answer.changes.map_or("[]", RawValue::get))?;
    import::check_tables(&store.catalog, changes.iter())?;
    let own = changes.iter().filter(|change| change.hlc.node == store.me).count() as u64;
    let mut known = place.read(store.conn)?;
    if answer.is_of_another(&known) {
        place.unconfirm(store)?;
        known.pushed = None;
    }
    let confirmed = Confirmed::before(store, &place.tables, known.pushed.as_deref())?;
    let report = merge_changes(store, &changes)?;
    let pushed = confirmed.map_or(Ok(None), |confirmed| confirmed.after(store))?;
    let confirmed = pushed.is_some();
    let latest = answer.latest_hlc.get();
    let pulled = moves(&known, latest).then(|| latest.to_owned());
    place.save(store, &Cursors { pulled, pushed, whole: None, node: cursor::origin(latest) })?;
    let round = Round {
        pulled: (changes.len() as u64).saturating_sub(own),
        merged: report.merged,
        conflicts: report.conflicts,
        pending: report.pending,
        ..Round::default()
    };
    Ok((round, confirmed))
}
