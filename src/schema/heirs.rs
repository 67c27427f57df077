//! Fields whose state goes to another field, once: that of a column's new name that peers have already sent when it is renamed
//! here, and that of a column that comes back under its old name and type.
//!
//! `crdt_enable` (or its script, run by a client without the extension) notes them in `_crdt_heir`; the next call that can
//! write moves the state, after the fold.

use std::collections::HashMap;
use std::rc::Rc;

use crate::change::Body;
use crate::clock::{Hlc, BASE_NODE};
use crate::conn::Conn;
use crate::error::{Error, Result};
use crate::key::Pk;
use crate::record::{FieldId, Marks, Parts, Record};
use crate::schema::{Form, Table};
use crate::show::{show, Work};
use crate::store::Store;
use crate::types::counter::{self, Part};
use crate::{conflicts, local, merge, pending, row};

/// One field's state and where it goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Heir {
    /// The field.
    pub from: FieldId,
    /// The field that takes it; the same one when its state is only to be shown.
    pub to: FieldId,
    /// The column held these values under another type meanwhile: what it showed is in the new field already.
    pub retyped: bool,
}

/// What the catalog needs of renamed and returned fields.
pub struct Moves {
    aliases: HashMap<i64, Vec<(String, FieldId)>>,
    heirs: HashMap<i64, Vec<Heir>>,
}

impl Moves {
    /// Reads them; none in a database of the first format.
    pub fn read(conn: &Conn, format: i64) -> Result<Moves> {
        let mut moves = Moves { aliases: HashMap::new(), heirs: HashMap::new() };
        if format < 2 {
            return Ok(moves);
        }
        let small = |v: Option<i64>| {
            v.and_then(|v| FieldId::try_from(v).ok())
                .ok_or_else(|| Error::data("_crdt_alias or _crdt_heir names no field"))
        };
        let mut rows = conn.stmt("SELECT t, name, f FROM main._crdt_alias")?;
        while rows.step()? {
            let alias = (rows.text(1).unwrap_or_default().to_owned(), small(rows.i64(2))?);
            moves.aliases.entry(rows.i64(0).unwrap_or(0)).or_default().push(alias);
        }
        drop(rows);
        // A chain is followed from its start: an heir is a later field than those it may hand on to.
        let mut rows = conn.stmt("SELECT t, f, heir, retyped FROM main._crdt_heir ORDER BY t, heir, f")?;
        while rows.step()? {
            let heir = Heir { from: small(rows.i64(1))?, to: small(rows.i64(2))?, retyped: rows.i64(3) == Some(1) };
            moves.heirs.entry(rows.i64(0).unwrap_or(0)).or_default().push(heir);
        }
        Ok(moves)
    }

    /// Whether a table has names of the past.
    pub fn any_aliases(&self, t: i64) -> bool {
        self.aliases.contains_key(&t)
    }

    /// A table's aliases: an old name that is a column again is none.
    pub fn aliases(&mut self, conn: &Conn, t: i64, name: &str) -> Result<Vec<(String, FieldId)>> {
        let mut all = self.aliases.remove(&t).unwrap_or_default();
        if !all.is_empty() {
            let mut columns = conn.stmt("SELECT name FROM pragma_table_xinfo(?1, 'main')")?;
            columns.bind(1, name)?;
            while columns.step()? {
                let column = columns.text(0).unwrap_or_default();
                all.retain(|(alias, _)| !alias.eq_ignore_ascii_case(column));
            }
        }
        Ok(all)
    }

    /// A table's heirs.
    pub fn heirs(&mut self, t: i64) -> Vec<Heir> {
        self.heirs.remove(&t).unwrap_or_default()
    }
}

/// Whether any state waits to be moved.
pub fn due(store: &Store<'_>) -> bool {
    store.catalog.heirs_due
}

/// Moves the state of fields to their heirs, shows it, and logs what changed. In the caller's savepoint, the log folded.
pub fn settle(store: &mut Store<'_>) -> Result<()> {
    if !due(store) {
        return Ok(());
    }
    let tables = store.catalog.tables().to_vec();
    for table in tables.iter().filter(|table| !table.heirs.is_empty() && table.enabled && table.captured) {
        let form = table.form(store.conn)?;
        settle_table(store, table, form)?;
    }
    store.conn.run("UPDATE main._crdt_state SET token = random()", &[])?;
    if let Some(catalog) = crate::schema::Catalog::current(store.conn)? {
        store.catalog = catalog;
    }
    if store.any_pending.get() {
        crate::claims::again(store)?;
    }
    Ok(())
}

