//! What is kept but not shown: rows that the table refused, and changes stamped too far in the future.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::change::{Change, Names};
use crate::conn::Conn;
use crate::error::{unless_missing, Error, Kind as Fault, Result};
use crate::ffi::Value;
use crate::fold::{fold, Into};
use crate::foreign;
use crate::inbound::{merge_changes, Report};
use crate::key::Pk;
use crate::record::{FieldId, Record};
use crate::schema::{Field, Kind, Table};
use crate::store::{RecordKey, Store};
use crate::types::Type;

/// Before the number of the table, in a change that was put aside.
const NUMBER: &str = "\"t\":";

/// Notes why a record's row cannot be shown, or with None that nothing is pending.
pub fn set(store: &Store<'_>, t: i64, pk: &Pk, reason: Option<&str>) -> Result<()> {
    let key = [t.into(), pk.as_ref()];
    match reason {
        None if !store.any_pending.get() => 0,
        None => store.conn.run("DELETE FROM main._crdt_pending WHERE t = ?1 AND pk = ?2", &key)?,
        Some(reason) => {
            store.any_pending.set(true);
            store.conn.run(
                "INSERT INTO main._crdt_pending(t, pk, reason, since) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT(t, pk) DO UPDATE SET reason = excluded.reason",
                &[t.into(), pk.as_ref(), reason.into(), store.wall.into()],
            )?
        }
    };
    Ok(())
}

/// Whether a record waits.
pub fn has(store: &Store<'_>, t: i64, pk: &Pk) -> Result<bool> {
    let sql = "SELECT 1 FROM main._crdt_pending WHERE t = ?1 AND pk = ?2";
    Ok(store.any_pending.get() && store.conn.int(sql, &[t.into(), pk.as_ref()])?.is_some())
}

/// Notes that a peer has written a counter or set whose column is no more, or has another type, and what it showed before.
pub fn wait(store: &Store<'_>, table: &Table, pk: &Pk, field: FieldId, before: Option<&Record>) -> Result<()> {
    if shown_before(store, table.id, pk, field)?.is_some() {
        return Ok(()); // that is noted once
    }
    let was = match table.field(field).filter(|f| f.born.is_some()).map(|f| &f.kind) {
        Some(Kind::Known(Type::Counter)) => before
            .and_then(|b| b.sum(field))
            .map_or(Value::Null, |sum| Value::Integer(crate::types::counter::shown(sum))),
        Some(Kind::Known(Type::Set)) => {
            let elements = before.map(|b| b.elements(field)).unwrap_or_default();
            Value::Text(crate::types::set::column_text(elements.into_iter()).into_bytes())
        }
        _ => return Ok(()),
    };
    let values = [table.id.into(), i64::from(field).into(), pk.as_ref(), was.as_ref()];
    store.conn.run("INSERT OR IGNORE INTO main._crdt_waiting(t, f, pk, was) VALUES (?1, ?2, ?3, ?4)", &values)?;
    Ok(())
}

/// What a counter or set showed that peers have written since its column is no more; None when they have not.
pub fn shown_before(store: &Store<'_>, t: i64, pk: &Pk, field: FieldId) -> Result<Option<Value>> {
    let key = [t.into(), i64::from(field).into(), pk.as_ref()];
    let sql = "SELECT was FROM main._crdt_waiting WHERE t = ?1 AND f = ?2 AND pk = ?3";
    store.conn.first(sql, &key, |row| row.column(0).to_value())
}

/// A record is forgotten: what its counters and sets showed is no more to go on from.
pub fn forget(store: &Store<'_>, t: i64, pk: &Pk) -> Result<()> {
    let sql = "DELETE FROM main._crdt_waiting WHERE t = ?1 AND pk = ?2";
    unless_missing(store.conn.run(sql, &[t.into(), pk.as_ref()]), 0).map(drop)
}

/// Whether a value of a field is kept that waits for a column, or for a column of its type.
pub fn waits(store: &Store<'_>, table: &Table, pk: &Pk, record: &Record, field: &Field) -> Result<bool> {
    let held = record.lww.get(&field.id).is_some_and(|lww| lww.saved.is_some()) || record.kept.contains_key(&field.id);
    let parts = record.counters.contains_key(&field.id) || record.sets.contains_key(&field.id);
    // Of what was shown here once, the column of the other type has taken the value: only what came later waits.
    Ok(held
        || (parts && field.born.is_none())
        || (parts && store.catalog.format > 1 && shown_before(store, table.id, pk, field.id)?.is_some()))
}

