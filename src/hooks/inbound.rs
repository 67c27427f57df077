//! Hooks on the way in: what a merge asks of them, change by change.

use std::cell::OnceCell;
use std::rc::Rc;

use super::incoming::{AtHand, Incoming};
use super::{known, run, Chain, Event};
use crate::apply::FOREIGN_KEY;
use crate::change::{Body, Change, ROW, TOMBSTONE};
use crate::error::{Error, Result};
use crate::foreign;
use crate::key::Pk;
use crate::merge::Held;
use crate::record::{FieldId, Record};
use crate::schema::Table;
use crate::store::Store;

/// What becomes of a change before it is merged.
pub enum Passage {
    /// It goes on as it came.
    Free,
    /// It goes on with this content.
    Altered(Body),
    /// It is known: not a hook's business.
    Known,
    /// A hook skipped it.
    Skipped,
}

/// The hooks on the way in, during one merge.
#[derive(Default)]
pub struct Inbound {
    /// Changes taken that hooks are to be told of, with their tables' numbers.
    taken: Vec<(i64, Change)>,
}

/// The hooks that filter and alter the changes of one record.
pub struct Gate {
    chain: Chain,
    incoming: Rc<Incoming>,
}

impl Gate {
    /// Asks the hooks about one change. `held` is as in [`crate::merge::merge`].
    pub fn pass(
        &self,
        store: &Store<'_>,
        table: &Table,
        (change, field): (&Change, FieldId),
        record: &Record,
        held: &mut Held<'_>,
    ) -> Result<Passage> {
        if known::holds(record, field, &change.hlc, &change.body) {
            return Ok(Passage::Known);
        }
        if !known::is_news(record, field, &change.hlc, &change.body, held)? {
            return Ok(Passage::Free);
        }
        self.ask(store, table, (change, field))
    }

    /// Whether the hooks skip a change that the record is born anew by.
    pub fn skips(&self, store: &Store<'_>, table: &Table, change: (&Change, FieldId)) -> Result<bool> {
        Ok(matches!(self.ask(store, table, change)?, Passage::Skipped))
    }

    fn ask(&self, store: &Store<'_>, table: &Table, (change, field): (&Change, FieldId)) -> Result<Passage> {
        let _at_hand = AtHand::keep(store.conn, &self.incoming);
        let passed = run::before(store.conn, &self.chain, named(table, field, change))?;
        Ok(match passed {
            None => Passage::Skipped,
            Some(now) if now.body == change.body => Passage::Free,
            Some(now) => Passage::Altered(now.body),
        })
    }
}

impl Inbound {
    /// The hooks that filter and alter the changes of a record; None when there are none.
    pub fn gate(
        &self,
        store: &Store<'_>,
        table: &Table,
        pk: &Pk,
        changes: &[(&Change, FieldId, bool)],
    ) -> Result<Option<Gate>> {
        let hooks = &store.catalog.hooks;
        if !hooks.any(Event::BeforeInbound) {
            return Ok(None);
        }
        let chain = hooks.chain(store.conn, Event::BeforeInbound, table)?;
        if chain.is_empty() {
            return Ok(None);
        }
        let changes = changes.iter().map(|(change, field, _)| (*field, (*change).clone())).collect();
        let incoming = Rc::new(Incoming { t: table.id, pk: pk.clone(), changes, shown: OnceCell::new() });
        Ok(Some(Gate { chain, incoming }))
    }

    /// Notes a change that was taken, with this content.
    pub fn took(
        &mut self,
        store: &Store<'_>,
        table: &Table,
        (change, field): (&Change, FieldId),
        body: &Body,
    ) -> Result<()> {
        let hooks = &store.catalog.hooks;
        if hooks.any(Event::AfterInbound) && !hooks.chain(store.conn, Event::AfterInbound, table)?.is_empty() {
            let taken = Change { body: body.clone(), ..named(table, field, change) };
            self.taken.push((table.id, taken));
        }
        Ok(())
    }

    /// Tells the hooks that follow a merge: rows and records are written. What they write is written here and now.
    pub fn after(self, store: &Store<'_>) -> Result<()> {
        let db = &store.conn.db;
        let (broken, mut broke) = (!self.taken.is_empty() && db.breaks_deferred_keys(), None);
        for (t, change) in &self.taken {
            if let Some(table) = store.table(*t) {
                let chain = store.catalog.hooks.chain(store.conn, Event::AfterInbound, &table)?;
                run::after(store.conn, &chain, change, &mut broke)?;
            }
        }
        match broke.filter(|_| !broken) {
            // The commit would fail, and nobody could tell for what.
            Some(hook) => Err(Error::sqlite(FOREIGN_KEY, foreign::FAILED).of_hook(&hook.name)),
            None => Ok(()),
        }
    }
}

/// A change with the names that its table and field have here: a hook compares them, and a peer may spell them otherwise.
fn named(table: &Table, field: FieldId, change: &Change) -> Change {
    let field = match (&change.body, table.field(field)) {
        (Body::Tombstone { .. }, _) => Rc::from(TOMBSTONE),
        (Body::Row, _) => Rc::from(ROW),
        (_, Some(field)) => Rc::from(field.name.as_str()),
        (_, None) => Rc::clone(&change.field),
    };
    Change { table: Rc::from(table.name.as_str()), field, ..change.clone() }
}
