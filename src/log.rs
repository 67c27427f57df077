//! The log: what the triggers appended, row by row, and what a merge appends.

use std::cell::Cell;
use std::rc::Rc;

use crate::batch::Rows;
use crate::conn::{Cached, Conn};
use crate::error::{Error, Result};
use crate::ffi::{Call, Out, Value, ValueRef};
use crate::key::{KeyClass, Pk};
use crate::pass::Pass;
use crate::record::FieldId;
use crate::schema::install::WORD_BITS;
use crate::schema::Table;

/// The `m` of an update that has a flag for each field in place of a mask.
const FLAGS: i64 = -8;
/// The `m` of a delete that holds the row's values until it is folded.
const BURIAL: i64 = -9;

/// The `m` of a delete that was folded, or whose row's values are in the grave.
const DELETE: i64 = -2;

/// What a log row tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// Cells were updated: the first word of the mask.
    Update(i64),
    /// A row was inserted.
    Insert,
    /// A row was deleted.
    Delete,
    /// A row that a REPLACE may have removed.
    Suspect,
    /// Taken from a peer.
    Relay,
    /// A counter or set was written.
    Part,
    /// A row from before `crdt_enable`.
    Backfill,
    /// A field's value from before the column became that type.
    BackfillField,
    /// None of ours.
    Unknown,
}

impl Event {
    /// What a row with that `m` tells.
    pub fn of(m: Option<i64>) -> Event {
        match m {
            Some(mask @ 0..) => Event::Update(mask),
            Some(FLAGS) => Event::Update(0), // a reader of whole rows fills it in
            Some(-1) => Event::Insert,
            Some(DELETE | BURIAL) => Event::Delete,
            Some(-3) => Event::Suspect,
            Some(-4) => Event::Relay,
            Some(-5) => Event::Part,
            Some(-6) => Event::Backfill,
            Some(-7) => Event::BackfillField,
            _ => Event::Unknown,
        }
    }
}

/// Whether a row with that `m` is an update that has flags in its value columns.
pub fn is_flags(m: Option<i64>) -> bool {
    m == Some(FLAGS)
}

/// Whether a row with that `m` is a delete that holds the row's values.
pub fn is_burial(m: Option<i64>) -> bool {
    m == Some(BURIAL)
}

/// The `m` that a row keeps: a fold takes the values out of a delete, and it is the same row.
pub fn lasting(m: i64) -> i64 {
    match m {
        BURIAL => DELETE,
        m => m,
    }
}

/// A mask of the flags that are set.
pub fn mask(flags: impl Iterator<Item = Option<i64>>) -> i64 {
    (0..WORD_BITS).zip(flags).filter(|(_, flag)| *flag == Some(1)).fold(0, |mask, (place, _)| mask | 1 << place)
}

/// The fields that a mask names, in rising order of their bits; `word` gives its words.
pub fn masked<C: FromIterator<FieldId>>(table: &Table, word: impl Fn(usize) -> i64) -> C {
    let set = |bit: u32| word((bit / WORD_BITS) as usize) >> (bit % WORD_BITS) & 1 == 1;
    table.fields.iter().filter(|f| f.bit.is_some_and(set)).map(|f| f.id).collect()
}

/// Place and table of the first row after `from`, up to `end`: a range of places may hold none.
pub fn first_after(conn: &Conn, from: i64, end: i64) -> Result<Option<(i64, i64)>> {
    let sql = "SELECT seq, t FROM main._crdt_log WHERE seq > ?1 AND seq <= ?2 ORDER BY seq LIMIT 1";
    let first = conn.first(sql, &[from.into(), end.into()], |row| Some((row.i64(0)?, row.i64(1).unwrap_or(0))))?;
    Ok(first.flatten())
}

/// All values of a row; None where there is no such row.
pub fn values(conn: &Conn, seq: i64) -> Result<Option<Vec<Value>>> {
    let mut row = conn.stmt("SELECT * FROM main._crdt_log WHERE seq = ?1")?;
    row.bind(1, seq)?;
    Ok(row.step()?.then(|| (0..row.column_count()).map(|i| row.column(i).to_value()).collect()))
}

