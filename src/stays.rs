//! Records that a sender said have left its filter, and that stayed, as they hold what it had not seen. It tells again once it has
//! been sent that. What goes with a dropped column before is never sent: so what the sender said is kept, and heeded then.

use std::rc::Rc;

use crate::change::{Body, Change, Known, Names, LEFT};
use crate::clock::Hlc;
use crate::error::{unless_missing, Result};
use crate::import;
use crate::inbound::merge_changes;
use crate::key::Pk;
use crate::schema::Table;
use crate::store::Store;

/// Whether there are any. A database may be older than their table.
pub fn any(store: &Store<'_>) -> Result<bool> {
    let any = store.conn.int("SELECT 1 FROM main._crdt_stays LIMIT 1", &[]);
    Ok(unless_missing(any, None)?.is_some())
}

/// Keeps what the sender knew of a record that stays.
pub fn keep(store: &Store<'_>, table: &Table, pk: &Pk, known: &Known) -> Result<()> {
    let (name, wire) = (Rc::from(&*table.name), Rc::from(&*pk.wire()));
    let body = Body::Left(Some(Box::new(known.clone())));
    let change = Change { table: name, pk: wire, field: LEFT.into(), hlc: Hlc::zero(), body, seen: None };
    let mut json = String::new();
    change.write_json(&mut json);
    let sql = "INSERT OR REPLACE INTO main._crdt_stays(t, pk, change) VALUES (?1, ?2, ?3)";
    unless_missing(store.conn.run(sql, &[table.id.into(), pk.as_ref(), json.as_str().into()]), 0)?;
    Ok(())
}

/// Forgets it: the record is gone, or something of it has come since.
pub fn drop(store: &Store<'_>, t: i64, pk: &Pk) -> Result<()> {
    let sql = "DELETE FROM main._crdt_stays WHERE t = ?1 AND pk = ?2";
    unless_missing(store.conn.run(sql, &[t.into(), pk.as_ref()]), 0)?;
    Ok(())
}

/// Lets records of a table go that hold nothing any more that their sender had not seen. In the caller's savepoint, the log folded.
pub fn again(store: &mut Store<'_>, table: &Table) -> Result<()> {
    if !any(store)? {
        return Ok(());
    }
    let mut changes = Vec::new();
    let mut rows = store.conn.stmt("SELECT change FROM main._crdt_stays WHERE t = ?1 ORDER BY pk")?;
    rows.bind(1, table.id)?;
    while rows.step()? {
        let Ok(change) = import::one(rows.text(0).unwrap_or_default(), &mut Names::default()) else { continue };
        // It may have been renamed.
        changes.push(Change { table: Rc::from(&*table.name), ..change });
    }
    std::mem::drop(rows);
    merge_changes(store, &changes).map(|_| ())
}
