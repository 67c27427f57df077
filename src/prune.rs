//! Keeps the log from growing without end: entries that later ones stand for go.
//!
//! An export sends each field as it is now, once, for the latest log entry that names it. So an entry whose every field has
//! a later entry tells nobody anything, wherever their cursor stands. And where every peer has come past two entries of one
//! record, one entry with the fields of both does as well: who starts from the beginning needs all of them anyway.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::hash::{Hash, Hasher};
use std::rc::Rc;

use crate::conn::Conn;
use crate::error::{unless_missing, Result};
use crate::log::{Event, Reader, Rewritten};
use crate::outbound::{picked, Pick};
use crate::peers;
use crate::places;
use crate::schema::Table;
use crate::store::{RecordKey, Store};

/// New log rows after which pruning is worth while, at the least.
const LEAST: i64 = 1_000;
/// For each two rows that were kept the last time, so many must have come: what can go outweighs what must stay.
const GROWTH: i64 = 3;
/// Records that one pass follows, more or less; others are left to other passes. Bounds its memory.
const RECORDS: i64 = 500_000;
/// Records that room is made for beforehand, at most.
const MOST_AHEAD: usize = 100_000;
/// Log rows that a pass goes back through when it runs by itself. Bounds its time.
const REACH: i64 = 500_000;

/// A number of `_crdt_horizon`; 0 while there is none.
pub fn horizon(conn: &Conn, column: &str) -> Result<i64> {
    let number = conn.int(&format!("SELECT {column} FROM main._crdt_horizon"), &[]);
    Ok(unless_missing(number, None)?.unwrap_or(0))
}

/// What a pass knows of one record, from its later entries.
struct Later {
    /// The fields that they name.
    covered: Pick,
    /// The latest entry that every peer has passed: earlier ones are taken into it.
    target: Option<Target>,
    /// The earliest entry met, where it is one to drop. Filters ask when a record came to be: then it stays, naming no field.
    birth: Option<i64>,
    /// The earliest entry met that stays.
    next: i64,
}

type Records = HashMap<RecordKey, Later, foldhash::fast::RandomState>;

struct Target {
    seq: i64,
    fields: Pick,
    grown: bool,
}

/// What a pass found to be done.
#[derive(Default)]
struct Plan {
    /// Runs of entries that go, the last first: nothing stands between the ends of one.
    drop: Vec<(i64, i64)>,
    /// Whether the entry looked at last is one.
    running: bool,
    kept: i64,
    /// Whether a local write is dropped: its author must remain known.
    own: bool,
    /// Whether each record's earliest entry stays.
    births: bool,
    /// Then, entries that go, each with the next one of its record that stays.
    gone: Vec<(i64, i64)>,
}

/// How many rows must have come since so many were kept.
fn grown(kept: i64) -> i64 {
    (kept / 2).saturating_mul(GROWTH)
}

/// Prunes when enough was logged since the last time. In the caller's savepoint, the log folded.
pub fn if_due(store: &Store<'_>) -> Result<()> {
    // In a transaction of the caller's nothing is kept that it may roll back.
    let own = !store.conn.rollbacks.is_foreign();
    // Where this connection last saw that it would be due: another one's pruning only puts that off. A log that has become shorter is
    // another one.
    let (seen, due) = store.conn.prune_due.get();
    if own && (seen..due).contains(&store.folded) {
        return Ok(());
    }
    let (pruned, kept) = (horizon(store.conn, "pruned")?, horizon(store.conn, "kept")?);
    let (end, due) = (store.last_seq()?, pruned.saturating_add(LEAST.max(grown(kept))));
    let fresh = if end >= due || !own { store.conn.fresh.take() } else { 0 };
    if fresh > 0 {
        // Pruning would keep these: they count as kept, and not among those that have come.
        store.conn.run(
            "INSERT INTO main._crdt_horizon(one, pruned, kept, own) VALUES (1, 0, ?1, 0)
             ON CONFLICT(one) DO UPDATE SET kept = kept + ?1",
            &[(fresh.saturating_mul(2 + GROWTH) / GROWTH).into()],
        )?;
        return if_due(store);
    }
    if end >= due {
        // As many as it says it kept may never have been there: what was changed by hand must not cost more than the log.
        let kept = kept.clamp(0, rows(store)?);
        return passes(store, end, REACH.max(kept.saturating_add(grown(kept))), kept);
    }
    if own {
        store.conn.prune_due.set((end, due));
    }
    Ok(())
}

