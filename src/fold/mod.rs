//! The fold: gives each row of the log's tail its stamp and takes it into the records' state.
//!
//! Lazy: it runs before a merge, an export, an inspection. Stamps are a pure function of the log and the clock row, so it does
//! not matter who folds, or when. Where the database cannot be written, the same is done in memory.
//!
//! What was written is gathered by record first, then replayed record by record in the order of their keys (`replay`), so that
//! the clocks are read and written from one end to the other (`write`).

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use crate::cells::Cells;
use crate::clock::{Hlc, BASE_NODE};
use crate::error::Result;
use crate::ffi::Value;
use crate::key::KeyClass;
use crate::log::{Event, Reader};
use crate::record::FieldId;
use crate::schema::install::WORD_BITS;
use crate::schema::{notes, Table};
use crate::store::{RecordKey, Store};
use crate::types::Type;

use entries::{Entries, Entry};

mod append;
mod edits;
mod entries;
mod order;
mod replay;
pub mod unfolded;
mod write;

/// Log rows gathered before the records they touch are written: bounds the memory.
const CHUNK: usize = 100_000;
/// Deletes lately that are kept in mind beyond that, in log rows.
const LATELY: i64 = 1_000;
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
        let cells = up_to(store, into, end)?;
        if into == Into::Memory {
            return Ok(());
        }
        crate::cells::rewrite(store, cells)?;
    }
    Ok(())
}

/// Folds the rows up to `end`, each by the fields that its table had when it was written.
fn up_to(store: &mut Store<'_>, into: Into, end: i64) -> Result<Cells> {
    if !store.catalog.has_notes {
        return part(store, into, end);
    }
    let mut all = Cells::default();
    while store.folded < end {
        note_clock(store);
        let until = store.catalog.next_place(store.folded).map_or(end, |until| until.min(end));
        store.later = later(store, until, end)?;
        store.then = store.catalog.tables_at(store.conn, until)?;
        let cells = part(store, into, until);
        let old = !std::mem::take(&mut store.then).is_empty();
        store.later.clear();
        all.append(&mut cells?);
        if old && into == Into::Database {
            notes::drop_past(store.conn, until)?;
        }
    }
    Ok(all)
}

/// Where the fold stands at the place from which a table's rows are to be compared, writes to come have later stamps than this.
fn note_clock(store: &mut Store<'_>) {
    let catalog = Rc::clone(&store.catalog);
    let here = |table: &&Rc<Table>| table.notes.due.is_some_and(|due| due.since.until == store.folded);
    let here: Vec<i64> = catalog.tables().iter().filter(here).map(|table| table.id).collect();
    store.compared_from.extend(here.into_iter().map(|t| (t, store.clock)));
}

/// The records that the log tells of after `from`, and whether the first that it tells is that they were inserted.
fn later(store: &Store<'_>, from: i64, end: i64) -> Result<BTreeMap<RecordKey, bool>> {
    let mut all = BTreeMap::new();
    if from == end {
        return Ok(all);
    }
    let mut rows = Reader::new(store.conn, from, end)?;
    while rows.step()? {
        if matches!(rows.event(), Event::Relay | Event::Backfill | Event::BackfillField | Event::Unknown) {
            continue;
        }
        let Some(table) = store.table(rows.table()) else { continue };
        let Some(form) = table.form_if_usable(store.conn)? else { continue };
        let key = (table.id, rows.key(&form.shape.classes));
        all.entry(key).or_insert(rows.event() == Event::Insert);
    }
    Ok(all)
}

fn part(store: &mut Store<'_>, into: Into, end: i64) -> Result<Cells> {
    if into == Into::Database {
        append::prefix(store, end)?;
    }
    let mut fold = Fold::new(store, into);
    fold.run(end)?;
    fold.finish(end)
}

/// What was written of a record, in the order of the log.
#[derive(Clone)]
struct Slot {
    first: Write,
    more: Vec<Write>,
}

impl Slot {
    fn writes(self) -> impl Iterator<Item = Write> {
        std::iter::once(self.first).chain(self.more)
    }
}

/// A log row's meaning, with its stamp.
#[derive(Clone)]
struct Write {
    stamp: Hlc,
    what: What,
}

#[derive(Clone)]
enum What {
    /// A row without counters and sets was inserted, or was there before `crdt_enable`.
    Whole,
    /// A row was inserted, or was there before `crdt_enable`: the values of its counters and sets.
    Row { values: Vec<(FieldId, Value)>, backfill: bool },
    /// Cells were updated.
    Cells(Rc<[FieldId]>),
    /// The row was deleted: where its values are.
    Delete(i64),
    /// A counter or set was written: old and new value.
    Part(FieldId, Box<[Value; 2]>),
    /// A field's value from before the column became that type; whether it is the default that the column was added with.
    Before(FieldId, Value, bool),
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
    /// In the order of the log.
    written: Vec<(RecordKey, Write)>,
    suspects: BTreeMap<RecordKey, Suspicion>,
    /// Where rows were deleted.
    deleted: HashMap<RecordKey, i64>,
    /// The first and the last delete that hold their rows' values.
    burials: Option<(i64, i64)>,
    cells: Cells,
    at: At,
}

/// What the last log row was about: mostly the next one is about the same.
#[derive(Default)]
struct At {
    table: Option<Rc<Table>>,
    mask: i64,
    fields: Option<Rc<[FieldId]>>,
}

