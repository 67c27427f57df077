//! From a peer: page by page, each merged together with the cursor that comes after it.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::confirmed::Confirmed;
use super::place::{Cursors, Place};
use super::{own_id, Round, Told, Transport, Wanted};
use crate::conn::Conn;
use crate::error::{excerpt, Error, Result};
use crate::inbound::merge_changes;
use crate::limits::Limits;
use crate::store::Store;
use crate::value::write_text;
use crate::{import, session};

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
}

/// Pulls until the peer has no more.
pub fn all(
    conn: &Conn,
    wanted: &Wanted,
    place: &Place,
    transport: &mut dyn Transport,
    told: &mut Told,
    round: &mut Round,
) -> Result<()> {
    for _ in 0..wanted.pages {
        let since = place.read(conn)?.pulled;
        let body = transport.post("pull", request(conn, place, since.as_deref())?)?;
        let answer: Answer<'_> = crate::json::object(&body).map_err(|e| {
            Error::peer(format!(
                "the answer to a pull is not {{\"changes\",\"latest_hlc\"}} ({e}): {}; is this the address of a sync endpoint?",
                excerpt(&body)
            ))
        })?;
        if answer.has_more && since.as_deref() == Some(answer.latest_hlc.get()) {
            return Err(Error::peer("the peer says that it has more, but its cursor does not move"));
        }
        let (page, confirmed) = session::write(conn, |store| merge(store, place, &answer))?;
        if !confirmed {
            // It goes out with what waits here.
            import::raw_changes(&body)?.0.into_iter().for_each(|change| told.add(change));
        }
        round.pulled += page.pulled;
        round.merged += page.merged;
        round.conflicts += page.conflicts;
        round.pending += page.pending;
        if !answer.has_more {
            return Ok(());
        }
    }
    round.has_more = true;
    Ok(())
}

/// Grove's PullRequest.
fn request(conn: &Conn, place: &Place, since: Option<&str>) -> Result<String> {
    let mut out = format!("{{\"tables\":{},\"since\":", place.tables_json());
    out.push_str(since.unwrap_or("{\"ts\":0,\"c\":0,\"node\":\"\"}"));
    out.push_str(",\"node_id\":");
    write_text(&mut out, &own_id(conn)?);
    out.push('}');
    Ok(out)
}

/// Merges a page, and notes the cursor after it. What it did, and whether the peer has all that is here now.
fn merge(store: &mut Store<'_>, place: &Place, answer: &Answer<'_>) -> Result<(Round, bool)> {
    let changes = import::parse(answer.changes.map_or("[]", RawValue::get))?;
    import::check_tables(&store.catalog, changes.iter())?;
    Limits::read(store.conn)?.check_all(store, &changes)?;
    let own = changes.iter().filter(|change| change.hlc.node == store.me).count() as u64;
    let confirmed = Confirmed::before(store, &place.tables, place.read(store.conn)?.pushed.as_deref())?;
    let report = merge_changes(store, &changes)?;
    let pushed = confirmed.map_or(Ok(None), |confirmed| confirmed.after(store))?;
    let confirmed = pushed.is_some();
    place.save(store, &Cursors { pulled: Some(answer.latest_hlc.get().to_owned()), pushed })?;
    let round = Round {
        pulled: (changes.len() as u64).saturating_sub(own),
        merged: report.merged,
        conflicts: report.conflicts,
        pending: report.pending,
        ..Round::default()
    };
    Ok((round, confirmed))
}
