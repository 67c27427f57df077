//! What a client means by `counter_delta`.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

/// The header that asks for operations.
pub const HEADER: &str = "x-grove-counters";

/// How the client counts: Grove's Go client sends and reads its running totals, which is the default; its TypeScript client
/// sends single operations, which it says by the mount or the header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Counters {
    /// The author's running totals.
    Totals,
    /// Each change is one operation.
    Operations,
}

impl<S: Send + Sync> FromRequestParts<S> for Counters {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Counters, Infallible> {
        let by_mount = parts.extensions.get::<Counters>() == Some(&Counters::Operations);
        let by_header = parts.headers.get(HEADER).is_some_and(|value| value == "operations");
        Ok(if by_mount || by_header { Counters::Operations } else { Counters::Totals })
    }
}
