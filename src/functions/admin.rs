//! Functions that set a database up: what is tracked, who this node is, what is remembered.

use super::args::Args;
use crate::conn::Conn;
use crate::error::{Error, Result};
use crate::ffi::{Call, Out};
use crate::schema::enable::{self, Request};
use crate::schema::Catalog;
use crate::value::write_text;
use crate::{claims, cleanup, node, pending, pragma, session};

fn requests(args: &Args<'_>) -> Result<Vec<Request>> {
    (1..args.len()).map(|i| enable::request(args.text(i, "column:type")?)).collect()
}

/// `crdt_version()`
pub fn version(call: &Call<'_, Conn>) -> Result<Out> {
    Args::new(call, "crdt_version", "", 0, 0)?;
    Ok(Out::Text(env!("CARGO_PKG_VERSION").to_owned()))
}

/// `crdt_enable(table [, 'column:type' …])`
pub fn enable(call: &Call<'_, Conn>) -> Result<Out> {
    let args = Args::new(call, "crdt_enable", "table [, 'column:type' …]", 1, 1000)?;
    args.named(|| {
        let (name, requests) = (args.text(0, "table")?, requests(&args)?);
        let conn = args.conn();
        refuse_hidden(conn, name)?;
        let report = session::write_new(conn, |conn| {
            let report = crate::schema::switch::enable(conn, name, &requests)?;
            pending::look_again(conn)?;
            // The table may be another than when rows were refused.
            claims::again(&session::open(conn)?)?;
            Ok(report)
        })?;
        Ok(Out::Text(report))
    })
}

/// Refuses a table that a temporary one hides: triggers made by its name would be the other's.
fn refuse_hidden(conn: &Conn, name: &str) -> Result<()> {
    let sql = "SELECT type FROM temp.sqlite_master WHERE type IN ('table', 'view') AND name = ?1 COLLATE NOCASE";
    match conn.first(sql, &[name.into()], |row| row.text(0).unwrap_or_default().to_owned())? {
        Some(kind) => Err(Error::caller(format!(
            "'{0}' is hidden by a temporary {kind} of that name; drop that, or enable {0} on another connection",
            crate::error::excerpt(name)
        ))),
        None => Ok(()),
    }
}

/// `crdt_retry()`
pub fn retry(call: &Call<'_, Conn>) -> Result<Out> {
    let args = Args::new(call, "crdt_retry", "", 0, 0)?;
    args.named(|| {
        session::write_new(args.conn(), |conn| {
            let before = pending::list(conn)?;
            let mut store = session::open(conn)?;
            session::catch_up(&mut store)?;
            pending::look_again(conn)?;
            pending::release(&mut store)?;
            claims::retry(&store, claims::Which::All, &claims::broken(&store)?)?;
            let after = pending::list(conn)?;
            let shown = before.keys().filter(|key| !after.contains_key(key)).count();
            Ok(Out::Int(i64::try_from(shown).unwrap_or(i64::MAX)))
        })
    })
}

/// `crdt_schema(table [, 'column:type' …])`
pub fn schema(call: &Call<'_, Conn>) -> Result<Out> {
    let args = Args::new(call, "crdt_schema", "table [, 'column:type' …]", 1, 1000)?;
    args.named(|| {
        let (name, requests) = (args.text(0, "table")?, requests(&args)?);
        let plan = || {
            let catalog = Catalog::current(args.conn())?;
            enable::plan(args.conn(), catalog.as_deref(), name, &requests, true)
        };
        plan()?;
        // What the present triggers wrote is read by the present rules; an older format is upgraded.
        session::read(args.conn(), |_| Ok(()))?;
        let plan = plan()?;
        Ok(Out::Text(plan.script))
    })
}

/// `crdt_alter(table, alteration)`
pub fn alter(call: &Call<'_, Conn>) -> Result<Out> {
    let args = Args::new(call, "crdt_alter", "table, alteration", 2, 2)?;
    args.named(|| {
        let (name, alteration) = (args.text(0, "table")?, args.text(1, "alteration")?);
        let report = session::write_new(args.conn(), |conn| {
            let report = crate::schema::alter::alter(conn, name, alteration)?;
            claims::again(&session::open(conn)?)?;
            Ok(report)
        })?;
        Ok(Out::Text(report))
    })
}

