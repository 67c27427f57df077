//! `GET /health`: the process is there. `GET /ready`: the database can be written.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::response::Response;
use serde_json::json;
use tokio::sync::Mutex;

use super::errors::{Refusal, Result};
use super::{answer, Shared};
use crate::db::{self, Use};

/// How long the write lock may take.
const TIME: Duration = Duration::from_secs(2);
/// What is written.
const BYTES: usize = 256 << 10;
/// For so long an answer is good.
const FRESH: Duration = Duration::from_secs(1);

/// The last answer. One request at a time looks for a new one, beside the pushes; the others wait for it.
#[derive(Default)]
pub struct Readiness(Arc<Mutex<Option<Known>>>);

/// When it was looked, and what was found.
type Known = (Instant, Result<()>);

/// Always the same.
pub async fn health() -> Result<Response> {
    answer::short(&json!({ "status": "ok" }))
}

/// Whether the database could be written a moment ago.
pub async fn ready(State(hub): State<Shared>) -> Result<Response> {
    hub.writer.check()?;
    hub.opened.check().map_err(Refusal::lost)?;
    hub.readiness.ask(hub.opened.path()).await?;
    answer::short(&json!({ "status": "ready" }))
}

impl Readiness {
    async fn ask(&self, database: &Path) -> Result<()> {
        let mut last = Arc::clone(&self.0).lock_owned().await;
        if let Some((at, known)) = &*last {
            if at.elapsed() < FRESH {
                return known.clone();
            }
        }
        let database = PathBuf::from(database);
        // It comes to its end, with the lock, also when this request is given up.
        let asked = tokio::task::spawn_blocking(move || {
            let found = write(&database);
            *last = Some((Instant::now(), found.clone()));
            found
        });
        asked
            .await
            .unwrap_or_else(|e| Err(Refusal::internal(format!("looking whether the database can be written: {e}"))))
    }
}

/// Writes about as much as a push, and rolls it back: with a cache that is too small for it, it goes to the file all the same. A commit
/// would have all streams look for changes.
fn write(database: &Path) -> Result<()> {
    let conn = db::open(database, Use::Write).map_err(Refusal::busy)?;
    let written = conn.busy_timeout(TIME).and_then(|()| {
        conn.execute_batch(&format!(
            "PRAGMA cache_size = 1; PRAGMA cache_spill = 1; BEGIN IMMEDIATE;
             CREATE TABLE main._grove_ready(x); INSERT INTO main._grove_ready VALUES (zeroblob({BYTES})); ROLLBACK",
        ))
    });
    written.map_err(|e| Refusal::busy(format!("the database cannot be written: {e}")))
}
