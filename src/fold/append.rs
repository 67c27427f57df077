//! New rows whose keys lie above all that are known, as those of an import under rising keys do: nothing is to be looked for or put in
//! order. One statement takes them from the log to the end of the clocks, as far as they come first.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::rc::Rc;

use crate::clock::Tick;
use crate::conn::Conn;
use crate::error::Result;
use crate::ffi::{Call, Out, ValueRef};
use crate::key::{KeyClass, Pk};
use crate::log::{self, Event};
use crate::pack::Nodes;
use crate::pass::Pass;
use crate::store::{stamped, Store};
use crate::types::Type;
use crate::walk::order;

/// Log rows from which on this is worth while, and that are read by one statement.
const FEW: i64 = 64;
const MANY: i64 = 1_000;

const APPEND: &str = "INSERT OR FAIL INTO main._crdt_clock(t, pk, g, ts, c, n)
                      SELECT ?1, k0, ?2, _crdt_give(0), _crdt_give(1), ?3 FROM main._crdt_log
                      WHERE seq > ?4 AND seq <= ?5 AND _crdt_meet(seq, t, m, at, k0)";

/// What is known while rows are appended.
struct Append {
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
    let first = "SELECT t, m FROM main._crdt_log WHERE seq > ?1 ORDER BY seq LIMIT 1";
    let first = conn.first(first, &[store.folded.into()], |row| (row.i64(0), Event::of(row.i64(1))))?;
    let Some((Some(t), Event::Insert)) = first else { return Ok(()) };
    let Some(table) = store.table(t) else { return Ok(()) };
    let Some(form) = table.form_if_usable(conn)? else { return Ok(()) };
    let &[class] = &*form.shape.classes else { return Ok(()) };
    // In a UTF-16 database SQLite has another order than we.
    if table.local(|ty| ty != Type::Lww).next().is_some() || !conn.is_utf8()? {
        return Ok(());
    }
    let last = "SELECT pk FROM main._crdt_clock WHERE t = ?1 ORDER BY pk DESC LIMIT 1";
    let last = conn.first(last, &[table.id.into()], |row| Pk::from_stored(row.column(0)))?.transpose()?;
    let (clock, limit, taken) = (store.clock, store.credible, store.folded);
    let append = Append { t: table.id, class, last, clock, limit, taken, ended: false };
    let append = Rc::new(RefCell::new(append));
    run(store, [table.id, table.gen.into()], end, &append)?;
    (store.clock, store.folded) = (append.borrow().clock, append.borrow().taken);
    Ok(())
}

fn run(store: &Store<'_>, [t, gen]: [i64; 2], end: i64, append: &Rc<RefCell<Append>>) -> Result<()> {
    let me = i64::from(store.nodes.number(&store.me)?);
    let mut from = store.folded;
    while !append.borrow().ended {
        let Some((first, _)) = log::first_after(store.conn, from, end)? else { break };
        let to = end.min(first.saturating_add(MANY - 1));
        let values = [t, gen, me, from, to].map(ValueRef::Integer);
        let count = store.conn.run_pass(APPEND, &values, Rc::<RefCell<Append>>::clone(append))?;
        store.conn.fresh.set(store.conn.fresh.get().saturating_add(count));
        from = to;
    }
    Ok(())
}

impl Pass for RefCell<Append> {
    fn meet(&self, row: &Call<'_, Conn>) -> bool {
        let number = |i| row.arg(i).as_i64();
        let what = (number(1), Event::of(number(2)));
        number(0).is_some_and(|seq| self.borrow_mut().take(seq, what, log::time(row.arg(3)), row.arg(4)))
    }

    fn give(&self, i: i64) -> Out {
        let Tick { ts, c } = self.borrow().clock;
        Out::Int(if i == 0 { ts } else { c.into() })
    }
}

impl Append {
    /// Takes a log row, unless one came that is of another kind.
    fn take(&mut self, seq: i64, (t, event): (Option<i64>, Event), at: i64, key: ValueRef<'_>) -> bool {
        let above = self.last.as_ref().is_none_or(|last| order(key, last.as_ref()) == Ordering::Greater);
        self.ended |= t != Some(self.t) || event != Event::Insert || !above || !self.class.is_plain(key);
        if self.ended {
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
