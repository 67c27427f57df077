//! To a peer: what it has not confirmed, page by page. What it refuses is passed over and remembered.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::place::{Cursors, Place};
use super::refused::{self, Refused};
use super::send::{self, Rejected};
use super::{grove, Exchange};
use crate::change::Body;
use crate::error::{unless_missing, Error, Result};
use crate::outbound::{Item, Scope};
use crate::store::{wall, Store};
use crate::{functions, session};

/// Bytes of a page, about: with the last record, what proxies let through that nobody told otherwise (1 MiB).
const PAGE: usize = 1_000_000;

/// A page of ours.
#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    changes: Vec<&'a RawValue>,
    #[serde(borrow)]
    latest_hlc: &'a RawValue,
    has_more: bool,
}

/// Pushes until the peer has everything.
pub fn all(exchange: &mut Exchange<'_, '_>, place: &Place) -> Result<()> {
    let Some(other) = pages(exchange, place)? else { return Ok(()) };
    // Another database answers at the address than the one that had confirmed what it has.
    let reached = Cursors { node: Some(other), ..Cursors::default() };
    session::write(exchange.conn, |store| {
        place.unconfirm(store)?;
        place.save(store, &reached)
    })?;
    exchange.round.resync(place);
    match pages(exchange, place)? {
        None => Ok(()),
        Some(_) => {
            Err(Error::peer("the peer answers under another node id each time: more than one is at this address"))
        }
    }
}

/// Pushes page by page. The peer's node id, where it is not that of before: nothing is noted then.
fn pages(exchange: &mut Exchange<'_, '_>, place: &Place) -> Result<Option<String>> {
    let conn = exchange.conn;
    let mut refused = Refused::read(conn, place)?;
    if refused.is_due(wall(conn)?) || exchange.wanted.retry && !refused.reasons.is_empty() {
        again(exchange, place, &mut refused)?;
    }
    let known = place.read(conn)?;
    let to_grove = known.pulled.as_deref().is_some_and(grove::is_time);
    let (mut since, mut node) = (known.pushed, known.node);
    // What no room was left to remember: the cursor stays before it.
    let mut forgotten: Vec<String> = Vec::new();
    // A cursor that stays would bring the same page again: then all pages go in one round.
    for done in 0.. {
        if done >= exchange.wanted.pages && forgotten.is_empty() {
            break;
        }
        let json = page(exchange, place, since.as_deref())?;
        let page = read(&json)?;
        let has_gone = |change: &RawValue| exchange.told.has(change) || to_grove && grove::cannot_take(change);
        let news: Vec<&RawValue> = page.changes.into_iter().filter(|change| !has_gone(change)).collect();
        let mut reached = Cursors { pushed: Some(page.latest_hlc.get().to_owned()), ..Cursors::default() };
        let mut rejected = Vec::new();
        if !news.is_empty() {
            let said = send::send(exchange, place, &news)?;
            (rejected, reached.pulled) = (said.rejected, said.cursor);
            exchange.is_ahead = reached.pulled.is_none() && (exchange.is_ahead || rejected.len() < news.len());
            reached.node = said.node.filter(|_| !to_grove);
            if node.is_some() && reached.node.is_some() && node != reached.node {
                return Ok(reached.node);
            }
            node = reached.node.clone().or(node);
            exchange.round.pushed += news.len().saturating_sub(rejected.len()) as u64;
        }
        let next = reached.pushed.clone();
        let named = named(&news, &rejected).filter(|named| refused.has_room(named.len()));
        if named.is_none() {
            forgotten.extend(rejected.into_iter().map(|it| it.reason));
        }
        if !forgotten.is_empty() {
            reached.pushed = None;
        }
        exchange.ahead.pushed = reached.pushed.take_if(|_| exchange.is_ahead && exchange.pulls_again());
        let is_told = named.as_ref().is_some_and(|named| !named.is_empty());
        if reached.pulled.is_some() || is_told || (reached.pushed.is_some() && next != since) {
            session::write(conn, |store| {
                for (change, why) in named.iter().flatten() {
                    refused.add(store, place, *change, since.as_deref(), why)?;
                }
                place.save(store, &reached)
            })?;
        }
        since = next;
        if !page.has_more {
            tell(exchange, &refused, forgotten);
            return Ok(None);
        }
    }
    exchange.round.has_more = true;
    Ok(None)
}

