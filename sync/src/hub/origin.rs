//! Pages of other origins, at a hub without tokens. A browser sends what they post without asking first (a body without a type is enough for
//! that), and does not let them read the answer: by then it is written. With tokens there is nothing that it would add by itself.
//! <https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site>

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{header, HeaderMap};
use axum::middleware::Next;
use axum::response::Response;

use super::errors::{Refusal, Result};

/// Refuses what pages of origins post that are not in the list.
pub async fn guard(State(origins): State<Arc<[String]>>, request: Request, next: Next) -> Result<Response> {
    if request.method().is_safe() || is_allowed(request.headers(), &origins) {
        return Ok(next.run(request).await);
    }
    Err(Refusal::forbidden(
        "pages of other origins may not write here; start the hub with --cors and their origin, or with tokens",
    ))
}

fn is_allowed(headers: &HeaderMap, origins: &[String]) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    // Programs send none.
    let Some(origin) = text(header::ORIGIN.as_str()) else { return text("sec-fetch-site").is_none_or(is_own) };
    // A proxy in front may have changed the host, and the browser says it better.
    text("sec-fetch-site").is_some_and(is_own)
        || origins.iter().any(|known| known == "*" || known == origin)
        || origin.split_once("://").is_some_and(|(_, host)| text(header::HOST.as_str()) == Some(host))
}

fn is_own(site: &str) -> bool {
    matches!(site, "same-origin" | "none")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_whom_it_takes_posts() {
        let allowed = |headers: &[(&'static str, &'static str)]| {
            let headers =
                headers.iter().map(|(name, value)| (header::HeaderName::from_static(name), value.parse().unwrap()));
            is_allowed(&headers.collect(), &["https://app.example".to_owned()])
        };
        assert!(allowed(&[("host", "127.0.0.1:8080")]), "a program");
        for origin in ["https://app.example", "http://127.0.0.1:8080"] {
            assert!(allowed(&[("host", "127.0.0.1:8080"), ("origin", origin)]), "{origin}");
        }
        assert!(allowed(&[("host", "inside:1"), ("origin", "https://outside"), ("sec-fetch-site", "same-origin")]));
        for origin in ["https://evil.example", "null", "http://127.0.0.1:8081", ""] {
            assert!(!allowed(&[("host", "127.0.0.1:8080"), ("origin", origin)]), "{origin}");
            assert!(!allowed(&[("host", "127.0.0.1:8080"), ("origin", origin), ("sec-fetch-site", "cross-site")]));
        }
        assert!(!allowed(&[("host", "127.0.0.1:8080"), ("sec-fetch-site", "cross-site")]));
    }
}
