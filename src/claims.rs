//! Records whose row cannot be shown: tried again, and unique values given to those who claim them first.
//!
//! Of live records that claim the same unique values, those are shown that every node would choose: in the order of their
//! claims (the latest stamp over the record's unique columns, then the key) each takes all its claims, or waits. It is
//! enough to let a waiting record take the place of younger ones until none is left that could: what then waits has an
//! older rival that is shown.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::apply::{apply, insist, is_overruled, vacate, Known, Shown};
use crate::clock::Hlc;
use crate::error::Result;
use crate::ffi::Value;
use crate::key::Pk;
use crate::left;
use crate::log::{Event, Reader};
use crate::pending;
use crate::putback::Watch;
use crate::record::Record;
use crate::row;
use crate::schema::{Form, Table};
use crate::store::Store;

/// A claim's rank: older ones are less.
type Age = (Option<Hlc>, String);

/// A record whose row waits.
struct Waiting {
    table: Rc<Table>,
    pk: Pk,
    age: Age,
}

/// Tries records again whose rows could not be shown; the number that are shown now. In the caller's savepoint, the log
/// folded.
pub fn retry(store: &mut Store<'_>) -> Result<i64> {
    if !store.any_pending.get() && !breaks_keys(store) {
        return Ok(0);
    }
    let mark = store.last_seq()?;
    let mut watch = Watch::new(store)?;
    let shown = loop {
        store.conn.run("SAVEPOINT crdt_retry", &[])?;
        let shown = pass(store, &mut watch, mark)?;
        keep_keys(store, &mut watch, mark)?;
        if !watch.surprised() {
            let mut reasons = BTreeMap::new();
            watch.put_back(store, &mut reasons)?;
            for ((t, pk), reason) in reasons {
                pending::set(store, t, &pk, Some(&reason))?;
            }
            keep_keys(store, &mut watch, mark)?;
            store.conn.run("RELEASE crdt_retry", &[])?;
            break shown;
        }
        // Triggers changed rows that are not ours to change: once more, now knowing how they were.
        store.conn.run("ROLLBACK TO crdt_retry", &[])?;
        store.conn.run("RELEASE crdt_retry", &[])?;
        watch.remember(store)?;
    };
    // What the triggers logged of all this is no local write.
    store.conn.run("DELETE FROM main._crdt_log WHERE seq > ?1", &[mark.into()])?;
    store.conn.run("DELETE FROM main._crdt_grave WHERE seq > ?1", &[mark.into()])?;
    Ok(shown)
}

/// Tries every waiting record, oldest claim first, until nothing moves any more.
fn pass(store: &Store<'_>, watch: &mut Watch, mark: i64) -> Result<i64> {
    let mut shown = 0;
    loop {
        let mut moved = false;
        for waiting in waiting(store)? {
            if try_one(store, watch, &waiting, mark)? {
                shown += 1;
                moved = true; // who waits, and for whom, has changed
            }
        }
        if !moved {
            return Ok(shown);
        }
    }
}

fn waiting(store: &Store<'_>) -> Result<Vec<Waiting>> {
    let mut all = Vec::new();
    for (t, pk) in pending::list(store.conn)? {
        let Some(table) = store.table(t).filter(|table| table.enabled && table.captured) else { continue };
        let (Ok(form), Some(record)) = (table.form(store.conn), store.load(&table, &pk)?) else { continue };
        let age = age(store, form, &pk, &record)?;
        all.push(Waiting { table, pk, age });
    }
    all.sort_by(|a, b| (&a.age, a.table.id).cmp(&(&b.age, b.table.id)));
    Ok(all)
}

fn age(store: &Store<'_>, form: &Form, pk: &Pk, record: &Record) -> Result<Age> {
    let fields = form.unique_fields(store.conn)?;
    let latest = fields.iter().filter_map(|field| record.stamp_of(*field)).max();
    Ok((latest, pk.wire().into_owned()))
}

