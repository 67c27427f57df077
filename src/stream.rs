//! Long payloads, merged while they are read: their changes never stand in memory all at once.
//!
//! Only where no row has to do with another, so that it makes no difference what is merged together; and of payloads as we
//! write them. All of it is done in one savepoint: what turns out not to be readable so is undone, and goes the usual road.

use std::rc::Rc;

use crate::change::payload::Parts;
use crate::change::{Change, Names, Part};
use crate::conn::Conn;
use crate::error::{Error, Kind, Result};
use crate::import;
use crate::inbound::{Merging, Report};
use crate::limits::Limits;
use crate::putback::Watch;
use crate::session;
use crate::store::Store;

/// Bytes of a payload that is worth it.
const LONG: usize = if cfg!(debug_assertions) { 1_000 } else { 1 << 20 };
/// Changes that are read and merged at a time, about.
const PART: usize = if cfg!(debug_assertions) { 17 } else { 65_536 };

/// Merges a payload; None when it is for the usual road, and nothing was done. `answer` is asked at the end.
pub fn merge<T>(conn: &Conn, json: &str, answer: impl Fn(&Store<'_>, &Report) -> T) -> Result<Option<T>> {
    if json.len() < LONG || Parts::new(json).is_none() {
        return Ok(None);
    }
    let outcome = session::write(conn, |store| {
        let report = merge_parts(store, json)?;
        Ok(report.map(|report| answer(store, &report)))
    });
    match outcome {
        // The usual road finds out what is wrong, if anything is.
        Err(e) if !matches!(e.kind(), Kind::Sqlite(_)) => Ok(None),
        outcome => outcome,
    }
}

fn merge_parts(store: &mut Store<'_>, json: &str) -> Result<Option<Report>> {
    let apart = !store.any_pending.get() && store.catalog.hooks.all().is_empty() && Watch::new(store)?.is_lone(store);
    let (Some(mut parts), true) = (Parts::new(json), apart) else { return Ok(None) };
    let otherwise = || Error::internal("the payload is to be read otherwise");
    let (limits, me) = (Limits::read(store.conn)?, Rc::clone(&store.me));
    let (mut merging, mut names, mut part) = (Merging::default(), Names::default(), Part::default());
    loop {
        let more = parts.read(&mut names, PART, &mut part).ok_or_else(otherwise)?;
        let is_own = |change: &Change| change.hlc.node == me || change.is_left();
        if part.changes.iter().any(is_own) || part.drafts.authors().any(|author| *author == me) {
            return Err(otherwise()); // what is this node's own is judged by all that comes
        }
        part.changes.extend(merging.take_drafts(store, &mut part.drafts, &limits)?);
        import::check_tables(&store.catalog, part.changes.iter())?;
        limits.check_all(store, &part.changes)?;
        if !part.changes.is_empty() {
            merging.take(store, &part.changes)?;
        }
        part.clear();
        if !more {
            return merging.finish(store).map(Some);
        }
    }
}
