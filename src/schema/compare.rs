//! Rows compared with their records, where triggers have missed writes: what differs is a local write.

use std::collections::BTreeSet;

use crate::cells::{self, Cells};
use crate::clock::{Hlc, Tick};
use crate::error::Result;
use crate::ffi::Value;
use crate::key::Pk;
use crate::record::{FieldId, Record};
use crate::schema::missed::Missed;
use crate::schema::notes::{self, Due};
use crate::schema::stood::{self, Stood};
use crate::schema::switch::records;
use crate::schema::{Catalog, Field, Form, Table, Tracked};
use crate::store::Store;
use crate::types::lww::Lww;
use crate::types::Type;
use crate::{local, log, pending, row, unique};

/// Compares the rows of tables whose triggers have missed writes. In the caller's savepoint, the log folded.
pub fn settle_due(store: &mut Store<'_>) -> Result<()> {
    for table in store.catalog.tables().to_vec() {
        let Some(due) = table.notes.due.filter(|_| table.enabled && table.captured) else { continue };
        let Some(form) = table.form_if_usable(store.conn)? else { continue };
        reconcile(store, &table, form, due)?;
        notes::drop_due(store.conn, table.id)?;
    }
    store.conn.run("UPDATE main._crdt_state SET token = random()", &[])?;
    if let Some(catalog) = Catalog::current(store.conn)? {
        store.catalog = catalog;
    }
    Ok(())
}

/// Writes were missed: what changed meanwhile is recorded as local writes. What new columns held has been.
fn reconcile(store: &mut Store<'_>, table: &Table, form: &Form, due: Due) -> Result<()> {
    let missed = due.missed;
    let new = |f: &&Field| f.born.is_some_and(|born| born > due.since.gen);
    let new: Vec<FieldId> = table.fields.iter().filter(new).map(|f| f.id).collect();
    let last = Some(store.clock).filter(|_| store.folded == due.since.until);
    let since = store.compared_from.get(&table.id).copied().or(last);
    let mut keys: BTreeSet<_> = records(store, table)?.into_iter().collect();
    keys.extend(row::keys(store.conn, form)?);
    let mut spelled = Cells::default();
    for pk in keys {
        let before = store.load(table, &pk)?;
        let mut now = before.clone().unwrap_or_default();
        let cells = row::read(store.conn, form, &pk)?;
        let waits = pending::has(store, table.id, &pk)?;
        let stood = if waits { Stood::read(store.conn, table.id, &pk)? } else { None };
        let stays = match (&stood, &cells) {
            (Some(stood), Some(cells)) => stood.stands(form, cells),
            (stood, cells) => stood.is_none() && cells.is_none(),
        };
        if waits && (stays || missed == Missed::Rows) {
            continue; // its row is as it was before, or is not what it should be
        }
        let clock = store.clock;
        let how = How { form, missed, since, stood: stood.as_ref(), new: &new };
        compare(store, (table, &pk), &how, &mut now, cells.as_deref())?;
        for (tracked, cell) in form.tracked.iter().zip(cells.into_iter().flatten()) {
            let other = tracked.ty != Type::Lww && row::shown(&now, tracked).is_some_and(|shown| shown != cell);
            // A set that nobody has written shows [] everywhere.
            let bare = tracked.ty == Type::Counter && row::is_bare(&now, tracked, &cell);
            // Text that is no set stays as it was written.
            if other && !bare && !waits && elements(&cell).is_some() {
                spelled.insert(((table.id, pk.clone()), tracked.field), cell);
            }
        }
        if before.as_ref() == Some(&now) {
            store.clock = clock; // nothing has the stamp
            continue;
        }
        store.save(table, &pk, before.as_ref(), &now)?;
        let changed = |field: &FieldId| before.as_ref().and_then(|b| b.stamp_of(*field)) != now.stamp_of(*field);
        let fields: Vec<FieldId> = table.fields.iter().map(|f| f.id).filter(changed).collect();
        let gone = before.as_ref().is_some_and(|b| b.tomb != now.tomb);
        // Of one that is new or came back others may have nothing.
        let stayed = before.as_ref().is_some_and(|b| b.alive() || !now.alive());
        if gone || !fields.is_empty() || !stayed {
            log::append_relay(store.conn, table.id, &pk, stayed.then_some(&*fields), store.wall)?;
        }
    }
    stood::forget(store.conn, table.id)?;
    store.folded = store.last_seq()?;
    store.save_clock()?;
    cells::rewrite(store, spelled)
}

