//! What is taken at most.

use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::auth::Access;
use super::budget::{Budget, Held};
use super::errors::{Refusal, Result};
use super::Shared;

/// The hub's limits.
pub struct Limits {
    /// Bytes of a request's body.
    pub body: usize,
    /// Bytes of all bodies that are being read, or are at work.
    pub bodies: Budget,
    /// Bytes of all answers that clients have not taken yet.
    pub answers: Budget,
    /// Requests at work: those whose body is there.
    pub requests: Budget,
    /// Streams open.
    pub streams: Budget,
    /// How long a client may neither send nor take a byte that is waited for.
    pub silence: Duration,
}

/// A request without a body that is at work.
pub struct AtWork(#[expect(dead_code, reason = "it is held")] Held);

impl FromRequestParts<Shared> for AtWork {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, hub: &Shared) -> Result<AtWork> {
        let access = Access::from_request_parts(parts, hub).await?;
        Ok(AtWork(hub.limits.requests.take(&access, 1)?))
    }
}
