//! A push by a token that may not write everything: only tables of its scope, and only records that meet its filters before
//! and after. Records that do not are rejected, each by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::http::StatusCode;
use rusqlite::Connection;
use serde_json::value::RawValue;

use super::aside::Before;
use super::body::{Json, Places};
use super::budget::Held;
use super::catalog::Catalog;
use super::errors::{Refusal, Rejected, Result};
use super::inside::{Question, Verdict};
use super::newly;
use super::push::{self, Options};
use super::request::{changes, plain, rewritten, short, About, Record};
use super::scope::Scope;

/// How often a push is tried without the records that were found to be refused: one by one they are told in two times.
const TRIES: usize = 4;
/// Bytes of changes that are merged at most to find those that took others' rows away, and how often: all of it holds the writer.
const SEARCH: usize = 16 << 20;
const MERGES: usize = 64;
/// Bytes of the reasons of an answer: a record's stands there for each of its changes.
const TOLD: usize = 16 << 20;

/// Records that are not merged, and why.
type Refused = BTreeMap<Record, String>;
/// Records, by table number and key, that have become pending.
type Gone = BTreeSet<(i64, String)>;

/// A push within its scope.
pub struct Guarded {
    request: String,
    scope: Arc<Scope>,
    /// The records of filtered tables.
    records: BTreeSet<Record>,
    /// The other tables.
    unfiltered: BTreeSet<String>,
    _places: (Places, Held),
}

/// How a try went.
enum Tried {
    /// The answer.
    Done(String),
    /// These too must stay out.
    Refused(Refused),
    /// Rows have gone that are not the token's to take.
    Harmed,
    /// What was put aside cannot be told by the last one that waited.
    Unclear,
}

impl Guarded {
    /// Reads a push; refused when a change is of a table that the scope does not have.
    ///
    /// `room` tells how long the plain form of a push may be, and takes of the budget what it has more.
    pub fn read(
        conn: &Connection,
        body: Json,
        scope: Arc<Scope>,
        room: (usize, impl FnOnce(usize) -> Result<Held>),
    ) -> Result<Guarded> {
        if scope.write == super::scope::Tables::named(Vec::new()) {
            return Err(Refusal::forbidden("this token does not write"));
        }
        let Json { text, places } = body;
        let (most, take) = room;
        let plain = plain(conn, &text, most)?;
        let more = take(plain.len().saturating_sub(text.len()))?;
        let (mut records, mut unfiltered) = (BTreeSet::new(), BTreeSet::new());
        let request = rewritten(&plain, |change| {
            let Some(about) = About::read(change) else { return Ok(false) };
            if !scope.write.have(&about.table) {
                return Err(Refusal::forbidden(format!("this token does not write the table '{}'", about.table)));
            }
            match scope.filter_of(&about.table) {
                Some(_) => drop(records.insert(about.record())),
                None if unfiltered.contains(&*about.table) => {}
                None => drop(unfiltered.insert(about.table.to_string())),
            }
            Ok(true)
        })?;
        Ok(Guarded { request, scope, records, unfiltered, _places: (places, more) })
    }

    /// Merges it, in the caller's savepoint, which must be rolled back when this fails. A push that cannot be sorted out is too large: who
    /// sends it in parts comes down to single records, each of which can be.
    pub fn merge(&self, conn: &Connection, options: &Options) -> Result<String> {
        let catalog = Catalog::read(conn)?;
        self.unfiltered.iter().try_for_each(|table| self.scope.reaches(table, &catalog))?;
        if !newly::begin(conn)? {
            return push::merge(conn, &self.request, options); // nothing was ever enabled: all of it is rejected
        }
        conn.execute_batch("SAVEPOINT guarded")?;
        let mut gone_anyway = Gone::new();
        let mut before = Before::last(conn)?;
        let mut refused = self.outside(conn, &Refused::new())?;
        for _ in 0..TRIES {
            match self.attempt(conn, options, &before, &refused, &gone_anyway)? {
                Tried::Done(answer) => {
                    conn.execute_batch("RELEASE guarded")?;
                    return Ok(answer);
                }
                Tried::Refused(more) => {
                    conn.execute_batch("ROLLBACK TO guarded")?;
                    refused.extend(more);
                }
                Tried::Unclear => {
                    conn.execute_batch("ROLLBACK TO guarded")?;
                    before = Before::all(conn)?;
                }
                Tried::Harmed => {
                    conn.execute_batch("ROLLBACK TO guarded")?;
                    // As when changes of others were due.
                    gone_anyway = self.gone_by(conn, options, &[])?;
                    let culprits = self.culprits(conn, options, &refused, &gone_anyway)?;
                    refused.extend(culprits);
                }
            }
        }
        Err(too_large())
    }

