//! Shows a record's state in the application's table: the merged value is the state, the row is its picture.

use std::borrow::Cow;

use crate::conn::Conn;
use crate::error::{Error, Kind, Result};
use crate::ffi::Value;
use crate::key::Pk;
use crate::record::Record;
use crate::schema::{Form, Tracked};
use crate::types::Type;
use crate::{foreign, rollback, row};

// Extended result codes of https://sqlite.org/rescode.html.
const UNIQUE: i32 = 2067;
const PRIMARY_KEY: i32 = 1555;
const ROWID: i32 = 2579;
/// A foreign key failed.
pub const FOREIGN_KEY: i32 = 787;
const CONSTRAINT: i32 = 19;

/// What became of a record's row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Shown {
    /// The row is as the state says, or a delete took it away.
    Yes,
    /// The table cannot hold it: why.
    Pending(String),
    /// Another row holds a unique value of it: which.
    Claimed(String),
}

/// What is known of a row before it is written.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Known {
    /// There is none: nothing is known of the record.
    pub absent: bool,
    /// No trigger or cascade can change what is written.
    pub quiet: bool,
}

/// Makes the row of `pk` show `record`. Values that the live row now holds are let go from the record; values that it
/// cannot hold stay in it.
pub fn apply(conn: &Conn, form: &Form, pk: &Pk, record: &mut Record, known: Known) -> Result<Shown> {
    let Some(key) = pk.decode(&form.shape.classes) else {
        if !record.alive() {
            return Ok(Shown::Yes);
        }
        let why =
            format!("the key '{}' is none that this table's primary key can hold", crate::error::excerpt(&pk.wire()));
        return Ok(Shown::Pending(why));
    };
    let live = if known.absent { None } else { row::read(conn, form, pk)? };
    let mut inserted = Vec::new();
    let outcome = match (record.alive(), live) {
        (true, Some(live)) => {
            if !known.quiet {
                keep_values(form, record, &live);
            }
            let outcome = update(conn, form, &key, record, &live);
            if !known.quiet && outcome.is_ok() && !row::exists(conn, form, pk)? {
                keep_values(form, record, &live);
            }
            outcome
        }
        (true, None) => insert(conn, form, pk, &key, record).map(|cells| inserted = cells),
        (false, Some(live)) => {
            keep_values(form, record, &live);
            delete(conn, form, pk, &key, known.quiet)
        }
        (false, None) => return Ok(Shown::Yes),
    };
    match outcome {
        Ok(()) => {
            let settled = !record.alive() || (known.quiet && settle_unread(form, record, &inserted));
            if !settled && !settle(conn, form, pk, &key, record)? {
                return Ok(Shown::Pending("a trigger of the application took the row away".to_owned()));
            }
            Ok(Shown::Yes)
        }
        Err(e) => {
            let claimed = matches!(e.kind(), Kind::Sqlite(UNIQUE | PRIMARY_KEY | ROWID));
            refused(conn, e).map(if claimed { Shown::Claimed } else { Shown::Pending })
        }
    }
}

/// Whether the row shows something else than the state, though it could: a trigger has the last word on it.
pub fn is_overruled(conn: &Conn, form: &Form, pk: &Pk, record: &Record) -> Result<bool> {
    if !record.alive() {
        return Ok(false);
    }
    let (Some(key), Some(live)) = (pk.decode(&form.shape.classes), row::read(conn, form, pk)?) else {
        return Ok(false);
    };
    for (i, want) in differing(form, record, &live) {
        let kept = form.tracked.get(i).is_some_and(|tracked| tracked.column.affinity.keeps(want.as_ref()));
        // Else it may be what the column's affinity makes of the value.
        if kept || !row::holds(conn, form, &key, i, &want)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Puts the state into the rows of `records` once more, with triggers off: a trigger that writes the very row that fires it
/// writes again whenever its cells are put back, and the merged value is the state.
pub fn insist<'r>(conn: &Conn, records: impl Iterator<Item = (&'r Form, &'r Pk, &'r mut Record)>) -> Result<()> {
    let mut records = records.into_iter();
    conn.db.without_triggers(|| {
        records.try_for_each(|(form, pk, record)| match pk.decode(&form.shape.classes) {
            Some(key) => settle(conn, form, pk, &key, record).map(|_| ()),
            None => Ok(()),
        })
    })
}

