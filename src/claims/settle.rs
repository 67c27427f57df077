//! Tries what waits, until nothing is left that has to be taken back: what triggers changed besides, and broke in tables of others.

use std::collections::{BTreeMap, BTreeSet};

use super::{Retry, Which};
use crate::apply::FOREIGN_KEY;
use crate::error::{Error, Result};
use crate::putback::Watch;
use crate::store::{RecordKey, Store};
use crate::{foreign, log, pending, rollback, strangers};

/// How records are tried.
#[derive(Clone, Copy)]
pub(super) struct Manner {
    /// The log's end before it.
    pub(super) mark: i64,
    /// Rows stay pending for which a trigger rolls everything back.
    pub(super) timid: bool,
    /// It is asked of each write whether it broke a key of a table that is not enabled: else only where none was broken before it, and of
    /// records that did so the last time.
    pub(super) wary: bool,
}

/// Tries until triggers have changed no row that was not known before, and what they wrote has broken no key.
pub(super) fn settle(store: &Store<'_>, which: Which, broken: &BTreeSet<RecordKey>) -> Result<()> {
    let conn = store.conn;
    let mut watch = Watch::new(store)?;
    foreign::put_off_late(conn)?;
    let timid = which == Which::Safe && rollback::is_possible(conn, &store.catalog)?;
    if pending::list(conn)?.values().any(|(reason, _)| reason.starts_with(strangers::REASON)) {
        watch.strangers.learn(conn)?;
    }
    let mut manner = Manner { mark: store.last_seq()?, timid, wary: false };
    loop {
        let known = watch.clone();
        conn.aside.clear();
        conn.run("SAVEPOINT crdt_retry", &[])?;
        try_once(store, &mut watch, manner, broken)?;
        let surprised = watch.surprised();
        if !surprised && watch.strangers.broken(conn)?.is_none() {
            conn.run("RELEASE crdt_retry", &[])?;
            break;
        }
        conn.run("ROLLBACK TO crdt_retry", &[])?;
        conn.run("RELEASE crdt_retry", &[])?;
        if surprised {
            // Triggers changed rows that are not ours to change: once more, now knowing how they were.
            watch.remember(store)?;
        } else if watch.strangers.learn(conn)? || !manner.wary {
            // Once more, to find out which record it was.
            (watch, manner.wary) = (known, true);
        } else if conn.db.breaks_deferred_keys() {
            return Err(Error::sqlite(FOREIGN_KEY, foreign::FAILED));
        } else {
            break; // all goes on waiting
        }
    }
    // What the triggers logged of all this is no local write.
    log::drop_after(store.conn, manner.mark)
}

/// One try, as far as it goes before triggers have changed rows that were not known.
fn try_once(store: &Store<'_>, watch: &mut Watch, manner: Manner, broken: &BTreeSet<RecordKey>) -> Result<()> {
    let mut retry = Retry::new(store, watch, manner, broken);
    retry.pass()?;
    retry.keep_keys()?;
    let mut reasons = BTreeMap::new();
    if !watch.surprised() {
        watch.put_back(store, &mut reasons)?;
    }
    if !watch.surprised() {
        let mut retry = Retry::new(store, watch, manner, broken);
        retry.leave(reasons)?;
        retry.keep_keys()?;
    }
    Ok(())
}

impl Retry<'_, '_> {
    /// Does something, or nothing, where that would break a key of a table that is not enabled: why. As long as it is not known what was broken
    /// before, it is done: the end tells whether all must be done once more.
    pub(super) fn guarded<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<std::result::Result<T, String>> {
        let conn = self.store.conn;
        let wary = self.manner.wary || self.suspect || !conn.db.breaks_deferred_keys();
        if !wary || !self.watch.strangers.is_learnt() {
            return work(self).map(Ok);
        }
        let watch = self.watch.clone();
        conn.run("SAVEPOINT crdt_guard", &[])?;
        let outcome = work(self)?;
        let broken = self.watch.strangers.broken(conn)?;
        if broken.is_some() {
            conn.run("ROLLBACK TO crdt_guard", &[])?;
            *self.watch = watch;
        }
        conn.run("RELEASE crdt_guard", &[])?;
        Ok(broken.map_or(Ok(outcome), Err))
    }
}
