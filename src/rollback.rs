//! Writes that a trigger of the application answers by rolling the whole transaction back (`RAISE(ROLLBACK)`).
//!
//! What was done is lost with it. So it is done once more from the start, and what was rolled back then is known to be
//! refused. Only where the transaction is ours, of course: in one of the caller's it is an error.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;

use crate::conn::Conn;
use crate::error::{Error, Kind, Result};
use crate::ffi::{Value, ValueRef};
use crate::key::Pk;
use crate::schema::{Catalog, Form};

/// How such a reason begins in `crdt_pending()`.
pub const REASON: &str = "a trigger of the application rolled the whole transaction back";

/// Most records of one table that are found out one by one; then all that is written to the table waits.
const MOST: usize = 50;

const CONSTRAINT: i32 = 19;
const TRIGGER: i32 = 1811;

/// A table's name, and a key in it.
type Name = (String, Pk);

/// What was rolled back, in the call that is under way.
#[derive(Default)]
pub struct Rollbacks {
    refused: RefCell<BTreeMap<Name, String>>,
    last: RefCell<Option<(Name, String)>>,
}

impl Rollbacks {
    /// Runs a write of a row; refused at once if it was rolled back before.
    pub fn watch(&self, conn: &Conn, form: &Form, key: &[Value], write: impl FnOnce() -> Result<i64>) -> Result<i64> {
        if !self.refused.borrow().is_empty() {
            self.refuse(form, key)?;
        }
        write().inspect_err(|e| {
            // An interrupt or a full disk ends the transaction too.
            let refused = matches!(e.kind(), Kind::Sqlite(code) if code & 0xff == CONSTRAINT);
            if refused && conn.db.autocommit() {
                self.last.replace(Some((name(form, key), e.message().to_owned())));
            }
        })
    }

    fn refuse(&self, form: &Form, key: &[Value]) -> Result<()> {
        let (refused, name) = (self.refused.borrow(), name(form, key));
        let known = refused.get(&name).cloned();
        let many = || refused.keys().filter(|(table, _)| *table == name.0).count() >= MOST;
        match known.or_else(|| many().then(|| format!("{REASON}, for many rows of this table"))) {
            Some(reason) => Err(Error::sqlite(TRIGGER, reason)),
            None => Ok(()),
        }
    }

    /// After a call failed: whether it was for a rollback that is now known of, so that it can be tried again.
    fn learn(&self) -> bool {
        match self.last.take() {
            Some((name, message)) => self.refused.borrow_mut().insert(name, format!("{REASON}: {message}")).is_none(),
            None => false,
        }
    }

    fn forget(&self) {
        self.refused.borrow_mut().clear();
        self.last.replace(None);
    }
}

fn name(form: &Form, key: &[Value]) -> Name {
    let values: Vec<ValueRef<'_>> = key.iter().map(Value::as_ref).collect();
    (form.shape.name.clone(), Pk::encode(&form.shape.classes, &values))
}

/// Runs `work`, again as long as triggers roll it back, where the transaction is its own.
pub fn again<T>(conn: &Conn, mut work: impl FnMut() -> Result<T>) -> Result<T> {
    let own = conn.db.autocommit();
    loop {
        let outcome = work();
        if outcome.is_err() && own && conn.rollbacks.learn() {
            continue;
        }
        conn.rollbacks.forget();
        return outcome;
    }
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