/// Prunes before an export from the beginning, which reads the whole log anyway and would send a record for each of its rows: once
/// half of what would make it due has come. Not where nothing may be written.
pub fn before_everything(store: &Store<'_>) -> Result<()> {
    if !store.may_write.get() {
        return Ok(());
    }
    let (pruned, kept) = (horizon(store.conn, "pruned")?, horizon(store.conn, "kept")?);
    match store.last_seq()?.saturating_sub(pruned) >= LEAST.max(grown(kept) / 2) {
        true => all(store),
        false => Ok(()),
    }
}

/// Prunes the whole log.
pub fn all(store: &Store<'_>) -> Result<()> {
    let end = store.last_seq()?;
    passes(store, end, i64::MAX, rows(store)?)
}

/// Rows of the log.
fn rows(store: &Store<'_>) -> Result<i64> {
    Ok(store.conn.int("SELECT count(*) FROM main._crdt_log", &[])?.unwrap_or(0))
}

/// As many passes as it takes to follow all records of a log of so many rows: one for each class of them.
fn passes(store: &Store<'_>, end: i64, reach: i64, rows: i64) -> Result<()> {
    let classes = 1 + rows / RECORDS;
    let each = usize::try_from(rows / classes).unwrap_or_default().min(MOST_AHEAD);
    (0..classes).try_for_each(|class| pass(store, end, (reach, each), (classes, class)))
}

/// Whether a record is of the class that a pass looks at.
fn is_of(key: &RecordKey, (classes, class): (i64, i64)) -> bool {
    if classes == 1 {
        return true;
    }
    let mut hasher = std::hash::DefaultHasher::new();
    key.hash(&mut hasher);
    (hasher.finish() >> 1) as i64 % classes == class
}

/// Goes back through the log from its end, `reach` rows, and prunes the records of one class.
/// There are about `count` of them.
fn pass(store: &Store<'_>, end: i64, (reach, count): (i64, usize), class: (i64, i64)) -> Result<()> {
    if end != store.folded {
        return Ok(()); // what is not folded yet is still to be read
    }
    let passed = peers::passed(store)?;
    let mut standing = passed.places.clone();
    standing.insert(end); // a sequence is never used again, and most cursors stand here
    standing.extend(places::all(store.conn)?);
    let mut records = Records::with_capacity_and_hasher(count, Default::default());
    let births = crate::filter::registry::secret(store.conn)?.is_some();
    let mut plan = Plan { births, ..Plan::default() };
    let mut rows = Reader::backwards(store.conn, 0, end)?;
    let mut of: Option<(i64, Option<Rc<Table>>, i64)> = None;
    let mut seen = 0;
    while seen < reach && rows.step()? {
        seen += 1;
        let t = rows.table();
        let (_, table, passed) = match of.take().filter(|(last, ..)| *last == t) {
            Some(same) => of.insert(same),
            None => of.insert((t, store.table(t), passed.of_askers(t))),
        };
        consider(store, &rows, (&standing, table.as_deref(), *passed, class), &mut records, &mut plan)?;
    }
    drop(rows);
    crate::log::drop_entries(store.conn, &plan.drop)?;
    crate::filter::entries_went(store, std::mem::take(&mut plan.gone))?;
    let mut rewritten: Vec<Rewritten> = Vec::new();
    for ((_, pk), later) in records {
        if let Some(seq) = later.birth {
            plan.kept += 1;
            rewritten.push((seq, pk.clone(), Some(Vec::new())));
        }
        let Some(target) = later.target.filter(|target| target.grown) else { continue };
        let packed = match &target.fields {
            Pick::Fields(fields) => Some(crate::pack::pack_fields(fields.iter())),
            Pick::All | Pick::Later | Pick::Gone => None,
        };
        rewritten.push((target.seq, pk, packed));
    }
    rewritten.sort_unstable_by_key(|(seq, ..)| *seq);
    crate::log::rewrite_relays(store.conn, rewritten)?;
    store.conn.run(
        "INSERT INTO main._crdt_horizon(one, pruned, kept, own) VALUES (1, ?1, ?2, ?3)
         ON CONFLICT(one) DO UPDATE SET pruned = excluded.pruned, kept = excluded.kept, own = own OR excluded.own",
        &[end.into(), plan.kept.into(), i64::from(plan.own).into()],
    )?;
    Ok(())
}

