//! `POST /pull`.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::State;
use axum::response::Response;
use serde::de::IgnoredAny;
use serde::Deserialize;

use super::answer;
use super::auth::Access;
use super::body::Json;
use super::dialect::Counters;
use super::errors::Result;
use super::export::{self, Pull};
use super::Shared;

/// What of an answer is counted.
#[derive(Deserialize)]
struct Answer {
    changes: Vec<IgnoredAny>,
}

/// Answers a pull.
pub async fn pull(State(hub): State<Shared>, access: Access, counters: Counters, body: Json) -> Result<Response> {
    let place = answer::place(&hub.limits, &access)?;
    let scope = Arc::clone(&access.scope);
    let answer = hub.readers.run(move |conn| {
        let started = Instant::now();
        let answer = export::pull(conn, Pull::read(&body.text)?, &scope, counters)?;
        metrics::histogram!("grove_export_seconds").record(started.elapsed());
        if let Ok(Answer { changes }) = serde_json::from_str(&answer) {
            metrics::counter!("grove_changes_pulled_total").increment(changes.len() as u64);
        }
        Ok(answer)
    });
    answer::text(answer.await?, place, &hub.limits, &access)
}