/// Records shown at a time. Bounds the memory.
const WINDOW: usize = if cfg!(debug_assertions) { 5 } else { 1_000 };

fn settle_table(store: &mut Store<'_>, table: &Rc<Table>, form: &Form) -> Result<()> {
    let mut conflicts = conflicts::Log::default();
    let mut work = Vec::new();
    for pk in super::switch::records(store, table)? {
        let Some(before) = store.load(table, &pk)? else { continue };
        if table.heirs.iter().all(|heir| !has_state(&before, heir.from)) {
            continue;
        }
        let mut now = before.clone();
        let mut changed = Vec::new();
        for heir in table.heirs.iter().filter(|heir| heir.from != heir.to) {
            if inherit(store, table, form, &pk, &mut now, *heir, &mut conflicts)? {
                changed.push(heir.to);
            }
        }
        let news = !changed.is_empty();
        let (table, before, fields) = (Rc::clone(table), Some(before), Some(changed));
        work.push(Work { table, pk, before, now, fields, news, taken: 0, dropped: false });
        if work.len() >= WINDOW {
            show(store, &mut std::mem::take(&mut work))?;
        }
    }
    show(store, &mut work)?;
    conflicts.finish(store)?;
    for heir in table.heirs.iter().filter(|heir| heir.from != heir.to) {
        // Its state is gone: the number stays taken, the name is nobody's.
        for sql in [
            "UPDATE main._crdt_field SET name = '', born = coalesce(born, 0), died = coalesce(died, 0) WHERE t = ?1 AND f = ?2",
            "DELETE FROM main._crdt_parts WHERE t = ?1 AND f = ?2",
            "DELETE FROM main._crdt_waiting WHERE t = ?1 AND f = ?2",
        ] {
            store.conn.run(sql, &[table.id.into(), i64::from(heir.from).into()])?;
        }
        conflicts::rename(store.conn, table.id, heir.from, heir.to)?;
    }
    store.conn.run("DELETE FROM main._crdt_heir WHERE t = ?1", &[table.id.into()]).map(drop)
}

fn has_state(record: &Record, field: FieldId) -> bool {
    record.lww.contains_key(&field)
        || record.counters.contains_key(&field)
        || record.sets.contains_key(&field)
        || record.kept.contains_key(&field)
}

/// Merges one field of a record into its heir, by the rules of a merge; true when that one changed.
fn inherit(
    store: &mut Store<'_>,
    table: &Table,
    form: &Form,
    pk: &Pk,
    record: &mut Record,
    heir: Heir,
    conflicts: &mut conflicts::Log,
) -> Result<bool> {
    let Heir { from, to, .. } = heir;
    let mut news = false;
    if let Some(lww) = record.lww.remove(&from) {
        let others: Vec<Hlc> = lww.others().cloned().collect();
        let seen = lww.seen().cloned();
        let body = lww.saved.map(|value| Body::Lww { value, prev: lww.prev, altered: lww.altered });
        if let Some(body) = body {
            let mut held = |field| live_value(store, form, pk, field);
            let outcome = merge::merge(record, to, &lww.hlc, &body, seen.as_ref(), &mut held)?;
            news |= outcome.news;
            // What it met as a write against a delete was told of when it came.
            if let Some(conflict) = outcome.conflict.filter(|conflict| conflict.field == to) {
                conflicts.note(store, table.id, pk, &conflict)?;
            }
            if let Some(cell) = record.lww.get_mut(&to) {
                others.iter().for_each(|stamp| cell.miss(stamp));
            }
        } else {
            record.join_row(&lww.hlc);
        }
    }
    if let Some(parts) = record.counters.remove(&from) {
        news |= inherit_counter(store, table, pk, record, heir, parts)?;
    }
    let was = elements(record, from);
    if let Some(marks) = record.sets.remove(&from) {
        news |= inherit_set(store, table, pk, record, heir, (marks, was))?;
    }
    if let Some(kept) = record.kept.remove(&from) {
        let own = record.kept.entry(to).or_default();
        for (hlc, json) in kept {
            news |= own.insert(hlc, json).is_none();
        }
    }
    Ok(news)
}

