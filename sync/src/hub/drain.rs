//! Reads what is left of a request's body when it was answered before its end: a client that is cut off while it sends does not
//! see the answer that tells it why.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, BodyDataStream, HttpBody};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};

/// What is read at most, and for how long.
const BYTES: usize = 64 << 20;
const TIME: Duration = Duration::from_secs(10);

/// A body, and its rest when it is dropped.
struct Drained(Option<BodyDataStream>);

impl Stream for Drained {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(body) = &mut self.0 else { return Poll::Ready(None) };
        let next = body.poll_next_unpin(cx);
        if matches!(next, Poll::Ready(None | Some(Err(_)))) {
            self.0 = None;
        }
        next
    }
}

impl Drop for Drained {
    fn drop(&mut self) {
        if let (Some(body), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(tokio::time::timeout(TIME, rest(body)));
        }
    }
}

async fn rest(mut body: BodyDataStream) {
    let mut left = BYTES;
    while let Some(Ok(chunk)) = body.next().await {
        left = left.saturating_sub(chunk.len());
        if left == 0 {
            return;
        }
    }
}

/// Has the body read to its end.
pub async fn drain(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let body = if body.is_end_stream() { body } else { Body::from_stream(Drained(Some(body.into_data_stream()))) };
    next.run(Request::from_parts(parts, body)).await
}