/// How many key columns and value columns the log has.
#[derive(Clone, Copy, Default, Debug)]
pub struct Width {
    /// `k0…`
    pub keys: usize,
    /// `v0…`
    pub values: usize,
}

impl Width {
    /// The log's, now.
    pub fn of_log(conn: &Conn) -> Result<Width> {
        let mut rows = conn.stmt("SELECT * FROM main._crdt_log LIMIT 0")?;
        rows.step()?; // a table that gained columns makes the statement be prepared again
        let (keys, values) = columns(&rows)?;
        Ok(Width { keys: keys.len(), values: values.len() })
    }

    /// `,k0,v0,v1…`
    pub fn columns(self) -> String {
        let named = |prefix, count| (0..count).map(move |i| format!(",{prefix}{i}"));
        named('k', self.keys).chain(named('v', self.values)).collect()
    }
}

/// Where a row of `SELECT *` has its key columns, and its value columns.
fn columns(rows: &Cached<'_>) -> Result<(Vec<usize>, Vec<usize>)> {
    let (mut keys, mut values) = (Vec::new(), Vec::new());
    for i in 4..rows.column_count() {
        let name = rows.column_name(i);
        // So a host may have them named: PRAGMA full_column_names without short_column_names.
        match name.strip_prefix("_crdt_log.").unwrap_or(&name).as_bytes().first() {
            Some(b'k') => keys.push(i),
            Some(b'v') => values.push(i),
            _ => return Err(Error::data(format!("_crdt_log has a column '{name}' that is none of ours"))),
        }
    }
    Ok((keys, values))
}

/// Wall time as the log has it, in nanoseconds.
pub fn time(at: ValueRef<'_>) -> i64 {
    match at {
        ValueRef::Real(day) => crate::store::nanoseconds(day),
        _ => 0,
    }
}

/// Wall times of rows in nanoseconds, with the day that was read last: rows of one statement have one.
#[derive(Default)]
pub struct Times(Cell<(f64, i64)>);

impl Times {
    /// As [`time`].
    pub fn of(&self, at: ValueRef<'_>) -> i64 {
        let ValueRef::Real(day) = at else { return 0 };
        if self.0.get().0 != day {
            self.0.set((day, time(at)));
        }
        self.0.get().1
    }
}

/// Reads rows of the log in order.
pub struct Reader<'a> {
    rows: Cached<'a>,
    event: Event,
    /// Whether the mask was read from flags: it has one word then.
    flagged: bool,
    keys: Vec<usize>,
    values: Vec<usize>,
    times: Times,
}

