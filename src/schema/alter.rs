//! `crdt_alter`: an ALTER TABLE of the application's with our triggers out of the way.
//!
//! SQLite itself renames tables and columns in triggers, and adds columns past them. But it refuses to drop a column that any
//! trigger names, and ours name all. So the alteration is tried with them in place; if that fails, they are lifted, and made
//! again afterwards.

use std::collections::BTreeMap;

use crate::conn::Conn;
use crate::error::{Error, Result};
use crate::record::FieldId;
use crate::schema::shape::Shape;
use crate::schema::{switch, Catalog, Table};
use crate::session;
use crate::sql::ident;

/// Runs `ALTER TABLE table alteration` and enables the table again; the report of `crdt_enable`. In the caller's savepoint.
pub fn alter(conn: &Conn, name: &str, alteration: &str) -> Result<String> {
    let mut store = session::open(conn)?;
    session::catch_up(&mut store)?;
    let table = std::rc::Rc::clone(store.catalog.enabled(name)?);
    drop(store);
    let sql = format!("ALTER TABLE main.{} {alteration}", ident(&table.name));
    let columns = match conn.savepoint("crdt_alter", || conn.db.run_alone(&sql)) {
        Ok(()) => None,
        // With the triggers in place: what is wrong may be them.
        Err(e) if e.is_statement() => Some(lifted(conn, &table, &sql)?),
        Err(e) => return Err(e),
    };
    conn.forget_schema();
    let catalog = Catalog::current(conn)?.ok_or_else(|| Error::internal("the tables of ours are gone"))?;
    let name = catalog.by_id(table.id).map_or(table.name.as_str(), |table| table.name.as_str());
    switch::enable_with(conn, name, &[], columns)
}

/// Runs the alteration without our triggers; which column each field is then.
fn lifted(conn: &Conn, table: &Table, sql: &str) -> Result<BTreeMap<FieldId, String>> {
    let form = table.form(conn)?;
    let before: Vec<String> = form.shape.columns.iter().map(|c| c.name.clone()).collect();
    let fields: Vec<(FieldId, String)> = form.tracked.iter().map(|t| (t.field, t.column.name.clone())).collect();
    let catalog = Catalog::current(conn)?.ok_or_else(|| Error::internal("the tables of ours are gone"))?;
    switch::drop_objects(conn, &catalog, table)?;
    // A trigger that names no column stays, as it goes with the table when that is renamed.
    let mark = format!("_crdt_{}_insert", table.id);
    conn.change_schema(&format!(
        "CREATE TRIGGER main.{} AFTER INSERT ON {} BEGIN SELECT 1; END",
        ident(&mark),
        ident(&table.name)
    ))?;
    conn.db.run_alone(sql)?;
    conn.forget_schema();
    let at = "SELECT tbl_name FROM main.sqlite_schema WHERE type = 'trigger' AND name = ?1";
    let name = conn.first(at, &[mark.as_str().into()], |row| row.text(0).map(str::to_owned))?.flatten();
    let after = Shape::read(conn, name.as_deref().unwrap_or(&table.name))?.columns;
    // One ALTER drops or adds columns, or renames one in its place.
    let renamed = |name: &String| {
        let place = before.iter().position(|b| b == name).filter(|_| before.len() == after.len());
        place.and_then(|i| after.get(i)).map(|c| c.name.clone())
    };
    let there = |name: &String| after.iter().find(|c| c.name == *name).map(|c| c.name.clone());
    Ok(fields.into_iter().filter_map(|(field, name)| Some((field, renamed(&name).or_else(|| there(&name))?))).collect())
}
