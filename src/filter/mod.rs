//! Filters of what is exported: an expression over the row's own columns. Only rows for which it holds are sent, whole when
//! they enter; a row that leaves is told as such, to those who may have it.
//!
//! A record is `In` since a log row. A peer whose cursor lies beyond that row has it whole and gets what changed; any other
//! gets it whole when its cursor comes to that row. Of a record that is outside, a peer is told that it left (or was
//! deleted) if its cursor lies beyond the row under which the record had first entered: others never had it.

mod expression;
mod inside;
pub mod registry;
mod row;
mod trail;

use std::collections::BTreeMap;
use std::rc::Rc;

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::key::Pk;
use crate::schema::Table;
use crate::store::Store;
pub use inside::entries_went;
use inside::{Inside, Lately, Mode};
pub use row::check;
pub use trail::{Debt, Of, Trail};

/// What an export makes of a log row of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// As without a filter.
    Send,
    /// The whole record.
    Whole,
    /// Nothing.
    Skip,
    /// That it is gone from the filter.
    Gone,
    /// Nothing of it, nor of what comes after it in the log: the cursor would tell that the peer has it.
    End,
}

/// Where a peer stands.
pub struct Reach<'d> {
    /// The log row up to which it has been sent everything; None for who names an instant only.
    pub upto: Option<i64>,
    /// What it may hold from other filters.
    pub debts: &'d [Debt],
}

/// One table's filter.
#[derive(Clone)]
struct Rule {
    table: Rc<Table>,
    expr: String,
    f: Option<i64>,
    lately: Lately,
}

impl Rule {
    /// Its name in cursors: its number, or a hash where it has none.
    fn name(&self) -> String {
        self.f.map_or_else(|| format!("x{}", hash(&format!("{} {}", self.table.id, self.expr))), |f| f.to_string())
    }
}

/// The filters of one export.
#[derive(Clone, Default)]
pub struct Filters {
    rules: BTreeMap<i64, Rule>,
    memory: bool,
    /// None while the database has never had a filter.
    secret: Option<Rc<registry::Secret>>,
}

impl Filters {
    /// The database's own filters and a peer's (table and expression), for the tables that an export covers. Members are
    /// brought up to date.
    pub fn new(store: &Store<'_>, covers: impl Fn(i64) -> bool, of_peer: &BTreeMap<String, String>) -> Result<Filters> {
        let mut texts: BTreeMap<i64, String> = registry::own(store.conn)?.into_iter().collect();
        for (name, expr) in of_peer {
            let table = store.catalog.listed(name)?;
            if registry::find(store.conn, table.id, expr)?.is_none() {
                check(store, table, expr)?;
            }
            let combined = match texts.get(&table.id) {
                Some(own) if own == expr => expr.clone(),
                Some(own) => format!("({own}) AND ({expr})"),
                None => expr.clone(),
            };
            texts.insert(table.id, combined);
        }
        let mut rules = BTreeMap::new();
        for (t, expr) in texts {
            if let Some(table) = store.table(t).filter(|_| covers(t)) {
                rules.insert(t, Rule { table, expr, f: None, lately: Lately::default() });
            }
        }
        Filters { rules, memory: false, secret: None }.renewed(store)
    }

    /// The same filters, their members brought up to date.
    pub fn renewed(&self, store: &Store<'_>) -> Result<Filters> {
        let mode = match (store.may_write.get(), store.conn.db.is_readonly()) {
            (true, _) => Mode::Written,
            (false, true) => Mode::Memory,
            (false, false) => Mode::Waiting,
        };
        let mut rules = BTreeMap::new();
        for (t, rule) in &self.rules {
            // A table that is gone is not exported either.
            let Some(table) = store.table(*t) else { continue };
            if table.form_if_usable(store.conn)?.is_none() {
                continue;
            }
            rules.insert(*t, renew(store, table, &rule.expr, mode)?);
        }
        let secret = registry::secret(store.conn)?.map(Rc::new);
        let memory = mode == Mode::Memory && !rules.is_empty();
        Ok(Filters { rules, memory, secret })
    }