/// Tries to show one record; true when it is shown now.
fn try_one(store: &Store<'_>, watch: &mut Watch, waiting: &Waiting, mark: i64) -> Result<bool> {
    let Waiting { table, pk, age } = waiting;
    let form = table.form(store.conn)?;
    let Some(before) = store.load(table, pk)? else { return Ok(false) };
    let mut now = before.clone();
    watch.intend(form, table.id, pk, &mut now);
    let mut outcome = apply(store.conn, form, pk, &mut now, Known::default())?;
    watch.notice(store, pk, table.id, mark)?;
    if matches!(outcome, Shown::Claimed(_)) {
        // It takes all its claims or waits: its old row must not keep others from theirs.
        vacate(store.conn, form, pk, &mut now)?;
        watch.notice(store, pk, table.id, mark)?;
        if displace(store, watch, table, form, (pk, age), &now, mark)? {
            outcome = apply(store.conn, form, pk, &mut now, Known::default())?;
            watch.notice(store, pk, table.id, mark)?;
        }
    }
    if outcome == Shown::Yes && !watch.quiet() && is_overruled(store.conn, form, pk, &now)? {
        insist(store.conn, std::iter::once((form, pk, &mut now)))?;
    }
    if outcome == Shown::Yes && now == Record::default() {
        left::forget(store, table.id, pk)?; // the row of a record that left a peer's filter is gone at last
    } else if now != before {
        store.save(table, pk, Some(&before), &now)?;
    }
    match outcome {
        Shown::Yes => pending::set(store, table.id, pk, None).map(|()| true),
        Shown::Pending(reason) | Shown::Claimed(reason) => {
            pending::set(store, table.id, pk, Some(&reason)).map(|()| false)
        }
    }
}

/// Takes away the rows that stand in the way of a record, if all of them are younger; whether the way is free.
fn displace(
    store: &Store<'_>,
    watch: &mut Watch,
    table: &Rc<Table>,
    form: &Form,
    (pk, mine): (&Pk, &Age),
    record: &Record,
    mark: i64,
) -> Result<bool> {
    let mut younger = Vec::new();
    for rival in rivals(store, form, pk, record)? {
        let Some(state) = store.load(table, &rival)? else { return Ok(false) };
        if age(store, form, &rival, &state)? < *mine {
            return Ok(false);
        }
        younger.push((rival, state));
    }
    for (rival, before) in younger {
        let mut now = before.clone();
        watch.intend(form, table.id, &rival, &mut now);
        vacate(store.conn, form, &rival, &mut now)?;
        watch.notice(store, &rival, table.id, mark)?;
        store.save(table, &rival, Some(&before), &now)?;
        let reason =
            format!("a unique value of it is claimed by the older record '{}'", crate::error::excerpt(&pk.wire()));
        pending::set(store, table.id, &rival, Some(&reason))?;
    }
    Ok(true)
}

/// The keys of the rows that stand in the way of a record: our own triggers note them before a write that is ignored.
fn rivals(store: &Store<'_>, form: &Form, pk: &Pk, record: &Record) -> Result<Vec<Pk>> {
    let Some(key) = pk.decode(&form.shape.classes) else { return Ok(Vec::new()) };
    let cells: Vec<(usize, Value)> =
        form.tracked.iter().enumerate().filter_map(|(i, t)| Some((i, row::shown(record, t)?))).collect();
    let mark = store.last_seq()?;
    store.conn.run("SAVEPOINT crdt_probe", &[])?;
    let probe = || -> Result<Vec<Pk>> {
        row::probe(store.conn, form, &key, &cells)?;
        let mut found = Vec::new();
        let mut rows = Reader::new(store.conn, mark, i64::MAX)?;
        while rows.step()? {
            if rows.event() == Event::Suspect {
                found.push(rows.key(&form.shape.classes));
            }
        }
        // One row may stand in the way by several of its values.
        found.sort_unstable();
        found.dedup();
        Ok(found)
    };
    let found = probe();
    store.conn.run("ROLLBACK TO crdt_probe", &[])?;
    store.conn.run("RELEASE crdt_probe", &[])?;
    found
}

/// Whether rows break deferred foreign keys, and it is our commit that would fail.
fn breaks_keys(store: &Store<'_>) -> bool {
    store.conn.own_transaction.get() && store.conn.db.breaks_deferred_keys()
}

/// Rows whose deferred foreign key names no parent wait for it, as those with an immediate one do: the commit must not fail.
fn keep_keys(store: &Store<'_>, watch: &mut Watch, mark: i64) -> Result<()> {
    let mut moved = true;
    while moved && breaks_keys(store) {
        moved = false;
        for table in store.catalog.tables().iter().filter(|table| table.enabled && table.captured) {
            let form = table.form(store.conn)?;
            for pk in row::orphans(store.conn, form)? {
                let Some(before) = store.load(table, &pk)? else { continue };
                let mut now = before.clone();
                watch.intend(form, table.id, &pk, &mut now);
                vacate(store.conn, form, &pk, &mut now)?;
                watch.notice(store, &pk, table.id, mark)?;
                store.save(table, &pk, Some(&before), &now)?;
                pending::set(store, table.id, &pk, Some("FOREIGN KEY constraint failed"))?;
                moved = true;
            }
        }
    }
    Ok(())
}
