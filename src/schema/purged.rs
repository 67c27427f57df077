//! What stays of a table that was purged: its number, which no other gets, and whether it had counters.

use std::collections::HashSet;
use std::rc::Rc;

use crate::conn::Conn;
use crate::error::{unless_missing, Result};
use crate::node;
use crate::schema::Table;
use crate::store::Store;

/// A name in `_crdt_pragma` for a table with counters that was purged.
const COUNTED: &str = "'counted/' || lower(?1)";

/// What this node has counted in a table may be at its peers when nothing of it is here.
pub fn note_counters(conn: &Conn, table: &Table) -> Result<()> {
    if !table.counts() {
        return Ok(());
    }
    let sql = format!("INSERT OR REPLACE INTO main._crdt_pragma(name, value) VALUES ({COUNTED}, 1)");
    conn.run(&sql, &[table.name.as_str().into()]).map(drop)
}

/// Whether a table of that name, with counters, was purged. Peers would take the larger of the two totals for all, so what it counts now is to
/// go under another id: it is asked once.
pub fn was_counted(conn: &Conn, name: &str) -> Result<bool> {
    let sql = format!("DELETE FROM main._crdt_pragma WHERE name = {COUNTED}");
    Ok(unless_missing(conn.run(&sql, &[name.into()]), 0)? > 0)
}

/// The names of such tables, in lower case.
pub fn counted(conn: &Conn) -> Result<HashSet<String>> {
    let mut rows = conn.stmt("SELECT substr(name, 9) FROM main._crdt_pragma WHERE name GLOB 'counted/*'")?;
    let mut all = HashSet::new();
    while rows.step()? {
        all.extend(rows.text(0).map(str::to_owned));
    }
    Ok(all)
}

/// Gives the database a new node id where a script of `crdt_schema` has made such a table anew.
pub fn count_anew(store: &mut Store<'_>) -> Result<()> {
    let catalog = Rc::clone(&store.catalog);
    for table in catalog.tables().iter().filter(|table| table.enabled && table.captured && table.counts()) {
        if was_counted(store.conn, &table.name)? {
            node::begin_anew(store)?;
        }
    }
    store.conn.run("UPDATE main._crdt_state SET token = random()", &[]).map(drop)
}

/// The highest number of the tables that were purged.
pub fn last_number(conn: &Conn) -> Result<i64> {
    Ok(conn.int("SELECT value FROM main._crdt_pragma WHERE name = 'purged'", &[])?.unwrap_or(0))
}

/// A table made anew gets another number: cursors of peers that name this one do not fit it.
pub fn note_number(conn: &Conn, t: i64) -> Result<()> {
    let last = last_number(conn)?.max(t);
    conn.run("INSERT OR REPLACE INTO main._crdt_pragma(name, value) VALUES ('purged', ?1)", &[last.into()]).map(drop)
}

/// Forgets where this database stood with the peers that it goes to by itself: another table of that name is exchanged as a whole.
pub fn forget_places(conn: &Conn, name: &str) -> Result<()> {
    for table in ["_crdt_remote", "_crdt_refused"] {
        let there = "SELECT 1 FROM main.sqlite_schema WHERE name = ?1";
        if conn.int(there, &[table.into()])?.is_some() {
            let sql = format!(
                "DELETE FROM main.{table} WHERE CASE WHEN json_valid(tables) THEN EXISTS(
                   SELECT 1 FROM json_each(tables) WHERE value = ?1 COLLATE NOCASE) END"
            );
            conn.run(&sql, &[name.into()])?;
        }
    }
    Ok(())
}
