//! Request bodies: JSON, whole, in UTF-8, within the limit and in time.

use std::error::Error;
use std::time::Duration;

use axum::extract::{FromRequest, Request};
use axum::http::{header, StatusCode};
use http_body_util::LengthLimitError;

use super::errors::{Refusal, Result};
use super::Shared;

/// How long a client may take to send a request.
const TIME: Duration = Duration::from_secs(60);

/// A body of JSON, not read yet.
pub struct Json(pub String);

impl FromRequest<Shared> for Json {
    type Rejection = Refusal;

    async fn from_request(request: Request, hub: &Shared) -> Result<Json> {
        let kind = request.headers().get(header::CONTENT_TYPE).map(|kind| kind.to_str().unwrap_or_default());
        let kind = kind.map(|kind| kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
        if kind.is_some_and(|kind| kind != "application/json" && !kind.ends_with("+json")) {
            return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body is application/json"));
        }
        let limit = hub.limits.body;
        let whole = tokio::time::timeout(TIME, axum::body::to_bytes(request.into_body(), limit));
        let bytes = match whole.await {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(e)) if is_too_long(&e) => {
                let message = format!("the body has more than {limit} bytes; send it in parts");
                return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message));
            }
            Ok(Err(e)) => return Err(Refusal::bad(format!("the body cannot be read: {e}"))),
            Err(_) => return Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, "the body took too long")),
        };
        let text = String::from_utf8(bytes.into()).map_err(|_| Refusal::bad("the body is not UTF-8"))?;
        Ok(Json(text))
    }
}

fn is_too_long(e: &axum::Error) -> bool {
    let mut source = e.source();
    while let Some(e) = source {
        if e.is::<LengthLimitError>() {
            return true;
        }
        source = e.source();
    }
    false
}
