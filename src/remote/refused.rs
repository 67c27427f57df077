//! Changes that a peer has refused: `_crdt_refused`. The cursor passes them, so that they hold up nothing; they are told of after
//! each round, and sent again now and then, by themselves, until the peer takes them or a later write stands for them.

use std::collections::HashMap;

use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::place::Place;
use crate::conn::Conn;
use crate::error::Result;
use crate::ffi::ValueRef;
use crate::store::Store;

/// How many are remembered for a place. Beyond them the cursor stays.
const MOST: usize = 10_000;
/// How often they are sent again where nobody asks for it, nanoseconds.
const AGAIN: i64 = 3_600_000_000_000;

/// A change's name here: a hash of its text.
pub type Name = [u8; 16];

/// Names a change.
pub fn name(change: &RawValue) -> Name {
    let mut half = [0; 16];
    half.copy_from_slice(&Sha256::digest(change.get())[..16]);
    half
}

/// What a peer has refused at a place, and still does.
#[derive(Default)]
pub struct Refused {
    /// The reason for each.
    pub reasons: HashMap<Name, String>,
    /// The cursor before the first of them; None is the beginning.
    pub since: Option<String>,
    /// When they were sent last, nanoseconds.
    tried: i64,
}

impl Refused {
    /// Reads what is remembered.
    pub fn read(conn: &Conn, place: &Place) -> Result<Refused> {
        let mut rows = conn.stmt(
            "SELECT change, since, reason, tried FROM main._crdt_refused WHERE url = ?1 AND tables = ?2 ORDER BY rowid",
        )?;
        rows.bind(1, place.url.as_str())?;
        rows.bind(2, place.tables_json().as_str())?;
        let mut refused = Refused::default();
        while rows.step()? {
            let ValueRef::Blob(bytes) = rows.column(0) else { continue };
            let Ok(name) = Name::try_from(bytes) else { continue };
            if refused.reasons.is_empty() {
                refused.since = rows.text(1).map(str::to_owned);
            }
            refused.tried = refused.tried.max(rows.i64(3).unwrap_or(0));
            refused.reasons.insert(name, rows.text(2).unwrap_or_default().to_owned());
        }
        Ok(refused)
    }

    /// Whether it is time to send them again.
    pub fn is_due(&self, now: i64) -> bool {
        !self.reasons.is_empty() && (now.saturating_sub(self.tried) >= AGAIN || self.tried > now)
    }

    /// Whether so many more can be remembered.
    pub fn has_room(&self, more: usize) -> bool {
        self.reasons.len().saturating_add(more) <= MOST
    }

    /// Remembers a change of the page that begins at the cursor `since`, in the caller's savepoint.
    pub fn add(
        &mut self,
        store: &Store<'_>,
        place: &Place,
        change: Name,
        since: Option<&str>,
        why: &str,
    ) -> Result<()> {
        store.conn.run(
            "INSERT INTO main._crdt_refused(url, tables, change, since, reason, tried) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT(url, tables, change) DO UPDATE SET reason = excluded.reason, tried = excluded.tried",
            &[
                place.url.as_str().into(),
                place.tables_json().as_str().into(),
                ValueRef::Blob(&change),
                since.map_or(ValueRef::Null, ValueRef::from),
                why.into(),
                store.wall.into(),
            ],
        )?;
        self.reasons.insert(change, why.to_owned());
        Ok(())
    }
}

/// Forgets a change, in the caller's savepoint.
pub fn forget(store: &Store<'_>, place: &Place, change: Name) -> Result<()> {
    let tables = place.tables_json();
    let key = [place.url.as_str().into(), tables.as_str().into(), ValueRef::Blob(&change)];
    store.conn.run("DELETE FROM main._crdt_refused WHERE url = ?1 AND tables = ?2 AND change = ?3", &key).map(drop)
}
