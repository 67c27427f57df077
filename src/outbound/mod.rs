//! The road out: log rows after a cursor → the fields they touched, by record → each one's present state, once.

mod ahead;
mod answer;
mod clocks;
mod compact;
mod fields;
mod item;
mod json;
mod pick;
mod tell;
mod whole;
mod window;

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::clock::{Tick, MILLISECOND};
use crate::conn::Conn;
use crate::cursor::{self, Since};
use crate::error::Result;
use crate::filter::{Debt, Reach, Verdict};
use crate::fold::unfolded::Update;
use crate::hooks;
use crate::log::Reader;
use crate::schema::Table;
pub use crate::scope::Scope;
use crate::store::{RecordKey, Store};
pub use ahead::Ahead;
pub use answer::{Answer, Paged};
pub use compact::Compact;
pub use item::{Item, Items};
pub use json::Json;
pub use pick::{picked, touches, Pick};
pub use whole::with_values;

use tell::tell;
use whole::Whole;
use window::Window;

/// Records gathered before they are written out: bounds the memory of a page. A record that was touched often is told once for
/// each window.
const WINDOW: usize = 100_000;
/// The same row by row in constant memory.
pub const SMALL_WINDOW: usize = 4_000;
/// The same at least, and at first where only so many changes are wanted.
const LEAST_WINDOW: usize = if cfg!(debug_assertions) { 3 } else { 64 };

/// A record to be told: what of it, and the first row of the log that asks for it.
type Found = (RecordKey, Pick, i64);

/// Tells a record, somewhere.
type Telling<'t> = dyn FnMut(&mut Export, &Rc<Table>, &Found) -> Result<()> + 't;

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
    /// It ends before a record that could not be judged, as another connection held the write lock.
    waits: bool,
    /// The latest stamp delivered.
    pub latest: Tick,
    /// The records gathered, and how many of them are told.
    window: Rc<Window>,
    told: usize,
    /// The log row that the gathered records reach to.
    gathered: i64,
    /// Records gathered at a time, and changes.
    size: (usize, usize),
}

/// How far an export has come: the log row, and the latest stamp delivered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    at: i64,
    latest: Tick,
}

impl Export {
    /// An export of what lies after the cursor `given` up to the present end of the log.
    pub fn new(store: &Store<'_>, given: Option<&str>, scope: &Scope) -> Result<Export> {
        let (since, debts) = match given {
            None => (Since::Start, Vec::new()),
            Some(json) => cursor::read(store, json, scope)?,
        };
        if since == Since::Start {
            crate::prune::before_everything(store)?;
        }
        let (at, latest) = match since {
            Since::Start => (0, Tick::default()),
            Since::Instant(tick) => (0, tick),
            Since::Place(seq, tick) => (seq, tick),
        };
        let end = store.last_seq()?;
        let given = given.map(|json| Rc::from(json.trim()));
        Ok(Export {
            since,
            debts,
            given,
            at,
            end,
            waits: false,
            latest,
            window: Rc::default(),
            told: 0,
            gathered: at,
            size: (WINDOW, usize::MAX),
        })
    }

    /// The same for somebody who wants about so many records at a time, and so many changes.
    pub fn by(mut self, records: usize, changes: usize) -> Export {
        self.expect(records);
        self.size.1 = changes;
        self
    }

    /// Whether the cursor that it began with names a place, and does not fit.
    pub fn starts_over(&self) -> bool {
        self.since == Since::Start && self.given.as_deref().is_some_and(cursor::is_place)
    }

    /// The log row that it began after.
    pub fn began(&self) -> i64 {
        match self.since {
            Since::Place(seq, _) => seq,
            Since::Start | Since::Instant(_) => 0,
        }
    }

    /// Rows of the log that are left.
    pub fn rows(&self) -> usize {
        usize::try_from(self.end.saturating_sub(self.gathered)).unwrap_or(0)
    }

    /// Whether the next record was told ahead of its turn.
    pub fn is_told<D: Clone + Default>(&self, ahead: &Ahead<D>) -> bool {
        ahead.has(&self.window, self.told)
    }

    /// Whether all that was gathered is told.
    pub fn is_between_windows(&self) -> bool {
        self.told >= self.window.found.len()
    }

    /// Says that about so many more records are wanted.
    pub fn expect(&mut self, records: usize) {
        self.size = (records.clamp(LEAST_WINDOW, WINDOW), usize::MAX);
    }

