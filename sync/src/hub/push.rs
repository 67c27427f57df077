//! `POST /push`: acknowledged only once it is durable.

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use rusqlite::Connection;
use serde::de::IgnoredAny;
use serde::Deserialize;

use super::auth::Access;
use super::body::Json;
use super::dialect::Counters;
use super::errors::{Refusal, Result};
use super::guarded::Guarded;
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
    Json(body): Json,
) -> Result<impl IntoResponse> {
    let weight = body.len();
    let job = if access.scope.writes_all() {
        Job { work: Box::new(move |conn| merge(conn, &body, counters)), weight, single: true }
    } else {
        let guarded = hub.readers.run(move |conn| Guarded::read(conn, &body, access.scope)).await?;
        Job { work: Box::new(move |conn| guarded.merge(conn, counters)), weight, single: false }
    };
    let mut answer = hub.writer.run(job).await?;
    count(&answer);
    answer.push('\n');
    Ok(([(header::CONTENT_TYPE, "application/json")], answer))
}

/// The answer of `crdt_push`.
pub fn merge(conn: &Connection, request: &str, counters: Counters) -> Result<String> {
    let options = match counters {
        Counters::Totals => "{}",
        Counters::Operations => r#"{"counters":"operations"}"#,
    };
    let mut push = conn.prepare_cached("SELECT crdt_push(?1, ?2)")?;
    push.query_row([request, options], |row| row.get(0)).map_err(Refusal::from)
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
