//! Cursors: a place in one database's log, dressed as an HLC so that any peer hands it back untouched.
//!
//! `node` is `<node id>~<sequence>.<check>`; `ts` and `c` are those of the latest stamp delivered so far. The check ties it
//! to the log row it stands on and to what it was made for. A trail follows it once the database has had a filter
//! (`src/filter/trail.rs`). Where it does not fit, the answer starts from the beginning:
//! repeats are harmless, gaps are not.

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::clock::{push_int, Tick};
use crate::conn::Conn;
use crate::error::{Error, Result};
use crate::ffi::ValueRef;
use crate::filter::Debt;
use crate::log;
use crate::outbound::Scope;
use crate::store::Store;

/// Hex digits of the check.
const CHECK_DIGITS: usize = 8;

/// Where to go on from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Since {
    /// The beginning.
    Start,
    /// After this log row; the latest stamp delivered before.
    Place(i64, Tick),
    /// What arrived or was stamped after this instant.
    Instant(Tick),
}

#[derive(Deserialize)]
struct Wire {
    ts: i64,
    c: u32,
    #[serde(default)]
    node: String,
}

/// Reads a cursor's JSON. `scope` tells what the answer is for; the database is asked whether the cursor fits. Also what
/// the peer may hold from filters other than the scope's.
pub fn read(store: &Store<'_>, json: &str, scope: &Scope) -> Result<(Since, Vec<Debt>)> {
    let wire: Wire = crate::json::object(json).map_err(|e| {
        Error::caller(format!("the cursor is NULL, a latest_hlc, or an HLC {{\"ts\",\"c\",\"node\"}}: {e}"))
    })?;
    if wire.ts < 0 {
        return Err(Error::caller("the cursor's ts is nanoseconds since 1970, from 0"));
    }
    let tick = Tick { ts: wire.ts, c: wire.c };
    let Some((node, place)) = wire.node.rsplit_once('~') else {
        return Ok((if tick == Tick::default() { Since::Start } else { Since::Instant(tick) }, Vec::new()));
    };
    let (seq, rest) = place.split_once('.').unwrap_or((place, ""));
    let (check, trail) = rest.split_once('.').map_or((rest, None), |(check, trail)| (check, Some(trail)));
    let seq = seq.parse::<i64>().unwrap_or(-1);
    if seq == 0 {
        return Ok((Since::Start, Vec::new()));
    }
    let made_over = made_over(seq, scope, trail);
    let valid =
        node == &*store.me && seq > 0 && self::check(store.conn, &store.me, seq, &made_over)?.as_deref() == Some(check);
    let (fits, debts) = scope.filters.fit(store, &scope.name, (valid, trail, seq))?;
    Ok((if fits { Since::Place(seq, tick) } else { Since::Start }, debts))
}

/// What the check of a cursor is made over, besides its log row. Before the place up to which deletes are lost, only the cursors
/// fit that were handed out since: who comes with an earlier one has to start over, and pages go on.
fn made_over(seq: i64, scope: &Scope, trail: Option<&str>) -> String {
    let mut over = scope.filters.scoped(&scope.name, trail);
    if seq < scope.resync {
        over.push_str(&format!("|resync:{}", scope.resync));
    }
    over
}

/// Whether a cursor's JSON names a place in this log before the one up to which deletes are lost: who comes with it may hold records
/// that nobody will tell it are deleted. The log goes on where the database takes a new id.
pub fn is_before_resync(store: &Store<'_>, json: &str, scope: &Scope) -> Result<bool> {
    if !seq_of(json).is_some_and(|seq| 0 < seq && seq < scope.resync) {
        return Ok(false);
    }
    let Some(origin) = origin(json) else { return Ok(false) };
    Ok(origin == *store.me || crate::node::was(store, &origin)?)
}

/// The node in whose log a cursor's JSON names a place; None for a time.
pub fn origin(json: &str) -> Option<String> {
    let wire: Wire = crate::json::object(json).ok()?;
    Some(wire.node.rsplit_once('~')?.0.to_owned())
}

/// Whether a cursor's JSON names a place in some log, other than the beginning.
pub fn is_place(json: &str) -> bool {
    seq_of(json).is_some_and(|seq| seq != 0)
}

/// The place in some log that a cursor's JSON names; -1 for one that is no number.
pub fn seq_of(json: &str) -> Option<i64> {
    let wire: Wire = crate::json::object(json).ok()?;
    let (_, place) = wire.node.rsplit_once('~')?;
    let (seq, _) = place.split_once('.').unwrap_or((place, ""));
    Some(seq.parse().unwrap_or(-1))
}

/// The log row at `seq`, or where that is gone, as after a purge, the last one before it.
pub fn place(conn: &Conn, seq: i64) -> Result<i64> {
    Ok(conn.int("SELECT max(seq) FROM main._crdt_log WHERE seq <= ?1", &[seq.into()])?.unwrap_or(0))
}

/// The JSON of a cursor of the node `me` at a log row, the latest stamp delivered being `tick`, for a peer that has still to be
/// told of `debts`.
pub fn write(conn: &Conn, me: &str, (seq, tick): (i64, Tick), scope: &Scope, debts: &[Debt]) -> Result<String> {
    let trail = scope.filters.trail(&scope.name, debts);
    let seq = self::place(conn, seq)?;
    let mut place = format!("{me}~{seq}");
    let mut tick = tick;
    match check(conn, me, seq, &made_over(seq, scope, trail.as_deref()))? {
        Some(check) if seq > 0 => {
            place.push('.');
            place.push_str(&check);
            if let Some(trail) = &trail {
                place.push('.');
                place.push_str(trail);
            }
        }
        _ => {
            place = format!("{me}~0");
            tick = Tick::default();
        }
    }
    let mut out = String::from("{\"ts\":");
    push_int(&mut out, tick.ts);
    out.push_str(",\"c\":");
    push_int(&mut out, i64::from(tick.c));
    out.push_str(",\"node\":");
    crate::value::write_text(&mut out, &place);
    out.push('}');
    Ok(out)
}

/// The cursor at the end of the log: for who wants what comes from here on.
pub fn at_end(store: &Store<'_>, scope: &Scope) -> Result<String> {
    write(store.conn, &store.me, (store.last_seq()?, store.clock), scope, &[])
}

/// The check of a log row; None when there is no such row.
fn check(conn: &Conn, me: &str, seq: i64, scope: &str) -> Result<Option<String>> {
    let mut row = conn.stmt("SELECT t, m, at, k0 FROM main._crdt_log WHERE seq = ?1")?;
    row.bind(1, seq)?;
    if !row.step()? {
        return Ok(None);
    }
    let mut hash = Sha256::new();
    for part in [me.as_bytes(), scope.as_bytes(), &seq.to_le_bytes()] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    for i in 0..4 {
        match row.column(i) {
            ValueRef::Null => hash.update([0]),
            ValueRef::Integer(m) if i == 1 => hash.update(log::lasting(m).to_le_bytes()),
            ValueRef::Integer(v) => hash.update(v.to_le_bytes()),
            ValueRef::Real(v) => hash.update(v.to_bits().to_le_bytes()),
            ValueRef::Text(v) | ValueRef::Blob(v) => hash.update(v),
        }
    }
    let mut digits = hex::encode(hash.finalize());
    digits.truncate(CHECK_DIGITS);
    Ok(Some(digits))
}