    /// Gathers anew what is not told yet: filters judge a record as it is when it is told.
    pub fn gather_again(&mut self) {
        (self.window, self.told, self.gathered) = (Rc::default(), 0, self.at);
    }

    /// How far it has come.
    pub fn reached(&self) -> Reached {
        Reached { at: self.at, latest: self.latest }
    }

    /// Whether records may be left.
    pub fn has_more(&self) -> bool {
        self.told < self.window.found.len() || self.gathered < self.end
    }

    /// Whether it has come to a record that could not be judged yet.
    pub fn waits(&self) -> bool {
        self.waits && !self.has_more()
    }

    /// The cursor to go on from.
    pub fn cursor(&self, store: &Store<'_>, scope: &Scope) -> Result<String> {
        self.cursor_at(store.conn, &store.me, scope, self.reached())
    }

    /// The cursor to go on from where it had come to. What became of the log since does not matter: a row that is gone was told.
    pub fn cursor_at(&self, conn: &Conn, me: &str, scope: &Scope, reached: Reached) -> Result<String> {
        let Reached { at, latest } = reached;
        if let (Some(given), false) = (&self.given, self.debts.is_empty()) {
            // Before the first row there is no place for debts: the peer comes back as it came.
            let sql = "SELECT 1 FROM main._crdt_log WHERE seq <= ?1 LIMIT 1";
            if conn.int(sql, &[at.into()])?.is_none() {
                return Ok(given.to_string());
            }
        }
        cursor::write(conn, me, (at, latest), scope, &self.debts)
    }

    /// The cursor at the present end of the log, for a peer that has all of it.
    pub fn cursor_at_end(&self, store: &Store<'_>, scope: &Scope) -> Result<String> {
        let reached = Reached { at: store.last_seq()?, latest: self.latest };
        self.cursor_at(store.conn, &store.me, scope, reached)
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
        self.step(store, scope, &mut |export, table, found| export.gather_items(store, table, found, items))
    }

    /// Appends the changes of the next record to an answer; false when there is none left. What is told ahead is kept in
    /// `ahead`, from one call to the next.
    pub fn write_next<A: Answer>(
        &mut self,
        store: &Store<'_>,
        scope: &Scope,
        ahead: &mut Ahead<A::Draft>,
        out: &mut A,
    ) -> Result<bool> {
        self.step(store, scope, &mut |export, table, found| {
            if found.1 == Pick::Later || store.catalog.hooks.any(hooks::Event::BeforeOutbound) {
                let mut items = Vec::new();
                export.gather_items(store, table, found, &mut items)?;
                out.items(items);
                return Ok(());
            }
            export.latest = export.latest.max(ahead.write(store, &export.window, export.told, out)?);
            Ok(())
        })
    }

    /// Goes on to the next record that there is, so that `has_more` does not speak of rows of the log that ask for none.
    pub fn finds_more(&mut self, store: &Store<'_>, scope: &Scope) -> Result<bool> {
        while self.is_between_windows() {
            self.at = self.gathered;
            if self.gathered >= self.end {
                return Ok(false);
            }
            self.gather(store, scope)?;
        }
        Ok(true)
    }

    /// Goes to the next record and has it told.
    fn step(&mut self, store: &Store<'_>, scope: &Scope, tell: &mut Telling<'_>) -> Result<bool> {
        if !self.finds_more(store, scope)? {
            return Ok(false);
        }
        let window = Rc::clone(&self.window);
        let Some(found) = window.found.get(self.told) else { return Ok(false) };
        if let Some(table) = store.table(found.0 .0) {
            tell(self, &table, found)?;
        }
        self.told += 1;
        // Everything before the first row of the next record is delivered.
        self.at = window.found.get(self.told).map_or(self.gathered, |(_, _, first)| first.saturating_sub(1));
        Ok(true)
    }

    /// Appends the changes of a record, through the hooks on the way out.
    fn gather_items(
        &mut self,
        store: &Store<'_>,
        table: &Rc<Table>,
        ((_, pk), pick, _): &Found,
        items: &mut Vec<Item>,
    ) -> Result<()> {
        let Some(whole) = Whole::read(store, table, pk)? else { return Ok(()) };
        let from = items.len();
        let mut told = Items::default();
        told.record(table, &pk.wire());
        tell(table, &whole, pick, &mut told);
        drop(whole); // hooks run SQL of their own
        items.extend(told.into_ahead());
        if let (Since::Instant(tick), Pick::Later) = (self.since, pick) {
            let later = items.split_off(from).into_iter().filter(|item| item.hlc.tick() > tick);
            items.extend(later);
        }
        hooks::outbound(store, table, from, items)?;
        let told = items.iter().skip(from).map(|item| item.hlc.tick()).max();
        self.latest = self.latest.max(told.unwrap_or_default());
        Ok(())
    }

