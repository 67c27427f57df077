//! What a request is refused with: a status code and `{"error":"…"}`.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{header, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

/// SQLite's primary result codes that are the request's fault, and those after which the next try may do.
const ERROR: i32 = 1;
const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const INTERRUPT: i32 = 9;
const TOO_BIG: i32 = 18;
const CONSTRAINT: i32 = 19;
const MISMATCH: i32 = 20;

/// A request refused.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The status code.
    pub status: StatusCode,
    /// Why, for a human.
    pub message: String,
    retry_after: Option<u32>,
    /// The changes of a push that was refused whole, each with its reason.
    rejected: Vec<Rejected>,
}

/// A change of a push that was not taken.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rejected {
    /// Its place in the push.
    pub index: usize,
    /// Why.
    pub reason: String,
}

/// A result with a [`Refusal`].
pub type Result<T> = std::result::Result<T, Refusal>;

impl Refusal {
    /// A refusal with that status.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Refusal {
        Refusal { status, message: message.into(), retry_after: None, rejected: Vec::new() }
    }

    /// The request is wrong.
    pub fn bad(message: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, message)
    }

    /// The token does not allow it.
    pub fn forbidden(message: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::FORBIDDEN, message)
    }

    /// The token allows none of the changes of a push.
    pub fn all(rejected: Vec<Rejected>) -> Refusal {
        let first = rejected.first().map_or_else(String::new, |first| format!(": {}", first.reason));
        Refusal { rejected, ..Refusal::forbidden(format!("this token may write nothing of this push{first}")) }
    }

    /// The hub's own fault, which its log tells of too.
    pub fn internal(message: impl Into<String>) -> Refusal {
        let message = message.into();
        tracing::error!("{message}");
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, message)
    }

    /// The database is not where it was opened, which the hub's log tells of too.
    pub fn lost(message: impl Into<String>) -> Refusal {
        let message = message.into();
        tracing::error!("{message}");
        Refusal::busy(message)
    }

    /// A limit is reached for now.
    pub fn busy(message: impl Into<String>) -> Refusal {
        Refusal { retry_after: Some(1), ..Refusal::new(StatusCode::SERVICE_UNAVAILABLE, message) }
    }

    /// The caller has its share of something for now.
    pub fn share(message: impl Into<String>) -> Refusal {
        Refusal { retry_after: Some(1), ..Refusal::new(StatusCode::TOO_MANY_REQUESTS, message) }
    }

    /// The caller has too much of something.
    pub fn too_many(message: impl Into<String>) -> Refusal {
        Refusal { retry_after: Some(30), ..Refusal::new(StatusCode::TOO_MANY_REQUESTS, message) }
    }

    /// Whether the next try may do.
    pub fn is_busy(&self) -> bool {
        matches!(self.status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS)
    }
}

impl From<rusqlite::Error> for Refusal {
    fn from(e: rusqlite::Error) -> Refusal {
        let code = e.sqlite_error().map_or(0, |e| e.extended_code & 0xff);
        let message = match e {
            rusqlite::Error::SqliteFailure(_, Some(message)) => message,
            rusqlite::Error::SqlInputError { msg, .. } => msg,
            e => e.to_string(),
        };
        match code {
            ERROR | TOO_BIG | CONSTRAINT | MISMATCH => Refusal::bad(message),
            BUSY | LOCKED | INTERRUPT => Refusal::busy(message),
            _ => Refusal::internal(message),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = json_error(self.status, &self.message, &self.rejected);
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

fn json_error(status: StatusCode, message: &str, rejected: &[Rejected]) -> Response {
    let mut error = serde_json::json!({ "error": message });
    if !rejected.is_empty() {
        error["rejected"] = serde_json::json!(rejected);
    }
    let body = format!("{error}\n");
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// Bytes of what they say, at most.
const SAID: usize = 4096;

/// Gives the errors of layers and of the router the form of all others. Beneath what compresses answers.
pub async fn dress(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let status = response.status();
    let is_ours = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    if !(status.is_client_error() || status.is_server_error()) || is_ours {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let said = axum::body::to_bytes(body, SAID).await.unwrap_or_default();
    let said = std::str::from_utf8(&said).map(str::trim).ok().filter(|said| !said.is_empty());
    let message = said.or(status.canonical_reason()).unwrap_or("refused");
    let (ours, body): (_, Body) = json_error(status, message, &[]).into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.extend(ours.headers);
    Response::from_parts(parts, body)
}

/// No such route.
pub async fn not_found() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "there is no such route")
}

/// The route has other methods.
pub async fn wrong_method() -> Refusal {
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "this route does not take that method")
}
