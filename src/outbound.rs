//! The road out: log rows after a cursor → the fields they touched, by record → each one's present state, once.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use crate::change::{Body, Writer};
use crate::clock::{Hlc, Tick};
use crate::cursor::{self, Since};
use crate::error::Result;
use crate::ffi::{Value, ValueRef};
use crate::filter::{Debt, Reach, Verdict};
use crate::hooks;
use crate::key::Pk;
use crate::log::{Event, Reader};
use crate::record::{FieldId, Marks, Record};
use crate::schema::{Kind, Table};
pub use crate::scope::Scope;
use crate::store::{RecordKey, Store};
use crate::types::seen::Seen;
use crate::types::Type;

/// Records gathered before they are written out: bounds the memory of a page.
const WINDOW: usize = 50_000;

/// The fields of a record that are to be sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Pick {
    /// All of them.
    All,
    /// These.
    Fields(Vec<FieldId>),
    /// Those stamped after the cursor's instant.
    Later,
    /// None: the record is gone from the filter.
    Gone,
}

impl Pick {
    /// Takes in another selection.
    pub fn add(&mut self, more: Pick) {
        match (&mut *self, more) {
            (Pick::All | Pick::Gone, _) | (Pick::Later, Pick::Later) => {}
            (_, Pick::Gone) => *self = Pick::Gone,
            (_, Pick::Later) => *self = Pick::All,
            (_, more @ Pick::All) => *self = more,
            // Some by name and some by stamp: both are in all.
            (Pick::Later, _) => *self = Pick::All,
            (Pick::Fields(have), Pick::Fields(more)) => {
                have.extend(more);
                have.sort_unstable();
                have.dedup();
            }
        }
    }

    /// Whether another selection is part of this one.
    pub fn includes(&self, other: &Pick) -> bool {
        match (self, other) {
            (Pick::All, _) => true,
            (Pick::Fields(have), Pick::Fields(want)) => want.iter().all(|field| have.contains(field)),
            _ => false,
        }
    }

    fn has(&self, field: FieldId) -> bool {
        match self {
            Pick::All | Pick::Later => true,
            Pick::Fields(fields) => fields.contains(&field),
            Pick::Gone => false,
        }
    }
}

/// One change of the answer.
pub struct Item {
    /// The table's name.
    pub table: Rc<Table>,
    /// The key's text.
    pub pk: String,
    /// Field name as on the wire.
    pub field: String,
    /// Stamp.
    pub hlc: Hlc,
    /// What it says.
    pub body: Body,
    /// What its author had seen.
    pub seen: Option<Seen>,
}

impl Item {
    /// Appends it as JSON.
    pub fn write_json(&self, out: &mut String) {
        Writer { table: &self.table.name, pk: &self.pk }.write(
            out,
            &self.field,
            &self.hlc,
            &self.body,
            self.seen.as_ref(),
        );
    }
}

impl Item {
    /// The type's name on the wire.
    pub fn crdt_type(&self) -> &str {
        self.body.crdt_type()
    }

    /// Whether it is a delete.
    pub fn is_tombstone(&self) -> bool {
        matches!(self.body, Body::Tombstone { .. })
    }

    /// Whether it tells that the record left the filter: it has no stamp.
    pub fn is_left(&self) -> bool {
        matches!(self.body, Body::Left(_))
    }

    /// The value for a `value` column.
    pub fn value(&self) -> Result<crate::ffi::Out> {
        self.body.value().map(crate::ffi::Out::Value)
    }
}

/// Goes through the log from a cursor on, record by record.
#[derive(Clone)]
pub struct Export {
    /// Where it began.
    pub since: Since,
    /// What the peer may hold from other filters.
    debts: Vec<Debt>,
    /// The cursor that it began with.
    given: Option<Rc<str>>,
    /// The last log row delivered.
    pub at: i64,
    end: i64,
    /// The latest stamp delivered.
    pub latest: Tick,
    queue: std::vec::IntoIter<(RecordKey, Pick, i64)>,
    /// The log row that the gathered records reach to.
    gathered: i64,
}

impl Export {
    /// An export of what lies after the cursor `given` up to the present end of the log.
    pub fn new(store: &Store<'_>, given: Option<&str>, scope: &Scope) -> Result<Export> {
        let (since, debts) = match given {
            None => (Since::Start, Vec::new()),
            Some(json) => cursor::read(store, json, scope)?,
        };
        let (at, latest) = match since {
            Since::Start => (0, Tick::default()),
            Since::Instant(tick) => (0, tick),
            Since::Place(seq, tick) => (seq, tick),
        };
        let end = store.last_seq()?;
        let given = given.map(|json| Rc::from(json.trim()));
        Ok(Export { since, debts, given, at, end, latest, queue: Vec::new().into_iter(), gathered: at })
    }

    /// Whether records may be left.
    pub fn has_more(&self) -> bool {
        !self.queue.as_slice().is_empty() || self.gathered < self.end
    }

