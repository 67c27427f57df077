//! Answers of JSON. Long ones take bytes of a budget until their client has taken them: who reads slowly, or not at all, holds so
//! much memory and no more.

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;

use super::auth::Access;
use super::budget::Held;
use super::errors::{Refusal, Result};
use super::limits::Limits;

/// What a long answer takes of the budget at least.
const LEAST: usize = 64 << 10;

/// The place of an answer that is still to be made: where there is none it need not be.
pub fn place(limits: &Limits, access: &Access) -> Result<Held> {
    limits.answers.take(access, LEAST)
}

/// Has the place grow to what the answer has become.
pub fn grow(place: &mut Held, length: usize, limits: &Limits, access: &Access) -> Result<()> {
    place.add(limits.answers.take(access, length.saturating_sub(LEAST))?);
    Ok(())
}

/// A text and its place in the budget.
struct Counted {
    text: String,
    _place: Held,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

/// An answer of any length, JSON already.
pub fn text(mut text: String, mut place: Held, limits: &Limits, access: &Access) -> Result<Response> {
    text.reserve_exact(1);
    text.push('\n');
    grow(&mut place, text.len(), limits, access)?;
    // The bytes go, and their place with them, when the last of them is with the client.
    Ok(of(Bytes::from_owner(Counted { text, _place: place })))
}

/// An answer of any length.
pub fn long(value: &impl Serialize, limits: &Limits, access: &Access) -> Result<Response> {
    text(json(value)?, place(limits, access)?, limits, access)
}

/// A short answer.
pub fn short(value: &impl Serialize) -> Result<Response> {
    Ok(of((json(value)? + "\n").into()))
}

fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|e| Refusal::internal(e.to_string()))
}

fn of(body: Bytes) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], Body::from(body)).into_response()
}
