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
use super::catalog::Catalog;
use super::dialect::Counters;
use super::errors::{Refusal, Result};
use super::export::Pull;
use super::{settle, Shared};

/// What of an answer is counted.
#[derive(Deserialize)]
struct Answer {
    changes: Vec<IgnoredAny>,
    has_more: bool,
}

/// Answers a pull.
pub async fn pull(State(hub): State<Shared>, access: Access, counters: Counters, body: Json) -> Result<Response> {
    let mut place = answer::place(&hub, &access)?;
    let (shared, asks) = (Arc::clone(&hub), access.clone());
    let started = Instant::now();
    let asked = hub.readers.run(move |conn| {
        let mut pull = Pull::read(&body.text)?;
        if pull.node().is_some_and(|node| !shared.peers.may_note(&asks, &node)) {
            pull = pull.unremembered();
        }
        let bytes = answer::widen(&mut place, pull.page_bytes(), &shared, &asks);
        let question = pull.within(&asks.scope, counters, &Arc::new(Catalog::read(conn)?))?;
        Ok((question.ask(conn, bytes), question, bytes, place))
    });
    let (answer, question, bytes, place) = asked.await?;
    let answer = settle::ended(&hub, answer, question, bytes).await?;
    metrics::histogram!("grove_export_seconds").record(started.elapsed());
    let read = tokio::task::block_in_place(|| serde_json::from_str(&answer));
    let Answer { changes, has_more } = read.map_err(|e| Refusal::internal(format!("crdt_pull's answer: {e}")))?;
    // That there is nothing more would not be true, and that there is more would have it asked for again at once.
    if settle::is_short(&answer) && !has_more && changes.is_empty() {
        return Err(Refusal::busy(
            "another connection holds the write lock, and what has changed cannot be looked at; try again",
        ));
    }
    metrics::counter!("grove_changes_pulled_total").increment(changes.len() as u64);
    answer::text(answer, place, &hub, &access)
}
