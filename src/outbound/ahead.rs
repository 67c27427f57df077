//! Records told ahead of their turn, in the order in which they are stored: b-trees are read from one end to the other then, and
//! the answer is still in the order of the log.

use std::rc::Rc;

use super::answer::Answer;
use super::clocks::{Clocks, Known};
use super::tell::tell;
use super::whole::{state, Live, Whole};
use super::window::Window;
use crate::batch::Rows;
use crate::clock::Tick;
use crate::error::{Error, Result};
use crate::found::Found;
use crate::schema::Table;
use crate::store::Store;

/// Records told ahead at first; each further time twice as many, as long as somebody goes on asking. Few where assertions are
/// on, so that tests come past the end of them.
const LEAST: usize = if cfg!(debug_assertions) { 1 } else { 64 };
/// Records told ahead at most: bounds what is read in vain at the end of a page.
const MOST: usize = if cfg!(debug_assertions) { 3 } else { 2_048 };
/// Who asks for so many is likely to ask for all: the clocks of the whole window are read at once.
const MANY: usize = if cfg!(debug_assertions) { 3 } else { 1_024 };

/// So many are worth looking up together.
const FEW: usize = if cfg!(debug_assertions) { 2 } else { 4 };

/// What some records to come have to tell.
pub struct Ahead<D> {
    /// Which of the export's windows they are of.
    window: u64,
    /// The place in the window of the first.
    first: usize,
    /// Each record's draft, and the latest stamp told.
    records: Vec<(D, Tick)>,
    /// How many are told next.
    next: usize,
    /// The clocks of the window's records, once many were asked for.
    clocks: Option<Clocks>,
}

impl<D: Clone + Default> Ahead<D> {
    /// Nothing yet.
    pub fn new() -> Self {
        Ahead { window: 0, first: 0, records: Vec::new(), next: LEAST, clocks: None }
    }

    /// Says that about so many more records are wanted, so that no more of them are told in vain.
    pub fn expect(&mut self, records: usize) {
        self.next = records.clamp(1, MOST);
    }

    /// Writes the record at a place of the window; its latest stamp. Those that come next are told with it.
    pub fn write<A: Answer<Draft = D>>(
        &mut self,
        store: &Store<'_>,
        window: &Window,
        place: usize,
        out: &mut A,
    ) -> Result<Tick> {
        if window.number != self.window {
            (self.window, self.clocks) = (window.number, None);
            self.next = self.next.min(window.wanted.unwrap_or(MOST));
            self.records.clear();
        }
        if self.at(place).is_none() {
            self.fill(store, window, place, out)?;
        }
        let Some((draft, latest)) = self.at(place) else { return Ok(Tick::default()) };
        out.put(draft);
        Ok(*latest)
    }

    /// Whether the record at a place of the window is told already.
    pub fn has(&self, window: &Window, place: usize) -> bool {
        window.number == self.window && self.at(place).is_some()
    }

    fn at(&self, place: usize) -> Option<&(D, Tick)> {
        self.records.get(place.checked_sub(self.first)?)
    }

    /// Tells the next records, from `first` on.
    fn fill<A: Answer<Draft = D>>(
        &mut self,
        store: &Store<'_>,
        window: &Window,
        first: usize,
        out: &mut A,
    ) -> Result<()> {
        let size = self.next.min(window.found.len().saturating_sub(first));
        self.next = (self.next * 2).min(MOST);
        if size >= MANY && self.clocks.is_none() {
            self.clocks = Some(Clocks::read(store, window, first)?);
        }
        out.clear();
        self.first = first;
        self.records.clear();
        self.records.resize(size, (D::default(), Tick::default()));
        let mut chunk = Chunk { store, window, first, records: &mut self.records, out };
        let mut rest = window.in_order(first..first + size);
        if let Some(clocks) = &self.clocks {
            rest.retain(|place| clocks.get(*place).is_none());
            for table in clocks.tables() {
                chunk.tell_rows(table, clocks)?;
            }
        }
        let table = |place: usize| window.found.get(place).map(|((t, _), ..)| *t);
        rest.chunk_by(|a, b| table(*a) == table(*b)).try_for_each(|places| chunk.tell_some(places))
    }
}

