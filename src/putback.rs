//! What the application's triggers and cascades do to rows while a merge writes others: told apart, and put back.
//!
//! The merged value is the state. Triggers fire on merged rows (full-text indexes rely on it), but they fired where the
//! change was made too, and what they wrote there comes as changes of its own.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::error::Result;
use crate::ffi::Value;
use crate::foreign::Foreign;
use crate::key::Pk;
use crate::log::{Event, Reader};
use crate::record::Record;
use crate::schema::Form;
use crate::store::{RecordKey, Store};
use crate::strangers::Strangers;
use crate::types::Type;
use crate::{apply, row};

/// Most starts of a merge anew because of rows that triggers changed.
const MAX_PASSES: usize = 5;

/// The tracked cells of a row; None for one of which nothing is known: it is left as it is, or takes its default.
type Cells = Vec<Option<Value>>;

/// Watches which rows are written besides those that the merge writes.
#[derive(Clone)]
pub struct Watch {
    /// Whether anything could write besides: a trigger of the application's, or a foreign key's action.
    possible: bool,
    /// How far the log has been looked at.
    seen: i64,
    /// Rows written besides.
    besides: BTreeSet<RecordKey>,
    /// The cells of such rows before the merge; None where there was no row.
    were: BTreeMap<RecordKey, Option<Cells>>,
    /// Rows that came into being besides: their first sign was an insert.
    born: BTreeSet<RecordKey>,
    /// How often the merge has been started anew.
    passes: usize,
    /// What they should show after it.
    wanted: BTreeMap<RecordKey, Option<Cells>>,
    /// Tables that are not ours, whose keys what is written besides may break.
    pub strangers: Rc<Strangers>,
}

/// Whether the main schema has anything that could write besides.
fn in_schema(store: &Store<'_>) -> Result<bool> {
    let kept = store.catalog.derived(store.conn)?.map(|derived| &derived.besides);
    if let Some(besides) = kept.and_then(OnceCell::get) {
        return Ok(*besides);
    }
    let triggers = "SELECT 1 FROM main.sqlite_schema WHERE type = 'trigger' AND name NOT GLOB '_crdt_[0-9]*_*' LIMIT 1";
    let mut besides = store.conn.int(triggers, &[])?.is_some();
    let actions = "SELECT 1 FROM pragma_foreign_key_list(?1, 'main') WHERE on_delete NOT IN ('NO ACTION', 'RESTRICT')
                   OR on_update NOT IN ('NO ACTION', 'RESTRICT') LIMIT 1";
    for table in store.catalog.tables() {
        besides = besides || store.conn.int(actions, &[table.name.as_str().into()])?.is_some();
    }
    Ok(kept.map_or(besides, |kept| *kept.get_or_init(|| besides)))
}

impl Watch {
    /// Looks whether the schema has anything that could write besides.
    pub fn new(store: &Store<'_>) -> Result<Watch> {
        let temporary = "SELECT 1 FROM temp.sqlite_schema WHERE type = 'trigger' LIMIT 1";
        let possible = store.conn.int(temporary, &[])?.is_some() || in_schema(store)?;
        let seen = store.last_seq()?;
        let foreign = Foreign::current(store.conn, &store.catalog)?;
        let strangers = Rc::new(foreign.strangers(possible));
        store.conn.foreign.replace(foreign);
        Ok(Watch {
            possible,
            seen,
            besides: BTreeSet::new(),
            were: BTreeMap::new(),
            born: BTreeSet::new(),
            passes: 0,
            wanted: BTreeMap::new(),
            strangers,
        })
    }

    /// Whether nothing can write besides.
    pub fn quiet(&self) -> bool {
        !self.possible
    }

    /// Whether no row has to do with another: no triggers, no foreign keys.
    pub fn is_lone(&self, store: &Store<'_>) -> bool {
        self.quiet() && store.conn.foreign.borrow().is_empty()
    }