impl<'s, 'c> Fold<'s, 'c> {
    fn new(store: &'s mut Store<'c>, into: Into) -> Self {
        let (written, suspects, deleted, burials, cells, at) = Default::default();
        Fold { store, into, written, suspects, deleted, burials, cells, at }
    }

    fn run(&mut self, end: i64) -> Result<()> {
        let mut rows = Entries::new(self.store.conn, self.store.folded, end)?;
        while let Some(entries) = rows.next(|t| self.classes(t))? {
            for entry in entries {
                let seq = entry.seq;
                self.take(entry)?;
                if self.written.len() >= CHUNK {
                    self.deleted.retain(|_, deleted| *deleted > seq.saturating_sub(LATELY));
                    let last = order::hold_back(&mut self.written);
                    self.flush(false)?;
                    self.written = last;
                }
            }
        }
        Ok(())
    }

    /// What kinds of values a table's key columns hold; None where its rows cannot be read.
    fn classes(&self, t: i64) -> Result<Option<Rc<[KeyClass]>>> {
        let Some(table) = self.store.table(t) else { return Ok(None) };
        Ok(table.form_if_usable(self.store.conn)?.map(|form| Rc::clone(&form.shape.classes)))
    }

    fn take(&mut self, mut row: Entry) -> Result<()> {
        let event = row.event;
        if row.is_burial {
            self.burials = Some((self.burials.map_or(row.seq, |(first, _)| first), row.seq));
        }
        let stamp = match event {
            Event::Relay => return Ok(()),
            Event::Backfill | Event::BackfillField => {
                let base = Hlc::new(0, 1, &std::rc::Rc::from(BASE_NODE));
                self.store.clock = self.store.clock.observe(base.tick());
                base
            }
            // Every other row takes one stamp, whatever the tables hold by now.
            _ => self.store.stamp(row.at),
        };
        if self.at.table.as_ref().is_none_or(|table| table.id != row.t) {
            self.at = At { table: self.store.table(row.t), ..At::default() };
        }
        let Some(table) = self.at.table.clone() else { return Ok(()) };
        let Some(form) = table.form_if_usable(self.store.conn)? else { return Ok(()) };
        let key = (table.id, row.take_key(&form.shape.classes));
        if event == Event::Suspect {
            self.suspects.insert(key, Suspicion { seq: row.seq, stamp, noted: true });
            return Ok(());
        }
        self.suspect(&key, &row, &stamp);
        let Some(what) = what(&mut row, &table, &mut self.at) else { return Ok(()) };
        self.written.push((key, Write { stamp, what }));
        Ok(())
    }

    /// Takes note of what a row tells of rows that may be gone.
    fn suspect(&mut self, key: &RecordKey, row: &Entry, stamp: &Hlc) {
        let event = row.event;
        // Any other sign of the row shows that it was there. Before an insert it most likely was not: who read without writing
        // this down has told so already.
        let suspicion = if self.suspects.is_empty() { None } else { self.suspects.remove(key) };
        if let Some(was) = suspicion.filter(|was| was.noted && event == Event::Insert) {
            self.written.push((key.clone(), Write { stamp: was.stamp, what: What::Delete(was.seq) }));
        }
        let deleted = if self.deleted.is_empty() { None } else { self.deleted.get(key) };
        match deleted {
            // A trigger that deletes the row just written is logged before that write.
            Some(seq) if event != Event::Delete => {
                let again = Suspicion { seq: *seq, stamp: stamp.clone(), noted: false };
                self.suspects.insert(key.clone(), again);
            }
            _ if event == Event::Delete => drop(self.deleted.insert(key.clone(), row.seq)),
            _ => {}
        }
    }
}

impl At {
    /// The fields that an update's mask names.
    fn masked(&mut self, row: &Entry, table: &Table, mask: i64) -> Rc<[FieldId]> {
        if let Some(fields) = self.fields.as_ref().filter(|_| self.mask == mask) {
            return Rc::clone(fields);
        }
        let fields: Rc<[FieldId]> = crate::log::masked(table, |word| match word {
            0 => mask,
            word => row.value(word - 1).as_i64().unwrap_or(0),
        });
        // Further words of a mask stand elsewhere.
        let one_word = table.fields.iter().all(|field| field.bit.is_none_or(|bit| bit < WORD_BITS));
        (self.mask, self.fields) = (mask, one_word.then(|| Rc::clone(&fields)));
        fields
    }
}

/// What a log row says was written; None for nothing.
fn what(row: &mut Entry, table: &Table, at: &mut At) -> Option<What> {
    let field = row.value(0).as_i64().and_then(|f| FieldId::try_from(f).ok());
    Some(match row.event {
        Event::Insert | Event::Backfill => {
            let backfill = row.event == Event::Backfill;
            let fields = table.local(|ty| ty != Type::Lww).enumerate();
            let values: Vec<(FieldId, Value)> = fields.map(|(i, field)| (field.id, row.take_value(i))).collect();
            if values.is_empty() {
                What::Whole
            } else {
                What::Row { values, backfill }
            }
        }
        Event::Update(mask) => What::Cells(Some(at.masked(row, table, mask)).filter(|fields| !fields.is_empty())?),
        Event::Delete => What::Delete(row.seq),
        Event::Part => What::Part(field?, Box::new([row.take_value(1), row.take_value(2)])),
        Event::BackfillField => What::Before(field?, row.take_value(1), row.value(2).as_i64() == Some(1)),
        Event::Relay | Event::Suspect | Event::Unknown => return None,
    })
}
