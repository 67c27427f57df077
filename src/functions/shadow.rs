//! `crdt_shadow`: what the readable views `_<table>_crdt` are made of.

use std::rc::Rc;

use super::args::Args;
use crate::conn::Conn;
use crate::digest::keys_after;
use crate::error::{Error, Result};
use crate::ffi::{Call, Out, ValueRef};
use crate::inspect::with_nul;
use crate::key::Pk;
use crate::outbound::with_values;
use crate::schema::Table;
use crate::session;
use crate::store::Store;
use crate::tail::Tail;

/// Records in one page.
const PAGE: usize = 500;

/// `crdt_shadow(t)`: the first rows of table number `t`, as an array that begins with `t`, each an array; NULL where there are none.
/// `crdt_shadow(page)`: the rows that come after those of `page`; NULL after the last.
pub fn shadow(call: &Call<'_, Conn>) -> Result<Out> {
    let args = Args::new(call, "crdt_shadow", "page", 1, 1)?;
    args.named(|| {
        let (t, after) = match args.value(0) {
            ValueRef::Integer(t) => (t, None),
            _ => {
                let page: Vec<serde_json::Value> = serde_json::from_str(args.json(0, "page")?).map_err(no_page)?;
                let t = page.first().and_then(serde_json::Value::as_i64).ok_or_else(|| no_page(()))?;
                (t, Some(last_key(&page)?))
            }
        };
        let rows =
            on_table(args.conn(), |store| captured(store, t), |store, table| rows(store, table, after.as_deref()))?;
        Ok(rows.map_or(Out::Null, |rows| Out::Text(format!("[{t},{rows}]"))))
    })
}

/// The same for views that were made before `_crdt_show`: `crdt_shadow(t, page)`, where `t` may be the table's name, and
/// `crdt_shadow(row, n)`, column `n` of a row.
pub fn shadow_before(call: &Call<'_, Conn>) -> Result<Out> {
    let args = Args::new(call, "crdt_shadow", "table, page", 2, 2)?;
    args.named(|| {
        if let (ValueRef::Text(_), ValueRef::Integer(n)) = (args.value(0), args.value(1)) {
            return cell(args.json(0, "row")?, n);
        }
        let page = args.optional(1, "json")?.map(serde_json::from_str::<Vec<_>>).transpose().map_err(no_page)?;
        let after = page.map(|page| last_key(&page)).transpose()?;
        let work = |store: &Store<'_>, table: &Rc<Table>| rows(store, table, after.as_deref());
        let answer = match args.value(0) {
            ValueRef::Integer(t) => on_table(args.conn(), |store| captured(store, t), work)?,
            _ => {
                let name = args.text(0, "table")?;
                on_table(args.conn(), |store| store.catalog.enabled(name).ok().cloned(), work)?
            }
        };
        Ok(answer.map_or(Out::Null, |rows| Out::Text(format!("[{rows}]"))))
    })
}

/// Table number `t`, if it is enabled and has its triggers.
fn captured(store: &Store<'_>, t: i64) -> Option<Rc<Table>> {
    store.catalog.by_id(t).filter(|table| table.enabled && table.captured).cloned()
}

/// Runs `work` on a table, if it is there.
fn on_table(
    conn: &Conn,
    table: impl FnOnce(&Store<'_>) -> Option<Rc<Table>>,
    work: impl FnOnce(&Store<'_>, &Rc<Table>) -> Result<Option<String>>,
) -> Result<Option<String>> {
    let tail = conn.tail.take();
    let answer = session::peek_from(conn, tail, |store, mark| {
        let answer = table(store).map_or(Ok(None), |table| work(store, &table));
        if !store.overlay.is_empty() && matches!(answer, Ok(Some(_))) {
            conn.tail.replace(Some(Tail::of(store, mark)));
        }
        answer
    })?;
    Ok(answer.flatten())
}

/// The rows of the page that begins after a key, with commas between them. Records without fields have none: they are passed over.
fn rows(store: &Store<'_>, table: &Table, after: Option<&str>) -> Result<Option<String>> {
    let form = table.form(store.conn)?;
    let mut after = after.map(|wire| Pk::from_wire(&form.shape.classes, wire));
    let mut rows = Vec::new();
    while rows.is_empty() {
        let keys = keys_after(store, table, after.as_ref(), PAGE)?;
        for pk in &keys {
            if let Some(record) = with_values(store, table, pk)? {
                crate::inspect::shadow(table, &pk.wire(), &record, &mut rows);
            }
        }
        let Some(last) = keys.into_iter().next_back() else { return Ok(None) };
        after = Some(last);
    }
    Ok(Some(rows.join(",")))
}

/// Column `n` of a row, as SQLite's JSON functions give it; NULL where there is none.
fn cell(row: &str, n: i64) -> Result<Out> {
    let row: Vec<serde_json::Value> =
        serde_json::from_str(row).map_err(|_| Error::caller("crdt_shadow: row is one of an answer of crdt_shadow"))?;
    let cell = usize::try_from(n).ok().and_then(|n| row.into_iter().nth(n));
    Ok(match cell {
        Some(serde_json::Value::String(text)) => Out::Text(with_nul(&text)),
        Some(serde_json::Value::Number(number)) => number.as_i64().map_or(Out::Null, Out::Int),
        _ => Out::Null,
    })
}

fn no_page<T>(_: T) -> Error {
    Error::caller("crdt_shadow: page is an answer of crdt_shadow")
}

/// The key of the last row of a page.
fn last_key(page: &[serde_json::Value]) -> Result<String> {
    let key = page.last().and_then(|row| row.get(0)?.as_str());
    key.map(with_nul).ok_or_else(|| no_page(()))
}
