//! Unique values that go round: records that wait, each for a value that the row of the next one still holds.
//!
//! None can be written before another has let go. A row that is deleted for that loses what its record does not have: columns
//! of type `none`, its rowid, rows of tables that are not enabled. So the rows take values that nobody has for the moment,
//! and then all of them theirs.

use std::collections::{BTreeMap, BTreeSet};

use super::{Retry, Waiting};
use crate::apply::{self, Shown};
use crate::error::Result;
use crate::ffi::Value;
use crate::key::Pk;
use crate::record::Record;
use crate::unique::{self, Index};
use crate::{foreign, rollback, row, spare};

/// Most times that one set of rows is tried, less those that were refused: which the indexes' definitions do not tell.
const TRIES: usize = 8;

/// A record that waits, though it has a row.
struct Trader<'w> {
    waiting: &'w Waiting,
    before: Record,
    /// With all its values.
    now: Record,
}

impl Retry<'_, '_> {
    /// Shows records whose rows stand in the way of each other, and of no other; whether there were any. `all` are those that
    /// wait, oldest claim first.
    pub(super) fn trade(&mut self, all: &[Waiting]) -> Result<bool> {
        let mut tables: BTreeMap<i64, Vec<Trader<'_>>> = BTreeMap::new();
        for waiting in all {
            if let Some(trader) = self.trader(waiting)? {
                tables.entry(waiting.table.id).or_default().push(trader);
            }
        }
        let mut traded = false;
        for mut traders in tables.into_values() {
            self.keep_among(&mut traders)?;
            for _ in 0..TRIES {
                let refused = if traders.len() > 1 { self.trade_all(&traders)? } else { break };
                if refused.is_empty() {
                    traded = true;
                    break;
                }
                let mut places = 0..;
                traders.retain(|_| places.next().is_none_or(|place| !refused.contains(&place)));
            }
        }
        Ok(traded)
    }

