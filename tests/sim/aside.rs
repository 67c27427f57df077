//! What a node has merged and need not have taken yet.

use std::collections::BTreeSet;

use super::node::{text, Node};
use super::wire::{Change, Stamp};

type Outcome<T = ()> = Result<T, String>;

/// `max_drift`, as it is by default.
const MAX_DRIFT_MS: i64 = 300_000;

impl Node {
    /// What it knows of `changes` now: those too far ahead of `wall` (milliseconds) it puts aside, and takes those put aside
    /// before whose time has come. Gives the latest stamp taken.
    pub fn accept<'a>(&mut self, changes: impl IntoIterator<Item = &'a Change>, wall: i64) -> Outcome<Option<Stamp>> {
        let limit = (wall + MAX_DRIFT_MS) * 1_000_000;
        let (aside, due) = self.aside.drain(..).partition::<Vec<_>, _>(|change| change.stamp.ts > limit);
        self.aside = aside;
        let mut latest = None;
        for change in &due {
            self.known.take(change)?;
            latest = latest.max(Some(&change.stamp));
        }
        for change in changes {
            if change.stamp.ts > limit {
                self.aside.push(change.clone());
            } else {
                self.known.take(change)?;
                latest = latest.max(Some(&change.stamp));
            }
        }
        Ok(latest.cloned())
    }

    /// What waits for its time is taken where that has come: after this the node has all that it is known to hold.
    pub fn retry(&mut self, wall: i64) -> Outcome {
        self.ask("SELECT crdt_retry()", &[])?;
        self.accept([], wall)?;
        self.reset_twin()
    }

    /// The table, key and field of all that waits; an empty field for rows.
    pub fn pending(&self) -> Outcome<BTreeSet<(String, String, String)>> {
        let sql = "SELECT \"table\", pk, coalesce(field, '') FROM crdt_pending()";
        let mut statement = self.db()?.prepare_cached(sql).map_err(text)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).map_err(text)?;
        rows.collect::<Result<_, _>>().map_err(text)
    }
}