    /// The cursor to go on from.
    pub fn cursor(&self, store: &Store<'_>, scope: &Scope) -> Result<String> {
        if let (Some(given), false) = (&self.given, self.debts.is_empty()) {
            // Before the first row there is no place for debts: the peer comes back as it came.
            let sql = "SELECT 1 FROM main._crdt_log WHERE seq <= ?1 LIMIT 1";
            if store.conn.int(sql, &[self.at.into()])?.is_none() {
                return Ok(given.to_string());
            }
        }
        cursor::write(store, self.at, self.latest, scope, &self.debts)
    }

    /// Where its peer stands, for filters.
    fn reach(&self) -> Reach<'_> {
        let upto = match self.since {
            Since::Start => Some(0),
            Since::Place(seq, _) => Some(seq),
            Since::Instant(_) => None,
        };
        Reach { upto, debts: &self.debts }
    }

    /// Appends the changes of the next record to `items`; false when there is none left.
    pub fn next(&mut self, store: &Store<'_>, scope: &Scope, items: &mut Vec<Item>) -> Result<bool> {
        loop {
            let Some((key, pick, _)) = self.queue.next() else {
                self.at = self.gathered;
                if self.gathered >= self.end {
                    return Ok(false);
                }
                self.gather(store, scope)?;
                continue;
            };
            if let Some(table) = store.table(key.0) {
                let from = items.len();
                collect(store, &table, &key.1, &pick, items)?;
                if let (Since::Instant(tick), Pick::Later) = (self.since, &pick) {
                    let later = items.split_off(from).into_iter().filter(|item| item.hlc.tick() > tick);
                    items.extend(later);
                }
                hooks::outbound(store, &table, from, items)?;
                for item in items.iter().skip(from) {
                    self.latest = self.latest.max(item.hlc.tick());
                }
            }
            // Everything before the first row of the next record is delivered.
            self.at = self.queue.as_slice().first().map_or(self.gathered, |(_, _, first)| first.saturating_sub(1));
            return Ok(true);
        }
    }

    /// Reads log rows until the window is full.
    fn gather(&mut self, store: &Store<'_>, scope: &Scope) -> Result<()> {
        let mut index: HashMap<RecordKey, usize> = HashMap::new();
        let mut found: Vec<(RecordKey, Pick, i64)> = Vec::new();
        let mut rows = Reader::new(store.conn, self.gathered, self.end)?;
        let mut covered: BTreeMap<i64, Option<Rc<Table>>> = BTreeMap::new();
        while found.len() < WINDOW && rows.step()? {
            self.gathered = rows.seq();
            let t = rows.table();
            let table = covered.entry(t).or_insert_with(|| store.table(t).filter(|table| scope.covers(table)));
            let Some(table) = table else { continue };
            let Some(form) = table.form_if_usable(store.conn)? else { continue };
            let Some(mut pick) = picked(&rows, table)? else { continue };
            let key = (t, rows.pk(&form.shape.classes)?);
            match scope.filters.judge(store, t, &key.1, rows.seq(), &self.reach())? {
                Verdict::Send => {}
                Verdict::Whole => pick = Pick::All,
                Verdict::Gone => pick = Pick::Gone,
                Verdict::Skip => continue,
                Verdict::End => {
                    self.gathered = rows.seq().saturating_sub(1);
                    self.end = self.gathered;
                    break;
                }
            }
            if let Since::Instant(tick) = self.since {
                if rows.at() < tick.ts {
                    if pick == Pick::Gone {
                        continue;
                    }
                    pick = Pick::Later;
                }
            }
            match index.get(&key).and_then(|i| found.get_mut(*i)) {
                Some((_, have, _)) => have.add(pick),
                None => {
                    index.insert(key.clone(), found.len());
                    found.push((key, pick, rows.seq()));
                }
            }
        }
        if found.len() < WINDOW {
            self.gathered = self.end;
        }
        self.queue = found.into_iter();
        Ok(())
    }
}

/// Whether an export comes to a record by this row of the log.
pub fn touches(row: &Reader<'_>, table: &Table) -> Result<bool> {
    Ok(picked(row, table)?.is_some())
}

/// The fields that a log row touched; None when it touched nothing.
pub fn picked(row: &Reader<'_>, table: &Table) -> Result<Option<Pick>> {
    Ok(match row.event() {
        Event::Insert | Event::Backfill => Some(Pick::All),
        Event::Delete | Event::Suspect => Some(Pick::Fields(Vec::new())),
        Event::Update(mask) => Some(Pick::Fields(row.masked(table, mask))).filter(|p| *p != Pick::Fields(Vec::new())),
        Event::Part if same_set(row.value(1), row.value(2)) => None,
        Event::Part | Event::BackfillField => {
            row.value(0).as_i64().and_then(|f| FieldId::try_from(f).ok()).map(|f| Pick::Fields(vec![f]))
        }
        Event::Relay => Some(match row.value(0).as_bytes() {
            Some(bytes) => Pick::Fields(crate::pack::unpack_fields(bytes)?),
            None => Pick::All,
        }),
        Event::Unknown => None,
    })
}

