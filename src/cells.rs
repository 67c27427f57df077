//! Cells of counters and sets whose text is not what their state shows: given the canonical one after a fold.

use std::collections::BTreeMap;

use crate::conn::Conn;
use crate::error::Result;
use crate::ffi::{Value, ValueRef};
use crate::record::FieldId;
use crate::sql::ident;
use crate::store::{RecordKey, Store};
use crate::types::{set, Type};

/// Such cells by record and field, with the raw value last written.
pub type Cells = BTreeMap<(RecordKey, FieldId), Value>;

/// Gives counter and set cells the text that their state shows, unless they were written again since. A cell stays as it was written
/// where a trigger or a constraint of the application's refuses, or would break a foreign key that is checked at the commit.
pub fn rewrite(store: &mut Store<'_>, cells: Cells) -> Result<()> {
    let conn = store.conn;
    if cells.is_empty() {
        return Ok(());
    }
    if conn.db.breaks_deferred_keys() {
        // By the caller, whose commit tells.
        return cells.iter().try_for_each(|cell| rewrite_one(store, cell));
    }
    let are_whole = unless_broken(conn, || cells.iter().try_for_each(|cell| rewrite_one(store, cell)))?;
    if !are_whole {
        for cell in &cells {
            unless_broken(conn, || rewrite_one(store, cell))?;
        }
    }
    Ok(())
}

/// Does something, or nothing where that breaks a foreign key that is checked at the commit; whether it was done.
fn unless_broken(conn: &Conn, work: impl FnOnce() -> Result<()>) -> Result<bool> {
    conn.run("SAVEPOINT crdt_cells", &[])?;
    work()?;
    let broken = conn.db.breaks_deferred_keys();
    if broken {
        conn.run("ROLLBACK TO crdt_cells", &[])?;
    }
    conn.run("RELEASE crdt_cells", &[])?;
    Ok(!broken)
}

fn rewrite_one(store: &Store<'_>, (((t, pk), field), raw): (&(RecordKey, FieldId), &Value)) -> Result<()> {
    let Some(table) = store.table(*t) else { return Ok(()) };
    let Some(form) = table.form_if_usable(store.conn)? else { return Ok(()) };
    let (Some(tracked), Some(record)) = (form.tracked(*field), store.load(&table, pk)?) else { return Ok(()) };
    let Some(shown) = crate::row::shown(&record, tracked) else { return Ok(()) };
    // What the triggers log of it must be no change: else it is for those who show records, as where peers' elements came first.
    if tracked.ty == Type::Set && elements(&shown) != elements(raw) {
        return Ok(());
    }
    let Some(key) = pk.decode(&form.shape.classes) else { return Ok(()) };
    let column = ident(&tracked.column.name);
    let n = key.len();
    let sql = format!(
        "UPDATE{} main.{} SET {column} = ?{} WHERE {} AND {column} IS ?{} COLLATE BINARY",
        if form.shape.own_conflict_rule { " OR ABORT" } else { "" },
        ident(&form.shape.name),
        n + 1,
        crate::row::key_condition(form),
        n + 2
    );
    let mut values: Vec<ValueRef<'_>> = key.iter().map(Value::as_ref).collect();
    values.extend([shown.as_ref(), raw.as_ref()]);
    let cell = (form, key.as_slice(), *field);
    match store.conn.rollbacks.watch_cell(store, cell, || store.conn.run(&sql, &values)) {
        Err(e) => crate::apply::refused(store.conn, e).map(drop),
        Ok(_) => Ok(()),
    }
}

fn elements(value: &Value) -> Vec<String> {
    value.as_ref().as_str().and_then(|text| set::elements(text).ok()).unwrap_or_default()
}