    /// Reads log rows until the window is full.
    fn gather(&mut self, store: &Store<'_>, scope: &Scope) -> Result<()> {
        let mut window = Window { number: self.window.number + 1, ..Window::default() };
        let (records, changes) = self.size;
        let mut ended = self.read_unfolded(store, scope, &mut window.found);
        if ended {
            window.settle();
        } else {
            let mut rows = Reader::new(store.conn, self.gathered, self.end)?;
            let mut covered = BTreeMap::new();
            let mut read = |found: &mut _, most| self.read_log(store, scope, &mut rows, &mut covered, found, most);
            let enough = |found: &[Found]| records.min(records_of(store, found, changes));
            ended = window.fill(&enough, &mut read)?;
        }
        if ended {
            self.gathered = self.end;
        }
        (self.window, self.told) = (Rc::new(window), 0);
        Ok(())
    }

    /// Appends what log rows touched that were read already; false where they were not, or are to be judged.
    fn read_unfolded(&self, store: &Store<'_>, scope: &Scope, found: &mut Vec<Found>) -> bool {
        let is_whole = scope.filters.is_empty() && matches!(self.since, Since::Place(..));
        let Some(updates) = store.unfolded.after(self.gathered).filter(|_| is_whole) else { return false };
        let covers = |t: i64| store.table(t).is_some_and(|table| scope.covers(&table));
        let told = updates.iter().filter(|update| covers(update.t) && !update.pk.is_too_long());
        found.extend(told.map(|Update { t, pk, fields, seq, .. }| {
            ((*t, (**pk).clone()), Pick::Fields(fields.iter().copied().collect()), *seq)
        }));
        true
    }

    /// Appends what log rows touched, until there are `most` of it; whether the log has come to its end.
    fn read_log(
        &mut self,
        store: &Store<'_>,
        scope: &Scope,
        rows: &mut Reader<'_>,
        covered: &mut BTreeMap<i64, Option<Rc<Table>>>,
        found: &mut Vec<Found>,
        most: usize,
    ) -> Result<bool> {
        while found.len() < most {
            if !rows.step()? {
                return Ok(true);
            }
            self.gathered = rows.seq();
            let t = rows.table();
            let table = covered.entry(t).or_insert_with(|| store.table(t).filter(|table| scope.covers(table)));
            let Some(table) = table else { continue };
            let Some(form) = table.form_if_usable(store.conn)? else { continue };
            let Some(mut pick) = picked(rows, table)? else { continue };
            let key = (t, rows.pk(&form.shape.classes)?);
            if key.1.is_too_long() {
                continue; // or whoever merges the page refuses all of it
            }
            match scope.filters.judge(store, t, &key.1, rows.seq(), &self.reach())? {
                Verdict::Send => {}
                Verdict::Whole => pick = Pick::All,
                Verdict::Gone => pick = Pick::Gone,
                Verdict::Skip => continue,
                Verdict::End => {
                    self.end = rows.seq().saturating_sub(1);
                    self.waits = true;
                    return Ok(true);
                }
            }
            if let Since::Instant(tick) = self.since {
                // The log knows whole milliseconds only.
                if rows.at() < tick.ts - tick.ts % MILLISECOND {
                    if pick == Pick::Gone {
                        continue;
                    }
                    pick = Pick::Later;
                }
            }
            found.push((key, pick, rows.seq()));
        }
        Ok(false)
    }
}

/// About how many records have so many changes, going by those that were found.
fn records_of(store: &Store<'_>, found: &[Found], changes: usize) -> usize {
    if changes == usize::MAX {
        return changes;
    }
    let fields = |t: i64| store.table(t).map_or(1, |table| table.fields.len());
    let found_changes: usize = found.iter().map(|((t, _), pick, _)| pick.changes(fields(*t))).sum();
    match found.len() {
        0 => LEAST_WINDOW,
        records => changes.saturating_mul(records) / found_changes.max(1) + 1,
    }
}