/// `crdt_disable(table [, 'purge'])`
pub fn disable(call: &Call<'_, Conn>) -> Result<Out> {
    let args = Args::new(call, "crdt_disable", "table [, 'purge']", 1, 2)?;
    args.named(|| {
        let name = args.text(0, "table")?;
        let purge = match args.optional(1, "'purge'")? {
            None => false,
            Some("purge") => true,
            Some(_) => return Err(args.wrong(1, "'purge'", "the word 'purge' or left out")),
        };
        let report = session::write(args.conn(), |store| crate::schema::switch::disable(store, name, purge))?;
        Ok(Out::Text(report))
    })
}

/// `crdt_node_id()`, `crdt_node_id(new)`
pub fn node_id(call: &Call<'_, Conn>) -> Result<Out> {
    let args = Args::new(call, "crdt_node_id", "[new]", 0, 1)?;
    args.named(|| {
        if args.len() == 0 {
            // Reading an id that is there needs no write.
            if let Some(store) = crate::store::Store::open(args.conn())? {
                return Ok(Out::Text(store.me.to_string()));
            }
            return session::write(args.conn(), |store| Ok(Out::Text(store.me.to_string())));
        }
        let new = args.text(0, "new")?;
        session::write(args.conn(), |store| {
            node::rename(store, new)?;
            Ok(Out::Text(store.me.to_string()))
        })
    })
}

/// `crdt_fork()`
pub fn fork(call: &Call<'_, Conn>) -> Result<Out> {
    let args = Args::new(call, "crdt_fork", "", 0, 0)?;
    args.named(|| {
        session::write(args.conn(), |store| {
            node::fork(store)?;
            Ok(Out::Text(store.me.to_string()))
        })
    })
}

/// `crdt_pragma(name)`, `crdt_pragma(name, value)`
pub fn pragma(call: &Call<'_, Conn>) -> Result<Out> {
    let args = Args::new(call, "crdt_pragma", "name [, value]", 1, 2)?;
    args.named(|| {
        let (conn, name) = (args.conn(), args.text(0, "name")?);
        if args.len() == 2 {
            let value = pragma::check(name, &args.value(1).to_value())?;
            return session::write(conn, |store| {
                let sql = "INSERT OR REPLACE INTO main._crdt_pragma(name, value) VALUES (?1, ?2)";
                store.conn.run(sql, &[name.into(), value.as_str().into()])?;
                if name == "conflict_log" {
                    crate::conflicts::trim(store.conn)?;
                }
                Ok(Out::Text(value.clone()))
            });
        }
        match name {
            "format" => {
                let format = session::read(conn, |store| Ok(store.catalog.format))?;
                Ok(Out::Int(format.unwrap_or(crate::schema::FORMAT)))
            }
            "node_id" | "hlc" => {
                let tell = |store: &crate::store::Store<'_>| match name {
                    "node_id" => Ok(store.me.to_string()),
                    _ => Ok(store.clock.by(&store.me).to_json()),
                };
                match session::read(conn, tell)? {
                    Some(text) => Ok(Out::Text(text)),
                    None => session::write(conn, |store| tell(store)).map(Out::Text),
                }
            }
            _ => Ok(Out::Text(pragma::text(conn, name, Catalog::current(conn)?.is_some())?)),
        }
    })
}

/// `crdt_cleanup_tombstones([table [, 'epitaphs']])`
pub fn cleanup_tombstones(call: &Call<'_, Conn>) -> Result<Out> {
    let args = Args::new(call, "crdt_cleanup_tombstones", "[table [, 'epitaphs']]", 0, 2)?;
    args.named(|| {
        let table = args.optional(0, "table")?;
        let epitaphs = match args.optional(1, "'epitaphs'")? {
            None => false,
            Some("epitaphs") => true,
            Some(_) => return Err(args.wrong(1, "'epitaphs'", "the word 'epitaphs' or left out")),
        };
        session::write(args.conn(), |store| Ok(Out::Int(cleanup::run(store, table, epitaphs)?)))
    })
}

/// A JSON array of strings.
pub fn json_strings(items: &[String]) -> String {
    let mut out = String::from("[");
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        write_text(&mut out, item);
    }
    out.push(']');
    out
}
