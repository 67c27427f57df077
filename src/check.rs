//! `crdt_check`: every breach of the storage's invariants, as sentences.

use std::collections::BTreeSet;

use crate::error::{unless_missing, Result};
use crate::ffi::Value;
use crate::key::Pk;
use crate::record::Record;
use crate::row;
use crate::schema::{Form, Kind, Table, Tracked};
use crate::store::Store;
use crate::types::Type;

/// Breaches named at most; past that the database is beyond reading them.
const MOST: usize = 100;

/// Checks the whole database; the breaches found. The log is folded.
pub fn run(store: &Store<'_>) -> Result<Vec<String>> {
    let mut found = Vec::new();
    check_state(store, &mut found)?;
    check_references(store, &mut found)?;
    let sure = Sure::new(store)?;
    for table in store.catalog.tables().iter().filter(|table| !table.replaced) {
        found.extend(table.uncaptured(store.conn)?);
        // A dropped table has no rows to compare with.
        let Some(form) = table.form_if_usable(store.conn)? else { continue };
        check_records(store, table, form, sure, &mut found)?;
        if table.enabled && table.captured {
            check_rows(store, table, form, &mut found)?;
        }
    }
    found.truncate(MOST);
    Ok(found)
}

fn check_state(store: &Store<'_>, found: &mut Vec<String>) -> Result<()> {
    let end = store.last_seq()?;
    if store.folded > end {
        found.push(format!(
            "the fold's mark is {}, beyond the log's end {end}: rows of the log were removed",
            store.folded
        ));
    }
    let states = store.conn.int("SELECT count(*) FROM main._crdt_state", &[])?.unwrap_or(0);
    if states != 1 {
        found.push(format!("_crdt_state has {states} rows instead of one"));
    }
    let late = "SELECT count(*) FROM main._crdt_clock WHERE (ts, c) > (?1, ?2)";
    let late = store.conn.int(late, &[store.clock.ts.into(), i64::from(store.clock.c).into()])?.unwrap_or(0);
    if late > 0 {
        found.push(format!("{late} records are stamped later than the clock, which should be past all it has seen"));
    }
    Ok(())
}

/// Rows of ours that speak of something that is not there.
fn check_references(store: &Store<'_>, found: &mut Vec<String>) -> Result<()> {
    for (what, sql) in [
        ("records of no known table", "SELECT count(*) FROM main._crdt_clock WHERE t NOT IN (SELECT t FROM main._crdt_table)"),
        (
            "parts of no record",
            "SELECT count(*) FROM main._crdt_parts p WHERE NOT EXISTS (SELECT 1 FROM main._crdt_clock c WHERE c.t = p.t AND c.pk = p.pk)",
        ),
        (
            "pending entries of no record",
            "SELECT count(*) FROM main._crdt_pending p WHERE NOT EXISTS (SELECT 1 FROM main._crdt_clock c WHERE c.t = p.t AND c.pk = p.pk)",
        ),
        ("stamps by a node without a name", "SELECT count(*) FROM main._crdt_clock WHERE n NOT IN (SELECT n FROM main._crdt_node)"),
        ("conflicts of no known table", "SELECT count(*) FROM main._crdt_conflict WHERE t NOT IN (SELECT t FROM main._crdt_table)"),
        ("members of no known filter", "SELECT count(*) FROM main._crdt_inside WHERE f NOT IN (SELECT f FROM main._crdt_filter WHERE f > 0)"),
        ("filters of no known table", "SELECT count(*) FROM main._crdt_filter WHERE f > 0 AND t NOT IN (SELECT t FROM main._crdt_table)"),
        ("fields of no known table", "SELECT count(*) FROM main._crdt_field WHERE t NOT IN (SELECT t FROM main._crdt_table)"),
        ("fields without a name that are none of the past", "SELECT count(*) FROM main._crdt_field WHERE name = '' AND died IS NULL"),
    ] {
        let n = unless_missing(store.conn.int(sql, &[]), None)?.unwrap_or(0);
        if n > 0 {
            found.push(format!("{n} {what}"));
        }
    }
    Ok(())
}

/// When a cell certainly shows the value that its record holds.
#[derive(Clone, Copy)]
struct Sure {
    /// No trigger or foreign key's action may have the last word on a cell.
    quiet: bool,
}

impl Sure {
    fn new(store: &Store<'_>) -> Result<Sure> {
        Ok(Sure { quiet: crate::putback::Watch::new(store)?.quiet() })
    }

    /// Whether a cell of an lww column says something else than the record's own value, and nothing can be the reason.
    fn contradicts(self, tracked: &Tracked, want: &Value, cell: &Value) -> bool {
        self.quiet
            && tracked.column.affinity.keeps(want.as_ref())
            && !crate::value::identical(want.as_ref(), cell.as_ref())
    }
}

