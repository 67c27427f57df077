//! Cells of counters and sets whose text is not what their state shows: given the canonical one after a fold.

use std::collections::BTreeMap;

use crate::conn::Conn;
use crate::error::Result;
use crate::ffi::{Value, ValueRef};
use crate::record::FieldId;
use crate::sql::ident;
use crate::store::{RecordKey, Store};

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
    let (cell, mark) = ((form, key.as_slice(), *field), store.last_seq()?);
    match store.conn.rollbacks.watch_cell(store, cell, || store.conn.run(&sql, &values)) {
        Err(e) => crate::apply::refused(store.conn, e).map(drop),
        Ok(_) => unlog(store, (*t, *field), &values, mark),
    }
}

/// Takes back what our trigger has logged of this after `mark`: it is no write of this node's, also where the state has more than the cell
/// had, as elements that came from peers before the column was a set. `values` begin with the key and end with the new and the old value.
fn unlog(store: &Store<'_>, (t, field): (i64, FieldId), values: &[ValueRef<'_>], mark: i64) -> Result<()> {
    let ([first, ..], [.., new, old]) = (values, values) else { return Ok(()) };
    let sql = "DELETE FROM main._crdt_log
               WHERE seq > ?1 AND t = ?2 AND m = -5 AND k0 IS ?3 AND v0 = ?4 AND v1 IS ?5 AND v2 IS ?6";
    store.conn.run(sql, &[mark.into(), t.into(), *first, i64::from(field).into(), *old, *new]).map(drop)
}