/// Tells what the peer will not have.
fn tell(exchange: &mut Exchange<'_, '_>, refused: &Refused, forgotten: Vec<String>) {
    let round = &mut exchange.round;
    round.rejected += (refused.reasons.len() + forgotten.len()) as u64;
    let first = refused.reasons.values().min().cloned().or_else(|| forgotten.into_iter().next());
    round.reason = round.reason.take().or(first);
}

/// Sends once more what the peer has refused.
fn again(exchange: &mut Exchange<'_, '_>, place: &Place, refused: &mut Refused) -> Result<()> {
    let conn = exchange.conn;
    let (mut since, mut met) = (refused.since.clone(), HashSet::new());
    loop {
        let json = page(exchange, place, since.as_deref())?;
        let page = read(&json)?;
        let is_refused = |change: &&RawValue| refused.reasons.contains_key(&refused::name(change));
        let sent: Vec<&RawValue> = page.changes.into_iter().filter(is_refused).collect();
        met.extend(sent.iter().map(|change| refused::name(change)));
        if !sent.is_empty() {
            let said = send::send(exchange, place, &sent)?;
            exchange.is_ahead |= said.cursor.is_none() && said.rejected.len() < sent.len();
            exchange.round.pushed += sent.len().saturating_sub(said.rejected.len()) as u64;
            let still = named(&sent, &said.rejected).unwrap_or_default();
            // Where the peer does not say which ones it refuses, all stay.
            let is_told = still.len() == said.rejected.len();
            let all = sent.iter().map(|change| refused::name(change)).filter(|_| is_told);
            let mut taken: Vec<_> = all.filter(|change| !still.iter().any(|(name, _)| name == change)).collect();
            taken.iter().for_each(|change| drop(refused.reasons.remove(change)));
            if exchange.is_ahead && exchange.pulls_again() {
                exchange.ahead.taken.append(&mut taken);
            }
            let reached = Cursors { pulled: said.cursor, ..Cursors::default() };
            session::write(conn, |store| {
                for (change, why) in &still {
                    refused.add(store, place, *change, since.as_deref(), why)?;
                }
                taken.iter().try_for_each(|change| refused::forget(store, place, *change))?;
                if reached.pulled.is_some() {
                    place.save(store, &reached)
                } else {
                    Ok(())
                }
            })?;
        }
        since = Some(page.latest_hlc.get().to_owned());
        if !page.has_more {
            break;
        }
    }
    // A later write stands for what is not in the log any more, or its column has another name by now, under which it was not sent.
    let gone: Vec<_> = refused.reasons.keys().filter(|name| !met.contains(*name)).copied().collect();
    if gone.is_empty() {
        return Ok(());
    }
    refused.reasons.retain(|name, _| met.contains(name));
    session::write(conn, |store| {
        let renamed = conn.int("SELECT 1 FROM main._crdt_alias LIMIT 1", &[]);
        if unless_missing(renamed, None)?.is_some() {
            place.go_back(store, refused.since.as_deref())?;
        }
        gone.iter().try_for_each(|change| refused::forget(store, place, *change))
    })
}

/// The names of what was rejected, with the reasons; None where the peer does not say which ones.
fn named(sent: &[&RawValue], rejected: &[Rejected]) -> Option<Vec<(refused::Name, String)>> {
    let name = |it: &Rejected| Some((refused::name(sent.get(it.index?)?), it.reason.clone()));
    rejected.iter().map(name).collect()
}

fn read(json: &str) -> Result<Page<'_>> {
    serde_json::from_str(json).map_err(|e| Error::internal(format!("a page of ours cannot be read: {e}")))
}

/// What the peer has not confirmed, as far as a page goes. What left a filter here stays where it was pushed to.
fn page(exchange: &Exchange<'_, '_>, place: &Place, since: Option<&str>) -> Result<String> {
    // A page ends after the record that fills it, which is to go into the same push.
    let room = (exchange.wanted.page, exchange.most.map_or(PAGE, |most| most - most / 8));
    let page = |store: &Store<'_>| {
        let scope = Scope::new(store, Some(&place.tables))?;
        functions::page(store, since, &scope, room, &|item: &Item| !matches!(item.body, Body::Left(_)))
    };
    session::read(exchange.conn, page)?.ok_or_else(|| Error::internal("the tables of ours are gone"))
}
