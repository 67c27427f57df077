//! Cursors: a place in one database's log, dressed as an HLC so that any peer hands it back untouched.
//!
//! `node` is `<node id>~<sequence>.<check>`; `ts` and `c` are those of the latest stamp delivered so far. The check ties it
//! to the log row it stands on and to what it was made for. Where it does not fit, the answer starts from the beginning:
//! repeats are harmless, gaps are not.

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::clock::{push_int, Tick};
use crate::conn::Conn;
use crate::error::{Error, Result};
use crate::ffi::ValueRef;

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

/// Reads a cursor's JSON. `scope` tells what the answer is for; the database is asked whether the cursor fits.
pub fn read(conn: &Conn, me: &str, json: &str, scope: &str) -> Result<Since> {
    let wire: Wire = crate::json::object(json).map_err(|e| {
        Error::caller(format!("the cursor is NULL, a latest_hlc, or an HLC {{\"ts\",\"c\",\"node\"}}: {e}"))
    })?;
    if wire.ts < 0 {
        return Err(Error::caller("the cursor's ts is nanoseconds since 1970, from 0"));
    }
    let tick = Tick { ts: wire.ts, c: wire.c };
    let Some((node, place)) = wire.node.rsplit_once('~') else {
        return Ok(if tick == Tick::default() { Since::Start } else { Since::Instant(tick) });
    };
    let (seq, check) = place.split_once('.').unwrap_or((place, ""));
    let fits = |seq: i64| -> Result<bool> {
        let known = node == me && seq > 0 && self::check(conn, me, seq, scope)?.as_deref() == Some(check);
        // Before it lie deletes of which nothing is left.
        Ok(known && seq >= crate::prune::horizon(conn, "resync")?)
    };
    match seq.parse::<i64>() {
        Ok(seq) if fits(seq)? => Ok(Since::Place(seq, tick)),
        _ => Ok(Since::Start),
    }
}

/// Whether a cursor's JSON names a place in some log, other than the beginning.
pub fn is_place(json: &str) -> bool {
    let wire: Option<Wire> = crate::json::object(json).ok();
    let place = wire.as_ref().and_then(|wire| wire.node.rsplit_once('~')).map(|(_, place)| place);
    place.is_some_and(|place| place != "0")
}

/// The log row at `seq`, or where that is gone, as after a purge, the last one before it.
pub fn place(conn: &Conn, seq: i64) -> Result<i64> {
    Ok(conn.int("SELECT max(seq) FROM main._crdt_log WHERE seq <= ?1", &[seq.into()])?.unwrap_or(0))
}

/// The JSON of a cursor at log row `seq`.
pub fn write(conn: &Conn, me: &str, seq: i64, tick: Tick, scope: &str) -> Result<String> {
    let seq = self::place(conn, seq)?;
    let mut place = format!("{me}~{seq}");
    let mut tick = tick;
    match check(conn, me, seq, scope)? {
        Some(check) if seq > 0 => {
            place.push('.');
            place.push_str(&check);
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
            ValueRef::Integer(v) => hash.update(v.to_le_bytes()),
            ValueRef::Real(v) => hash.update(v.to_bits().to_le_bytes()),
            ValueRef::Text(v) | ValueRef::Blob(v) => hash.update(v),
        }
    }
    let mut digits = hex::encode(hash.finalize());
    digits.truncate(CHECK_DIGITS);
    Ok(Some(digits))
}
