//! `POST /push`: acknowledged only once it is durable.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use rusqlite::Connection;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

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
pub async fn push(
    State(hub): State<Shared>,
    access: Access,
    counters: Counters,
    body: Json,
) -> Result<impl IntoResponse> {
    let weight = body.text.len();
    let mut options = Options::new(&access.scope, counters);
    let job = if access.scope.writes_all() {
        Job { work: Box::new(move |conn| merge(conn, &body.text, &options)), weight, single: true }
    } else {
        let shared = Arc::clone(&hub);
        let read = hub.readers.run(move |conn| {
            let unnoted = node(&body.text).is_some_and(|node| !shared.peers.may_note(&access, &node));
            Ok((Guarded::read(conn, body, access.scope)?, unnoted))
        });
        let (guarded, unnoted) = read.await?;
        options.remember = unnoted.then_some(false);
        Job { work: Box::new(move |conn| guarded.merge(conn, &options)), weight, single: false }
    };
    let mut answer = hub.writer.run(job).await?;
    count(&answer);
    answer.push('\n');
    Ok(([(header::CONTENT_TYPE, "application/json")], answer))
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

/// Who pushes.
fn node(request: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Who {
        node_id: Option<String>,
    }
    serde_json::from_str(request).ok().and_then(|Who { node_id }| node_id)
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