/// Takes a record's row away for the moment; its values go into the record. Rows that refer to it are seen to later.
/// The reason, where it cannot be taken away.
pub fn vacate(conn: &Conn, form: &Form, pk: &Pk, record: &mut Record) -> Result<Option<String>> {
    let (Some(key), Some(live)) = (pk.decode(&form.shape.classes), row::read(conn, form, pk)?) else { return Ok(None) };
    conn.aside.keep(conn, form, pk, &key)?;
    let mut reason = try_delete(conn, form, pk, &key)?;
    if reason.as_deref() == Some(foreign::FAILED) && !conn.foreign.borrow().holds(conn, form, &key)? {
        foreign::put_off(conn)?;
        reason = try_delete(conn, form, pk, &key)?;
    }
    if reason.is_none() {
        keep_values(form, record, &live);
    }
    Ok(reason)
}

fn try_delete(conn: &Conn, form: &Form, pk: &Pk, key: &[Value]) -> Result<Option<String>> {
    delete(conn, form, pk, key, false).map_or_else(|e| refused(conn, e).map(Some), |()| Ok(None))
}

/// Deletes a row that no row of a table that is not enabled refers to. `quiet`: no trigger can put it back.
fn delete(conn: &Conn, form: &Form, pk: &Pk, key: &[Value], quiet: bool) -> Result<()> {
    if conn.foreign.borrow().holds(conn, form, key)? {
        return Err(Error::sqlite(FOREIGN_KEY, foreign::FAILED));
    }
    row::delete(conn, form, key)?;
    if !quiet && row::exists(conn, form, pk)? {
        conn.db.without_triggers(|| row::delete(conn, form, key))?;
        // Temporary triggers fire all the same.
        if row::exists(conn, form, pk)? {
            return Err(Error::sqlite(CONSTRAINT, "a trigger of the application put the row back"));
        }
    }
    Ok(())
}

/// The record with all its values in it, those too that its row holds.
pub fn complete(conn: &Conn, form: &Form, pk: &Pk, record: &Record) -> Result<Record> {
    let mut whole = record.clone();
    if let Some(live) = row::read(conn, form, pk)? {
        keep_values(form, &mut whole, &live);
    }
    Ok(whole)
}

/// Whether it is the table that cannot hold the row, whatever was there before it. A trigger may only refuse the step.
pub fn is_declared(reason: &str) -> bool {
    ["CHECK ", "NOT NULL ", "UNIQUE ", foreign::FAILED, "cannot store ", "datatype ", "string or blob too big"]
        .iter()
        .any(|start| reason.starts_with(start))
}

/// The reason, when an error is the table's refusal; other errors (busy, full disk, interrupt) are errors.
pub fn refused(conn: &Conn, e: Error) -> Result<String> {
    if conn.db.autocommit() {
        // A full disk ends the transaction too, and no trigger.
        return Err(if is_refusal(&e) { e.context(rollback::REASON) } else { e });
    }
    if is_refusal(&e) {
        Ok(e.message().to_owned())
    } else {
        Err(e)
    }
}

/// Whether an error is about values or constraints, and not about the database.
pub fn is_refusal(e: &Error) -> bool {
    const ERROR: i32 = 1;
    const MISMATCH: i32 = 20;
    const TOO_BIG: i32 = 18;
    matches!(e.kind(), Kind::Sqlite(code) if matches!(code & 0xff, CONSTRAINT | ERROR | MISMATCH | TOO_BIG))
}

/// Inserts the row, and gives the cells that it was given.
fn insert(conn: &Conn, form: &Form, pk: &Pk, key: &[Value], record: &Record) -> Result<Vec<(usize, Value)>> {
    let cells: Vec<(usize, Value)> =
        form.tracked.iter().enumerate().filter_map(|(i, t)| Some((i, row::shown(record, t)?))).collect();
    if row::key_is_exact(&form.shape.classes, key) {
        for rest in conn.aside.of(form, pk) {
            match row::insert_with(conn, form, key, &cells, &rest) {
                Err(e) => refused(conn, e)?,
                Ok(()) => return Ok(cells),
            };
        }
        return row::insert(conn, form, key, &cells).map(|()| cells);
    }
    // Affinity may make another key of it: then the row is taken back.
    conn.savepoint("crdt_key", || {
        row::insert(conn, form, key, &cells)?;
        if row::exists(conn, form, pk)? {
            Ok(())
        } else {
            Err(Error::sqlite(20, "the key is none that this table's primary key can hold"))
        }
    })?;
    Ok(cells)
}

