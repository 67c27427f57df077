//! `crdt_enable` and `crdt_disable`: capture on and off.

use std::collections::BTreeMap;

use crate::conn::Conn;
use crate::error::{Error, Result};
use crate::fold::{fold, Into};
use crate::functions::json_strings;
use crate::record::FieldId;
use crate::schema::enable::{left_view, plan_with, present, Request};
use crate::schema::stood::{self, Stood};
use crate::schema::{purged, rekey, Catalog, Form, Kind, Table};
use crate::sql::ident;
use crate::store::Store;
use crate::types::Type;
use crate::value::write_text;
use crate::{node, pending, row, session};

/// Enables a table; the JSON report. In the caller's savepoint.
pub fn enable(conn: &Conn, name: &str, requests: &[Request]) -> Result<String> {
    enable_with(conn, name, requests, None)
}

/// As [`enable`]; `columns` tells which column each field is now, where the triggers do not.
pub fn enable_with(
    conn: &Conn,
    name: &str,
    requests: &[Request],
    columns: Option<BTreeMap<FieldId, String>>,
) -> Result<String> {
    // What the old triggers wrote is read by the old rules.
    if let Some(mut store) = Store::open(conn)? {
        if let Some(table) = store.catalog.by_name(name).cloned() {
            if let Some(form) = table.form_if_usable(conn)? {
                rekey::settle(&store, &table, form)?;
            }
        }
        session::catch_up(&mut store)?;
    }
    let catalog = Catalog::current(conn)?;
    let mut plan = plan_with(conn, catalog.as_deref(), name, requests, false, columns)?;
    let counts = plan.fields.iter().any(|(_, kind)| *kind == Kind::Known(Type::Counter));
    if counts && purged::was_counted(conn, &plan.table)? {
        node::begin_anew(&mut session::open(conn)?)?;
        plan.warnings.push(format!(
            "this database has a new node id: counters of a table '{}' that was purged may go on at peers; what its rows show now is \
             counted besides, so where peers have the table, purge it and delete its rows before it is enabled",
            plan.table
        ));
    }
    let known = catalog.as_ref().and_then(|catalog| catalog.by_name(&plan.table)).cloned();
    let end = || -> Result<i64> { Ok(conn.int("SELECT max(seq) FROM main._crdt_log", &[])?.unwrap_or(0)) };
    let before = end()?;
    if !plan.script.is_empty() {
        conn.change_schema(&plan.script)?;
        if let Some(known) = &known {
            let mut store = session::open(conn)?;
            fold(&mut store, Into::Database)?;
            drop_values(&store, known, &plan.table)?;
            session::catch_up(&mut store)?;
            if let Some(table) = store.table(known.id) {
                crate::stays::again(&mut store, &table)?;
            }
        }
    }
    if known.is_none() {
        // Another table may have had that name before it was renamed.
        purged::forget_places(conn, &plan.table)?;
    }
    let rows = match known {
        Some(_) => conn.int(&format!("SELECT count(*) FROM main.{}", ident(&plan.table)), &[])?.unwrap_or(0),
        // Each has its row in the log. Their stamps they get from the fold, by the next call that needs them.
        None => end()? - before,
    };
    let mut out = String::from("{\"table\":");
    write_text(&mut out, &plan.table);
    out.push_str(",\"fields\":{");
    for (i, (column, kind)) in plan.fields.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        write_text(&mut out, column);
        out.push(':');
        write_text(&mut out, kind.name());
    }
    out.push_str(&format!("}},\"rows\":{rows},\"warnings\":{}}}", json_strings(&plan.warnings)));
    Ok(out)
}

