//! Peers: who pulled or pushed, how far they have come, when they were last seen.

use std::collections::{BTreeMap, BTreeSet};

use crate::conn::Conn;
use crate::cursor::{self, Since};
use crate::error::{Error, Result};
use crate::outbound::Scope;
use crate::store::Store;

/// A peer that comes back at the same place is noted at most this often, nanoseconds.
const REMARK: i64 = 60_000_000_000;

/// Notes that `node` has pulled with the cursor `since`: it has everything before that place. Does nothing where the
/// database cannot be written.
///
/// `sent` is the place that the answer reaches to.
pub fn pulled(conn: &Conn, node: &str, since: Option<&str>, scope: &Scope, sent: i64) -> Result<()> {
    if conn.db.is_readonly() {
        return Ok(());
    }
    let Some(store) = Store::open(conn)? else { return Ok(()) };
    let place = match since.map(|json| cursor::read(&store, json, scope)).transpose()? {
        Some((Since::Place(seq, _), _)) => seq,
        _ => 0,
    };
    let noted = conn.first(
        "SELECT a.seq, p.seen, a.sent FROM main._crdt_peers p JOIN main._crdt_acks a ON a.node = p.node AND a.scope = ?2 WHERE p.node = ?1",
        &[node.into(), scope.name.as_str().into()],
        |row| (row.i64(0).unwrap_or(0), row.i64(1).unwrap_or(0), row.i64(2).unwrap_or(0)),
    )?;
    if noted.is_some_and(|(seq, seen, was)| place <= seq && sent == was && store.wall.saturating_sub(seen) < REMARK) {
        return Ok(());
    }
    let outermost = conn.db.autocommit();
    let noted = conn.savepoint("crdt_peer", || {
        acknowledge(conn, node, &scope.name, (place, sent), store.wall)?;
        if noted.is_none() {
            forget_selections(conn, node)?;
        }
        if outermost {
            crate::prune::if_due(&store)?;
        }
        Ok(())
    });
    match noted {
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

/// Notes the place that a peer has come to with one selection of tables.
fn acknowledge(conn: &Conn, node: &str, scope: &str, (seq, sent): (i64, i64), now: i64) -> Result<()> {
    note(conn, node, seq, now)?;
    conn.run(
        "INSERT INTO main._crdt_acks(node, scope, seq, sent) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT(node, scope) DO UPDATE SET seq = max(seq, excluded.seq), sent = excluded.sent",
        &[node.into(), scope.into(), seq.into(), sent.into()],
    )?;
    Ok(())
}

/// Selections of tables, keys and fields that are noted of one node. Each holds the log row on which it stands.
const SELECTIONS: i64 = 1000;

/// Forgets selections that a node has more than so many of: those of keys and fields first, and those that stand furthest back. Who comes
/// back with one starts over.
fn forget_selections(conn: &Conn, node: &str) -> Result<()> {
    conn.run(
        "DELETE FROM main._crdt_acks WHERE node = ?1 AND scope IN (
           SELECT scope FROM main._crdt_acks WHERE node = ?1 ORDER BY instr(scope, '|') > 0, seq DESC LIMIT -1 OFFSET ?2)",
        &[node.into(), SELECTIONS.into()],
    )
    .map(drop)
}

/// So many times the tombstone TTL a peer is remembered that does not come back.
const LONG_GONE: i64 = 4;

/// Forgets peers that were not seen for long, `ttl` being the tombstone TTL, nanoseconds.
pub fn forget_gone(store: &Store<'_>, ttl: i64) -> Result<()> {
    let since = store.wall.saturating_sub(ttl.saturating_mul(LONG_GONE));
    store.conn.run("DELETE FROM main._crdt_peers WHERE seen < ?1", &[since.into()])?;
    store.conn.run("DELETE FROM main._crdt_acks WHERE node NOT IN (SELECT node FROM main._crdt_peers)", &[]).map(drop)
}

/// How far the peers have come that were seen within the tombstone TTL.
pub struct Passed {
    /// The places where they stand.
    pub places: BTreeSet<i64>,
    peers: BTreeMap<String, Vec<(String, i64)>>,
}

impl Passed {
    /// The place up to which every peer that asks for a table has all of it. A peer that has only pushed has nothing.
    pub fn of(&self, t: i64) -> i64 {
        let places = self.peers.values().filter_map(|scopes| match scopes.as_slice() {
            [] => Some(0),
            scopes => furthest(scopes, t),
        });
        places.min().unwrap_or(i64::MAX)
    }

    /// The same among those that have ever asked for anything.
    pub fn of_askers(&self, t: i64) -> i64 {
        self.peers.values().filter_map(|scopes| furthest(scopes, t)).min().unwrap_or(i64::MAX)
    }
}

/// The furthest place of a peer among its selections that take in table `t`. It may ask for some of them no more.
fn furthest(scopes: &[(String, i64)], t: i64) -> Option<i64> {
    scopes.iter().filter(|(scope, _)| covers(scope, t)).map(|(_, seq)| *seq).max()
}

/// Whether a cursor's scope takes in table `t`.
fn covers(scope: &str, t: i64) -> bool {
    let tables = scope.split('|').next().unwrap_or_default();
    tables == "*" || tables.split(',').any(|one| one.parse() == Ok(t))
}

/// The place up to which the peers that this database goes to by itself have confirmed a table, however long ago: who was away for long
/// still holds what was deleted here.
pub fn confirmed(store: &Store<'_>, table: &str) -> Result<i64> {
    let there = "SELECT 1 FROM main.sqlite_schema WHERE name = '_crdt_remote'";
    if store.conn.int(there, &[])?.is_none() {
        return Ok(i64::MAX);
    }
    let sql = "SELECT pushed FROM main._crdt_remote WHERE CASE WHEN json_valid(tables) THEN EXISTS(
                 SELECT 1 FROM json_each(tables) WHERE value = ?1 COLLATE NOCASE) END";
    let mut rows = store.conn.stmt(sql)?;
    rows.bind(1, table)?;
    let mut least = i64::MAX;
    while rows.step()? {
        let place =
            rows.text(0).filter(|json| cursor::origin(json).as_deref() == Some(&*store.me)).and_then(cursor::seq_of);
        least = least.min(place.unwrap_or(0));
    }
    Ok(least)
}

/// Reads how far the peers have come.
pub fn passed(store: &Store<'_>) -> Result<Passed> {
    let since = store.wall.saturating_sub(crate::pragma::number(store.conn, "tombstone_ttl")?);
    let mut rows = store.conn.stmt(
        "SELECT p.node, a.scope, a.seq, a.sent FROM main._crdt_peers p LEFT JOIN main._crdt_acks a ON a.node = p.node WHERE p.seen >= ?1",
    )?;
    rows.bind(1, since)?;
    let mut peers: BTreeMap<String, Vec<(String, i64)>> = BTreeMap::new();
    let mut places = BTreeSet::new();
    while rows.step()? {
        let scopes = peers.entry(rows.text(0).unwrap_or_default().to_owned()).or_default();
        if let (Some(scope), Some(seq)) = (rows.text(1), rows.i64(2)) {
            scopes.push((scope.to_owned(), seq));
            places.extend([seq, rows.i64(3).unwrap_or(seq)]);
        }
    }
    Ok(Passed { places, peers })
}
