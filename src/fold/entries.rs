//! Log rows on their way to the fold, some hundreds at once. A function's arguments are read without the lock of the connection that
//! each column of a statement's row takes, so one statement hands them all to a function.

use std::cell::RefCell;
use std::rc::Rc;

use crate::conn::Conn;
use crate::error::Result;
use crate::ffi::{Call, Out, Value, ValueRef};
use crate::key::{KeyClass, Pk};
use crate::log::{self, Event, Times, Width};
use crate::pass::Pass;

/// Log rows that are read by one statement. Few where assertions are on, so that tests need several.
const MANY: i64 = if cfg!(debug_assertions) { 7 } else { 1_000 };
/// Most arguments that are worth while. Few where assertions are on, so that tests come to more.
const ARGUMENTS: usize = if cfg!(debug_assertions) { 12 } else { 100 };
/// Columns of a log row before its key.
const FIRST: usize = 4;

/// A log row.
pub(super) struct Entry {
    /// Place in the log.
    pub seq: i64,
    /// The table's number.
    pub t: i64,
    /// What it tells.
    pub event: Event,
    /// Whether it is a delete that holds the row's values.
    pub is_burial: bool,
    /// Wall time of the write, nanoseconds.
    pub at: i64,
    key: Key,
    /// `v0…` up to the last that is not NULL; none of flags and burials.
    values: Vec<Value>,
}

enum Key {
    Encoded(Pk),
    Values(Vec<Value>),
}

/// The table that rows are most likely about, and its key columns.
type Likely = Option<(i64, Rc<[KeyClass]>)>;

impl Entry {
    /// The key, of a table with such key columns.
    pub fn take_key(&mut self, classes: &[KeyClass]) -> Pk {
        match std::mem::replace(&mut self.key, Key::Values(Vec::new())) {
            Key::Encoded(key) => key,
            Key::Values(values) => {
                let values: Vec<ValueRef<'_>> = values.iter().take(classes.len()).map(Value::as_ref).collect();
                Pk::encode(classes, &values)
            }
        }
    }

    /// Value column `i`.
    pub fn value(&self, i: usize) -> ValueRef<'_> {
        self.values.get(i).map_or(ValueRef::Null, Value::as_ref)
    }

    /// The same, taken out.
    pub fn take_value(&mut self, i: usize) -> Value {
        self.values.get_mut(i).map_or(Value::Null, |value| std::mem::replace(value, Value::Null))
    }
}

/// Reads rows of the log in order.
pub(super) struct Entries<'c> {
    conn: &'c Conn,
    width: Width,
    /// Up to where they were read.
    at: i64,
    end: i64,
}

impl<'c> Entries<'c> {
    /// The rows after `from` up to `end`.
    pub fn new(conn: &'c Conn, from: i64, end: i64) -> Result<Entries<'c>> {
        Ok(Entries { conn, width: Width::of_log(conn)?, at: from, end })
    }

    /// The next ones; None where there are no more. `classes` tells a table's key columns.
    pub fn next(&mut self, classes: impl Fn(i64) -> Result<Option<Rc<[KeyClass]>>>) -> Result<Option<Vec<Entry>>> {
        let Some((first, t)) = log::first_after(self.conn, self.at, self.end)? else { return Ok(None) };
        let likely = classes(t)?.map(|classes| (t, classes));
        let to = self.end.min(first.saturating_add(MANY - 1));
        let columns = format!("seq,t,m,at{}", self.width.columns());
        let range = "FROM main._crdt_log WHERE seq > ?1 AND seq <= ?2";
        let values = [self.at.into(), to.into()];
        self.at = to;
        let mut taken = Taken { likely, width: self.width, times: Times::default(), entries: Vec::new() };
        if FIRST + self.width.keys + self.width.values > ARGUMENTS.min(self.conn.db.most_arguments()) {
            let mut rows = self.conn.stmt(&format!("SELECT {columns} {range} ORDER BY seq"))?;
            rows.bind_all(&values)?;
            while rows.step()? {
                taken.take(|i| rows.column(i));
            }
            return Ok(Some(taken.entries));
        }
        let taken = Rc::new(RefCell::new(taken));
        let sql = format!("SELECT seq {range} AND _crdt_meet({columns}) ORDER BY seq");
        self.conn.run_pass(&sql, &values, Rc::<RefCell<Taken>>::clone(&taken))?;
        let entries = std::mem::take(&mut taken.borrow_mut().entries);
        Ok(Some(entries))
    }
}

/// What was read.
struct Taken {
    likely: Likely,
    width: Width,
    times: Times,
    entries: Vec<Entry>,
}

impl Pass for RefCell<Taken> {
    fn meet(&self, row: &Call<'_, Conn>) -> bool {
        self.borrow_mut().take(|i| row.arg(i));
        false
    }

    fn give(&self, _: i64) -> Out {
        Out::Null
    }
}

impl Taken {
    fn take<'v>(&mut self, column: impl Fn(usize) -> ValueRef<'v>) {
        let number = |i| column(i).as_i64();
        let (t, m) = (number(1).unwrap_or(0), number(2));
        let value = |i: usize| column(FIRST + self.width.keys + i);
        let (is_flags, is_burial) = (log::is_flags(m), log::is_burial(m));
        let event = match is_flags {
            true => Event::Update(log::mask((0..self.width.values).map(|i| value(i).as_i64()))),
            false => Event::of(m),
        };
        let mut values = Vec::new();
        if !is_flags && !is_burial && event != Event::Relay {
            let count =
                (0..self.width.values).rev().find(|i| !matches!(value(*i), ValueRef::Null)).map_or(0, |i| i + 1);
            values = (0..count).map(|i| value(i).to_value()).collect();
        }
        let key = self.key(t, &column);
        let at = self.times.of(column(3));
        self.entries.push(Entry { seq: number(0).unwrap_or(0), t, event, is_burial, at, key, values });
    }

    fn key<'v>(&self, t: i64, column: impl Fn(usize) -> ValueRef<'v>) -> Key {
        let value = |i| if i < self.width.keys { column(FIRST + i) } else { ValueRef::Null };
        match &self.likely {
            Some((likely, classes)) if *likely == t => match classes.as_ref() {
                [_] => Key::Encoded(Pk::encode(classes, &[value(0)])),
                _ => Key::Encoded(Pk::encode(classes, &(0..classes.len()).map(value).collect::<Vec<_>>())),
            },
            _ => Key::Values((0..self.width.keys).map(|i| value(i).to_value()).collect()),
        }
    }
}
