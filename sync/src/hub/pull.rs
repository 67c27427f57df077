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
    let mut place = answer::place(&hub, &access)?;
    let (shared, asks) = (Arc::clone(&hub), access.clone());
    let answer = hub.readers.run(move |conn| {
        let started = Instant::now();
        let mut pull = Pull::read(&body.text)?;
        if pull.node().is_some_and(|node| !shared.peers.may_note(&asks, &node)) {
            pull = pull.unremembered();
        }
        let bytes = answer::widen(&mut place, pull.page_bytes(), &shared, &asks);
        let answer = export::pull(conn, pull, &asks.scope, counters, bytes)?;
        metrics::histogram!("grove_export_seconds").record(started.elapsed());
        if let Ok(Answer { changes }) = serde_json::from_str(&answer) {
            metrics::counter!("grove_changes_pulled_total").increment(changes.len() as u64);
        }
        Ok((answer, place))
    });
    let (answer, place) = answer.await?;
    answer::text(answer, place, &hub, &access)
}
