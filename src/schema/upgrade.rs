//! A database in an older layout of our tables, brought to the present one.
//!
//! It is done by the first call that can write, in that call's savepoint. Clients without the extension notice nothing: what
//! the triggers write, before and after, is read by the rules of the triggers that wrote it.

use crate::conn::Conn;
use crate::error::{Error, Result};
use crate::fold::{fold, Into};
use crate::schema::install::Target;
use crate::schema::script::widen;
use crate::schema::{Table, FORMAT};
use crate::session;
use crate::sql::{ident, SCHEMA};

/// The database's format.
///
/// # Errors
/// It is one that this version does not know.
pub fn check(conn: &Conn) -> Result<i64> {
    let format = conn.int("SELECT value FROM main._crdt_pragma WHERE name = 'format'", &[])?.unwrap_or(FORMAT);
    if format > FORMAT {
        return Err(Error::caller(format!(
            "this database has format {format} of grove-crdt's tables; this version reads up to {FORMAT}: use a newer one"
        )));
    }
    if format < 1 {
        return Err(Error::data(format!(
            "_crdt_pragma holds format {format}, which there has never been: it was changed by hand"
        )));
    }
    Ok(format)
}

/// As [`check`], before our tables are made: what is there may be a newer layout that this version does not recognise.
pub fn check_bare(conn: &Conn) -> Result<()> {
    let there = "SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND name = '_crdt_pragma'";
    match conn.int(there, &[])? {
        Some(_) => check(conn).map(|_| ()),
        None => Ok(()),
    }
}

/// Brings the database to the present format. In the caller's savepoint, with the write lock.
pub fn upgrade(conn: &Conn, from: i64) -> Result<()> {
    conn.change_schema(SCHEMA)?;
    for format in from..FORMAT {
        conn.change_schema(steps(format))?;
    }
    let mut store = session::open(conn)?;
    fold(&mut store, Into::Database)?;
    for table in store.catalog.tables().iter().filter(|table| table.enabled && table.captured) {
        renew(conn, table)?;
    }
    conn.run("INSERT OR REPLACE INTO main._crdt_pragma(name, value) VALUES ('format', ?1)", &[FORMAT.into()])?;
    conn.run("UPDATE main._crdt_state SET token = random()", &[])?;
    conn.catalog.replace(None);
    Ok(())
}

/// What a format needs, besides the tables that are new, to become the next one: columns that old tables have not got.
fn steps(from: i64) -> &'static str {
    match from {
        // ALTER TABLE main._crdt_… ADD COLUMN …;
        1 => "ALTER TABLE main._crdt_state ADD COLUMN places TEXT;",
        _ => "",
    }
}

/// Makes a table's triggers and view anew where the present templates say otherwise than what is there.
fn renew(conn: &Conn, table: &Table) -> Result<()> {
    // A table that cannot be enabled as it is now keeps what it has until crdt_enable is called.
    let Some(form) = table.form_if_usable(conn)? else { return Ok(()) };
    let target = Target { t: table.id, shape: &form.shape, tracked: &form.tracked };
    let mut script = widen(conn, &target.widths(), false)?;
    let objects = target.objects(conn)?;
    let present = super::enable::present(conn, table.id, &[&target.view_name()])?;
    for there in present.iter().filter(|there| !objects.iter().any(|o| o.name == there.name && o.sql == there.sql)) {
        script.push_str(&format!("DROP {} main.{};\n", there.kind.to_ascii_uppercase(), ident(&there.name)));
    }
    for object in target.shared() {
        script.push_str(&object.sql);
        script.push_str(";\n");
    }
    for object in objects.iter().filter(|o| !present.iter().any(|there| o.name == there.name && o.sql == there.sql)) {
        let taken = "SELECT 1 FROM main.sqlite_schema WHERE name = ?1 COLLATE NOCASE";
        let ours = present.iter().any(|there| there.name.eq_ignore_ascii_case(&object.name));
        // A view's name may be the application's since the table was renamed: crdt_enable tells of it.
        if ours || conn.int(taken, &[object.name.as_str().into()])?.is_none() {
            script.push_str(&object.sql);
            script.push_str(";\n");
        }
    }
    conn.change_schema(&script)
}

/// The error of a call that needs what an older format has not got, where the database cannot be upgraded.
pub fn explain(conn: &Conn, e: Error) -> Error {
    let older = check(conn).ok().filter(|format| *format < FORMAT);
    let lacks = ["no such table: main._crdt_", "no such table: _crdt_", "no such column"];
    match older {
        Some(format) if lacks.iter().any(|text| e.message().contains(text)) => Error::caller(format!(
            "this database has format {format} of grove-crdt's tables and was not upgraded to {FORMAT}, as nothing could be \
             written here: open it once for writing, outside of a transaction"
        )),
        _ => e,
    }
}