/// The records that wait: why, and since when.
pub fn list(conn: &Conn) -> Result<BTreeMap<RecordKey, (String, i64)>> {
    let mut rows = conn.stmt("SELECT t, pk, reason, since FROM main._crdt_pending")?;
    let mut all = BTreeMap::new();
    while rows.step()? {
        let key = (rows.i64(0).unwrap_or(0), Pk::from_stored(rows.column(1))?);
        all.insert(key, (rows.text(2).unwrap_or_default().to_owned(), rows.i64(3).unwrap_or(0)));
    }
    Ok(all)
}

/// Records that waited before and wait again have done so all the time.
pub fn waited(store: &Store<'_>, before: &BTreeMap<RecordKey, (String, i64)>) -> Result<()> {
    for ((t, pk), (_, since)) in before {
        let sql = "UPDATE main._crdt_pending SET since = ?3 WHERE t = ?1 AND pk = ?2 AND since > ?3";
        store.conn.run(sql, &[(*t).into(), pk.as_ref(), (*since).into()])?;
    }
    Ok(())
}

/// Puts changes aside whose time has not come; the others.
pub fn set_aside<'c>(store: &Store<'_>, changes: &'c [Change], report: &mut Report) -> Result<Vec<&'c Change>> {
    let limit = store.wall.saturating_add(store.max_drift);
    let (late, due): (Vec<_>, Vec<_>) = changes.iter().partition(|change| change.hlc.ts > limit);
    for change in late {
        let mut json = String::new();
        change.write_json(&mut json);
        // By its number the table is known after a rename too.
        json.insert_str(1, &format!("{NUMBER}{},", store.catalog.enabled(&change.table)?.id));
        let values = [change.hlc.ts.into(), json.as_str().into(), store.wall.into()];
        let new = store
            .conn
            .run("INSERT OR IGNORE INTO main._crdt_future(ts, change, since) VALUES (?1, ?2, ?3)", &values)?;
        report.merged += u64::from(new > 0);
        report.pending += u64::from(new > 0);
        report.unchanged += u64::from(new == 0);
    }
    Ok(due)
}

/// Whether changes wait whose time has come.
pub fn is_due(store: &Store<'_>) -> Result<bool> {
    let limit = store.wall.saturating_add(store.max_drift);
    let sql = "SELECT 1 FROM main._crdt_future WHERE ts <= ?1 LIMIT 1";
    Ok(store.conn.int(sql, &[limit.into()])?.is_some())
}

/// A change that was put aside.
pub struct Aside {
    /// Its place in `_crdt_future`.
    pub id: i64,
    /// When it was put aside, wall time in nanoseconds.
    pub since: i64,
    /// Its table; None where that is known no more.
    pub table: Option<Rc<Table>>,
    /// The change, under the name that its table has now; an error where it cannot be read.
    pub change: Result<Change>,
}

/// Shows `each` the changes put aside that are stamped up to `until`, the earliest first.
pub fn aside(store: &Store<'_>, until: i64, mut each: impl FnMut(Aside) -> Result<()>) -> Result<()> {
    let mut rows = store.conn.stmt("SELECT id, change, since FROM main._crdt_future WHERE ts <= ?1 ORDER BY ts, id")?;
    rows.bind(1, until)?;
    while rows.step()? {
        let (t, json) = unnumbered(rows.text(1).unwrap_or_default());
        let mut change = crate::import::one(&json, &mut Names::default());
        let table = match (t, &change) {
            (Some(t), _) => store.table(t),
            (None, Ok(change)) => store.catalog.by_name(&change.table).cloned(),
            (None, Err(_)) => None,
        };
        if let (Ok(change), Some(table)) = (&mut change, &table) {
            change.table = Rc::from(&*table.name);
        }
        each(Aside { id: rows.i64(0).unwrap_or(0), since: rows.i64(2).unwrap_or(0), table, change })?;
    }
    Ok(())
}

/// The table's number that a change was put aside with, and its JSON without. Databases may have changes without the number.
fn unnumbered(text: &str) -> (Option<i64>, Cow<'_, str>) {
    let numbered = text.strip_prefix('{').and_then(|text| text.strip_prefix(NUMBER)?.split_once(','));
    match numbered.and_then(|(t, rest)| Some((t.parse().ok()?, rest))) {
        Some((t, rest)) => (Some(t), format!("{{{rest}").into()),
        None => (None, text.into()),
    }
}

/// Lets changes go that were put aside.
pub fn drop_aside(store: &Store<'_>, ids: &[i64]) -> Result<()> {
    for id in ids {
        store.conn.run("DELETE FROM main._crdt_future WHERE id = ?1", &[(*id).into()])?;
    }
    Ok(())
}

