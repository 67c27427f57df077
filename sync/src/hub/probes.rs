//! `GET /health`: the process is there. `GET /ready`: the database can be written.

use std::time::Duration;

use axum::extract::State;
use axum::response::IntoResponse;

use super::errors::{Refusal, Result};
use super::meet;
use super::writer::Job;
use super::Shared;

/// How long the write lock may take.
const TIME: Duration = Duration::from_secs(2);

/// Always the same.
pub async fn health() -> Result<impl IntoResponse> {
    meet::json(&serde_json::json!({ "status": "ok" }))
}

/// Takes the write lock and lets it go.
pub async fn ready(State(hub): State<Shared>) -> Result<impl IntoResponse> {
    let job = Job { work: Box::new(|_| Ok(String::new())), weight: 0, single: true };
    match tokio::time::timeout(TIME, hub.writer.run(job)).await {
        Ok(done) => done?,
        Err(_) => return Err(Refusal::busy("the database cannot be written now")),
    };
    meet::json(&serde_json::json!({ "status": "ready" }))
}
