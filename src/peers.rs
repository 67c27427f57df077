//! Peers: who pulled or pushed, how far they have come, when they were last seen.

use crate::conn::Conn;
use crate::cursor::{self, Since};
use crate::error::{Error, Result};
use crate::outbound::Scope;
use crate::store::Store;

/// A peer that comes back at the same place is noted at most this often, nanoseconds.
const REMARK: i64 = 60_000_000_000;

/// Notes that `node` has pulled with the cursor `since`: it has everything before that place. Does nothing where the
/// database cannot be written.
pub fn pulled(conn: &Conn, node: &str, since: Option<&str>, scope: &Scope) -> Result<()> {
    if conn.db.is_readonly() {
        return Ok(());
    }
    let Some(store) = Store::open(conn)? else { return Ok(()) };
    let place = match since.map(|json| cursor::read(&store, json, scope)).transpose()? {
        Some((Since::Place(seq, _), _)) => seq,
        _ => 0,
    };
    let noted = conn.first("SELECT seq, seen FROM main._crdt_peers WHERE node = ?1", &[node.into()], |row| {
        (row.i64(0).unwrap_or(0), row.i64(1).unwrap_or(0))
    })?;
    if noted.is_some_and(|(seq, seen)| seq == place && store.wall - seen < REMARK) {
        return Ok(());
    }
    match note(conn, node, place, store.wall) {
        // Somebody else is writing: next time will do.
        Err(e) if e.is_busy() || e.is_readonly() => Ok(()),
        outcome => outcome,
    }
}

/// Notes that `node` was here, in the caller's savepoint.
pub fn seen(conn: &Conn, node: &str, now: i64) -> Result<()> {
    check(node)?;
    note(conn, node, 0, now)
}

/// Refuses a node id that no node can have.
pub fn check(node: &str) -> Result<()> {
    crate::clock::check_node(node).map_err(|e| Error::peer(format!("node_id: {}", e.message())))
}

fn note(conn: &Conn, node: &str, seq: i64, now: i64) -> Result<()> {
    conn.run(
        "INSERT INTO main._crdt_peers(node, seq, seen) VALUES (?1, ?2, ?3)
         ON CONFLICT(node) DO UPDATE SET seq = max(seq, excluded.seq), seen = excluded.seen",
        &[node.into(), seq.into(), now.into()],
    )?;
    Ok(())
}