    fn attempt(
        &self,
        conn: &Connection,
        options: &Options,
        before: &Before,
        refused: &Refused,
        gone_anyway: &Gone,
    ) -> Result<Tried> {
        let me = node(conn)?;
        let answer = if refused.is_empty() {
            push::merge(conn, &self.request, options)?
        } else {
            self.without(conn, options, refused)?
        };
        if node(conn)? != me {
            let mut said = self.said_to_be_of(&me)?;
            said.retain(|record, _| !refused.contains_key(record));
            // There are none where it came of changes of others that were due.
            if !said.is_empty() {
                return Ok(Tried::Refused(said));
            }
        }
        let mut more = self.outside(conn, refused)?;
        let Some(aside) = before.since(conn)? else { return Ok(Tried::Unclear) };
        Self::refuse_aside(&aside, &mut more);
        if !more.is_empty() {
            return Ok(Tried::Refused(more));
        }
        let harmed = !self.gone(conn)?.is_subset(gone_anyway);
        Ok(if harmed { Tried::Harmed } else { Tried::Done(answer) })
    }

    /// The records with changes that are said to be of that node.
    fn said_to_be_of(&self, node: &str) -> Result<Refused> {
        let mut refused = Refused::new();
        for change in changes(&self.request)? {
            let about = About::read(change.get());
            let Some(about) = about.filter(|about| about.is_of(node)) else {
                continue;
            };
            let reason = format!(
                "the record {}[{}] has a change that this hub is said to have made, and does not know: only a token that may write everything brings those back",
                about.table,
                short(&about.pk)
            );
            refused.insert(about.record(), reason);
        }
        Ok(refused)
    }

    /// The records beyond the scope that have become pending.
    fn gone(&self, conn: &Connection) -> Result<Gone> {
        let gone = newly::pending(conn)?;
        if gone.is_empty() {
            return Ok(Gone::new());
        }
        let catalog = Catalog::read(conn)?;
        let is_beyond = |(number, pk): &(i64, String)| -> Result<bool> {
            let Some(table) = catalog.name_of(*number).filter(|table| self.scope.write.have(table)) else {
                return Ok(true);
            };
            let Some(filter) = self.scope.filter_of(table) else { return Ok(false) };
            let question = Question::new(conn, table, filter)?;
            Ok(question.map(|question| question.of(conn, pk)).transpose()? != Some(Verdict::Inside))
        };
        let mut beyond = Gone::new();
        for record in gone {
            if is_beyond(&record)? {
                beyond.insert(record);
            }
        }
        Ok(beyond)
    }

    /// The same after a merge of these changes, which is undone.
    fn gone_by(&self, conn: &Connection, options: &Options, changes: &[(Record, Vec<&str>)]) -> Result<Gone> {
        let changes: Vec<&str> = changes.iter().flat_map(|(_, changes)| changes.iter().copied()).collect();
        push::merge(conn, &format!("{{\"changes\":[{}]}}", changes.join(",")), options)?;
        let gone = self.gone(conn);
        conn.execute_batch("ROLLBACK TO guarded")?;
        gone
    }

    /// The records whose merge takes rows away that are not the token's to take: by halves.
    fn culprits(&self, conn: &Connection, options: &Options, refused: &Refused, anyway: &Gone) -> Result<Refused> {
        let mut by_record: BTreeMap<Record, Vec<&str>> = BTreeMap::new();
        for change in changes(&self.request)? {
            if let Some(record) = About::read(change.get()).map(|about| about.record()) {
                by_record.entry(record).or_default().push(change.get());
            }
        }
        by_record.retain(|record, _| !refused.contains_key(record));
        let all: Vec<(Record, Vec<&str>)> = by_record.into_iter().collect();
        let (mut culprits, mut left, mut merges, mut parts) = (Refused::new(), SEARCH, MERGES, vec![&*all]);
        while let Some(part) = parts.pop() {
            let length = part.iter().flat_map(|(_, changes)| changes).map(|change| change.len()).sum();
            left = left.checked_sub(length).filter(|_| merges > 0).ok_or_else(too_large)?;
            merges -= 1;
            if self.gone_by(conn, options, part)?.is_subset(anyway) {
                continue;
            }
            match part {
                [((table, pk), _)] => {
                    let reason = format!(
                        "the record {table}[{}] is at odds with others that this token may not write",
                        short(pk)
                    );
                    culprits.insert((table.clone(), pk.clone()), reason);
                }
                _ => parts.extend(<[_; 2]>::from(part.split_at(part.len() / 2))),
            }
        }
        Ok(culprits)
    }

