//! Functions that show the state.

use std::rc::Rc;

use super::args::Args;
use crate::conn::Conn;
use crate::error::Result;
use crate::ffi::{Call, Out, ValueRef};
use crate::key::Pk;
use crate::outbound::with_values;
use crate::record::Record;
use crate::schema::Table;
use crate::store::Store;
use crate::{digest, session};

/// `crdt_inspect(table, pk)`
pub fn inspect(call: &Call<'_, Conn>) -> Result<Out> {
    let args = Args::new(call, "crdt_inspect", "table, pk", 2, 2)?;
    one_record(&args, crate::inspect::text)
}

/// `crdt_state(table, pk [, 'incoming'])`
pub fn state(call: &Call<'_, Conn>) -> Result<Out> {
    let args = Args::new(call, "crdt_state", "table, pk [, 'incoming']", 2, 3)?;
    one_record(&args, crate::inspect::state)
}

/// The text that `show` makes of a record; NULL when nothing is known of it.
fn one_record(args: &Args<'_>, show: fn(&Table, &[String], &str, &Record) -> String) -> Result<Out> {
    args.named(|| {
        let name = args.text(0, "table")?;
        let wire = match args.value(1) {
            ValueRef::Integer(i) => i.to_string(),
            ValueRef::Text(_) => args.text(1, "pk")?.to_owned(),
            _ => return Err(args.wrong(1, "pk", "the key's text, or an INTEGER key")),
        };
        let incoming = match args.optional(2, "'incoming'")? {
            None => false,
            Some("incoming") => true,
            Some(_) => return Err(args.wrong(2, "'incoming'", "the word 'incoming' or left out")),
        };
        let shown = on_state(args.conn(), name, |store| {
            let table = Rc::clone(store.catalog.enabled(name)?);
            let form = table.form(store.conn)?;
            let pk = Pk::from_wire(&form.shape.classes, &wire);
            // A column that was renamed keeps its name on the wire until crdt_enable is called.
            let wire_name = |column: &crate::schema::shape::Column| {
                let tracked = form.tracked.iter().find(|t| t.column.name == column.name);
                tracked.and_then(|t| table.field(t.field)).map_or_else(|| column.name.clone(), |f| f.name.clone())
            };
            let columns: Vec<String> = form.shape.columns.iter().map(wire_name).collect();
            let record = || with_values(store, &table, &pk);
            let show = |record: &Record| show(&table, &columns, &wire, record);
            match incoming {
                true => crate::hooks::shown(store.conn, &table, &pk, record, show),
                false => Ok(record()?.as_ref().map(show)),
            }
        })?;
        Ok(shown.map_or(Out::Null, Out::Text))
    })
}

fn on_state<T>(conn: &Conn, name: &str, work: impl Fn(&Store<'_>) -> Result<T>) -> Result<T> {
    session::read(conn, work)?.ok_or_else(|| crate::schema::not_enabled(name, ""))
}

/// `crdt_digest(table [, 'full'])`
pub fn digest(call: &Call<'_, Conn>) -> Result<Out> {
    let args = Args::new(call, "crdt_digest", "table [, 'full']", 1, 2)?;
    args.named(|| {
        let name = args.text(0, "table")?;
        let full = match args.optional(1, "'full'")? {
            None => false,
            Some("full") => true,
            Some(_) => return Err(args.wrong(1, "'full'", "the word 'full' or left out")),
        };
        let digest = on_state(args.conn(), name, |store| digest::digest(store, store.catalog.enabled(name)?, full))?;
        Ok(Out::Text(digest))
    })
}

/// `crdt_status()`
pub fn status(call: &Call<'_, Conn>) -> Result<Out> {
    let args = Args::new(call, "crdt_status", "", 0, 0)?;
    args.named(|| match session::read(args.conn(), crate::status::json)? {
        Some(json) => Ok(Out::Text(json)),
        None => session::write(args.conn(), |store| crate::status::json(store)).map(Out::Text),
    })
}

/// `crdt_check()`: `ok`, or a JSON array of sentences.
pub fn check(call: &Call<'_, Conn>) -> Result<Out> {
    let args = Args::new(call, "crdt_check", "", 0, 0)?;
    args.named(|| {
        let found = session::read(args.conn(), crate::check::run)?.unwrap_or_default();
        Ok(Out::Text(if found.is_empty() { "ok".to_owned() } else { super::json_strings(&found) }))
    })
}