/// Whether two values of a set's cell are one set in two spellings.
fn same_set(old: ValueRef<'_>, new: ValueRef<'_>) -> bool {
    let elements = |value: ValueRef<'_>| match value {
        ValueRef::Null => Some(Vec::new()),
        value => crate::types::set::elements(value.as_str()?).ok(),
    };
    // Counters come here too: their values are no arrays.
    (old.as_str().is_some() || new.as_str().is_some()) && elements(old).is_some_and(|old| elements(new) == Some(old))
}

/// The changes that tell the picked fields of a record. A tombstone, and a row stamp that shows, travel with every one.
fn collect(store: &Store<'_>, table: &Rc<Table>, pk: &Pk, pick: &Pick, items: &mut Vec<Item>) -> Result<()> {
    let Some(record) = store.load(table, pk)? else { return Ok(()) };
    let wire = pk.wire().into_owned();
    let mut push = |field: &str, hlc: &Hlc, body: Body, seen: Option<Seen>| {
        let (table, pk, field) = (Rc::clone(table), wire.clone(), field.to_owned());
        items.push(Item { table, pk, field, hlc: hlc.clone(), body, seen });
    };
    if *pick == Pick::Gone && record.alive() {
        let body = Body::Left(Some(Box::new(crate::left::known(&record, table))));
        push(crate::change::LEFT, &Hlc::zero(), body, None);
        return Ok(());
    }
    if let Some(tomb) = &record.tomb {
        let body = Body::Tombstone { forgotten: record.forgotten.clone() };
        push(crate::change::TOMBSTONE, tomb, body, record.tomb_seen.clone());
    }
    if *pick == Pick::Gone {
        return Ok(());
    }
    if let Some(row) = record.visible_row() {
        push(crate::change::ROW, row, Body::Row, None);
    }
    let mut live = None;
    for field in table.fields.iter().filter(|field| pick.has(field.id)) {
        if let Some(lww) = record.lww.get(&field.id) {
            let value = match &lww.saved {
                Some(json) => Some(json.clone()),
                None => live_value(store, table, pk, field.id, &mut live)?,
            };
            if let Some(value) = value {
                let body = Body::Lww { value, prev: lww.prev.clone(), altered: lww.altered };
                push(&field.name, &lww.hlc, body, lww.seen().cloned());
            }
        }
        if let Some(parts) = record.counters.get(&field.id) {
            for ((_, operation), part) in parts {
                let body = Body::Counter {
                    inc: part.inc,
                    dec: part.dec,
                    born: part.born.clone(),
                    operation: !operation.is_empty(),
                };
                push(&field.name, &part.hlc, body, None);
            }
        }
        if let Some(marks) = record.sets.get(&field.id) {
            set_changes(marks, &mut |hlc, body| push(&field.name, hlc, body, None));
        }
        if let (Some(kept), Kind::Foreign(name)) = (record.kept.get(&field.id), &field.kind) {
            for (hlc, json) in kept {
                push(&field.name, hlc, Body::Other { crdt_type: name.clone(), json: json.clone() }, None);
            }
        }
    }
    Ok(())
}

fn live_value(
    store: &Store<'_>,
    table: &Table,
    pk: &Pk,
    field: FieldId,
    live: &mut Option<Option<Vec<Value>>>,
) -> Result<Option<String>> {
    // The table may have been dropped, or made again: then no live cell is what the stamp speaks of.
    let Some(form) = table.form_if_usable(store.conn)?.filter(|_| table.captured) else { return Ok(None) };
    if live.is_none() {
        *live = Some(crate::row::read(store.conn, form, pk)?);
    }
    let Some(Some(cells)) = live else { return Ok(None) };
    let cell = form.tracked.iter().zip(cells.iter()).find(|(t, _)| t.field == field && t.ty == Type::Lww);
    Ok(cell.map(|(tracked, cell)| crate::value::to_json(cell.as_ref(), tracked.column.form)))
}

/// A set's marks as changes: one add for each live tag, one remove for each element and remove, naming what it took.
pub fn set_changes(marks: &Marks, push: &mut impl FnMut(&Hlc, Body)) {
    let mut removes: BTreeMap<(&str, Hlc), Vec<Hlc>> = BTreeMap::new();
    for ((element, node), mark) in marks {
        match (mark.add, &mark.gone) {
            (Some(add), Some(gone)) => removes.entry((element, gone.clone())).or_default().push(add.by(node)),
            (Some(add), None) => push(&add.by(node), Body::Add(vec![element.clone()])),
            _ => {}
        }
        if let Some(op) = mark.op {
            // A remove that took nothing that is still known tells its stamp all the same.
            removes.entry((element, op.by(node))).or_default();
        }
    }
    for ((element, op), tags) in removes {
        push(&op, Body::Remove { elements: vec![element.to_owned()], tags: Some(tags) });
    }
}

/// A record with the values of its live cells filled in, as JSON.
pub fn with_values(store: &Store<'_>, table: &Table, pk: &Pk) -> Result<Option<Record>> {
    let Some(mut record) = store.load(table, pk)? else { return Ok(None) };
    let mut live = None;
    for (field, lww) in record.lww.iter_mut().filter(|(_, lww)| lww.saved.is_none()) {
        lww.saved = live_value(store, table, pk, *field, &mut live)?;
    }
    Ok(Some(record))
}