    fn trader<'w>(&mut self, waiting: &'w Waiting) -> Result<Option<Trader<'w>>> {
        let Waiting { table, pk, reason, .. } = waiting;
        let (conn, form) = (self.store.conn, table.form(self.store.conn)?);
        if (self.manner.timid && reason.starts_with(rollback::REASON)) || !row::exists(conn, form, pk)? {
            return Ok(None);
        }
        let Some(before) = self.store.load(table, pk)?.filter(Record::alive) else { return Ok(None) };
        let mut now = before.clone();
        self.watch.intend(form, table.id, pk, &mut now);
        now = apply::complete(conn, form, pk, &now)?;
        Ok(Some(Trader { waiting, before, now }))
    }

    /// Lets go of those that wait for others than these, of those that wait for them in turn, and of those that stand in nobody's way. Where an
    /// index tells its claims only by rows, it may be any.
    fn keep_among(&mut self, traders: &mut Vec<Trader<'_>>) -> Result<()> {
        let Some(first) = traders.first() else { return Ok(()) };
        let (conn, table) = (self.store.conn, &first.waiting.table);
        let form = table.form(conn)?;
        let indexes = self.indexes(table, form)?;
        let mut holders: BTreeMap<Pk, Vec<Pk>> = BTreeMap::new();
        for Trader { waiting, now, .. } in &*traders {
            let Some(key) = waiting.pk.decode(&form.shape.classes) else { continue };
            let found = unique::claims(conn, form, &indexes, &key, now)
                .and_then(|claims| unique::holders(conn, form, &indexes, &claims, &waiting.pk));
            let found = match found {
                Ok(found) => found,
                Err(e) => apply::refused(conn, e).map(|_| Vec::new())?,
            };
            holders.insert(waiting.pk.clone(), found.into_iter().map(|(holder, _)| holder).collect());
        }
        let mut left = among(&holders);
        if !indexes.iter().any(Index::is_opaque) {
            let held = |pk: &Pk| holders.get(pk).into_iter().flatten();
            let mut involved: BTreeSet<Pk> = left.iter().flat_map(held).cloned().collect();
            involved.extend(left.iter().filter(|pk| held(pk).next().is_some()).cloned());
            left.retain(|pk| involved.contains(pk));
        }
        traders.retain(|trader| left.contains(&trader.waiting.pk));
        Ok(())
    }

    /// Shows all of them, or none: the places of those that were refused.
    fn trade_all(&mut self, traders: &[Trader<'_>]) -> Result<Vec<usize>> {
        let (conn, watch, put_off) = (self.store.conn, self.watch.clone(), self.store.conn.put_off.get());
        let broken = conn.db.breaks_deferred_keys();
        conn.run("SAVEPOINT crdt_trade", &[])?;
        let refused = self.try_all(traders, broken)?;
        if !refused.is_empty() {
            conn.run("ROLLBACK TO crdt_trade", &[])?;
            *self.watch = watch;
        }
        conn.run("RELEASE crdt_trade", &[])?;
        if !put_off {
            foreign::resume(conn)?; // nothing was broken by this, and what comes next is to be checked
        }
        Ok(refused)
    }

    /// `broken`: some foreign key is broken already, so whether one more is cannot be told afterwards.
    fn try_all(&mut self, traders: &[Trader<'_>], broken: bool) -> Result<Vec<usize>> {
        let mut refused = Vec::new();
        for (place, trader) in traders.iter().enumerate() {
            if !self.move_aside(trader, broken)? {
                refused.push(place);
            }
        }
        if !refused.is_empty() {
            return Ok(refused);
        }
        for (place, Trader { waiting, before, now }) in traders.iter().enumerate() {
            let Waiting { table, pk, .. } = waiting;
            let (form, mut now) = (table.form(self.store.conn)?, now.clone());
            match self.apply(table, form, pk, &mut now)? {
                Shown::Yes => self.finish(waiting, before, now, Shown::Yes).map(|_| ())?,
                _ => refused.push(place),
            }
        }
        // A row of another table referred to a value that is gone now.
        let breaks = match broken {
            true => self.manner.wary && self.watch.strangers.broken(self.store.conn)?.is_some(),
            false => self.store.conn.db.breaks_deferred_keys(),
        };
        if refused.is_empty() && breaks {
            refused.extend(0..traders.len());
        }
        Ok(refused)
    }

    /// Gives a row values that nobody has, in the columns of unique indexes where it is to change; false where it is not let.
    fn move_aside(&mut self, trader: &Trader<'_>, broken: bool) -> Result<bool> {
        let Waiting { table, pk, .. } = trader.waiting;
        let (conn, form) = (self.store.conn, table.form(self.store.conn)?);
        let (Some(key), Some(live)) = (pk.decode(&form.shape.classes), row::read(conn, form, pk)?) else {
            return Ok(false);
        };
        let unique = form.unique_fields(conn)?;
        let any = self.indexes(table, form)?.iter().any(Index::is_opaque);
        let mut places = apply::differing(form, &trader.now, &live);
        places.retain(|(i, _)| any || form.tracked.get(*i).is_some_and(|tracked| unique.contains(&tracked.field)));
        let concerns = |(i, _): &(usize, Value)| {
            let tracked = form.tracked.get(*i);
            tracked.is_some_and(|t| conn.foreign.borrow().concerns(&form.shape.name, &t.column.name))
        };
        if broken && places.iter().any(concerns) {
            return Ok(false);
        }
        let mut refusal = None;
        for way in spare::WAYS {
            if way.puts_off() {
                if refusal.as_deref() != Some(foreign::FAILED) {
                    break;
                }
                foreign::put_off(conn)?;
            }
            let cells = places.iter().map(|(i, _)| Ok((*i, spare::value(conn, form, *i, live.get(*i), way)?)));
            refusal = spare::write(conn, form, &key, &cells.collect::<Result<Vec<_>>>()?)?;
            if refusal.is_none() {
                break;
            }
        }
        self.watch.notice(self.store, pk, table.id, self.manner.mark)?;
        Ok(refusal.is_none())
    }
}

/// Of keys and those that each waits for, the keys that wait for nobody else, directly or not.
fn among(holders: &BTreeMap<Pk, Vec<Pk>>) -> BTreeSet<Pk> {
    let mut left: BTreeSet<Pk> = holders.keys().cloned().collect();
    let mut waiters: BTreeMap<&Pk, Vec<&Pk>> = BTreeMap::new();
    let mut gone = Vec::new();
    for (pk, held_by) in holders {
        for holder in held_by {
            waiters.entry(holder).or_default().push(pk);
            if !holders.contains_key(holder) {
                gone.push(pk);
            }
        }
    }
    while let Some(pk) = gone.pop() {
        if left.remove(pk) {
            gone.extend(waiters.get(pk).into_iter().flatten());
        }
    }
    left
}
