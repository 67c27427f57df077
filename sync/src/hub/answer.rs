//! Answers of JSON. Long ones take bytes of a budget until their client has taken them: who reads slowly, or not at all, holds so
//! much memory and no more.

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;

use super::auth::Access;
use super::budget::{Budget, Held};
use super::errors::{Refusal, Result};
use super::Hub;

/// What a long answer takes of the budget at least.
pub const LEAST: usize = 64 << 10;

/// Takes of the budget; what is only kept for others gives its place back where that is needed.
fn with_room<T>(hub: &Hub, mut take: impl FnMut(&Budget) -> Result<T>) -> Result<T> {
    let budget = &hub.limits.answers;
    take(budget).or_else(|_| {
        hub.pages.give_back();
        take(budget)
    })
}

/// The place of an answer that is still to be made: where there is none it need not be.
pub fn place(hub: &Hub, access: &Access) -> Result<Held> {
    with_room(hub, |budget| budget.take(access, LEAST))
}

/// Has the place grow to up to `most`, and leaves more than that to others; how long the answer may become.
pub fn widen(place: &mut Held, most: usize, hub: &Hub, access: &Access) -> usize {
    let budget = &hub.limits.answers;
    // Whoever has taken this much meanwhile leaves less, which must do.
    drop(budget.grow(place, access, most.min(budget.left(access) / 4)));
    place.size()
}

/// Has the place be what the answer has become.
pub fn fit(place: &mut Held, length: usize, hub: &Hub, access: &Access) -> Result<()> {
    place.shrink(length.max(1));
    with_room(hub, |budget| budget.grow(place, access, length))
}

/// Bytes and their place in the budget.
struct Counted<T> {
    bytes: T,
    _place: Held,
}

impl<T: AsRef<[u8]>> AsRef<[u8]> for Counted<T> {
    fn as_ref(&self) -> &[u8] {
        self.bytes.as_ref()
    }
}

/// Bytes that go, and their place with them, when the last of them is with the client.
pub fn counted(bytes: impl AsRef<[u8]> + Send + 'static, mut place: Held) -> Bytes {
    place.shrink(bytes.as_ref().len());
    Bytes::from_owner(Counted { bytes, _place: place })
}

/// An answer of any length, JSON already.
pub fn text(mut text: String, mut place: Held, hub: &Hub, access: &Access) -> Result<Response> {
    text.reserve_exact(1);
    text.push('\n');
    fit(&mut place, text.len(), hub, access)?;
    Ok(of(counted(text, place)))
}

/// An answer of any length.
pub fn long(value: &impl Serialize, hub: &Hub, access: &Access) -> Result<Response> {
    text(json(value)?, place(hub, access)?, hub, access)
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
