//! Sync hooks: SQL of the application's that sees each change on its way in or out.
//!
//! `before_inbound` and `before_outbound` filter and alter, `after_inbound` writes what follows from a change. The list is
//! kept with the catalog, so that without hooks nothing is asked.

mod check;
mod inbound;
mod incoming;
mod known;
mod list;
mod run;
mod verdict;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use sha2::{Digest, Sha256};

use crate::change::{Body, Change};
use crate::conn::Conn;
use crate::error::{Error, Result};
use crate::outbound::Item;
use crate::schema::Table;
use crate::store::Store;
pub use inbound::{Inbound, Passage};
pub use incoming::{shown, Place};
pub use known::is_news;
pub use list::{add, remove, write_json};
pub use run::refuse_inside;

/// When a hook runs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Event {
    /// Before a change of a peer is merged.
    BeforeInbound,
    /// After it was merged, in the same transaction.
    AfterInbound,
    /// Before a change is sent.
    BeforeOutbound,
}

impl Event {
    /// All of them.
    pub const ALL: [Event; 3] = [Event::BeforeInbound, Event::AfterInbound, Event::BeforeOutbound];

    /// The name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Event::BeforeInbound => "before_inbound",
            Event::AfterInbound => "after_inbound",
            Event::BeforeOutbound => "before_outbound",
        }
    }

    /// The event of that name.
    pub fn parse(name: &str) -> Option<Event> {
        Event::ALL.into_iter().find(|event| event.name() == name)
    }
}

/// One hook.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hook {
    /// Its name.
    pub name: String,
    /// When it runs.
    pub event: Event,
    /// One statement.
    pub sql: String,
    /// The tables that it stands for, as a GLOB, in any case.
    pub table_glob: String,
}

impl Hook {
    /// A hook whose name and event are as they must be. Its statement is checked when it is added.
    pub fn new(name: &str, event: &str, sql: &str, table_glob: &str) -> Result<Hook> {
        check::name(name)?;
        let event = check::event(event)?;
        Ok(Hook { name: name.to_owned(), event, sql: sql.trim().to_owned(), table_glob: table_glob.to_owned() })
    }
}

/// Hooks of one event that stand for one table, in the order in which they run.
pub type Chain = Rc<[Rc<Hook>]>;

/// All hooks, in the order of their registration.
#[derive(Default)]
pub struct Hooks {
    all: Vec<Rc<Hook>>,
    /// What the hooks of changes on their way out add to the name of a selection.
    scope: String,
    chains: RefCell<HashMap<(i64, Event), Chain>>,
}

impl Hooks {
    /// The hooks as they are stored.
    pub fn read(conn: &Conn) -> Result<Hooks> {
        match read(conn) {
            // Made by a version that had no hooks.
            Err(e) if e.message().starts_with("no such table") => Ok(Hooks::default()),
            all => all.map(|all| Hooks { scope: scope(&all), all, chains: RefCell::default() }),
        }
    }

    /// All of them.
    pub fn all(&self) -> &[Rc<Hook>] {
        &self.all
    }

    /// Whether any hook has this event.
    pub fn any(&self, event: Event) -> bool {
        self.all.iter().any(|hook| hook.event == event)
    }

    /// What the hooks on the way out add to the name of a selection: nothing when there are none.
    pub fn scope(&self) -> &str {
        &self.scope
    }

    /// The hooks of an event that stand for a table.
    pub fn chain(&self, conn: &Conn, event: Event, table: &Table) -> Result<Chain> {
        let key = (table.id, event);
        if let Some(chain) = self.chains.borrow().get(&key) {
            return Ok(Rc::clone(chain));
        }
        let mut chain = Vec::new();
        for hook in self.all.iter().filter(|hook| hook.event == event) {
            if stands_for(conn, hook, &table.name)? {
                chain.push(Rc::clone(hook));
            }
        }
        let chain: Chain = chain.into();
        self.chains.borrow_mut().insert(key, Rc::clone(&chain));
        Ok(chain)
    }
}

fn read(conn: &Conn) -> Result<Vec<Rc<Hook>>> {
    let mut rows = conn.stmt("SELECT name, event, sql, table_glob FROM main._crdt_hook ORDER BY h")?;
    let mut all = Vec::new();
    while rows.step()? {
        let damaged = || Error::data("_crdt_hook holds a row that is none of ours");
        let text = |i| rows.text(i).ok_or_else(damaged);
        all.push(Rc::new(Hook {
            name: text(0)?.to_owned(),
            event: Event::parse(text(1)?).ok_or_else(damaged)?,
            sql: text(2)?.to_owned(),
            table_glob: text(3)?.to_owned(),
        }));
    }
    Ok(all)
}

/// Whether a hook stands for the table of that name.
fn stands_for(conn: &Conn, hook: &Hook, table: &str) -> Result<bool> {
    let values = [table.into(), hook.table_glob.as_str().into()];
    Ok(conn.int("SELECT lower(?1) GLOB lower(?2)", &values)? == Some(1))
}

/// 16 hex digits over the hooks on the way out: another filter, another selection.
fn scope(all: &[Rc<Hook>]) -> String {
    let mut hash = Sha256::new();
    let mut any = false;
    for hook in all.iter().filter(|hook| hook.event == Event::BeforeOutbound) {
        any = true;
        for part in [&hook.sql, &hook.table_glob] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
    }
    if !any {
        return String::new();
    }
    let mut digits = hex::encode(hash.finalize());
    digits.truncate(16);
    format!("|hooks:{digits}")
}

/// Sends the changes of a record, `items` from `from` on, through the hooks on the way out.
pub fn outbound(store: &Store<'_>, table: &Table, from: usize, items: &mut Vec<Item>) -> Result<()> {
    if !store.catalog.hooks.any(Event::BeforeOutbound) {
        return Ok(());
    }
    let chain = store.catalog.hooks.chain(store.conn, Event::BeforeOutbound, table)?;
    if chain.is_empty() {
        return Ok(());
    }
    for item in items.split_off(from) {
        // No change of the row, but that the peer is to let go of it.
        if matches!(item.body, Body::Left(_)) {
            items.push(item);
            continue;
        }
        let Item { table, pk, field, hlc, body, seen } = item;
        let (name, seen) = (Rc::from(table.name.as_str()), seen.map(Box::new));
        let change = Change { table: name, pk, field, hlc, body, seen };
        if let Some(Change { pk, field, hlc, body, seen, .. }) = run::before(store.conn, &chain, change)? {
            items.push(Item { table, pk, field, hlc, body, seen: seen.map(|seen| *seen) });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