    /// Whether everything passes.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// What to do with a record at log row `q`.
    pub fn judge(&self, store: &Store<'_>, t: i64, pk: &Pk, q: i64, reach: &Reach<'_>) -> Result<Verdict> {
        let Some(rule) = self.rules.get(&t) else { return Ok(Verdict::Send) };
        if rule.lately.unsettled.contains(pk) {
            return Ok(Verdict::End);
        }
        let inside = match rule.lately.members.get(pk) {
            Some(inside) => Some(*inside),
            None => inside::stored(store, rule.f, pk)?,
        };
        let first = match inside {
            Some(Inside { since: Some(since), .. }) => {
                return Ok(match reach.upto {
                    // It comes when the cursor passes the row under which it entered: thus the cursor tells who has it.
                    _ if q < since => Verdict::Skip,
                    Some(upto) if since <= upto => Verdict::Send,
                    _ => Verdict::Whole,
                });
            }
            Some(Inside { first, .. }) => Some(first),
            None => None,
        };
        // Also one that entered after its cursor: a page that it has merged may have been lost with its own cursor.
        let may_have = first.is_some() && reach.upto != Some(0);
        if may_have || self.owed(store, t, pk, q, reach.debts)? {
            return Ok(Verdict::Gone);
        }
        Ok(Verdict::Skip)
    }

