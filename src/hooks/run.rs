//! Runs hooks on one change.

use std::cell::Cell;
use std::rc::Rc;

use super::{verdict, Chain, Hook};
use crate::change::Change;
use crate::conn::{Cached, Conn};
use crate::error::{Error, Result};
use crate::ffi::{Value, ValueRef};

/// Functions that a hook may call: they only look at one record, or at nothing.
const HARMLESS: [&str; 4] = ["crdt_version", "crdt_state", "crdt_inspect", "crdt_shadow"];

/// Refuses a call of ours from within a hook: a merge under way must not be merged into, or read half done.
pub fn refuse_inside(conn: &Conn, function: &str, arguments: usize) -> Result<()> {
    let harmless = HARMLESS.contains(&function) || (function == "crdt_node_id" && arguments == 0);
    if conn.in_hook.get() && !harmless {
        return Err(Error::caller(format!(
            "{function} cannot be called from within a hook; of the functions crdt_version, crdt_node_id(), crdt_state and crdt_inspect can"
        )));
    }
    Ok(())
}

/// Marks the connection as inside of a hook until it is dropped, which a panic does too.
struct Inside<'a>(&'a Cell<bool>);

impl<'a> Inside<'a> {
    fn enter(conn: &'a Conn) -> Inside<'a> {
        conn.in_hook.set(true);
        Inside(&conn.in_hook)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

/// Sends a change through hooks that filter and alter, each on the result of the one before; None when one skips it.
pub fn before(conn: &Conn, chain: &Chain, mut change: Change) -> Result<Option<Change>> {
    for hook in chain.iter() {
        let mut json = String::new();
        change.write_json(&mut json);
        let passed = match answer(conn, hook, &change, &json) {
            Ok(Value::Null) => return Ok(None),
            Ok(answer) => verdict::judge(change, &json, &answer),
            Err(e) => Err(e),
        };
        change = passed.map_err(|e| e.of_hook(&hook.name))?;
    }
    Ok(Some(change))
}

/// Runs hooks that only act on a change. `broke` is the one that broke a foreign key which is checked at the commit, until all are whole again.
pub fn after(conn: &Conn, chain: &Chain, change: &Change, broke: &mut Option<Rc<Hook>>) -> Result<()> {
    let mut json = String::new();
    change.write_json(&mut json);
    for hook in chain.iter() {
        act(conn, hook, change, &json).map_err(|e| e.of_hook(&hook.name))?;
        *broke = match conn.db.breaks_deferred_keys() {
            true => broke.take().or_else(|| Some(Rc::clone(hook))),
            false => None,
        };
    }
    Ok(())
}

/// The value that a hook's SELECT gives; NULL when it gives no row.
fn answer(conn: &Conn, hook: &Hook, change: &Change, json: &str) -> Result<Value> {
    let _inside = Inside::enter(conn);
    let mut stmt = bound(conn, hook, change, json)?;
    Ok(if stmt.step()? { stmt.column(0).to_value() } else { Value::Null })
}

fn act(conn: &Conn, hook: &Hook, change: &Change, json: &str) -> Result<()> {
    let _inside = Inside::enter(conn);
    let mut stmt = bound(conn, hook, change, json)?;
    while stmt.step()? {}
    Ok(())
}

/// A hook's statement, its parameters bound to what they name of the change.
fn bound<'c>(conn: &'c Conn, hook: &Hook, change: &Change, json: &str) -> Result<Cached<'c>> {
    let mut stmt = conn.stmt(&hook.sql)?;
    for (i, name) in stmt.parameters().iter().enumerate() {
        let value;
        let bound = match name.as_str() {
            ":change" => json.into(),
            ":table" => (&*change.table).into(),
            ":pk" => (&*change.pk).into(),
            ":field" => (&*change.field).into(),
            ":crdt_type" => change.body.crdt_type().into(),
            ":node_id" => ValueRef::from(&*change.hlc.node),
            ":value" => {
                value = change.body.value()?;
                value.as_ref()
            }
            _ => return Err(super::check::bad_parameter(name)),
        };
        stmt.bind(i + 1, bound)?;
    }
    Ok(stmt)
}