impl<'a> Reader<'a> {
    /// The rows after `from` up to `to`.
    pub fn new(conn: &'a Conn, from: i64, to: i64) -> Result<Reader<'a>> {
        let mut rows = conn.stmt("SELECT * FROM main._crdt_log WHERE seq > ?1 AND seq <= ?2 ORDER BY seq")?;
        rows.bind_all(&[from.into(), to.into()])?;
        Ok(Reader::of(rows))
    }

    /// The same, the last first.
    pub fn backwards(conn: &'a Conn, from: i64, to: i64) -> Result<Reader<'a>> {
        let mut rows = conn.stmt("SELECT * FROM main._crdt_log WHERE seq > ?1 AND seq <= ?2 ORDER BY seq DESC")?;
        rows.bind_all(&[from.into(), to.into()])?;
        Ok(Reader::of(rows))
    }

    fn of(rows: Cached<'a>) -> Reader<'a> {
        let (keys, values, times) = Default::default();
        Reader { rows, event: Event::Unknown, flagged: false, keys, values, times }
    }

    /// Goes to the next row; false when there is none.
    pub fn step(&mut self) -> Result<bool> {
        let more = self.rows.step()?;
        if more && self.keys.is_empty() {
            // Only now: a table that gained columns makes the statement be prepared again at its first step.
            (self.keys, self.values) = columns(&self.rows)?;
        }
        let m = self.rows.i64(2);
        self.flagged = is_flags(m);
        self.event = if self.flagged { Event::Update(self.flags()) } else { Event::of(m) };
        Ok(more)
    }

    /// Whether it is a delete that holds the row's values.
    pub fn is_burial(&self) -> bool {
        is_burial(self.rows.i64(2))
    }

    /// A mask of the flags that are set.
    fn flags(&self) -> i64 {
        mask(self.values.iter().map(|column| self.rows.i64(*column)))
    }

    /// Place in the log.
    pub fn seq(&self) -> i64 {
        self.rows.i64(0).unwrap_or(0)
    }

    /// The table's number.
    pub fn table(&self) -> i64 {
        self.rows.i64(1).unwrap_or(0)
    }

    /// What it tells.
    pub fn event(&self) -> Event {
        self.event
    }

    /// Wall time of the write, nanoseconds.
    pub fn at(&self) -> i64 {
        self.times.of(self.rows.column(3))
    }

    /// The key.
    pub fn key(&self, classes: &[KeyClass]) -> Pk {
        let mut values = [ValueRef::Null; 4];
        if let Some(values) = values.get_mut(..classes.len()) {
            for (value, column) in values.iter_mut().zip(&self.keys) {
                *value = self.rows.column(*column);
            }
            return Pk::encode(classes, values);
        }
        let values: Vec<_> = self.keys.iter().take(classes.len()).map(|column| self.rows.column(*column)).collect();
        Pk::encode(classes, &values)
    }

    /// The key of a relay entry, which is stored as such.
    pub fn stored_key(&self) -> Result<Pk> {
        Pk::from_stored(self.keys.first().map_or(ValueRef::Null, |column| self.rows.column(*column)))
    }

    /// The key, of whatever kind of row.
    pub fn pk(&self, classes: &[KeyClass]) -> Result<Pk> {
        if self.event() == Event::Relay {
            self.stored_key()
        } else {
            Ok(self.key(classes))
        }
    }

    /// Value column `i`.
    pub fn value(&self, i: usize) -> ValueRef<'_> {
        self.values.get(i).map_or(ValueRef::Null, |column| self.rows.column(*column))
    }

    /// The fields that an update's mask names, in rising order of their bits.
    pub fn masked<C: FromIterator<FieldId>>(&self, table: &Table, first: i64) -> C {
        masked(table, |word| match word {
            0 => first,
            _ if self.flagged => 0,
            word => self.value(word - 1).as_i64().unwrap_or(0),
        })
    }
}

/// Relay entries to be appended.
#[derive(Default)]
pub struct Relays(Rows);

impl Relays {
    /// Adds one: `fields` of a record changed by a merge, all of it for None.
    pub fn add(&mut self, t: i64, pk: &Pk, fields: Option<&[FieldId]>) {
        if self.0.is_empty() {
            self.0 = Rows::new(3);
        }
        let packed = fields.map(|fields| crate::pack::pack_fields(fields.iter().copied()));
        self.0.extend([t.into(), pk.as_ref(), packed.as_deref().map_or(ValueRef::Null, ValueRef::Blob)]);
    }

    /// Appends them. `at` is nanoseconds.
    pub fn write(self, conn: &Conn, at: i64) -> Result<()> {
        let sql =
            "INSERT OR FAIL INTO main._crdt_log(t, m, at, k0, v0) SELECT c0, -4, ?1, c1, c2 FROM main._crdt_batch";
        conn.run_batch(sql, &[crate::store::julian_day(at).into()], &Rc::new(self.0)).map(drop)
    }
}

/// Appends one relay entry of a record that was known, as [`Relays::add`].
pub fn append_relay(conn: &Conn, t: i64, pk: &Pk, fields: Option<&[FieldId]>, at: i64) -> Result<()> {
    if fields.is_none() {
        conn.retold.set(true);
    }
    let mut relays = Relays::default();
    relays.add(t, pk, fields);
    relays.write(conn, at)
}

/// An entry to become a relay entry: of packed fields, or of the whole record for None.
pub type Rewritten = (i64, Pk, Option<Vec<u8>>);

/// Makes entries relay entries, in the order of the log. Their times stay.
pub fn rewrite_relays(conn: &Conn, entries: Vec<Rewritten>) -> Result<()> {
    let (Some((first, ..)), Some((last, ..))) = (entries.first(), entries.last()) else { return Ok(()) };
    let range = [(*first).into(), (*last).into()];
    let sql = "UPDATE OR FAIL main._crdt_log SET m = -4, k0 = _crdt_give(0), v0 = _crdt_give(1)
               WHERE seq >= ?1 AND seq <= ?2 AND _crdt_meet(seq)";
    let all = entries.len();
    // What was dropped for them would be told to nobody.
    match conn.run_pass(sql, &range, Rc::new(Rewriting { entries, met: Cell::new(0) }))? {
        written if usize::try_from(written) == Ok(all) => Ok(()),
        _ => Err(Error::internal("the log was not rewritten in its order")),
    }
}

struct Rewriting {
    entries: Vec<Rewritten>,
    /// How many have been met.
    met: Cell<usize>,
}

impl Pass for Rewriting {
    fn meet(&self, row: &Call<'_, Conn>) -> bool {
        let Some(seq) = row.arg(0).as_i64() else { return false };
        let passed = self.entries.iter().skip(self.met.get()).take_while(|(entry, ..)| *entry < seq).count();
        let next = self.met.get() + passed;
        let found = self.entries.get(next).is_some_and(|(entry, ..)| *entry == seq);
        self.met.set(next + usize::from(found));
        found
    }

    fn give(&self, i: i64) -> Out {
        let Some((_, pk, fields)) = self.met.get().checked_sub(1).and_then(|last| self.entries.get(last)) else {
            return Out::Null;
        };
        match (i, fields) {
            (0, _) => Out::Value(pk.as_ref().to_value()),
            (_, Some(fields)) => Out::Value(Value::Blob(fields.clone())),
            (_, None) => Out::Null,
        }
    }
}

/// Empties the deletes from `first` to `last` of the values that they hold.
pub fn empty_burials(conn: &Conn, first: i64, last: i64) -> Result<()> {
    let none: String = (0..Width::of_log(conn)?.values).map(|i| format!(", v{i} = NULL")).collect();
    let sql =
        format!("UPDATE OR FAIL main._crdt_log SET m = {DELETE}{none} WHERE seq >= ?1 AND seq <= ?2 AND m = {BURIAL}");
    conn.run(&sql, &[first.into(), last.into()]).map(drop)
}

/// Drops entries: all from the first to the last of each of `runs`.
pub fn drop_entries(conn: &Conn, runs: &[(i64, i64)]) -> Result<()> {
    let each = |(first, last): &(i64, i64)| {
        conn.run("DELETE FROM main._crdt_log WHERE seq >= ?1 AND seq <= ?2", &[(*first).into(), (*last).into()])
            .map(drop)
    };
    runs.iter().try_for_each(each)
}

/// Appends a relay entry of the whole record for each of `keys`, the first columns of a batch. `at` is nanoseconds.
pub fn append_relays(conn: &Conn, t: i64, at: i64, keys: &Rc<Rows>) -> Result<()> {
    let at = crate::store::julian_day(at).into();
    conn.run_batch(
        "INSERT OR FAIL INTO main._crdt_log(t, m, at, k0) SELECT ?1, -4, ?2, c0 FROM main._crdt_batch",
        &[t.into(), at],
        keys,
    )?;
    Ok(())
}

/// Drops what the triggers logged after `mark` while a merge wrote rows: it is no local write.
pub fn drop_after(conn: &Conn, mark: i64) -> Result<()> {
    conn.run("DELETE FROM main._crdt_log WHERE seq > ?1", &[mark.into()])?;
    conn.run("DELETE FROM main._crdt_grave WHERE seq > ?1", &[mark.into()])?;
    Ok(())
}
