//! A round with a peer that this database goes to: what it has is pulled and merged, what it has not confirmed is pushed. Knows
//! nothing of HTTP.
//!
//! Both cursors live in `_crdt_remote` and move in the transaction that makes them true: that of a pull together with the merge,
//! that of a push when the peer has answered. A round that is cut off anywhere is repeated from there. One in which nothing moves
//! commits nothing: whoever looks for commits is not woken by it.

mod grove;
pub mod http;
mod place;
mod pull;
mod push;
mod refused;
mod send;

use std::collections::HashSet;

use serde_json::value::RawValue;

use crate::conn::Conn;
use crate::error::{Error, Result};
use crate::session;
use place::{Cursors, Place};

/// How a request reaches a peer.
pub trait Transport {
    /// Posts `body` to the peer's route (`pull`, `push`); the body of its answer. That it refuses a push tells as well which changes
    /// are refused is an answer, too.
    ///
    /// # Errors
    /// The peer cannot be reached, refuses, or SQLite was interrupted meanwhile.
    fn post(&mut self, route: &str, body: String) -> Result<String>;
}

/// What a round is to do.
pub struct Wanted {
    /// The peer's address: names its cursors.
    pub url: String,
    /// The tables; None for all that are enabled.
    pub tables: Option<Vec<String>>,
    /// Whether to pull, and to push.
    pub pull: bool,
    /// See `pull`.
    pub push: bool,
    /// Changes of a push, about.
    pub page: i64,
    /// Most pages each way; what is left is for the next round.
    pub pages: u64,
    /// Whether what the peer has refused is sent again at once; otherwise each hour.
    pub retry: bool,
}

/// What a round did, in changes.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub struct Round {
    /// Came from the peer, written by others than this node.
    pub pulled: u64,
    /// Sent, and answered.
    pub pushed: u64,
    /// Of those that came: news.
    pub merged: u64,
    /// Of those that came: met a concurrent write.
    pub conflicts: u64,
    /// Of those that came: kept, but not shown.
    pub pending: u64,
    /// What the peer refuses to take, of this round and of those before.
    pub rejected: u64,
    /// Why it refuses one of them.
    pub reason: Option<String>,
    /// Tables that the peer does not have, or may not be asked for, and its words.
    pub failed: Vec<(String, String)>,
    /// Tables of which the peer had not any more what it had confirmed: everything is sent again.
    pub resync: Vec<String>,
    /// More is left, as [`Wanted::pages`] were done.
    pub has_more: bool,
}

impl Round {
    fn resync(&mut self, place: &Place) {
        let told: HashSet<String> = self.resync.drain(..).chain(place.tables.iter().cloned()).collect();
        self.resync.extend(told);
        self.resync.sort_unstable();
    }

    fn fail(&mut self, table: &str, why: &str) {
        if !self.failed.iter().any(|(failed, _)| failed == table) {
            self.failed.push((table.to_owned(), why.to_owned()));
        }
    }
}

/// Changes that the peer told in this round: it need not be told of them. Known by a hash of their text.
#[derive(Default)]
struct Told(HashSet<refused::Name>);

impl Told {
    fn add(&mut self, change: &RawValue) {
        self.0.insert(refused::name(change));
    }

    fn has(&self, change: &RawValue) -> bool {
        !self.0.is_empty() && self.0.contains(&refused::name(change))
    }
}

/// What a peer took before it could be told where it stands after that.
#[derive(Default)]
struct Ahead {
    /// The cursor up to which it has everything.
    pushed: Option<String>,
    /// Of what it had refused before.
    taken: Vec<refused::Name>,
}

/// A round under way.
struct Exchange<'c, 't> {
    conn: &'c Conn,
    wanted: &'c Wanted,
    transport: &'t mut dyn Transport,
    told: Told,
    /// Bytes of changes that a push may have, once a longer one was too long for the peer.
    most: Option<usize>,
    /// Whether the peer of the set under way is known to be one of ours, and pulled from as far as that is wanted.
    is_pulled: bool,
    /// Whether the peer took changes and did not tell the cursor after them.
    is_ahead: bool,
    /// What is to be noted once what it took was pulled past.
    ahead: Ahead,
    /// Whether the peer has forgotten deletes that this database was not told of.
    deletes_lost: bool,
    /// Tables that went neither way.
    lost: usize,
    round: Round,
}

impl Exchange<'_, '_> {
    /// Whether the peer is pulled from once more after it took something.
    fn pulls_again(&self) -> bool {
        self.is_pulled && self.wanted.pull
    }
}

