//! The filters that a database knows, by number.

use super::inside::REMARK;
use crate::conn::Conn;
use crate::error::{unless_missing, Error, Result};
use crate::schema::Table;
use crate::store::Store;

/// A filter as stored.
pub struct Known {
    /// Its number.
    pub f: i64,
    /// The log row up to which the membership of its records is known.
    pub seen: i64,
    /// When it was last used, nanoseconds.
    pub used: i64,
}

/// What stands for a table without a filter, for the records of which peers were told that they are gone.
pub const ALL: &str = "";

/// What keeps cursors from being made up: a secret, and the end of the log when it was made.
pub struct Secret {
    /// Random hex digits.
    pub text: String,
    /// Before this log row nothing was filtered.
    pub born: i64,
}

/// The database's own filters: table and expression.
pub fn own(conn: &Conn) -> Result<Vec<(i64, String)>> {
    let read = || {
        let mut rows = conn.stmt("SELECT t, expr FROM main._crdt_filter WHERE own ORDER BY t")?;
        let mut all = Vec::new();
        while rows.step()? {
            all.push((rows.i64(0).unwrap_or(0), rows.text(1).unwrap_or_default().to_owned()));
        }
        Ok(all)
    };
    unless_missing(read(), Vec::new())
}

/// Sets a table's own filter, or lifts it.
pub fn set_own(store: &Store<'_>, table: &Table, expr: Option<&str>) -> Result<()> {
    store.conn.run("UPDATE main._crdt_filter SET own = NULL WHERE t = ?1", &[table.id.into()])?;
    if let Some(expr) = expr {
        let known = intern(store, table.id, expr)?;
        store.conn.run("UPDATE main._crdt_filter SET own = 1 WHERE f = ?1", &[known.f.into()])?;
    }
    Ok(())
}

/// The secret; None while no filter was ever made.
pub fn secret(conn: &Conn) -> Result<Option<Secret>> {
    let found = conn.first("SELECT expr, seen FROM main._crdt_filter WHERE f = 0", &[], |row| Secret {
        text: row.text(0).unwrap_or_default().to_owned(),
        born: row.i64(1).unwrap_or(0),
    });
    unless_missing(found, None)
}

/// The filter of that text; None when it is new.
pub fn find(conn: &Conn, t: i64, expr: &str) -> Result<Option<Known>> {
    let sql = "SELECT f, seen, used FROM main._crdt_filter WHERE t = ?1 AND expr = ?2";
    let found = conn.first(sql, &[t.into(), expr.into()], |row| Known {
        f: row.i64(0).unwrap_or(0),
        seen: row.i64(1).unwrap_or(0),
        used: row.i64(2).unwrap_or(0),
    });
    unless_missing(found, None)
}

/// The filter of that text, made if it is new. A number is never given twice.
pub fn intern(store: &Store<'_>, t: i64, expr: &str) -> Result<Known> {
    if let Some(known) = find(store.conn, t, expr)? {
        return Ok(known);
    }
    let end = store.last_seq()?;
    store.conn.run(
        "INSERT OR IGNORE INTO main._crdt_filter(f, t, expr, seen, used) VALUES (0, 0, lower(hex(randomblob(16))), ?1, 0)",
        &[end.into()],
    )?;
    store.conn.run("UPDATE main._crdt_filter SET used = used + 1 WHERE f = 0", &[])?;
    store.conn.run(
        "INSERT INTO main._crdt_filter(f, t, expr, seen, used)
         SELECT used, ?1, ?2, 0, ?3 FROM main._crdt_filter WHERE f = 0",
        &[t.into(), expr.into(), store.wall.into()],
    )?;
    find(store.conn, t, expr)?.ok_or_else(|| Error::internal("a filter that was just made is not there"))
}

/// The table of a filter; None when it was forgotten.
pub fn table_of(conn: &Conn, f: i64) -> Result<Option<i64>> {
    conn.int("SELECT t FROM main._crdt_filter WHERE f = ?1 AND f > 0", &[f.into()])
}

/// Forgets the filters of a table and all of their memberships.
pub fn purge(conn: &Conn, t: i64) -> Result<()> {
    let inside = "DELETE FROM main._crdt_inside WHERE f IN (SELECT f FROM main._crdt_filter WHERE t = ?1 AND f > 0)";
    for sql in [
        inside,
        "DELETE FROM main._crdt_filter WHERE t = ?1 AND f > 0",
        "DELETE FROM main._crdt_left WHERE t = ?1",
        "DELETE FROM main._crdt_stays WHERE t = ?1",
    ] {
        unless_missing(conn.run(sql, &[t.into()]), 0)?;
    }
    Ok(())
}

/// Forgets filters that nobody has used since `limit` (nanoseconds), the database's own ones excepted. The time of use is written now and
/// then only.
pub fn forget_unused(conn: &Conn, limit: i64) -> Result<()> {
    let unused = "SELECT f FROM main._crdt_filter WHERE f > 0 AND own IS NULL AND used < ?1";
    for sql in [
        format!("DELETE FROM main._crdt_inside WHERE f IN ({unused})"),
        format!("DELETE FROM main._crdt_filter WHERE f IN ({unused})"),
    ] {
        unless_missing(conn.run(&sql, &[limit.saturating_sub(REMARK).into()]), 0)?;
    }
    Ok(())
}
