//! What a node sends need not go back to it.

use crate::error::Result;
use crate::outbound::{Export, Scope};
use crate::store::Store;

/// A node that has everything that is here: what it sends us then, it has.
pub struct Confirmed {
    scope: Scope,
    export: Export,
    /// The end of the log.
    end: i64,
}

impl Confirmed {
    /// Whether the node that stands at the cursor `since` has everything; asked before its changes are merged.
    pub fn before(store: &Store<'_>, tables: &[String], since: Option<&str>) -> Result<Option<Confirmed>> {
        let scope = Scope::new(store, Some(tables))?;
        if !scope.filters.is_empty() {
            return Ok(None); // who has what is then told by the log
        }
        let mut export = Export::new(store, since, &scope)?.by(1, 1);
        if export.starts_over() {
            return Ok(None); // it is to hear of that, also where there is nothing to tell besides
        }
        let mut items = Vec::new();
        while export.next(store, &scope, &mut items)? {
            if !items.is_empty() {
                return Ok(None);
            }
        }
        store.conn.retold.set(false);
        Ok(Some(Confirmed { scope, export, end: store.last_seq()? }))
    }

    /// Its cursor after the merge; None where more was written than what came, as by hooks, or is told anew: of a record that comes to
    /// life again it may have forgotten what is known here.
    pub fn after(self, store: &Store<'_>) -> Result<Option<String>> {
        if store.conn.retold.get() {
            return Ok(None);
        }
        let others = "SELECT 1 FROM main._crdt_log WHERE seq > ?1 AND m <> -4 LIMIT 1";
        if store.conn.int(others, &[self.end.into()])?.is_some() {
            return Ok(None);
        }
        self.export.cursor_at_end(store, &self.scope).map(Some)
    }
}
