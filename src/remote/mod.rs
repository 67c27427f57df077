//! A round with a peer that this database goes to: what it has is pulled and merged, what it has not confirmed is pushed. Knows
//! nothing of HTTP.
//!
//! Both cursors live in `_crdt_remote` and move in the transaction that makes them true: that of a pull together with the merge,
//! that of a push when the peer has answered. A round that is cut off anywhere is repeated from there.

mod grove;
pub mod http;
mod place;
mod pull;
mod push;

use std::collections::HashSet;

use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::conn::Conn;
use crate::error::{Error, Result};
use crate::session;
use place::Place;

/// How a request reaches a peer.
pub trait Transport {
    /// Posts `body` to the peer's route (`pull`, `push`); the body of its answer.
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
    /// Of those sent: refused by the peer. They are sent again the next time.
    pub rejected: u64,
    /// Why it refused the first of them.
    pub reason: Option<String>,
    /// More is left, as [`Wanted::pages`] were done.
    pub has_more: bool,
}

/// Changes that the peer told in this round: it need not be told of them. Known by a hash of their text.
#[derive(Default)]
struct Told(HashSet<[u8; 16]>);

impl Told {
    fn hash(change: &RawValue) -> [u8; 16] {
        let mut half = [0; 16];
        half.copy_from_slice(&Sha256::digest(change.get())[..16]);
        half
    }

    fn add(&mut self, change: &RawValue) {
        self.0.insert(Told::hash(change));
    }

    fn has(&self, change: &RawValue) -> bool {
        !self.0.is_empty() && self.0.contains(&Told::hash(change))
    }
}

/// A round under way.
struct Exchange<'c, 't> {
    conn: &'c Conn,
    wanted: &'c Wanted,
    transport: &'t mut dyn Transport,
    told: Told,
    round: Round,
}

/// One round with a peer.
pub fn round(conn: &Conn, wanted: &Wanted, transport: &mut dyn Transport) -> Result<Round> {
    let sets = session::write(conn, |store| place::sets(store, &wanted.url, wanted.tables.as_deref()))?;
    if sets.is_empty() {
        return Err(Error::caller("no table is enabled; enable what is to be exchanged with crdt_enable"));
    }
    let mut exchange = Exchange { conn, wanted, transport, told: Told::default(), round: Round::default() };
    for tables in sets {
        let place = Place { url: wanted.url.clone(), tables };
        let mut places = Vec::new();
        if !wanted.pull || pull::all(&mut exchange, &place)?.is_some() {
            places.push(place);
        } else {
            for table in place.tables {
                let place = Place { url: wanted.url.clone(), tables: vec![table] };
                grove::pull(&mut exchange, &place)?;
                places.push(place);
            }
        }
        for place in places.iter().filter(|_| wanted.push) {
            push::all(&mut exchange, place)?;
        }
    }
    Ok(exchange.round)
}

/// This database's node id.
fn own_id(conn: &Conn) -> Result<String> {
    session::read(conn, |store| Ok(store.me.to_string()))?.ok_or_else(|| Error::internal("the tables of ours are gone"))
}
