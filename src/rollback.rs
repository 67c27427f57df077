//! Writes that a trigger of the application answers by rolling the whole transaction back (`RAISE(ROLLBACK)`).
//!
//! What was done is lost with it. So it is done once more from the start, and what was rolled back then is known to be
//! refused. Only where the transaction is ours, of course: in one of the caller's it is an error. As a call can be done once more
//! anyway, many rows are written at once without a savepoint, until one is refused.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use crate::apply::{is_refusal, refused};
use crate::conn::Conn;
use crate::error::{Error, Kind, Result};
use crate::ffi::{Value, ValueRef};
use crate::key::Pk;
use crate::record::FieldId;
use crate::schema::{Catalog, Form};
use crate::store::Store;

/// How such a reason begins in `crdt_pending()`.
pub const REASON: &str = "a trigger of the application rolled the whole transaction back";

/// Most records of one table that are found out one by one; then all that is written to the table waits.
const MOST: usize = 50;

const CONSTRAINT: i32 = 19;
const TRIGGER: i32 = 1811;

/// A table's name, and a key in it; the number of the field, where it is about one cell.
type Name = (String, Pk, Option<FieldId>);

/// What was rolled back, in the call that is under way.
#[derive(Default)]
pub struct Rollbacks {
    refused: RefCell<BTreeMap<Name, String>>,
    last: RefCell<Option<(Name, String)>>,
    /// Changes that waited, by their places in `_crdt_future`, whose release did that; None while none has.
    due: RefCell<Option<BTreeSet<i64>>>,
    /// Whether one more has, since it was asked last.
    news: Cell<bool>,
    /// Whether the call's transaction is the caller's.
    foreign: Cell<bool>,
    /// Whether many rows are written at once with nothing to go back to but the call's beginning.
    bold: Cell<bool>,
}

impl Rollbacks {
    /// Runs a write of a row; refused at once if it was rolled back before.
    pub fn watch(&self, conn: &Conn, form: &Form, key: &[Value], write: impl FnOnce() -> Result<i64>) -> Result<i64> {
        self.watch_named(conn, &|| name(form, key, None), write)
    }

    /// The same for a write of one cell, which can be done without. Refused at once too where its rollback would undo what the
    /// caller has done.
    pub fn watch_cell(
        &self,
        store: &Store<'_>,
        (form, key, field): (&Form, &[Value], FieldId),
        write: impl FnOnce() -> Result<i64>,
    ) -> Result<i64> {
        if self.foreign.get() && is_possible(store.conn, &store.catalog)? {
            return Err(Error::sqlite(TRIGGER, REASON));
        }
        self.watch_named(store.conn, &|| name(form, key, Some(field)), write)
    }

    fn watch_named(&self, conn: &Conn, name: &dyn Fn() -> Name, write: impl FnOnce() -> Result<i64>) -> Result<i64> {
        if !self.refused.borrow().is_empty() {
            self.refuse(&name())?;
        }
        write().inspect_err(|e| {
            // An interrupt or a full disk ends the transaction too.
            let refused = matches!(e.kind(), Kind::Sqlite(code) if code & 0xff == CONSTRAINT);
            if refused && conn.db.autocommit() {
                self.last.replace(Some((name(), e.message().to_owned())));
            }
        })
    }

    /// Whether the transaction of the call under way is the caller's.
    pub fn is_foreign(&self) -> bool {
        self.foreign.get()
    }

    /// The release of these changes rolled back, by what a hook wrote. One is found out when it is tried alone.
    pub fn note_due(&self, ids: &[i64]) {
        let mut due = self.due.borrow_mut();
        let due = due.get_or_insert_default();
        due.extend(ids.first().filter(|_| ids.len() == 1));
        self.news.set(true);
    }

    /// Those that were found out, where the release of any has rolled back: then the others are to be tried one by one. All of `ids`
    /// where there are too many.
    pub fn found_out(&self, ids: &[i64]) -> Option<BTreeSet<i64>> {
        let due = self.due.borrow().clone();
        due.map(|due| if due.len() < MOST { due } else { ids.iter().copied().collect() })
    }

