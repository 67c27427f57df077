//! Request bodies: JSON, whole, in UTF-8, within the limit and in time.
//!
//! Whoever sends one has shown a token. While it comes in it takes bytes of the budget that all bodies share, and nothing else; once
//! it is whole it takes its place among the requests at work.

use std::error::Error;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::{header, HeaderMap, StatusCode};
use http_body_util::BodyExt;
use tower_http::timeout::TimeoutError;

use super::auth::Access;
use super::budget::Held;
use super::errors::{Refusal, Result};
use super::limits::Limits;
use super::Shared;

/// How long a client may take to send a request, however steadily.
const TIME: Duration = Duration::from_secs(600);
/// What a body takes of the budget at least: there are buffers in front of it.
const LEAST: usize = 64 << 10;

/// A body of JSON, not read as such yet.
pub struct Json {
    /// What was sent.
    pub text: String,
    /// What it takes as long as somebody works at it.
    pub places: Places,
}

/// A body's places in the budgets.
pub struct Places {
    _bytes: Held,
    _at_work: Held,
}

impl FromRequest<Shared> for Json {
    type Rejection = Refusal;

    async fn from_request(request: Request, hub: &Shared) -> Result<Json> {
        let (mut parts, body) = request.into_parts();
        check_kind(&parts.headers)?;
        let access = Access::from_request_parts(&mut parts, hub).await?;
        check_length(&parts.headers, hub.limits.body)?;
        let whole = tokio::time::timeout(TIME, whole(body, &hub.limits, &access)).await;
        let (bytes, held) = whole.unwrap_or_else(|_| Err(too_slow()))?;
        let text = String::from_utf8(bytes).map_err(|_| Refusal::bad("the body is not UTF-8"))?;
        Ok(Json { text, places: Places { _bytes: held, _at_work: hub.limits.requests.take(&access, 1)? } })
    }
}

fn check_kind(headers: &HeaderMap) -> Result<()> {
    let kind = headers.get(header::CONTENT_TYPE).map(|kind| kind.to_str().unwrap_or_default());
    let kind = kind.map(|kind| kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    match kind {
        Some(kind) if kind != "application/json" && !kind.ends_with("+json") => {
            Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body is application/json"))
        }
        _ => Ok(()),
    }
}

/// Refuses what is too long by its own account; the length of what was compressed is not known.
fn check_length(headers: &HeaderMap, limit: usize) -> Result<()> {
    let told = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    match told {
        Some(length) if length > limit as u64 => Err(too_long(limit)),
        _ => Ok(()),
    }
}

/// All of a body, and what it takes of the budget.
async fn whole(mut body: Body, limits: &Limits, access: &Access) -> Result<(Vec<u8>, Held)> {
    let mut held = limits.bodies.take(access, LEAST)?;
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|e| unreadable(&e))?.into_data() else { continue };
        let length = bytes.len() + data.len();
        if length > limits.body {
            return Err(too_long(limits.body));
        }
        held.add(limits.bodies.take(access, length.saturating_sub(LEAST.max(bytes.len())))?);
        bytes.extend_from_slice(&data);
    }
    Ok((bytes, held))
}

fn too_long(limit: usize) -> Refusal {
    let message = format!("the body has more than {limit} bytes; send it in parts");
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message)
}

fn too_slow() -> Refusal {
    Refusal::new(StatusCode::REQUEST_TIMEOUT, "the body took too long")
}

fn unreadable(e: &axum::Error) -> Refusal {
    let mut source = e.source();
    while let Some(e) = source {
        if e.is::<TimeoutError>() {
            return too_slow();
        }
        source = e.source();
    }
    Refusal::bad(format!("the body cannot be read: {e}"))
}