fn update(conn: &Conn, form: &Form, key: &[Value], record: &Record, live: &[Value]) -> Result<()> {
    let cells = differing(form, record, live);
    if conn.foreign.borrow().pins(conn, form, key, &cells)? {
        return Err(Error::sqlite(FOREIGN_KEY, foreign::FAILED));
    }
    row::update(conn, form, key, &cells)
}

/// The cells that do not show the state: index and what they should hold.
pub fn differing(form: &Form, record: &Record, live: &[Value]) -> Vec<(usize, Value)> {
    let cells = form.tracked.iter().zip(live).enumerate();
    cells
        .filter_map(|(i, (tracked, cell))| {
            // A counter that was added with its column is 0 or NULL until its first part; an unwritten set becomes [].
            let stays = tracked.ty == Type::Counter && row::is_bare(record, tracked, cell);
            let want = row::shown(record, tracked).filter(|_| !stays)?;
            (!crate::value::identical(want.as_ref(), cell.as_ref())).then_some((i, want))
        })
        .collect()
}

/// Before a row goes, its values go into the record.
fn keep_values(form: &Form, record: &mut Record, live: &[Value]) {
    for (tracked, cell) in form.tracked.iter().zip(live) {
        if tracked.ty == Type::Lww {
            if let Some(lww) = record.lww.get_mut(&tracked.field).filter(|lww| lww.saved.is_none()) {
                lww.saved = Some(crate::value::to_json(cell.as_ref(), tracked.column.form));
            }
        }
    }
}

/// Lets values go that the row certainly holds as they are; false when one is in doubt, and nothing is let go. `cells` are
/// those that were just written, where that is known.
fn settle_unread(form: &Form, record: &mut Record, cells: &[(usize, Value)]) -> bool {
    let mut json = String::new();
    let mut certain = |i: usize, tracked: &Tracked| {
        let known = cells.iter().find(|(place, _)| *place == i).map(|(_, value)| Cow::Borrowed(value));
        let Some(value) = known.or_else(|| row::shown(record, tracked).map(Cow::Owned)) else { return true };
        let saved = record.lww.get(&tracked.field).and_then(|lww| lww.saved.as_ref());
        tracked.column.affinity.keeps(value.as_ref().as_ref())
            && saved.is_none_or(|saved| {
                json.clear();
                crate::value::encode(&mut json, value.as_ref().as_ref(), tracked.column.form);
                json == *saved
            })
    };
    let certain = form.tracked.iter().enumerate().all(|(i, tracked)| certain(i, tracked));
    if certain {
        let fields = form.tracked.iter().filter_map(|tracked| Some(tracked.field).filter(|_| tracked.ty == Type::Lww));
        for field in fields {
            if let Some(lww) = record.lww.get_mut(&field) {
                lww.saved = None;
            }
        }
    }
    certain
}

/// Compares the written row with the state: cells that a trigger changed are put back, values that the row holds to the
/// byte of their JSON are let go. False when there is no row.
fn settle(conn: &Conn, form: &Form, pk: &Pk, key: &[Value], record: &mut Record) -> Result<bool> {
    let mut before: Option<Vec<Value>> = None;
    for again in [true, false] {
        let Some(live) = row::read(conn, form, pk)? else {
            before.iter().for_each(|before| keep_values(form, record, before));
            return Ok(false);
        };
        let wrong = differing(form, record, &live);
        if again && !wrong.is_empty() {
            // What still differs after this is what the column's affinity makes of the value.
            if let Err(e) = row::update(conn, form, key, &wrong) {
                refused(conn, e)?;
            }
            before = Some(live);
            continue;
        }
        for (tracked, cell) in form.tracked.iter().zip(&live) {
            if tracked.ty != Type::Lww {
                continue;
            }
            if let Some(lww) = record.lww.get_mut(&tracked.field) {
                let holds = |json: &String| crate::value::to_json(cell.as_ref(), tracked.column.form) == *json;
                if lww.saved.as_ref().is_some_and(holds) {
                    lww.saved = None;
                }
            }
        }
        return Ok(true);
    }
    Ok(true)
}
