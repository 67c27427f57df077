//! The fold: gives each row of the log's tail its stamp and takes it into the records' state.
//!
//! Lazy: it runs before a merge, an export, an inspection. Stamps are a pure function of the log and the clock row, so it does
//! not matter who folds, or when. Where the database cannot be written, the same is done in memory.

use std::collections::{BTreeMap, HashMap};

use crate::cells::Cells;
use crate::clock::{Hlc, BASE_NODE};
use crate::error::Result;
use crate::ffi::{Value, ValueRef};
use crate::local;
use crate::log::{Event, Reader};
use crate::record::{FieldId, Record};
use crate::schema::{Form, Table};
use crate::store::{RecordKey, Store};
use crate::types::Type;
use write::fresh_row;

mod write;

/// Log rows folded before the records they touch are written.
const CHUNK: usize = 100_000;
/// Folds in a row: the rewriting of cells adds log rows of its own.
const ROUNDS: usize = 4;

/// Where the fold's result goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Into {
    /// The database: the caller holds a savepoint.
    Database,
    /// Memory: the store's overlay.
    Memory,
}

/// Folds the log's tail. In memory, what is folded stands in `store.overlay`.
pub fn fold(store: &mut Store<'_>, into: Into) -> Result<()> {
    for round in 0..ROUNDS {
        let end = store.last_seq()?;
        if end <= store.folded {
            if round > 0 && into == Into::Database && store.any_pending.get() {
                // The application may have written what stood in the way of others.
                crate::claims::again(store)?;
            }
            if round > 0 && into == Into::Database {
                crate::prune::if_due(store)?;
            }
            return Ok(());
        }
        let (slots, suspects, deleted, cells) = Default::default();
        let mut fold = Fold { store, into, slots, suspects, deleted, cells };
        fold.run(end)?;
        let cells = fold.finish(end)?;
        if into == Into::Memory {
            return Ok(());
        }
        crate::cells::rewrite(store, cells)?;
    }
    Ok(())
}

/// A record that the fold has met.
enum Slot {
    /// Inserted under this stamp, and not known to exist before: most rows end here.
    Fresh(Hlc),
    /// Read, and changed since.
    Loaded(Box<Loaded>),
}

struct Loaded {
    before: Option<Record>,
    now: Record,
}

/// That a row may be gone though nothing says so.
struct Suspicion {
    /// Where its values are.
    seq: i64,
    stamp: Hlc,
    /// Noted as a REPLACE was about to remove it; else it is looked after as it was written and deleted in one.
    noted: bool,
}

struct Fold<'s, 'c> {
    store: &'s mut Store<'c>,
    into: Into,
    slots: HashMap<RecordKey, Slot, foldhash::fast::RandomState>,
    suspects: BTreeMap<RecordKey, Suspicion>,
    /// Where rows were deleted.
    deleted: HashMap<RecordKey, i64>,
    cells: Cells,
}