    fn owed(&self, store: &Store<'_>, t: i64, pk: &Pk, q: i64, debts: &[Debt]) -> Result<bool> {
        for debt in debts {
            let owed = match debt.of {
                Of::Table(of) => of == t && self.owed_all(store, t, pk, q, debt.upto)?,
                Of::Filter(f) => inside::was_inside(store, f, t, pk, debt.upto)?,
            };
            if owed {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a peer that had been sent a whole table, up to log row `upto`, has this record. That it was told that the
    /// record is gone is noted: it may refuse, and a later row of the log does not tell how old the record is.
    fn owed_all(&self, store: &Store<'_>, t: i64, pk: &Pk, q: i64, upto: i64) -> Result<bool> {
        // Before the first filter pruning did not keep when a record came to be: what was there then counts as old.
        let born = self.secret.as_ref().map_or(0, |secret| secret.born);
        if q > upto.max(born.min(crate::prune::horizon(store.conn, "pruned")?)) {
            return registry::find(store.conn, t, registry::ALL)?
                .map_or(Ok(false), |all| inside::was_inside(store, all.f, t, pk, upto));
        }
        match (store.may_write.get(), self.memory) {
            (true, _) => inside::note(store, registry::intern(store, t, registry::ALL)?.f, pk, q.min(upto))?,
            (false, true) => {}
            (false, false) => return Err(inside::cannot_begin(store)),
        }
        Ok(true)
    }

    fn names(&self) -> Vec<String> {
        self.rules.values().map(Rule::name).collect()
    }

    /// The filters' part of a cursor; None while the database has never had one.
    pub fn trail(&self, name: &str, debts: &[Debt]) -> Option<String> {
        if self.secret.is_none() && self.rules.is_empty() {
            return None;
        }
        let (filters, debts) = (self.names(), debts.to_vec());
        Some(Trail { memory: self.memory, filters, scope: hash(name), debts }.text())
    }

    /// What the check of a cursor is made over: a trail comes with the secret, so that no peer can make one up and be told
    /// of keys that it never had.
    pub fn scoped(&self, name: &str, trail: Option<&str>) -> String {
        match trail {
            None => name.to_owned(),
            Some(trail) => format!("{trail}|{}", self.secret.as_ref().map_or("", |secret| &secret.text)),
        }
    }

    /// Whether a cursor was made for these filters and the scope `name`; what its peer may hold from others. `valid` tells
    /// whether its check holds, `trail` what it says, `seq` where it stands.
    pub fn fit(
        &self,
        store: &Store<'_>,
        name: &str,
        (valid, trail, seq): (bool, Option<&str>, i64),
    ) -> Result<(bool, Vec<Debt>)> {
        let trail = trail.map(Trail::parse);
        let mut debts = Vec::new();
        let born = self.secret.as_ref().map_or(i64::MAX, |secret| secret.born);
        match trail {
            // Before the first filter everything was sent to everyone.
            None if valid && self.rules.is_empty() => return Ok((true, debts)),
            // Since then there is no cursor without a trail: that is checked without the secret, and might be made up.
            None if valid && seq <= born => {
                for t in self.rules.keys() {
                    Trail::owe(&mut debts, Of::Table(*t), seq);
                }
            }
            Some(Some(trail)) if valid && (!trail.memory || self.memory) => {
                debts = trail.debts;
                self.forgive(store, &mut debts)?;
                if self.secret.is_none() {
                    debts.clear(); // without a secret anyone could have made it
                }
                if trail.filters == self.names() && trail.scope == hash(name) {
                    return Ok((true, debts));
                }
                if !trail.memory {
                    self.owe_others(store, &trail.filters, seq, &mut debts)?;
                }
            }
            // Another database's, other tables', or made where nothing could be noted: whoever comes back with it may hold
            // what was inside.
            _ => {
                let end = store.last_seq()?;
                for f in self.rules.values().filter_map(|rule| rule.f) {
                    Trail::owe(&mut debts, Of::Filter(f), end);
                }
            }
        }
        Ok((false, debts))
    }

    /// Takes out debts of filters that were forgotten: of those nothing is known that could be told.
    fn forgive(&self, store: &Store<'_>, debts: &mut Vec<Debt>) -> Result<()> {
        let mut known = Vec::new();
        for debt in debts.drain(..) {
            let is_known = match debt.of {
                Of::Filter(f) => registry::table_of(store.conn, f)?.is_some(),
                Of::Table(_) => true,
            };
            known.extend(is_known.then_some(debt));
        }
        *debts = known;
        Ok(())
    }

    /// Debts of a peer that was sent what other filters let through, up to log row `seq`; of what was inside of them later it may have
    /// merged pages whose cursors it lost.
    fn owe_others(&self, store: &Store<'_>, given: &[String], seq: i64, debts: &mut Vec<Debt>) -> Result<()> {
        let (mut filtered, end) = (Vec::new(), store.last_seq()?);
        for f in given.iter().filter_map(|name| name.parse::<i64>().ok()) {
            Trail::owe(debts, Of::Filter(f), end);
            filtered.extend(registry::table_of(store.conn, f)?);
        }
        // A filter that was forgotten may have been any table's.
        let all_known = filtered.len() == given.len();
        for t in self.rules.keys().filter(|t| all_known && !filtered.contains(t)) {
            Trail::owe(debts, Of::Table(*t), seq);
        }
        Ok(())
    }
}

/// Eight hex digits.
fn hash(text: &str) -> String {
    let mut digits = hex::encode(Sha256::digest(text));
    digits.truncate(8);
    digits
}

fn renew(store: &Store<'_>, table: Rc<Table>, expr: &str, mode: Mode) -> Result<Rule> {
    let question = row::Question::new(store, &table, expr).map_err(|e| {
        Error::caller(format!(
            "the filter of table '{}' no longer fits it ({}); set it anew with crdt_filter",
            crate::error::excerpt(&table.name),
            e.message()
        ))
    })?;
    let known = match mode {
        Mode::Written => Some(registry::intern(store, table.id, expr)?),
        _ => registry::find(store.conn, table.id, expr)?,
    };
    if mode == Mode::Waiting && known.is_none() {
        return Err(inside::cannot_begin(store));
    }
    let (f, seen, used) = known.map_or((None, 0, 0), |known| (Some(known.f), known.seen, known.used));
    let filter = inside::Filter { f, table: &table, seen, used };
    let lately = inside::refresh(store, &filter, &question, mode)?;
    Ok(Rule { table, expr: expr.to_owned(), f, lately })
}
