//! `POST /push`: acknowledged only once it is durable.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use rusqlite::Connection;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::answer;
use super::auth::Access;
use super::body::Json;
use super::dialect::Counters;
use super::errors::{Refusal, Result};
use super::guarded::Guarded;
use super::scope::Scope;
use super::writer::Job;
use super::Shared;

/// What of an answer is counted.
#[derive(Deserialize)]
struct Answer {
    merged: u64,
    unchanged: u64,
    conflicts: u64,
    rejected: Vec<IgnoredAny>,
}

/// Merges a push.
pub async fn push(State(hub): State<Shared>, access: Access, counters: Counters, body: Json) -> Result<Response> {
    let weight = body.text.len();
    let mut options = Options::new(&access.scope, counters);
    // Taken before it is merged: what has been done is to be told.
    let place = answer::place(&hub, &access)?;
    if access.token().is_some() {
        let unnoted = |node: String| !hub.peers.may_note(&access, &node);
        let is_unnoted = tokio::task::block_in_place(|| node(&body.text).is_some_and(unnoted));
        options.remember = is_unnoted.then_some(false);
    }
    let job = if access.scope.writes_all() {
        Job { work: Box::new(move |conn| merge(conn, &body.text, &options)), weight, single: true }
    } else {
        let scope = Arc::clone(&access.scope);
        let (shared, asks) = (Arc::clone(&hub), access.clone());
        let room = (hub.limits.body, move |more| shared.limits.bodies.take(&asks, more));
        let guarded = hub.readers.run(move |conn| Guarded::read(conn, body, scope, room)).await?;
        Job { work: Box::new(move |conn| guarded.merge(conn, &options)), weight, single: false }
    };
    let said = hub.writer.run(job).await?;
    count(&said);
    answer::text(said, place, &hub, &access)
}

/// The options of `crdt_push`.
#[derive(Serialize)]
pub struct Options {
    #[serde(skip_serializing_if = "Option::is_none")]
    counters: Option<&'static str>,
    /// The cursor of an answer is one for all rows, and tells whether there are others: only who may read everything gets it.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remember: Option<bool>,
}

impl Options {
    /// For a push of who has that scope.
    fn new(scope: &Scope, counters: Counters) -> Options {
        let counters = (counters == Counters::Operations).then_some("operations");
        Options { counters, cursor: (!scope.reads_all()).then_some(false), remember: None }
    }
}

/// Who pushes: of a key that comes twice the last, as it is passed on.
fn node(request: &str) -> Option<String> {
    let keys: BTreeMap<String, &RawValue> = serde_json::from_str(request).ok()?;
    serde_json::from_str(keys.get("node_id")?.get()).ok()
}

/// The answer of `crdt_push`.
pub fn merge(conn: &Connection, request: &str, options: &Options) -> Result<String> {
    let options = serde_json::to_string(options).map_err(|e| Refusal::internal(e.to_string()))?;
    let mut push = conn.prepare_cached("SELECT crdt_push(?1, ?2)")?;
    push.query_row([request, &options], |row| row.get(0)).map_err(Refusal::from)
}

fn count(answer: &str) {
    if let Ok(Answer { merged, unchanged, conflicts, rejected }) = serde_json::from_str(answer) {
        let rejected = rejected.len() as u64;
        metrics::counter!("grove_changes_pushed_total").increment(merged + unchanged + rejected);
        metrics::counter!("grove_changes_merged_total").increment(merged);
        metrics::counter!("grove_changes_rejected_total").increment(rejected);
        metrics::counter!("grove_conflicts_total").increment(conflicts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_pushes_is_who_is_noted() {
        assert_eq!(node(r#"{"node_id":"a","changes":[],"node_id":"b"}"#).as_deref(), Some("b"));
        for none in ["", "[]", "{}", r#"{"node_id":null}"#, r#"{"node_id":7}"#] {
            assert_eq!(node(none), None, "{none}");
        }
    }
}