fn check_records(store: &Store<'_>, table: &Table, form: &Form, sure: Sure, found: &mut Vec<String>) -> Result<()> {
    let mut rows = store.conn.stmt("SELECT pk, dead FROM main._crdt_clock WHERE t = ?1")?;
    rows.bind(1, table.id)?;
    while found.len() < MOST && rows.step()? {
        let (pk, dead) = (Pk::from_stored(rows.column(0))?, rows.i64(1) == Some(1));
        let name = format!("{}[{}]", table.name, crate::error::excerpt(&pk.wire()));
        if pk.is_too_long() {
            let (has, most) = (pk.wire().len(), crate::key::MAX_KEY_BYTES);
            found.push(format!("{name} is not sent to peers: its key has {has} bytes, and they take at most {most}"));
        }
        if store.overlay.contains_key(&(table.id, pk.clone())) {
            continue; // not folded yet: what is stored is from before
        }
        let record = match store.load(table, &pk) {
            Ok(Some(record)) => record,
            Ok(None) => continue,
            Err(e) if e.kind() == crate::error::Kind::Data => {
                found.push(format!("{name}: {}", e.message()));
                continue;
            }
            Err(e) => return Err(e),
        };
        check_record(store, table, &name, &record, dead, found);
        if table.enabled && table.captured {
            check_shown(store, form, sure, (&name, &pk), &record, found)?;
        }
    }
    Ok(())
}

fn check_record(store: &Store<'_>, table: &Table, name: &str, record: &Record, dead: bool, found: &mut Vec<String>) {
    if record.alive() == dead {
        found.push(format!("{name} is marked {} but its stamps say otherwise", if dead { "dead" } else { "alive" }));
    }
    if record.last_stamp().is_some_and(|stamp| stamp.tick() > store.clock) {
        found.push(format!("{name} is stamped later than the clock, which should be past all it has seen"));
    }
    if record.epitaph && (!record.lww.is_empty() || !record.counters.is_empty() || !record.sets.is_empty()) {
        found.push(format!("{name} is forgotten but has field states"));
    }
    let fields: BTreeSet<_> = record.lww.keys().chain(record.counters.keys()).chain(record.sets.keys()).collect();
    for field in fields {
        if table.field(*field).is_none_or(|f| f.kind == Kind::None) {
            found.push(format!("{name} has state of field {field}, which the table does not have"));
        }
    }
}

/// A live record has its row, unless it is pending; a dead one has none; cells show the state.
fn check_shown(
    store: &Store<'_>,
    form: &Form,
    sure: Sure,
    (name, pk): (&str, &Pk),
    record: &Record,
    found: &mut Vec<String>,
) -> Result<()> {
    let pending = "SELECT 1 FROM main._crdt_pending WHERE t = ?1 AND pk = ?2";
    let table = store.catalog.by_name(&form.shape.name).map_or(0, |t| t.id);
    if store.conn.int(pending, &[table.into(), pk.as_ref()])?.is_some() {
        return Ok(());
    }
    let live = row::read(store.conn, form, pk)?;
    match (&live, record.alive()) {
        (None, true) => found.push(format!("{name} is alive but has no row, and is not pending")),
        (Some(_), false) => found.push(format!("{name} is deleted but has a row, and is not pending")),
        _ => {}
    }
    for (tracked, cell) in form.tracked.iter().zip(live.iter().flatten()) {
        let (column, Some(want)) = (&tracked.column.name, row::shown(record, tracked)) else { continue };
        match tracked.ty {
            Type::Lww if sure.contradicts(tracked, &want, cell) => {
                found.push(format!("{name}.{column} does not show the value that its record holds"));
            }
            Type::Counter | Type::Set if want != *cell && !row::is_bare(record, tracked, cell) => {
                found.push(format!("{name}.{column} does not show what its {} adds up to", tracked.ty.name()));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Every row of an enabled table has a record.
fn check_rows(store: &Store<'_>, table: &Table, form: &Form, found: &mut Vec<String>) -> Result<()> {
    for pk in row::keys(store.conn, form)? {
        if found.len() >= MOST {
            break;
        }
        match store.load(table, &pk) {
            Ok(None) => {
                found.push(format!("{}[{}] has a row but no record", table.name, crate::error::excerpt(&pk.wire())));
            }
            Ok(Some(_)) => {}
            Err(e) if e.kind() == crate::error::Kind::Data => {} // told of already
            Err(e) => return Err(e),
        }
    }
    Ok(())
}