/// Records on their way to drafts.
struct Chunk<'k, 'c, A: Answer> {
    store: &'k Store<'c>,
    window: &'k Window,
    first: usize,
    records: &'k mut Vec<(A::Draft, Tick)>,
    out: &'k mut A,
}

impl<A: Answer> Chunk<'_, '_, A> {
    /// Tells records of one table, in the order of their keys: looked up together where that is worth while.
    fn tell_some(&mut self, places: &[usize]) -> Result<()> {
        let (store, window) = (self.store, self.window);
        let key = |place: &usize| window.found.get(*place).map(|(key, ..)| key);
        let Some((t, _)) = places.first().and_then(key) else { return Ok(()) };
        let Some(table) = store.table(*t) else { return Ok(()) };
        let form = table.form_if_usable(store.conn)?.filter(|_| table.captured && store.overlay.is_empty());
        let Some(form) = form.filter(|form| form.shape.key.len() == 1 && places.len() >= FEW) else {
            return places.iter().try_for_each(|place| self.tell_record(*place));
        };
        let is_plain = |place: &usize| key(place).is_some_and(|(_, pk)| pk.plain(&form.shape.classes).is_some());
        let (plain, mut unknown): (Vec<usize>, Vec<usize>) = places.iter().partition(|place| is_plain(place));
        let mut found = Found::new(store, *t, form, plain.iter().filter_map(key).map(|(_, pk)| pk))?;
        for (place, (_, pk)) in plain.iter().filter_map(|place| Some((place, key(place)?))) {
            found.next(pk)?;
            if !found.is_known() {
                unknown.push(*place);
                continue;
            }
            let (row, first) = found.row();
            let live = if found.has_row() { Live::of_row(form, row, first) } else { Live::none(form) };
            let whole = Whole { state: state(store, &table, pk, found.clock())?, live };
            self.tell(&table, *place, &whole)?;
        }
        unknown.into_iter().try_for_each(|place| self.tell_record(place))
    }

    /// Tells a record that is looked up by itself.
    fn tell_record(&mut self, place: usize) -> Result<()> {
        let Some((key, ..)) = self.window.found.get(place) else { return Ok(()) };
        let Some(table) = self.store.table(key.0) else { return Ok(()) };
        let Some(whole) = Whole::read(self.store, &table, &key.1)? else { return Ok(()) };
        self.tell(&table, place, &whole)
    }

    /// Tells the records of a table whose clocks are known, in the order of their rows.
    fn tell_rows(&mut self, table: &Rc<Table>, clocks: &Clocks) -> Result<()> {
        let places = self.first..self.first + self.records.len();
        let of_table = |place: &usize| self.window.found.get(*place).is_some_and(|((t, _), ..)| *t == table.id);
        let known = places.filter(of_table).filter_map(|place| Some((clocks.get(place)?, place)));
        let mut known: Vec<(&Known, usize)> = known.collect();
        known.sort_unstable_by_key(|(known, place)| (known.rowid, *place));
        let form = table.form(self.store.conn)?;
        let mut rowids = Rows::new(1);
        rowids.extend(known.iter().filter_map(|(known, _)| known.rowid).map(Into::into));
        let mut rows = self.store.conn.stmt(&crate::row::by_rowid(form))?;
        let mut more = self.store.conn.begin_batch(&mut rows, &Rc::new(rowids))?;
        for (known, place) in known {
            let Some((key, ..)) = self.window.found.get(place) else { continue };
            let state = clocks.state(self.store, table, &key.1, known)?;
            let here = more && known.rowid.is_some() && rows.i64(0) == known.rowid;
            let live = if here { Live::of_row(form, &rows, 1) } else { Live::none(form) };
            self.tell(table, place, &Whole { state, live })?;
            if here {
                more = rows.step()?;
            }
        }
        Ok(())
    }

    fn tell(&mut self, table: &Rc<Table>, place: usize, whole: &Whole<'_>) -> Result<()> {
        let lost = || Error::internal("an export lost its place");
        let ((_, pk), pick, _) = self.window.found.get(place).ok_or_else(lost)?;
        self.out.record(table, &pk.wire());
        let latest = tell(table, whole, pick, self.out);
        let record = self.records.get_mut(place - self.first).ok_or_else(lost)?;
        *record = (self.out.drafted(), latest);
        Ok(())
    }
}
