//! The list of hooks: what is added, replaced, taken away, and told of it.

use super::{check, stands_for, Hook};
use crate::conn::Conn;
use crate::error::{excerpt, Error, Result};
use crate::pending;
use crate::store::Store;
use crate::value::write_text;

/// Checks a hook and puts it on the list: at the end, or in the place of the one of the same name. JSON that tells of it.
pub fn add(store: &mut Store<'_>, hook: &Hook) -> Result<String> {
    let conn = store.conn;
    check::statement(conn, hook)?;
    // A database made by a version that had no hooks has no table for them.
    conn.change_schema(crate::sql::SCHEMA)?;
    let replaced = store.catalog.hooks.all().iter().any(|other| other.name == hook.name);
    let values = [&hook.name, hook.event.name(), &hook.sql, &hook.table_glob].map(Into::into);
    conn.run(
        "INSERT INTO main._crdt_hook(name, event, sql, table_glob) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT(name) DO UPDATE SET event = excluded.event, sql = excluded.sql, table_glob = excluded.table_glob",
        &values,
    )?;
    pending::look_again(conn)?;
    renew(conn)?;
    let mut out = String::new();
    write_head(&mut out, hook);
    out.push_str(",\"tables\":");
    let mut tables = Vec::new();
    for table in store.catalog.tables().iter().filter(|table| table.enabled) {
        if stands_for(conn, hook, &table.name)? {
            tables.push(table.name.clone());
        }
    }
    out.push_str(&crate::functions::json_strings(&tables));
    out.push_str(if replaced { ",\"replaced\":true}" } else { ",\"replaced\":false}" });
    Ok(out)
}

/// Takes a hook off the list. JSON that tells what it was.
pub fn remove(store: &mut Store<'_>, name: &str) -> Result<String> {
    let hooks = store.catalog.hooks.all();
    let Some(hook) = hooks.iter().find(|hook| hook.name == name) else {
        let known: Vec<String> = hooks.iter().map(|hook| format!("'{}'", excerpt(&hook.name))).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        return Err(Error::caller(format!("there is no hook '{}'; there are: {known}", excerpt(name))));
    };
    store.conn.run("DELETE FROM main._crdt_hook WHERE name = ?1", &[name.into()])?;
    pending::look_again(store.conn)?;
    renew(store.conn)?;
    let mut out = String::new();
    write_hook(&mut out, hook);
    Ok(out)
}

/// What is kept of the catalog, here and on other connections, is out of date.
fn renew(conn: &Conn) -> Result<()> {
    conn.run("UPDATE main._crdt_state SET token = random()", &[])?;
    Ok(())
}

/// Appends the list as JSON. A hook that cannot run any more, as a table is gone, has an `error`.
pub fn write_json(store: &Store<'_>, out: &mut String) {
    out.push('[');
    for (i, hook) in store.catalog.hooks.all().iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        write_hook(out, hook);
        if let Err(e) = check::statement(store.conn, hook) {
            out.pop();
            out.push_str(",\"error\":");
            write_text(out, e.message());
            out.push('}');
        }
    }
    out.push(']');
}

fn write_head(out: &mut String, hook: &Hook) {
    out.push_str("{\"name\":");
    write_text(out, &hook.name);
    out.push_str(",\"event\":");
    write_text(out, hook.event.name());
    out.push_str(",\"table_glob\":");
    write_text(out, &hook.table_glob);
}

fn write_hook(out: &mut String, hook: &Hook) {
    write_head(out, hook);
    out.push_str(",\"sql\":");
    write_text(out, &hook.sql);
    out.push('}');
}
