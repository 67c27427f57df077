//! Servers of Grove itself. Their cursor is the stamp of a change, so what reaches them late lies before it; they cut each table at
//! 10,000 changes and say nothing of it; and of sets they keep nothing, but lose what they have.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::place::{Cursors, Place};
use super::{pull, Exchange};
use crate::clock::push_int;
use crate::error::Result;
use crate::session;
use crate::store::wall;

/// Changes of one table in an answer.
const LIMIT: usize = 10_000;
/// How far before its cursor a server is asked again, nanoseconds: for what reached it late.
const OVERLAP: i64 = 600_000_000_000;
/// How often it is asked for everything, nanoseconds: for what reached it later than that.
const WHOLE: i64 = 3_600_000_000_000;

#[derive(Deserialize)]
struct Time {
    ts: i64,
    #[serde(default)]
    c: i64,
    #[serde(default)]
    node: String,
}

fn time(cursor: &str) -> Option<Time> {
    crate::json::object(cursor).ok()
}

/// Whether a JSON text is a stamp, or a place dressed as one.
pub fn is_stamp(json: &str) -> bool {
    time(json).is_some_and(|time| time.ts >= 0)
}

/// The author of a stamp.
pub fn node(stamp: &str) -> Option<String> {
    time(stamp).map(|time| time.node)
}

/// Whether a cursor is a point in time, as Grove's are.
pub fn is_time(cursor: &str) -> bool {
    time(cursor).is_some_and(|time| !time.node.contains('~'))
}

/// Whether a cursor is the zero of Grove's stamps.
pub fn is_zero(cursor: &str) -> bool {
    time(cursor).is_some_and(|Time { ts, c, node }| ts == 0 && c == 0 && node.is_empty())
}

/// A point in time some while before a cursor.
fn before(cursor: &str) -> Option<String> {
    let ts = time(cursor)?.ts.saturating_sub(OVERLAP).max(0);
    let mut out = String::from("{\"ts\":");
    push_int(&mut out, ts);
    out.push_str(",\"c\":0,\"node\":\"\"}");
    Some(out)
}

/// Notes that a place is a Grove server's, from which nothing was pulled yet.
pub fn note(exchange: &mut Exchange<'_, '_>, place: &Place) -> Result<()> {
    if place.read(exchange.conn)?.pulled.is_some() {
        return Ok(());
    }
    let zero = Some("{\"ts\":0,\"c\":0,\"node\":\"\"}".to_owned());
    session::write(exchange.conn, |store| place.save(store, &Cursors { pulled: zero.clone(), ..Cursors::default() }))
}

/// Pulls one table: a cursor for several would skip what was cut of one of them.
pub fn pull(exchange: &mut Exchange<'_, '_>, place: &Place) -> Result<()> {
    let conn = exchange.conn;
    let Cursors { pulled, whole, .. } = place.read(conn)?;
    let now = wall(conn)?;
    let is_whole = whole.is_none_or(|at| now.saturating_sub(at) >= WHOLE || at > now);
    let mut since = pulled.as_deref().filter(|pulled| !is_whole && is_time(pulled)).and_then(before);
    for _ in 0..exchange.wanted.pages {
        let body = pull::ask(exchange, place, since.as_deref())?;
        if pull::is_from_ours(&body)? {
            // It took the place of a Grove server, and may have what that one had not.
            session::write(conn, |store| place.forget(store))?;
            exchange.round.resync(place);
            return pull::all(exchange, place).map(drop);
        }
        let page = pull::take(exchange, place, &body)?;
        if page.changes < LIMIT || since.as_ref() == Some(&page.latest) {
            if is_whole {
                session::write(conn, |store| place.save(store, &Cursors { whole: Some(now), ..Cursors::default() }))?;
            }
            return Ok(());
        }
        since = Some(page.latest);
    }
    exchange.round.has_more = true;
    Ok(())
}

/// Whether a Grove server would take a change for something else, or lose what it has by it.
pub fn cannot_take(change: &RawValue) -> bool {
    #[derive(Deserialize)]
    struct Kind {
        #[serde(default)]
        field: String,
        #[serde(default)]
        crdt_type: String,
        #[serde(default)]
        tombstone: bool,
    }
    serde_json::from_str(change.get()).is_ok_and(|Kind { field, crdt_type, tombstone }| {
        !tombstone && (field == "_row" || !matches!(crdt_type.as_str(), "lww" | "counter"))
    })
}