/// One round with a peer.
pub fn round(conn: &Conn, wanted: &Wanted, transport: &mut dyn Transport) -> Result<Round> {
    let asked = session::read(conn, |store| place::asked(store, wanted.tables.as_deref()))?.unwrap_or_default();
    if asked.is_empty() {
        return Err(Error::caller("no table is enabled; enable what is to be exchanged with crdt_enable"));
    }
    place::install(conn)?;
    let sets = place::sets(conn, &wanted.url, asked)?;
    let mut exchange = Exchange {
        conn,
        wanted,
        transport,
        told: Told::default(),
        most: None,
        is_pulled: false,
        is_ahead: false,
        ahead: Ahead::default(),
        deletes_lost: false,
        lost: 0,
        round: Round::default(),
    };
    let asked: usize = sets.iter().map(Vec::len).sum();
    let mut first = None;
    for tables in sets {
        let place = Place { url: wanted.url.clone(), tables: tables.clone(), part: false };
        match with(&mut exchange, place) {
            Err(e) if e.is_refusal() => first = first.or(alone(&mut exchange, tables, e)?),
            outcome => outcome?,
        }
    }
    match first {
        // Nothing could be done.
        Some(refusal) if exchange.lost == asked => Err(refusal),
        _ => Ok(exchange.round),
    }
}

/// A round with one set of tables; with a Grove server table by table.
fn with(exchange: &mut Exchange<'_, '_>, place: Place) -> Result<()> {
    let wanted = exchange.wanted;
    exchange.is_pulled = false;
    (exchange.is_ahead, exchange.ahead) = (false, Ahead::default());
    exchange.deletes_lost = false;
    let is_ours = if wanted.pull { from_ours(exchange, &place)? } else { pull::is_ours(exchange, &place)? };
    exchange.is_pulled = is_ours;
    if is_ours {
        if wanted.push {
            push::all(exchange, &place)?;
        }
        if wanted.pull && exchange.is_ahead {
            // A cursor that stands before what was pushed would fit a backup from before that: until it is past that, nothing counts as pushed.
            from_ours(exchange, &place)?;
        }
        note_ahead(exchange, &place)?;
        return if wanted.push && wanted.pull { place::absorb(exchange.conn, &place) } else { Ok(()) };
    }
    if place.tables.len() > 1 && place.read(exchange.conn)?.pulled.is_some() {
        // It was one of ours before.
        session::write(exchange.conn, |store| place.forget(store))?;
    }
    for table in place.tables {
        let place = Place { url: wanted.url.clone(), tables: vec![table], part: false };
        if wanted.pull {
            let pulled = grove::pull(exchange, &place);
            or_only_push(exchange, &place, pulled, ())?;
        } else {
            grove::note(exchange, &place)?;
        }
        if wanted.push {
            push::all(exchange, &place)?;
        }
    }
    Ok(())
}

/// Notes what was pushed.
fn note_ahead(exchange: &mut Exchange<'_, '_>, place: &Place) -> Result<()> {
    let Ahead { pushed, taken } = std::mem::take(&mut exchange.ahead);
    if pushed.is_none() && taken.is_empty() {
        return Ok(());
    }
    let reached = Cursors { pushed, ..Cursors::default() };
    session::write(exchange.conn, |store| {
        taken.iter().try_for_each(|change| refused::forget(store, place, *change))?;
        place.save(store, &reached)
    })
}

/// Pulls from a peer; whether it is one of ours.
fn from_ours(exchange: &mut Exchange<'_, '_>, place: &Place) -> Result<bool> {
    let pulled = pull::all(exchange, place);
    Ok(or_only_push(exchange, place, pulled, Some(()))?.is_some())
}

/// A table that may not be pulled may be pushed: what a pull came to, or `instead`.
fn or_only_push<T>(exchange: &mut Exchange<'_, '_>, place: &Place, pulled: Result<T>, instead: T) -> Result<T> {
    match (pulled, place.tables.as_slice()) {
        (Err(e), [table]) if e.is_forbidden() && exchange.wanted.push => {
            exchange.round.fail(table, e.message());
            Ok(instead)
        }
        (pulled, _) => pulled,
    }
}

/// After a refusal, each of the tables by itself: one that the peer does not have is no reason for the others to wait. The first
/// refusal.
fn alone(exchange: &mut Exchange<'_, '_>, tables: Vec<String>, refusal: Error) -> Result<Option<Error>> {
    // What was pulled for all of them need not be pulled for each.
    let (is_single, is_pulled) = (tables.len() == 1, exchange.is_pulled);
    for table in tables {
        let place = Place { url: exchange.wanted.url.clone(), tables: vec![table.clone()], part: true };
        let outcome = match (is_single, is_pulled) {
            (true, _) => Err(refusal.clone()),
            (false, true) => push::all(exchange, &place).and_then(|()| note_ahead(exchange, &place)),
            (false, false) => with(exchange, place),
        };
        match outcome {
            Err(e) if e.is_refusal() => {
                exchange.round.fail(&table, e.message());
                exchange.lost += 1;
            }
            outcome => outcome?,
        }
    }
    Ok(Some(refusal))
}

/// This database's node id.
fn own_id(conn: &Conn) -> Result<String> {
    session::read(conn, |store| Ok(store.me.to_string()))?.ok_or_else(|| Error::internal("the tables of ours are gone"))
}