/// Disables a table; the JSON report. In the caller's savepoint, the log folded.
pub fn disable(store: &mut Store<'_>, name: &str, purge: bool) -> Result<String> {
    let conn = store.conn;
    let table = match store.catalog.by_name(name) {
        Some(table) if table.enabled || purge => std::rc::Rc::clone(table),
        _ => {
            let name = crate::sql::literal(&crate::error::excerpt(name));
            return Err(Error::caller(format!("table {name} is not enabled: there is nothing to disable")));
        }
    };
    if !purge {
        if let Some(form) = table.form_if_usable(conn)? {
            keep_rows(store, &table, form)?;
        }
    }
    drop_objects(conn, &store.catalog, &table)?;
    if purge {
        pending::purge(store, table.id)?;
        purged::note_counters(conn, &table)?;
        for sql in [
            "DELETE FROM main._crdt_clock WHERE t = ?1",
            "DELETE FROM main._crdt_parts WHERE t = ?1",
            "DELETE FROM main._crdt_pending WHERE t = ?1",
            "DELETE FROM main._crdt_conflict WHERE t = ?1",
            "DELETE FROM main._crdt_field WHERE t = ?1",
            "DELETE FROM main._crdt_table WHERE t = ?1",
            // The last row stays, as nobody's: a sequence is never used again.
            "DELETE FROM main._crdt_alias WHERE t = ?1",
            "DELETE FROM main._crdt_heir WHERE t = ?1",
            "DELETE FROM main._crdt_waiting WHERE t = ?1",
            "DELETE FROM main._crdt_pragma WHERE name GLOB '*:' || ?1 || ':*'",
            "UPDATE main._crdt_log SET t = 0 WHERE t = ?1 AND seq = (SELECT max(seq) FROM main._crdt_log)",
            "DELETE FROM main._crdt_log WHERE t = ?1",
        ] {
            conn.run(sql, &[table.id.into()])?;
        }
        crate::filter::registry::purge(conn, table.id)?;
        stood::forget(conn, table.id)?;
        purged::note_number(conn, table.id)?;
        purged::forget_places(conn, &table.name)?;
    } else {
        // Without triggers nothing else tells that the table was renamed.
        let values = [table.id.into(), table.name.as_str().into()];
        conn.run("UPDATE main._crdt_table SET enabled = 0, name = ?2 WHERE t = ?1", &values)?;
    }
    conn.run("UPDATE main._crdt_state SET token = random()", &[])?;
    let mut out = String::from("{\"table\":");
    write_text(&mut out, &table.name);
    out.push_str(if purge { ",\"state\":\"purged\"}" } else { ",\"state\":\"kept\"}" });
    Ok(out)
}

/// Drops a table's triggers and its view.
pub fn drop_objects(conn: &Conn, catalog: &Catalog, table: &Table) -> Result<()> {
    let (view, old) = (format!("_{}_crdt", table.name), left_view(Some(catalog), table));
    let views: Vec<&str> = [Some(view.as_str()), old.as_deref()].into_iter().flatten().collect();
    let present = present(conn, table.id, &views)?;
    let drops = present.iter().map(|p| format!("DROP {} main.{};\n", p.kind.to_ascii_uppercase(), ident(&p.name)));
    conn.change_schema(&drops.collect::<String>())
}

/// Every record's values go into its state, so that it can be told later what changed meanwhile.
fn keep_rows(store: &Store<'_>, table: &Table, form: &Form) -> Result<()> {
    for pk in records(store, table)? {
        let Some(before) = store.load(table, &pk)? else { continue };
        let Some(cells) = row::read(store.conn, form, &pk)? else { continue };
        if pending::has(store, table.id, &pk)? {
            Stood::note(store.conn, (table.id, &pk), form, &cells)?;
            continue;
        }
        let mut now = before.clone();
        for (tracked, cell) in form.tracked.iter().zip(&cells).filter(|(t, _)| t.ty == Type::Lww) {
            if let Some(lww) = now.lww.get_mut(&tracked.field).filter(|lww| lww.saved.is_none()) {
                lww.saved = Some(crate::value::to_json(cell.as_ref(), tracked.column.form));
            }
        }
        store.save(table, &pk, Some(&before), &now)?;
    }
    Ok(())
}

/// The keys of a table's records.
pub fn records(store: &Store<'_>, table: &Table) -> Result<Vec<crate::key::Pk>> {
    let mut rows = store.conn.stmt("SELECT pk FROM main._crdt_clock WHERE t = ?1")?;
    rows.bind(1, table.id)?;
    let mut all = Vec::new();
    while rows.step()? {
        all.push(crate::key::Pk::from_stored(rows.column(0))?);
    }
    Ok(all)
}

/// A column that was dropped takes its values with it, also those of records that are not shown. `before` is the table as it was.
fn drop_values(store: &Store<'_>, before: &Table, name: &str) -> Result<()> {
    let table = std::rc::Rc::clone(store.catalog.enabled(name)?);
    let form = table.form(store.conn)?;
    let column = |name: &str| form.shape.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
    let ended = |f: &&crate::schema::Field| table.field(f.id).is_some_and(|now| now.died.is_some());
    let dropped: Vec<FieldId> =
        before.local(|ty| ty == Type::Lww).filter(ended).filter(|f| !column(&f.name)).map(|f| f.id).collect();
    if dropped.is_empty() {
        return Ok(());
    }
    for pk in records(store, &table)? {
        let Some(record) = store.load(&table, &pk)? else { continue };
        let mut now = record.clone();
        for (_, lww) in now.lww.iter_mut().filter(|(field, _)| dropped.contains(field)) {
            lww.saved = None;
        }
        now.let_go(|field| dropped.contains(&field));
        if now != record {
            store.save(&table, &pk, Some(&record), &now)?;
        }
    }
    Ok(())
}