    /// Merges the push without some records, whose changes the answer tells to be rejected.
    fn without(&self, conn: &Connection, options: &Options, refused: &Refused) -> Result<String> {
        let (mut index, mut passed) = (0, 0);
        let mut rejected: BTreeMap<usize, &String> = BTreeMap::new();
        let request = rewritten(&self.request, |change| {
            let reason = About::read(change).and_then(|about| refused.get(&about.record()));
            rejected.extend(reason.map(|reason| (index, reason)));
            passed += usize::from(reason.is_none());
            index += 1;
            Ok(reason.is_none())
        })?;
        if rejected.values().map(|reason| reason.len()).sum::<usize>() > TOLD {
            return Err(too_large());
        }
        let told = |(index, reason): (&usize, &&String)| Rejected { index: *index, reason: (*reason).clone() };
        if passed == 0 {
            return Err(Refusal::all(rejected.iter().map(told).collect()));
        }
        let answer = push::merge(conn, &request, options)?;
        let unreadable = |e| Refusal::internal(format!("crdt_push's answer: {e}"));
        let mut keys: BTreeMap<String, Box<RawValue>> = serde_json::from_str(&answer).map_err(unreadable)?;
        let others: Vec<Rejected> =
            keys.get("rejected").map_or(Ok(Vec::new()), |list| serde_json::from_str(list.get())).map_err(unreadable)?;
        let others = others.into_iter().filter(|other| !rejected.contains_key(&other.index));
        let mut all: Vec<Rejected> = rejected.iter().map(told).chain(others).collect();
        all.sort_by_key(|one| one.index);
        keys.insert("rejected".to_owned(), serde_json::value::to_raw_value(&all).map_err(unreadable)?);
        serde_json::to_string(&keys).map_err(unreadable)
    }

    /// The records that do not meet their filter as they now are, besides those that are refused anyway. The reason is the same
    /// for one that is another's and for one that would come to be: it does not tell which keys there are.
    fn outside(&self, conn: &Connection, refused: &Refused) -> Result<Refused> {
        let mut outside = Refused::new();
        let mut question: Option<(&str, Option<Question>)> = None;
        for record in self.records.iter().filter(|record| !refused.contains_key(*record)) {
            let (table, pk) = record;
            // They are in the order of their tables.
            if question.as_ref().is_none_or(|(of, _)| of != table) {
                let filter = self.scope.filter_of(table).unwrap_or_default();
                question = Some((table, Question::new(conn, table, filter)?));
            }
            // A table that is not enabled has no records: its changes are rejected.
            let Some((_, Some(question))) = &question else { continue };
            if question.of(conn, pk)? == Verdict::Outside {
                let pk = short(pk);
                let reason = format!("the record {table}[{pk}] is outside of what this token may write");
                outside.insert(record.clone(), reason);
            }
        }
        Ok(outside)
    }

    /// A change that waits for its time would be merged later, with nobody there to judge it.
    fn refuse_aside(aside: &[String], refused: &mut Refused) {
        for about in aside.iter().filter_map(|change| About::read(change)) {
            let reason = format!(
                "the stamp of a change of {}[{}] is too far in the future for a token that may not write everything; set the clock",
                about.table,
                short(&about.pk)
            );
            refused.insert(about.record(), reason);
        }
    }
}

/// The hub's own id. A change of it that it does not know has it take another: every cursor of every peer is void then.
fn node(conn: &Connection) -> Result<String> {
    let sql = "SELECT n.node FROM main._crdt_state s JOIN main._crdt_node n ON n.n = s.self";
    Ok(conn.query_row(sql, [], |row| row.get(0))?)
}

fn too_large() -> Refusal {
    Refusal::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "what of this push is beyond what this token may write takes too long to tell; send it in smaller parts",
    )
}