/// Lets all changes of a table go that were put aside.
pub fn purge(store: &Store<'_>, t: i64) -> Result<()> {
    let mut gone = Vec::new();
    aside(store, i64::MAX, |aside| {
        gone.extend(aside.table.filter(|table| table.id == t).map(|_| aside.id));
        Ok(())
    })?;
    drop_aside(store, &gone)
}

/// For so long what was refused is let be, nanoseconds: each call would try it again, and take the write lock for it.
const REST: i64 = 60_000_000_000;

/// Merges the changes whose time has come. In the caller's savepoint.
pub fn release(store: &mut Store<'_>) -> Result<()> {
    if !is_due(store)? {
        return Ok(());
    }
    let (mut ids, mut due, mut rest) = (Vec::new(), Vec::new(), Vec::new());
    aside(store, store.limit(), |aside| {
        // Its table may have been disabled since: then it goes on waiting.
        match (aside.change, aside.table.is_some_and(|table| table.enabled && table.captured)) {
            (Ok(change), true) => {
                ids.push(aside.id);
                due.push(change);
            }
            _ => rest.push(aside.id),
        }
        Ok(())
    })?;
    let found_out = store.conn.rollbacks.found_out(&ids);
    match found_out {
        None => release_some(store, &ids, &due, &mut rest)?,
        Some(refused) => {
            for (id, change) in ids.iter().zip(&due) {
                match refused.contains(id) {
                    true => rest.push(*id),
                    false => release_some(store, &[*id], std::slice::from_ref(change), &mut rest)?,
                }
            }
        }
    }
    let later = store.limit().saturating_add(REST);
    for id in rest {
        store.conn.run("UPDATE main._crdt_future SET ts = ?2 WHERE id = ?1", &[id.into(), later.into()])?;
    }
    Ok(())
}

/// Merges those that can be merged, as many at once as can. What is refused must not fail whatever call comes by: only that goes on
/// waiting. But not where SQLite has rolled the transaction back (no memory, a full disk).
fn release_some(store: &mut Store<'_>, ids: &[i64], due: &[Change], rest: &mut Vec<i64>) -> Result<()> {
    match attempt(store, ids, due) {
        Err(e) if is_refused(&e) && !store.conn.db.autocommit() => {
            if due.len() == 1 {
                rest.extend(ids);
                return Ok(());
            }
            let half = due.len() / 2;
            let ((ids, more_ids), (due, more_due)) = (ids.split_at(half), due.split_at(half));
            release_some(store, ids, due, rest)?;
            release_some(store, more_ids, more_due, rest)
        }
        outcome => outcome,
    }
}

/// What was refused is tried again by the next call: what refused it may have gone.
pub fn look_again(conn: &Conn) -> Result<()> {
    let sql = "UPDATE main._crdt_future SET ts = json_extract(change, '$.hlc.ts') WHERE ts <> json_extract(change, '$.hlc.ts')";
    conn.run(sql, &[]).map(drop)
}

/// Whether changes could not be merged for what they are: for a hook, a constraint, or more fields than a table may have.
fn is_refused(e: &Error) -> bool {
    e.is_hook() || crate::apply::is_refusal(e) || e.kind() == Fault::Peer
}

/// Merges changes that waited, the rows `ids`: all of it, or nothing.
fn attempt(store: &mut Store<'_>, ids: &[i64], due: &[Change]) -> Result<()> {
    if due.is_empty() {
        return Ok(());
    }
    let conn = store.conn;
    let broken = conn.db.breaks_deferred_keys();
    let some = || {
        drop_aside(store, ids)?;
        merge_changes(store, due)?;
        // Hooks may have written to enabled tables.
        fold(store, Into::Database)?;
        match !broken && conn.db.breaks_deferred_keys() {
            true => Err(Error::sqlite(crate::apply::FOREIGN_KEY, foreign::FAILED)), // the commit would fail
            false => Ok(()),
        }
    };
    let outcome = conn.rollbacks.carefully(|| conn.savepoint("crdt_due", some));
    if outcome.as_ref().is_err_and(is_refused) {
        if conn.db.autocommit() {
            if !outcome.as_ref().is_err_and(Error::is_hook) {
                return outcome;
            }
            conn.rollbacks.note_due(ids);
            return Err(Error::caller("a hook's write ended the transaction (RAISE(ROLLBACK)), which it must not"));
        }
        // What the store knows of the clock and of node ids was taken back.
        let may_write = store.may_write.take();
        *store = crate::session::open(conn)?;
        store.may_write.set(may_write);
    }
    outcome
}
