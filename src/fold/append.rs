//! New rows whose keys lie above all that are known, as those of an import under rising keys do: nothing is to be looked for or put in
//! order. One statement takes them from the log to the end of the clocks, as far as they come first; `_crdt_append` gives the stamps.

use std::cmp::Ordering;

use crate::clock::Tick;
use crate::conn::Conn;
use crate::error::Result;
use crate::ffi::{Call, Out, ValueRef};
use crate::key::{KeyClass, Pk};
use crate::log::{self, Event};
use crate::pack::Nodes;
use crate::store::{stamped, Store};
use crate::types::Type;
use crate::walk::order;

/// Log rows from which on this is worth while, and that are read by one statement.
const FEW: i64 = 64;
const MANY: i64 = 1_000;

const APPEND: &str = "INSERT OR FAIL INTO main._crdt_clock(t, pk, g, ts, c, n)
                      SELECT ?1, k0, ?2, _crdt_append(0), _crdt_append(1), ?3 FROM main._crdt_log
                      WHERE seq > ?4 AND seq <= ?5 AND _crdt_append(seq, t, m, at, k0)";

/// What is known while rows are appended.
pub struct Append {
    t: i64,
    class: KeyClass,
    /// The highest key.
    last: Option<Pk>,
    clock: Tick,
    /// Beyond it no time is to go by.
    limit: i64,
    /// The last log row that was taken.
    taken: i64,
    /// Whether a row came that is of another kind.
    ended: bool,
}

/// Folds the rows up to `end` that come before the first of another kind.
pub(super) fn prefix(store: &mut Store<'_>, end: i64) -> Result<()> {
    if end.saturating_sub(store.folded) < FEW {
        return Ok(());
    }
    let conn = store.conn;
    let first = "SELECT t FROM main._crdt_log WHERE seq > ?1 ORDER BY seq LIMIT 1";
    let Some(table) = conn.int(first, &[store.folded.into()])?.and_then(|t| store.table(t)) else { return Ok(()) };
    let Some(form) = table.form_if_usable(conn)? else { return Ok(()) };
    let &[class] = form.shape.classes.as_slice() else { return Ok(()) };
    if table.local(|ty| ty != Type::Lww).next().is_some() {
        return Ok(());
    }
    let last = "SELECT pk FROM main._crdt_clock WHERE t = ?1 ORDER BY pk DESC LIMIT 1";
    let last = conn.first(last, &[table.id.into()], |row| Pk::from_stored(row.column(0)))?.transpose()?;
    let (clock, limit, taken) = (store.clock, store.limit(), store.folded);
    conn.append.replace(Some(Append { t: table.id, class, last, clock, limit, taken, ended: false }));
    let outcome = run(store, [table.id, table.gen.into()], end);
    let append = conn.append.take();
    outcome?;
    if let Some(append) = append {
        (store.clock, store.folded) = (append.clock, append.taken);
    }
    Ok(())
}

fn run(store: &Store<'_>, [t, gen]: [i64; 2], end: i64) -> Result<()> {
    let me = i64::from(store.nodes.number(&store.me)?);
    let mut from = store.folded;
    while from < end {
        let to = end.min(from.saturating_add(MANY));
        let count = store.conn.run(APPEND, &[t, gen, me, from, to].map(ValueRef::Integer))?;
        store.conn.fresh.set(store.conn.fresh.get().saturating_add(count));
        if store.conn.append.borrow().as_ref().is_none_or(|append| append.ended) {
            break;
        }
        from = to;
    }
    Ok(())
}

/// `_crdt_append(seq, t, m, at, k0)`: whether a log row is appended. `_crdt_append(0)` and `_crdt_append(1)`: its stamp's `ts` and
/// `c`. NULL but while a statement of ours runs.
pub fn append(call: &Call<'_, Conn>) -> Result<Out> {
    let Ok(mut append) = call.state().append.try_borrow_mut() else { return Ok(Out::Null) };
    let Some(append) = append.as_mut() else { return Ok(Out::Null) };
    let number = |i| call.arg(i).as_i64();
    Ok(Out::Int(match (call.len(), number(0)) {
        (5, Some(seq)) => append.take(seq, (number(1), number(2)), log::time(call.arg(3)), call.arg(4)).into(),
        (_, Some(0)) => append.clock.ts,
        _ => append.clock.c.into(),
    }))
}

impl Append {
    fn take(&mut self, seq: i64, (t, m): (Option<i64>, Option<i64>), at: i64, key: ValueRef<'_>) -> bool {
        let above = self.last.as_ref().is_none_or(|last| order(key, last) == Ordering::Greater);
        let fits = t == Some(self.t) && Event::of(m) == Event::Insert && above && self.class.is_plain(key);
        if self.ended || !fits {
            self.ended = true;
            return false;
        }
        match (&mut self.last, key) {
            (Some(Pk::Text(last)), ValueRef::Text(key)) => {
                last.clear();
                last.push_str(&String::from_utf8_lossy(key));
            }
            (last, key) => *last = Some(Pk::encode(&[self.class], &[key])),
        }
        self.clock = stamped(self.clock, at, self.limit);
        self.taken = seq;
        true
    }
}
