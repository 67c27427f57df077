//! What a row has that its record has not: columns that are not tracked, the rowid. Kept while the row is away for the moment.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::conn::Conn;
use crate::error::Result;
use crate::ffi::Value;
use crate::key::Pk;
use crate::row;
use crate::schema::Form;
use crate::sql::{ident, list};

/// Names, quoted, and values; the rowid first, where there is one.
pub type Rest = Vec<(String, Value)>;

/// What rows had that were taken away by the call that is under way, by table and key.
#[derive(Default)]
pub struct Aside(RefCell<BTreeMap<(String, Pk), Rest>>);

impl Aside {
    /// Keeps what a row has, before it goes.
    pub fn keep(&self, conn: &Conn, form: &Form, pk: &Pk, key: &[Value]) -> Result<()> {
        let shape = &form.shape;
        let tracked = |name: &str| form.tracked.iter().any(|tracked| tracked.column.name == name);
        let rest = shape.columns.iter().filter(|c| c.key == 0 && !c.generated && !tracked(&c.name));
        let rowid = shape.rowid_name().filter(|_| !shape.rowid_alias).map(str::to_owned);
        let names: Vec<String> = rowid.into_iter().chain(rest.map(|column| ident(&column.name))).collect();
        if names.is_empty() {
            return Ok(());
        }
        let columns = list(names.iter().cloned());
        let sql = format!("SELECT {columns} FROM main.{} WHERE {}", ident(&shape.name), row::key_condition(form));
        let values: Vec<_> = key.iter().map(Value::as_ref).collect();
        let read = |row: &crate::ffi::Stmt| (0..names.len()).map(|i| row.column(i).to_value()).collect::<Vec<_>>();
        if let Some(values) = conn.first(&sql, &values, read)? {
            // What was kept first is how the row was before the call.
            let mut rows = self.0.borrow_mut();
            rows.entry((shape.name.clone(), pk.clone())).or_insert_with(|| names.into_iter().zip(values).collect());
        }
        Ok(())
    }

    /// What is kept of a row, as much of it as can be first: without the rowid, another row may have taken it.
    pub fn of(&self, form: &Form, pk: &Pk) -> Vec<Rest> {
        if self.0.borrow().is_empty() {
            return Vec::new();
        }
        let Some(rest) = self.0.borrow().get(&(form.shape.name.clone(), pk.clone())).cloned() else {
            return Vec::new();
        };
        let rowid = usize::from(form.shape.rowid_name().is_some() && !form.shape.rowid_alias);
        let without = rest.get(rowid..).unwrap_or_default().to_vec();
        let worth = rowid > 0 && !without.is_empty();
        std::iter::once(rest).chain(worth.then_some(without)).collect()
    }

    /// Lets go of all.
    pub fn clear(&self) {
        self.0.borrow_mut().clear();
    }
}
