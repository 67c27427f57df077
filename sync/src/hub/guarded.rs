//! A push by a token that may not write everything: only tables of its scope, and only records that meet its filters before
//! and after.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rusqlite::Connection;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::aside::Before;
use super::body::{Json, Places};
use super::errors::{Refusal, Result};
use super::inside::{Question, Verdict};
use super::push::{self, Options};
use super::scope::Scope;

/// What stands for a change whose record cannot be told: `crdt_push` rejects it.
const UNREADABLE: &str = "null";

/// The record that a change is about.
#[derive(Deserialize)]
struct About<'a> {
    #[serde(borrow)]
    table: Cow<'a, str>,
    #[serde(borrow)]
    pk: Cow<'a, str>,
}

/// A push within its scope.
pub struct Guarded {
    request: String,
    scope: Arc<Scope>,
    /// The records of filtered tables, by table.
    records: BTreeMap<String, BTreeSet<String>>,
    _places: Places,
}

impl Guarded {
    /// Reads a push; refused when a change is of a table that the scope does not have.
    pub fn read(conn: &Connection, body: Json, scope: Arc<Scope>) -> Result<Guarded> {
        if scope.write == super::scope::Tables::named(Vec::new()) {
            return Err(Refusal::forbidden("this token does not write"));
        }
        let Json { text, places } = body;
        let plain = plain(conn, &text)?;
        let mut keys = object(&plain)?;
        let changes: Option<Vec<&RawValue>> =
            keys.get("changes").map(|changes| serde_json::from_str(changes.get())).transpose().map_err(bad)?.flatten();
        let mut records: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut passed = String::from("[");
        for change in changes.unwrap_or_default() {
            let about = serde_json::from_str::<About<'_>>(change.get()).ok().filter(|_| change.get().starts_with('{'));
            if let Some(About { table, pk }) = &about {
                if !scope.write.have(table) {
                    return Err(Refusal::forbidden(format!("this token does not write the table '{table}'")));
                }
                if scope.filter_of(table).is_some() {
                    records.entry(table.to_ascii_lowercase()).or_default().insert(pk.to_string());
                }
            }
            if passed.len() > 1 {
                passed.push(',');
            }
            passed.push_str(about.map_or(UNREADABLE, |_| change.get()));
        }
        passed.push(']');
        let passed = RawValue::from_string(passed).map_err(bad)?;
        keys.insert("changes".to_owned(), &passed);
        let request = serde_json::to_string(&keys).map_err(bad)?;
        Ok(Guarded { request, scope, records, _places: places })
    }

    /// Merges it, in the caller's savepoint, which must be rolled back when this fails.
    pub fn merge(&self, conn: &Connection, options: &Options) -> Result<String> {
        conn.execute_batch("SAVEPOINT guarded")?;
        let answer = match self.attempt(conn, options, &Before::last(conn)?)? {
            Some(answer) => answer,
            None => {
                conn.execute_batch("ROLLBACK TO guarded")?;
                let answer = self.attempt(conn, options, &Before::all(conn)?)?;
                answer.ok_or_else(|| Refusal::internal("what a push has put aside cannot be told"))?
            }
        };
        conn.execute_batch("RELEASE guarded")?;
        Ok(answer)
    }

    /// The answer; None where `before` is not enough to tell what was put aside.
    fn attempt(&self, conn: &Connection, options: &Options, before: &Before) -> Result<Option<String>> {
        let mut questions = Vec::new();
        for (table, keys) in &self.records {
            // A table that is not enabled has no records: its changes are rejected.
            let Some(question) = Question::new(conn, table, self.scope.filter_of(table).unwrap_or_default())? else {
                continue;
            };
            questions.push((table, keys, question));
        }
        let judge = || -> Result<()> {
            for (table, keys, question) in &questions {
                for pk in *keys {
                    if question.of(conn, pk)? == Verdict::Outside {
                        return Err(outside(table, pk));
                    }
                }
            }
            Ok(())
        };
        judge()?;
        let answer = push::merge(conn, &self.request, options)?;
        judge()?;
        let Some(aside) = before.since(conn)? else { return Ok(None) };
        self.refuse_aside(&aside)?;
        Ok(Some(answer))
    }

    /// A change that waits for its time would be merged later, with nobody there to judge it.
    fn refuse_aside(&self, aside: &[String]) -> Result<()> {
        for change in aside {
            if let Ok(About { table, pk }) = serde_json::from_str(change) {
                if self.scope.filter_of(&table).is_some() {
                    return Err(Refusal::forbidden(format!(
                        "the stamp of a change of {table}[{pk}] is too far in the future for a token with a filter; set the clock"
                    )));
                }
            }
        }
        Ok(())
    }
}

/// The request in the plain form.
fn plain<'a>(conn: &Connection, json: &'a str) -> Result<Cow<'a, str>> {
    let compact = object(json)?.get("format").is_some_and(|format| format.get() != "null");
    if !compact {
        return Ok(Cow::Borrowed(json));
    }
    let converted = conn.query_row("SELECT crdt_convert(?1, 'grove')", [json], |row| row.get(0))?;
    Ok(Cow::Owned(converted))
}

fn object(json: &str) -> Result<BTreeMap<String, &RawValue>> {
    serde_json::from_str(json).map_err(bad)
}

fn bad(e: serde_json::Error) -> Refusal {
    Refusal::bad(format!("not a push request {{\"node_id\",\"changes\"}}: {e}"))
}

fn outside(table: &str, pk: &str) -> Refusal {
    Refusal::forbidden(format!("the record {table}[{pk}] is outside of what this token may write"))
}