/// How a table's rows are compared.
struct How<'h> {
    form: &'h Form,
    missed: Missed,
    /// What this node has stamped since then the triggers recorded.
    since: Option<Tick>,
    /// The row as it stood while its record waited.
    stood: Option<&'h Stood>,
    /// Columns that are new: what they hold has been recorded.
    new: &'h [FieldId],
}

/// Takes what a row holds now for what the application wrote, where it differs from the state.
fn compare(
    store: &mut Store<'_>,
    (table, pk): (&Table, &Pk),
    how: &How<'_>,
    record: &mut Record,
    cells: Option<&[Value]>,
) -> Result<()> {
    let &How { form, missed, since, stood, new } = how;
    let Some(cells) = cells else {
        if record.alive() {
            let stamp = store.stamp(store.wall);
            local::delete(record, Vec::new(), &stamp);
            // Values that went with the row are not its columns' defaults, which a revival would show and send.
            record.let_go(|_| true);
        }
        return Ok(());
    };
    let stamp = store.stamp(store.wall);
    if !record.alive() {
        local::insert(record, table.covered(), &stamp);
    }
    let key = pk.decode(&form.shape.classes).unwrap_or_default();
    for (i, (tracked, cell)) in form.tracked.iter().zip(cells).enumerate() {
        let field = tracked.field;
        let json = || crate::value::to_json(cell.as_ref(), tracked.column.form);
        if new.contains(&field) || stood.is_some_and(|stood| stood.holds(field, &json())) {
            continue;
        }
        let recorded = |hlc: &Hlc| hlc.node == stamp.node && since.is_some_and(|since| hlc.tick() > since);
        match tracked.ty {
            // The cell is what the latest write made it, and that has its stamp.
            Type::Lww if missed == Missed::Rows && record.lww.get(&field).is_none_or(|lww| lww.hlc != stamp) => {}
            Type::Lww if record.lww.get(&field).is_some_and(|lww| lww.hlc != stamp && recorded(&lww.hlc)) => {}
            Type::Counter | Type::Set if missed == Missed::Rows && row::is_bare(record, tracked, cell) => {}
            Type::Lww => {
                if is_written(store, how, (&key, i), record.lww.get_mut(&field), (cell, &stamp))? {
                    local::update(record, &[field], &stamp);
                }
            }
            Type::Counter => {
                let shown = stood.and_then(|stood| stood.cell(field)).or_else(|| row::shown(record, tracked));
                let shown = shown.unwrap_or(Value::Null);
                if shown != *cell {
                    let apart = crate::left::has_totals_apart(store, &(table.id, pk.clone()), record, field)?;
                    local::counter_update(record, field, &shown, cell, &stamp, apart);
                }
            }
            Type::Set => {
                let stood = stood.and_then(|stood| stood.cell(field)).and_then(|cell| elements(&cell));
                let old = || record.elements(field).into_iter().map(str::to_owned).collect();
                let old: Vec<String> = stood.unwrap_or_else(old);
                if let Some(new) = elements(cell) {
                    local::set(record, field, &old, &new, &stamp);
                }
            }
        }
    }
    Ok(())
}

/// Whether a cell, the `i`-th of its row, counts as written since its field was; a value that was kept for that is let go.
fn is_written(
    store: &Store<'_>,
    how: &How<'_>,
    (key, i): (&[Value], usize),
    lww: Option<&mut Lww>,
    (cell, stamp): (&Value, &Hlc),
) -> Result<bool> {
    let Some(tracked) = how.form.tracked.get(i) else { return Ok(false) };
    let Some(lww) = lww else { return Ok(!holds_default(store, tracked, cell)?) };
    if lww.hlc == *stamp || lww.saved.as_deref() == Some(&*crate::value::to_json(cell.as_ref(), tracked.column.form)) {
        lww.saved = None;
        return Ok(false);
    }
    // A value that was not kept (the triggers were lost unnoticed) may have changed. One is kept as its author spells it: then the cell
    // holds what the column makes of that.
    match lww.saved.as_deref().map(crate::value::decode) {
        Some(Ok(value)) => row::holds(store.conn, how.form, key, i, &value).map(|holds| !holds),
        _ => Ok(true),
    }
}

/// The elements that a set's cell says; None where it is text that is no set.
fn elements(cell: &Value) -> Option<Vec<String>> {
    match cell {
        Value::Text(bytes) => crate::types::set::elements(&String::from_utf8_lossy(bytes)).ok(),
        _ => Some(Vec::new()),
    }
}

/// Whether a cell shows its column's default: where nothing was ever said of the field, nobody has written that.
fn holds_default(store: &Store<'_>, tracked: &Tracked, cell: &Value) -> Result<bool> {
    Ok(unique::default(store.conn, &tracked.column)? == *cell)
}