/// Looks at one entry, after all later ones.
fn consider(
    store: &Store<'_>,
    row: &Reader<'_>,
    (standing, table, passed, class): (&BTreeSet<i64>, Option<&Table>, i64, (i64, i64)),
    records: &mut Records,
    plan: &mut Plan,
) -> Result<()> {
    let (seq, event) = (row.seq(), row.event());
    let fixed = standing.contains(&seq);
    let Some(table) = table else {
        plan.take(seq, event, !fixed);
        return Ok(());
    };
    let Some(form) = table.form_if_usable(store.conn)? else {
        plan.keep();
        return Ok(());
    };
    let Some(pick) = picked(row, table)? else {
        plan.take(seq, event, !fixed);
        return Ok(());
    };
    let pk = if event == Event::Relay { row.stored_key()? } else { row.key(&form.shape.classes) };
    let later = match records.entry((table.id, pk)) {
        Entry::Occupied(known) => known.into_mut(),
        Entry::Vacant(free) => {
            if is_of(free.key(), class) {
                let target = (seq <= passed && !fixed).then(|| Target { seq, fields: pick.clone(), grown: false });
                plan.own |= target.is_some() && event != Event::Relay;
                free.insert(Later { covered: pick, target, birth: None, next: seq });
            }
            plan.keep();
            return Ok(());
        }
    };
    if later.covered.includes(&pick) {
        plan.take_of(later, seq, event, !fixed);
        return Ok(());
    }
    later.covered.add(pick.clone());
    let absorbed = !fixed && later.target.is_some();
    match &mut later.target {
        Some(target) if absorbed => {
            target.fields.add(pick);
            target.grown = true;
        }
        target if target.is_none() && seq <= passed && !fixed => {
            *target = Some(Target { seq, fields: pick, grown: false });
            plan.own |= event != Event::Relay;
        }
        _ => {}
    }
    plan.take_of(later, seq, event, absorbed);
    Ok(())
}

impl Plan {
    /// As [`Plan::take`], for an entry of a record whose later ones are known.
    fn take_of(&mut self, later: &mut Later, seq: i64, event: Event, away: bool) {
        if let Some(birth) = later.birth.take() {
            self.drop.push((birth, birth));
            self.gone.push((birth, later.next));
            self.running = false;
        }
        if away && self.births {
            later.birth = Some(seq);
            self.running = false;
            self.own |= event != Event::Relay;
        } else {
            later.next = if away { later.next } else { seq };
            self.take(seq, event, away);
        }
    }

    fn take(&mut self, seq: i64, event: Event, away: bool) {
        if !away {
            return self.keep();
        }
        self.own |= event != Event::Relay;
        match self.drop.last_mut().filter(|_| self.running) {
            Some((first, _)) => *first = seq,
            None => self.drop.push((seq, seq)),
        }
        self.running = true;
    }

    fn keep(&mut self) {
        self.kept += 1;
        self.running = false;
    }
}