    /// Before a record is shown: what its row should show, should it also be written by others. Its cells from before the
    /// merge go into the record, as the row may be gone by now.
    pub fn intend(&mut self, form: &Form, t: i64, pk: &Pk, record: &mut Record) {
        let key = (t, pk.clone());
        let Some(were) = self.were.get(&key) else { return };
        // What it was meant to show already: a cascade may have changed that since.
        if let Some(cells) = self.wanted.get(&key).and_then(Option::as_ref).or(were.as_ref()) {
            fill(form, record, cells);
        }
        let was = |i: usize| were.as_ref().and_then(|cells| cells.get(i).cloned().flatten());
        let cells = form.tracked.iter().enumerate().map(|(i, tracked)| row::shown(record, tracked).or_else(|| was(i)));
        let cells = record.alive().then(|| cells.collect());
        self.wanted.insert(key, cells);
    }

    /// A record's row is meant to be gone, alive as the record may be.
    pub fn gone(&mut self, t: i64, pk: &Pk) {
        let key = (t, pk.clone());
        if self.were.contains_key(&key) {
            self.wanted.insert(key, None);
        }
    }

    /// After a record was shown: rows that were written besides it.
    pub fn notice(&mut self, store: &Store<'_>, pk: &Pk, t: i64, mark: i64) -> Result<()> {
        if !self.possible {
            return Ok(());
        }
        self.seen = self.seen.max(mark);
        self.look(store, Some((t, pk)))
    }

    /// Rows that were written since it was last looked, but the one that was meant.
    fn look(&mut self, store: &Store<'_>, meant: Option<(i64, &Pk)>) -> Result<()> {
        let mut suspects = BTreeSet::new();
        let mut rows = Reader::new(store.conn, self.seen, i64::MAX)?;
        while rows.step()? {
            self.seen = rows.seq();
            let Some(table) = store.table(rows.table()) else { continue };
            let Some(form) = table.form_if_usable(store.conn)? else { continue };
            let key = (table.id, rows.key(&form.shape.classes));
            if meant == Some((key.0, &key.1)) {
                continue;
            }
            if rows.event() == Event::Suspect {
                suspects.insert(key);
                continue;
            }
            if !self.besides.contains(&key) && rows.event() == Event::Insert {
                self.born.insert(key.clone());
            }
            self.besides.insert(key);
        }
        drop(rows);
        // Nothing else tells of a row that a REPLACE removed.
        for key in suspects {
            let Some(table) = store.table(key.0) else { continue };
            if !row::exists(store.conn, table.form(store.conn)?, &key.1)? {
                self.besides.insert(key);
            }
        }
        Ok(())
    }

    /// Whether rows were written besides whose cells before the merge are not known.
    pub fn surprised(&self) -> bool {
        // Triggers that make new rows each time are no surprise for ever.
        self.passes < MAX_PASSES && self.besides.iter().any(|key| !self.were.contains_key(key))
    }

    /// Reads the rows that were written besides, as they are before the merge.
    pub fn remember(&mut self, store: &Store<'_>) -> Result<()> {
        for key in std::mem::take(&mut self.besides) {
            let Some(table) = store.table(key.0) else { continue };
            let cells = row::read(store.conn, table.form(store.conn)?, &key.1)?;
            self.were.insert(key, cells.map(|cells| cells.into_iter().map(Some).collect()));
        }
        self.wanted.clear();
        self.born.clear();
        self.passes += 1;
        self.seen = store.last_seq()?;
        Ok(())
    }

    /// Puts back what was written besides. A row that can no longer be put back, as when a cascade took it with its
    /// parent, is pending, its values kept in its record. It may be [`Watch::surprised`] by what that writes in turn, as where a row
    /// that a trigger made takes rows of the merge along.
    pub fn put_back(&mut self, store: &Store<'_>, reasons: &mut BTreeMap<RecordKey, String>) -> Result<()> {
        if self.besides.is_empty() {
            return Ok(());
        }
        self.put_back_guarded(store, reasons)?;
        self.look(store, None)?;
        if self.surprised() {
            return Ok(());
        }
        // Triggers have fired on that again. The state has the last word.
        store.conn.db.without_triggers(|| self.put_back_once(store, reasons))
    }

