//! What an export covers: the tables, and what of them.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::filter::Filters;
use crate::schema::Table;
use crate::store::Store;

/// Which tables an answer covers, and what of them.
pub struct Scope {
    /// Their numbers; None for all enabled ones.
    tables: Option<Vec<i64>>,
    /// The name of the selection, part of the cursor's check.
    pub name: String,
    /// The filters of its tables.
    pub filters: Filters,
    /// The place before which cursors start over, as it was when the answer began: deletes may be lost that came before it.
    pub resync: i64,
}

impl Scope {
    /// The tables of the names given, or all, under the database's own filters.
    pub fn new(store: &Store<'_>, names: Option<&[String]>) -> Result<Scope> {
        Scope::for_peer(store, names, &BTreeMap::new())
    }

    /// As [`Scope::new`], also under a peer's filters: expressions by table.
    pub fn for_peer(store: &Store<'_>, names: Option<&[String]>, of_peer: &BTreeMap<String, String>) -> Result<Scope> {
        let (tables, name) = Scope::selected(store, names)?;
        let covers = |t: i64| tables.as_ref().is_none_or(|ids| ids.contains(&t));
        let filters = Filters::new(store, covers, of_peer)?;
        Ok(Scope { tables, name, filters, resync: crate::prune::horizon(store.conn, "resync")? })
    }

    /// The same scope as things stand now.
    pub fn renewed(&self, store: &Store<'_>) -> Result<Scope> {
        let filters = self.filters.renewed(store)?;
        Ok(Scope { tables: self.tables.clone(), name: self.name.clone(), filters, resync: self.resync })
    }

    fn selected(store: &Store<'_>, names: Option<&[String]>) -> Result<(Option<Vec<i64>>, String)> {
        let hooks = store.catalog.hooks.scope();
        let Some(names) = names else { return Ok((None, format!("*{hooks}"))) };
        let mut ids = Vec::new();
        for name in names {
            ids.push(store.catalog.listed(name)?.id);
        }
        ids.sort_unstable();
        ids.dedup();
        let name = ids.iter().map(i64::to_string).collect::<Vec<_>>().join(",") + hooks;
        Ok((Some(ids), name))
    }

    /// The same for a selection within the tables, which has a name of its own.
    pub fn filtered(mut self, filter: &str) -> Scope {
        self.name.push_str(filter);
        self
    }

    /// Whether it covers a table.
    pub fn covers(&self, table: &Table) -> bool {
        // All means also what a table held when it was disabled: a cursor must not pass over it.
        self.tables.as_ref().is_none_or(|ids| ids.contains(&table.id))
    }
}