    fn refuse(&self, name: &Name) -> Result<()> {
        let refused = self.refused.borrow();
        let known = refused.get(name).cloned();
        let alike = |other: &&Name| other.0 == name.0 && other.2.is_some() == name.2.is_some();
        let many = || refused.keys().filter(alike).count() >= MOST;
        match known.or_else(|| many().then(|| format!("{REASON}, for many rows of this table"))) {
            Some(reason) => Err(Error::sqlite(TRIGGER, reason)),
            None => Ok(()),
        }
    }

    /// Runs `write`, a write of many rows: all of them, or, where their table refuses one, none and false. SQLite copies each page
    /// that changes under a savepoint, beyond 64 KiB of them to a file; so the first time there is none, and a refusal takes the whole
    /// call back to its beginning. `write` is told whether it may leave rows behind that were written before one that is refused.
    pub fn together(&self, conn: &Conn, write: impl FnOnce(bool) -> Result<()>) -> Result<bool> {
        if self.bold.get() {
            return write(true).map(|()| true).inspect_err(|e| {
                if is_refusal(e) {
                    self.bold.set(false);
                    self.news.set(true);
                }
            });
        }
        match conn.savepoint("crdt_rows", || write(false)) {
            Ok(()) => Ok(true),
            Err(e) => refused(conn, e).map(|_| false),
        }
    }

    /// Does `work`, whose errors do not take the call back to its beginning.
    pub fn carefully<T>(&self, work: impl FnOnce() -> T) -> T {
        let bold = self.bold.replace(false);
        let outcome = work();
        self.bold.set(bold);
        outcome
    }

    /// After a call failed: whether it was for a rollback that is now known of, so that it can be tried again.
    fn learn(&self) -> bool {
        if self.news.take() {
            return true;
        }
        match self.last.take() {
            Some((name, message)) => self.refused.borrow_mut().insert(name, format!("{REASON}: {message}")).is_none(),
            None => false,
        }
    }

    fn forget(&self) {
        self.refused.borrow_mut().clear();
        self.last.replace(None);
        self.due.replace(None);
        self.news.set(false);
    }
}

fn name(form: &Form, key: &[Value], field: Option<FieldId>) -> Name {
    let values: Vec<ValueRef<'_>> = key.iter().map(Value::as_ref).collect();
    (form.shape.name.clone(), Pk::encode(&form.shape.classes, &values), field)
}

/// Runs `work`, again as long as triggers roll it back, where the transaction is its own.
pub fn again<T>(conn: &Conn, mut work: impl FnMut() -> Result<T>) -> Result<T> {
    let own = conn.db.autocommit();
    let (foreign, bold) = (conn.rollbacks.foreign.replace(!own), conn.rollbacks.bold.replace(own));
    let fresh = conn.fresh.get();
    let outcome = loop {
        conn.fresh.set(fresh);
        let outcome = work();
        if outcome.is_ok() || !own || !conn.rollbacks.learn() {
            break outcome;
        }
    };
    if outcome.is_err() {
        conn.fresh.set(fresh);
    }
    conn.rollbacks.foreign.set(foreign);
    conn.rollbacks.bold.set(bold);
    conn.rollbacks.forget();
    outcome
}

/// Whether a trigger of the application may roll back.
pub fn is_possible(conn: &Conn, catalog: &Catalog) -> Result<bool> {
    let kept = catalog.derived(conn)?.map(|derived| &derived.rollback);
    let written_in = |schema| {
        let sql =
            format!("SELECT 1 FROM {schema}.sqlite_schema WHERE type = 'trigger' AND sql LIKE '%ROLLBACK%' LIMIT 1");
        Ok(conn.int(&sql, &[])?.is_some())
    };
    let possible = match kept.and_then(OnceCell::get) {
        Some(possible) => *possible,
        None => written_in("main")?,
    };
    if let Some(kept) = kept {
        kept.get_or_init(|| possible);
    }
    Ok(possible || written_in("temp")?)
}