fn inherit_counter(
    store: &Store<'_>,
    table: &Table,
    pk: &Pk,
    record: &mut Record,
    heir: Heir,
    mut parts: Parts,
) -> Result<bool> {
    let base = local::base_of(record, &Hlc::new(0, 1, &Rc::from(BASE_NODE)));
    let own = record.counters.entry(heir.to).or_default();
    let mut news = false;
    if heir.retyped {
        // The new field began, under the shared author, with what the column showed. What it had shown as a counter before
        // is in these parts: the shared author adds the difference.
        let was = match pending::shown_before(store, table.id, pk, heir.from)? {
            Some(value) => i128::from(value.as_ref().as_i64().unwrap_or(0)),
            None => i128::from(counter::shown(counter::sum(parts.values()))),
        };
        let key = (Rc::clone(&base.node), String::new());
        let began = counter::sum(own.remove(&key).iter());
        parts.entry(key).or_insert_with(|| Part::empty(base.clone())).add(began.saturating_sub(was), base);
        news = true;
    }
    for (key, part) in parts {
        news |= match own.get_mut(&key) {
            Some(held) => held.join(&part),
            None => own.insert(key, part).is_none(),
        };
    }
    Ok(news)
}

fn inherit_set(
    store: &mut Store<'_>,
    table: &Table,
    pk: &Pk,
    record: &mut Record,
    heir: Heir,
    (marks, mut was): (Marks, Vec<String>),
) -> Result<bool> {
    let mut news = false;
    if let Some(value) = pending::shown_before(store, table.id, pk, heir.from)? {
        let text = value.as_ref().as_str().map(str::to_owned).unwrap_or_default();
        was = crate::types::set::elements(&text).unwrap_or(was);
    }
    let now = elements(record, heir.to);
    let own = record.sets.entry(heir.to).or_default();
    for (key, mark) in marks {
        news |= own.entry(key).or_default().join(&mark);
    }
    let lost: Vec<String> = was.into_iter().filter(|element| now.binary_search(element).is_err()).collect();
    // They were taken out while the column was something else. A write would bring a deleted record back.
    if heir.retyped && !lost.is_empty() && record.alive() {
        let stamp = store.stamp(store.wall);
        local::set(record, heir.to, &lost, &[], &stamp);
        news = true;
    }
    Ok(news)
}

fn elements(record: &Record, field: FieldId) -> Vec<String> {
    record.elements(field).into_iter().map(str::to_owned).collect()
}

fn live_value(store: &Store<'_>, form: &Form, pk: &Pk, field: FieldId) -> Result<Option<String>> {
    let Some(cells) = row::read(store.conn, form, pk)? else { return Ok(None) };
    let cell = form.tracked.iter().zip(&cells).find(|(tracked, _)| tracked.field == field);
    Ok(cell.map(|(tracked, cell)| crate::value::to_json(cell.as_ref(), tracked.column.form)))
}

/// The SQL that notes a table's new names and heirs.
pub fn script(t: i64, aliases: &[(String, FieldId)], heirs: &[Heir], columns: &[&str]) -> String {
    use crate::sql::literal;
    let mut out = String::new();
    let mut add = |sql: String| out.push_str(&sql);
    for (name, f) in aliases {
        add(format!("INSERT OR REPLACE INTO main._crdt_alias(t, name, f) VALUES ({t}, {}, {f});\n", literal(name)));
    }
    for Heir { from, to, retyped } in heirs {
        let retyped = i32::from(*retyped);
        add(format!(
            "INSERT OR REPLACE INTO main._crdt_heir(t, f, heir, retyped) VALUES ({t}, {from}, {to}, {retyped});\n"
        ));
        if from != to {
            add(format!("UPDATE main._crdt_alias SET f = {to} WHERE t = {t} AND f = {from};\n"));
        }
    }
    if !aliases.is_empty() || !columns.is_empty() {
        let names = crate::sql::list(columns.iter().map(|c| literal(c)));
        add(format!("DELETE FROM main._crdt_alias WHERE t = {t} AND name IN ({names});\n"));
    }
    out
}