    /// With triggers off, where theirs would break a key of a table that is not ours. As long as it is not known what was broken before,
    /// the caller sees to that.
    fn put_back_guarded(&self, store: &Store<'_>, reasons: &mut BTreeMap<RecordKey, String>) -> Result<()> {
        if !self.strangers.is_learnt() {
            return self.put_back_once(store, reasons);
        }
        let (conn, before) = (store.conn, reasons.clone());
        conn.run("SAVEPOINT crdt_guard", &[])?;
        self.put_back_once(store, reasons)?;
        if self.strangers.broken(conn)?.is_some() {
            conn.run("ROLLBACK TO crdt_guard", &[])?;
            *reasons = before;
            conn.db.without_triggers(|| self.put_back_once(store, reasons))?;
        }
        conn.run("RELEASE crdt_guard", &[]).map(|_| ())
    }

    fn put_back_once(&self, store: &Store<'_>, reasons: &mut BTreeMap<RecordKey, String>) -> Result<()> {
        for key in &self.besides {
            let Some(table) = store.table(key.0) else { continue };
            let form = table.form(store.conn)?;
            if !self.were.contains_key(key) && !self.born.contains(key) {
                continue; // not known after many passes: left as it is
            }
            let want = self.wanted.get(key).or_else(|| self.were.get(key)).and_then(Option::as_ref);
            let Some(values) = key.1.decode(&form.shape.classes) else { continue };
            let now = row::read(store.conn, form, &key.1)?;
            let outcome = match (want, now) {
                (None, None) => Ok(()),
                (None, Some(_)) => row::delete(store.conn, form, &values),
                (Some(want), None) => row::insert(store.conn, form, &values, &numbered(want)),
                (Some(want), Some(now)) => {
                    let cells = numbered(want).into_iter().filter(|(i, cell)| now.get(*i) != Some(cell));
                    row::update(store.conn, form, &values, &cells.collect::<Vec<_>>())
                }
            };
            match outcome {
                Ok(()) => {
                    reasons.remove(key);
                }
                Err(e) => {
                    let reason = apply::refused(store.conn, e)?;
                    if let Some(want) = want {
                        keep(store, key, want)?;
                        reasons.insert(key.clone(), reason);
                    }
                }
            }
        }
        Ok(())
    }
}

fn numbered(cells: &[Option<Value>]) -> Vec<(usize, Value)> {
    cells.iter().enumerate().filter_map(|(i, cell)| Some((i, cell.clone()?))).collect()
}

/// Keeps the lww values of a row that is gone in its record.
fn keep(store: &Store<'_>, key: &RecordKey, cells: &[Option<Value>]) -> Result<()> {
    let Some(table) = store.table(key.0) else { return Ok(()) };
    let form = table.form(store.conn)?;
    let Some(before) = store.load(&table, &key.1)? else { return Ok(()) };
    let mut now = before.clone();
    fill(form, &mut now, cells);
    store.save(&table, &key.1, Some(&before), &now)
}

/// Puts the lww cells of a row into its record, where it does not hold later ones.
fn fill(form: &Form, record: &mut Record, cells: &[Option<Value>]) {
    for (tracked, cell) in form.tracked.iter().zip(cells).filter(|(tracked, _)| tracked.ty == Type::Lww) {
        let Some(cell) = cell else { continue };
        if let Some(lww) = record.lww.get_mut(&tracked.field).filter(|lww| lww.saved.is_none()) {
            lww.saved = Some(crate::value::to_json(cell.as_ref(), tracked.column.form));
        }
    }
}
