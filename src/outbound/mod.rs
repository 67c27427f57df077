//! The road out: log rows after a cursor → the fields they touched, by record → each one's present state, once.

mod ahead;
mod answer;
mod compact;
mod item;
mod json;
mod pick;
mod tell;
mod whole;

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use crate::clock::Tick;
use crate::conn::Conn;
use crate::cursor::{self, Since};
use crate::error::Result;
use crate::filter::{Debt, Reach, Verdict};
use crate::hooks;
use crate::log::Reader;
use crate::schema::Table;
pub use crate::scope::Scope;
use crate::store::{RecordKey, Store};
pub use ahead::Ahead;
pub use answer::Answer;
pub use compact::Compact;
pub use item::Item;
pub use json::Json;
pub use pick::{picked, touches, Pick};
pub use whole::with_values;

use item::Items;
use tell::tell;
use whole::Whole;

/// Records gathered before they are written out: bounds the memory of a page. A record that was touched often is told once for
/// each window.
const WINDOW: usize = 50_000;
/// The same where only few changes are wanted, or row by row in constant memory.
pub const SMALL_WINDOW: usize = 4_000;

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
    /// The latest stamp delivered.
    pub latest: Tick,
    /// The records gathered, and how many of them are told.
    queue: Rc<[Found]>,
    told: usize,
    /// How often records were gathered.
    window: u64,
    /// The log row that the gathered records reach to.
    gathered: i64,
    /// Records gathered at a time.
    size: usize,
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
            latest,
            queue: Rc::from([]),
            told: 0,
            window: 0,
            gathered: at,
            size: WINDOW,
        })
    }

    /// The same for somebody who wants about so many records at a time.
    pub fn by(self, records: usize) -> Export {
        Export { size: records.clamp(SMALL_WINDOW, WINDOW), ..self }
    }

    /// How far it has come.
    pub fn reached(&self) -> Reached {
        Reached { at: self.at, latest: self.latest }
    }

    /// Whether records may be left.
    pub fn has_more(&self) -> bool {
        self.told < self.queue.len() || self.gathered < self.end
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
                out.items(&items);
                return Ok(());
            }
            let queue = (export.window, &*export.queue);
            export.latest = export.latest.max(ahead.write(store, queue, export.told, out)?);
            Ok(())
        })
    }

    /// Goes to the next record and has it told.
    fn step(&mut self, store: &Store<'_>, scope: &Scope, tell: &mut Telling<'_>) -> Result<bool> {
        loop {
            let queue = Rc::clone(&self.queue);
            let Some(found) = queue.get(self.told) else {
                self.at = self.gathered;
                if self.gathered >= self.end {
                    return Ok(false);
                }
                self.gather(store, scope)?;
                continue;
            };
            if let Some(table) = store.table(found.0 .0) {
                tell(self, &table, found)?;
            }
            self.told += 1;
            // Everything before the first row of the next record is delivered.
            self.at = queue.get(self.told).map_or(self.gathered, |(_, _, first)| first.saturating_sub(1));
            return Ok(true);
        }
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
        tell(table, &whole, pick, &mut Items { table, pk: &pk.wire(), items });
        drop(whole); // hooks run SQL of their own
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
        let mut index: HashMap<RecordKey, usize, foldhash::fast::RandomState> = HashMap::default();
        let mut found: Vec<(RecordKey, Pick, i64)> = Vec::new();
        let mut rows = Reader::new(store.conn, self.gathered, self.end)?;
        let mut covered: BTreeMap<i64, Option<Rc<Table>>> = BTreeMap::new();
        while found.len() < self.size && rows.step()? {
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
        if found.len() < self.size {
            self.gathered = self.end;
        }
        (self.queue, self.told, self.window) = (found.into(), 0, self.window + 1);
        Ok(())
    }
}
