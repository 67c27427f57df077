//! Requests to a peer over HTTP. Each runs on a thread of its own, so that the connection's thread can look for an interrupt while
//! it waits.

use std::io::{ErrorKind, Read};
use std::sync::mpsc::{sync_channel, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use ureq::http::StatusCode;
use ureq::tls::{parse_pem, PemItem, RootCerts, TlsConfig};
use ureq::{Agent, Body};

use super::Transport;
use crate::conn::Conn;
use crate::error::{excerpt, Error, Result};

/// How often an interrupt is looked for.
const GLANCE: Duration = Duration::from_millis(50);
/// How many times as long as it may be silent a peer may take for a request in all.
const WHOLE: u32 = 120;
/// Most bytes of an answer: SQLite holds no longer text.
const MOST_BYTES: u64 = 1_000_000_000;

/// Something that has to be dropped at a thread's end: until then `dlclose` leaves the library mapped, also when the request
/// was given up and the connection closed.
struct Stay;

impl Drop for Stay {
    fn drop(&mut self) {}
}

thread_local! {
    static STAY: Stay = const { Stay };
}

/// Where requests go, and how.
pub struct Target<'t> {
    /// The address that routes are put behind, without a slash at its end.
    pub base: &'t str,
    /// The same as it is told in errors.
    pub name: &'t str,
    /// Sent as `Authorization: Bearer`.
    pub token: Option<&'t str>,
    /// How long the peer may be silent. Of a slow line every page comes through.
    pub timeout: Duration,
    /// A PEM file of certificates to trust instead of the usual ones.
    pub ca: Option<&'t str>,
}

/// Requests to one peer.
pub struct Http<'c> {
    conn: &'c Conn,
    agent: Agent,
    base: String,
    name: String,
    authorization: Option<String>,
}

impl<'c> Http<'c> {
    /// A client for `target`.
    ///
    /// # Errors
    /// The certificates cannot be read.
    pub fn new(conn: &'c Conn, target: &Target<'_>) -> Result<Http<'c>> {
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("grove-crdt/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(target.timeout.min(Duration::from_secs(10))))
            .timeout_per_read(Some(target.timeout))
            .timeout_per_write(Some(target.timeout))
            .timeout_global(Some(target.timeout.saturating_mul(WHOLE)));
        if let Some(path) = target.ca {
            config = config.tls_config(TlsConfig::builder().root_certs(roots(path)?).build());
        }
        Ok(Http {
            conn,
            agent: config.build().new_agent(),
            base: target.base.to_owned(),
            name: target.name.to_owned(),
            authorization: target.token.map(|token| format!("Bearer {token}")),
        })
    }
}

/// The certificates of a PEM file.
fn roots(path: &str) -> Result<RootCerts> {
    let bad = |why: &str| Error::caller(format!("ca: {} {why}", excerpt(path)));
    let pem = std::fs::read(path).map_err(|e| bad(&format!("cannot be read: {e}")))?;
    let mut certificates = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|e| bad(&format!("is no PEM file: {e}")))? {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        return Err(bad("holds no certificate"));
    }
    Ok(RootCerts::new_with_certs(&certificates))
}

impl Transport for Http<'_> {
    fn post(&mut self, route: &str, body: String) -> Result<String> {
        let (url, name) = (format!("{}/{route}", self.base), format!("{}/{route}", self.name));
        let (agent, authorization) = (self.agent.clone(), self.authorization.clone());
        let ((begin, begun), (tell, told)) = (sync_channel(1), sync_channel(1));
        let ask = move || {
            STAY.with(|_| ());
            let _ = begin.send(());
            // Nobody listens any more after an interrupt.
            let outcome = request(&agent, (&url, &name), authorization.as_deref(), body);
            let _ = tell.send(outcome.and_then(|(status, text)| judge(&name, status, text)));
        };
        thread::Builder::new()
            .name("crdt_sync".to_owned())
            .spawn(ask)
            .map_err(|e| Error::sqlite(7, format!("cannot start a thread for the request: {e}")))?;
        begun.recv().map_err(|_| Error::internal("the thread of the request is gone"))?;
        loop {
            match told.recv_timeout(GLANCE) {
                Ok(outcome) => return outcome,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::internal("the thread of the request is gone"));
                }
                Err(RecvTimeoutError::Timeout) => {
                    if let Err(interrupted) = self.conn.run("SELECT 1", &[]) {
                        self.agent.clone().shutdown();
                        return Err(interrupted);
                    }
                }
            }
        }
    }
}

/// The answer's status and body.
fn request(
    agent: &Agent,
    (url, name): (&str, &str),
    authorization: Option<&str>,
    body: String,
) -> Result<(StatusCode, String)> {
    let failed = |what: &str, e: ureq::Error| Error::peer(format!("{name}{what}: {e}")).of_break(is_break(&e));
    let mut request = agent.post(url).header("Content-Type", "application/json").header("Accept", "application/json");
    if let Some(authorization) = authorization {
        request = request.header("Authorization", authorization);
    }
    let mut response = request.send(body).map_err(|e| failed(" cannot be reached", e))?;
    let status = response.status();
    let text = read(response.body_mut()).map_err(|e| failed(": its answer was cut off", e))?;
    Ok((status, text))
}

/// Whether a connection that was there broke.
fn is_break(e: &ureq::Error) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(e, ureq::Error::Io(e) if matches!(e.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof))
}

/// The body of an answer that is one.
fn judge(url: &str, status: StatusCode, text: String) -> Result<String> {
    if status.is_success() || (status == StatusCode::FORBIDDEN && url.ends_with("/push") && names_changes(&text)) {
        return Ok(text);
    }
    let hint = match status.as_u16() {
        301 | 302 | 307 | 308 => "; use the address that it moved to",
        401 => "; give another token (option token)",
        404 | 405 => "; is this the address of a sync endpoint?",
        _ => "",
    };
    Err(Error::peer(format!("{url} answered {status}: {}{hint}", reason(&text))).of_status(status.as_u16()))
}

/// Whether a refusal says which changes of a push are refused: all of them, by themselves.
fn names_changes(body: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct Said {
        rejected: Vec<serde::de::IgnoredAny>,
    }
    crate::json::object::<Said>(body).is_ok_and(|said| !said.rejected.is_empty())
}

fn read(body: &mut Body) -> std::result::Result<String, ureq::Error> {
    text(body.with_config().limit(MOST_BYTES).reader(), MOST_BYTES)
}

/// A text of at most so many bytes. The limit of a body counts what comes over the wire, which may be compressed.
fn text(from: impl Read, most: u64) -> std::result::Result<String, ureq::Error> {
    let mut text = String::new();
    from.take(most.saturating_add(1)).read_to_string(&mut text)?;
    match text.len() as u64 > most {
        true => Err(ureq::Error::BodyExceedsLimit(most)),
        false => Ok(text),
    }
}

/// What an error's body says: Grove's `{"error":"…"}`, or its beginning.
fn reason(body: &str) -> String {
    #[derive(serde::Deserialize)]
    struct Said {
        error: String,
    }
    match crate::json::object::<Said>(body) {
        Ok(Said { error }) => excerpt(error.trim()),
        Err(_) => excerpt(body.trim()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unpacked_is_bounded() {
        assert_eq!(text(&b"12345"[..], 5).unwrap(), "12345");
        let refused = text(std::io::repeat(b' '), 5).unwrap_err();
        assert!(matches!(refused, ureq::Error::BodyExceedsLimit(5)), "{refused}");
    }
}
