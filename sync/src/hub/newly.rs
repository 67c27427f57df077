//! Rows that a merge takes out of their tables: the records that have become pending since, also those that the push does not
//! name, as one whose unique value was claimed, or whose parent was deleted.

use rusqlite::Connection;

use super::errors::Result;

/// Notes on this connection which records come to be pending, or cease to.
const NOTES: &str = "
    CREATE TEMP TABLE IF NOT EXISTS grove_moved(t, pk, came, PRIMARY KEY(t, pk)) WITHOUT ROWID;
    CREATE TEMP TRIGGER IF NOT EXISTS grove_came AFTER INSERT ON main._crdt_pending
    BEGIN INSERT OR IGNORE INTO grove_moved VALUES (new.t, new.pk, 1); END;
    CREATE TEMP TRIGGER IF NOT EXISTS grove_went AFTER DELETE ON main._crdt_pending
    BEGIN INSERT OR IGNORE INTO grove_moved VALUES (old.t, old.pk, 0); END;";

/// Begins to note, in the caller's transaction; false where nothing was ever enabled.
pub fn begin(conn: &Connection) -> Result<bool> {
    let is_there = "SELECT 1 FROM main.sqlite_schema WHERE name = '_crdt_pending'";
    if !conn.prepare_cached(is_there)?.exists([])? {
        return Ok(false);
    }
    let is_noted = "SELECT 1 FROM temp.sqlite_schema WHERE name = 'grove_went'";
    if !conn.prepare_cached(is_noted)?.exists([])? {
        conn.execute_batch(NOTES)?;
    }
    conn.prepare_cached("DELETE FROM temp.grove_moved")?.execute([])?;
    Ok(true)
}

/// The numbers of tables and keys of the records that have become pending since.
pub fn pending(conn: &Connection) -> Result<Vec<(i64, String)>> {
    let mut newly = conn.prepare_cached(
        "SELECT t, CAST(pk AS TEXT) FROM temp.grove_moved m
         WHERE came AND EXISTS (SELECT 1 FROM main._crdt_pending p WHERE p.t = m.t AND p.pk = m.pk)",
    )?;
    let newly = newly.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(newly.collect::<rusqlite::Result<_>>()?)
}
