//! Changes that wait for their time: which of them a push has put aside.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension};

use super::errors::Result;

/// What waited before a push.
pub enum Before {
    /// The last of them, its place and what it is; 0 for none.
    Last(i64, String),
    /// All of them.
    All(BTreeSet<String>),
}

impl Before {
    /// Looks at the last one only, which is enough as long as it stays: what comes then comes after it.
    pub fn last(conn: &Connection) -> Result<Before> {
        let last = if is_kept(conn)? {
            let mut last = conn.prepare_cached("SELECT id, change FROM main._crdt_future ORDER BY id DESC LIMIT 1")?;
            last.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()?
        } else {
            None
        };
        let (id, change) = last.unwrap_or_default();
        Ok(Before::Last(id, change))
    }

    /// Looks at all of them.
    pub fn all(conn: &Connection) -> Result<Before> {
        let all = if is_kept(conn)? { after(conn, 0)? } else { Vec::new() };
        Ok(Before::All(all.into_iter().collect()))
    }

    /// What has come since; None when that cannot be told, as the last one was merged and its place may be another's.
    pub fn since(&self, conn: &Connection) -> Result<Option<Vec<String>>> {
        if !is_kept(conn)? {
            return Ok(Some(Vec::new()));
        }
        match self {
            Before::All(all) => Ok(Some(after(conn, 0)?.into_iter().filter(|change| !all.contains(change)).collect())),
            Before::Last(0, _) => after(conn, 0).map(Some),
            Before::Last(id, change) => {
                let sql = "SELECT 1 FROM main._crdt_future WHERE id = ?1 AND change = ?2";
                let stays = conn.prepare_cached(sql)?.exists((id, change))?;
                stays.then(|| after(conn, *id)).transpose()
            }
        }
    }
}

/// Whether there is a place for such changes: some table was enabled.
fn is_kept(conn: &Connection) -> Result<bool> {
    let sql = "SELECT 1 FROM main.sqlite_schema WHERE name = '_crdt_future'";
    Ok(conn.prepare_cached(sql)?.exists([])?)
}

fn after(conn: &Connection, id: i64) -> Result<Vec<String>> {
    let mut waiting = conn.prepare_cached("SELECT change FROM main._crdt_future WHERE id > ?1")?;
    let waiting = waiting.query_map([id], |row| row.get(0))?;
    Ok(waiting.collect::<rusqlite::Result<_>>()?)
}