impl Fold<'_, '_> {
    fn run(&mut self, end: i64) -> Result<()> {
        let mut rows = Reader::new(self.store.conn, self.store.folded, end)?;
        while rows.step()? {
            self.take(&rows)?;
            if self.slots.len() >= CHUNK && self.into == Into::Database {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn take(&mut self, row: &Reader<'_>) -> Result<()> {
        let event = row.event();
        let stamp = match event {
            Event::Relay => return Ok(()),
            Event::Backfill | Event::BackfillField => {
                let base = Hlc::new(0, 1, &std::rc::Rc::from(BASE_NODE));
                self.store.clock = self.store.clock.observe(base.tick());
                base
            }
            // Every other row takes one stamp, whatever the tables hold by now.
            _ => self.store.stamp(row.at()),
        };
        let Some(table) = self.store.table(row.table()) else { return Ok(()) };
        let Some(form) = table.form_if_usable(self.store.conn)? else { return Ok(()) };
        let key = (table.id, row.key(&form.shape.classes));
        if event == Event::Suspect {
            self.suspects.insert(key, Suspicion { seq: row.seq(), stamp, noted: true });
            return Ok(());
        }
        // Any other sign of the row shows that it was there. Before an insert it most likely was not: who read without writing
        // this down has told so already.
        let suspicion = if self.suspects.is_empty() { None } else { self.suspects.remove(&key) };
        match suspicion {
            Some(was) if was.noted && event == Event::Insert => self.delete(&table, form, &key, was.seq, &was.stamp)?,
            _ => {}
        }
        let deleted = if self.deleted.is_empty() { None } else { self.deleted.get(&key) };
        match deleted {
            // A trigger that deletes the row just written is logged before that write.
            Some(seq) if event != Event::Delete => {
                let again = Suspicion { seq: *seq, stamp: stamp.clone(), noted: false };
                self.suspects.insert(key.clone(), again);
            }
            _ if event == Event::Delete => drop(self.deleted.insert(key.clone(), row.seq())),
            _ => {}
        }
        if matches!(event, Event::Insert | Event::Backfill) && table.local(|ty| ty != Type::Lww).next().is_none() {
            if !self.slots.contains_key(&key) {
                self.slots.insert(key, Slot::Fresh(stamp));
                return Ok(());
            }
        }
        if let Event::Update(mask) = event {
            let fields = row.masked(&table, mask);
            if !fields.is_empty() {
                local::update(self.record(&table, &key)?, &fields, &stamp);
            }
            return Ok(());
        }
        match event {
            Event::Delete => self.delete(&table, form, &key, row.seq(), &stamp),
            Event::Part => self.part(&table, form, &key, row, &stamp),
            Event::BackfillField => self.backfill_field(&table, form, &key, row, &stamp),
            Event::Insert | Event::Backfill => self.insert(&table, form, &key, row, &stamp, event == Event::Backfill),
            _ => Ok(()),
        }
    }

    /// The state of a record as it stands now in this fold.
    fn record(&mut self, table: &Table, key: &RecordKey) -> Result<&mut Record> {
        let fresh = match self.slots.get(key) {
            Some(Slot::Loaded(_)) => None,
            Some(Slot::Fresh(stamp)) => Some(Some(stamp.clone())),
            None => Some(None),
        };
        if let Some(inserted) = fresh {
            let before = self.store.load(table, &key.1)?;
            let mut now = before.clone().unwrap_or_default();
            if let Some(stamp) = inserted {
                fresh_row(&mut now, table, &stamp);
            }
            self.slots.insert(key.clone(), Slot::Loaded(Box::new(Loaded { before, now })));
        }
        match self.slots.get_mut(key) {
            Some(Slot::Loaded(loaded)) => Ok(&mut loaded.now),
            _ => Err(crate::error::Error::internal("a record that was just read is gone")),
        }
    }

    fn delete(&mut self, table: &Table, form: &Form, key: &RecordKey, seq: i64, stamp: &Hlc) -> Result<()> {
        let values = grave(self.store, table, form, seq)?;
        local::delete(self.record(table, key)?, values, stamp);
        Ok(())
    }

    fn insert(
        &mut self,
        table: &Table,
        form: &Form,
        key: &RecordKey,
        row: &Reader<'_>,
        stamp: &Hlc,
        backfill: bool,
    ) -> Result<()> {
        let fields = table.local(|ty| ty != Type::Lww).enumerate();
        let values: Vec<(FieldId, Value)> = fields.map(|(i, field)| (field.id, row.value(i).to_value())).collect();
        let record = self.record(table, key)?;
        // Its totals may still be about, at the peer whose filter it left.
        let unknown = *record == Record::default();
        let dropped = unknown && crate::left::is_dropped(self.store, table.id, &key.1)?;
        let record = self.record(table, key)?;
        if backfill {
            local::backfill(record, table.covered(), stamp);
        } else {
            local::insert(record, table.covered(), stamp);
        }
        for (field, value) in values {
            // A column that is gone with the triggers still there: nothing is to be counted.
            let Some(tracked) = form.tracked(field) else { continue };
            let record = self.record(table, key)?;
            match tracked.ty {
                Type::Set => {
                    let old: Vec<String> = record.elements(tracked.field).into_iter().map(str::to_owned).collect();
                    self.set(table, key, tracked.field, old, value, stamp)?;
                }
                _ if backfill => local::counter_backfill(record, tracked.field, &value, stamp),
                _ => {
                    local::counter_insert(record, tracked.field, &value, stamp, dropped);
                    self.counter_cell(key, tracked.field, value);
                }
            }
        }
        Ok(())
    }

    fn part(&mut self, table: &Table, form: &Form, key: &RecordKey, row: &Reader<'_>, stamp: &Hlc) -> Result<()> {
        let field = row.value(0).as_i64().and_then(|f| FieldId::try_from(f).ok());
        let Some(tracked) = field.and_then(|f| form.tracked(f)) else { return Ok(()) };
        let (old, new) = (row.value(1).to_value(), row.value(2).to_value());
        if tracked.ty == Type::Set {
            let old = self.elements(&old)?.unwrap_or_default();
            return self.set(table, key, tracked.field, old, new, stamp);
        }
        local::counter_update(self.record(table, key)?, tracked.field, &old, &new, stamp);
        self.counter_cell(key, tracked.field, new);
        Ok(())
    }

    fn backfill_field(
        &mut self,
        table: &Table,
        form: &Form,
        key: &RecordKey,
        row: &Reader<'_>,
        stamp: &Hlc,
    ) -> Result<()> {
        let field = row.value(0).as_i64().and_then(|f| FieldId::try_from(f).ok());
        let Some(tracked) = field.and_then(|f| form.tracked(f)) else { return Ok(()) };
        let (field, value) = (tracked.field, row.value(1).to_value());
        match tracked.ty {
            Type::Lww => local::backfill(self.record(table, key)?, &[field], stamp),
            Type::Counter => local::counter_backfill(self.record(table, key)?, field, &value, stamp),
            Type::Set => self.set(table, key, field, Vec::new(), value, stamp)?,
        }
        Ok(())
    }

    /// A counter that was set to NULL shows 0 once it has a part.
    fn counter_cell(&mut self, key: &RecordKey, field: FieldId, value: Value) {
        if value == Value::Null {
            self.cells.insert((key.clone(), field), value);
        } else {
            self.cells.remove(&(key.clone(), field));
        }
    }

    fn set(
        &mut self,
        table: &Table,
        key: &RecordKey,
        field: FieldId,
        old: Vec<String>,
        value: Value,
        stamp: &Hlc,
    ) -> Result<()> {
        match self.elements(&value)? {
            Some(new) => {
                let canonical = crate::types::set::column_text(new.iter().map(String::as_str));
                let is_canonical = value == Value::Text(canonical.into_bytes());
                local::set(self.record(table, key)?, field, &old, &new, stamp);
                if is_canonical {
                    self.cells.remove(&(key.clone(), field));
                } else {
                    self.cells.insert((key.clone(), field), value);
                }
            }
            // Neither we nor SQLite can read it: the set stays as it was, and crdt_status names it.
            None => {
                self.cells.insert((key.clone(), field), value);
                if self.into == Into::Database {
                    let name =
                        format!("{}[{}].{}", table.name, key.1.wire(), table.field(field).map_or("", |f| &f.name));
                    let sql =
                        "UPDATE main._crdt_state SET unread = substr(coalesce(unread || ', ', '') || ?1, 1, 1000)";
                    self.store.conn.run(sql, &[name.as_str().into()])?;
                }
            }
        }
        Ok(())
    }

    /// The elements of a set's column value; None when they cannot be read.
    fn elements(&self, value: &Value) -> Result<Option<Vec<String>>> {
        let text = match value {
            Value::Null => return Ok(Some(Vec::new())),
            Value::Text(bytes) => bytes,
            _ => return Ok(None),
        };
        let strict = std::str::from_utf8(text).ok().and_then(|text| crate::types::set::elements(text).ok());
        if strict.is_some() {
            return Ok(strict);
        }
        // SQLite takes what we do not: JSON5, for one.
        let lenient =
            self.store.conn.first("SELECT json(?1)", &[ValueRef::Text(text)], |row| row.text(0).map(str::to_owned));
        let lenient = match lenient {
            Err(e) if crate::apply::is_refusal(&e) => None,
            lenient => lenient?.flatten(),
        };
        Ok(lenient.and_then(|text| crate::types::set::elements(&text).ok()))
    }
}

/// The lww values of a row as it was deleted, as JSON, by field.
fn grave(store: &Store<'_>, table: &Table, form: &Form, seq: i64) -> Result<Vec<(FieldId, Option<String>)>> {
    let mut row = store.conn.stmt("SELECT * FROM main._crdt_grave WHERE seq = ?1")?;
    row.bind(1, seq)?;
    let found = row.step()?;
    let fields = table.local(|ty| ty == Type::Lww).enumerate();
    let values = fields.map(|(i, field)| {
        let json_form = form.tracked(field.id).map_or(Default::default(), |tracked| tracked.column.form);
        (field.id, found.then(|| crate::value::to_json(row.column(i + 1), json_form)))
    });
    Ok(values.collect())
}
