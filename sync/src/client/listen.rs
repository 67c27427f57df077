//! The stream of one peer: each event is a word to the thread that does the rounds. What it carries is pulled there, with its
//! cursor, so a stream that breaks loses nothing.

use std::io::{BufRead, BufReader};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::Sender;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension};
use ureq::http::Response;
use ureq::{Agent, Body};

use super::backoff::Backoff;
use super::peer::Word;
use super::peers::Peer;
use super::stop::Stop;
use super::Target;
use crate::db::{self, Use};

/// A stream that says nothing for so long is dead: a comment comes every 15 s.
const SILENCE: Duration = Duration::from_secs(45);
/// A stream that has lasted so long was none that failed.
const STEADY: Duration = Duration::from_secs(5);
/// Nor one that brought something, if it lasted so long: what is cut at once would be opened all the time.
const USEFUL: Duration = Duration::from_millis(500);
/// Until a peer that never had a stream is asked for one again.
const RARELY: Duration = Duration::from_secs(600);
/// How often it is looked at whether the peer was reached first.
const GLANCE: Duration = Duration::from_millis(50);
/// Longest line that is kept. Longer ones are read and dropped: only that an event came matters.
const LINE: usize = 64 * 1024;

/// Who listens to one peer.
pub struct Listener {
    pub agent: Agent,
    pub target: Target,
    pub peer: Peer,
    /// To the thread that does the rounds.
    pub words: Sender<Word>,
    /// How often a round went well after one that failed or a stream that ended. After the first there is a cursor to listen from.
    pub recoveries: Arc<AtomicU32>,
    pub stop: Arc<Stop>,
}

enum Failure {
    NoStreams(String),
    Refused(String),
    Broken(String),
}

fn broken(error: impl std::fmt::Display) -> Failure {
    Failure::Broken(error.to_string())
}

impl Listener {
    /// Listens until it is told to stop; reconnects with growing waits, and soon when rounds go well again. A peer that never had
    /// a stream (404, 405, 501) is left to the interval, and asked again now and then.
    pub fn listen(self) {
        let mut backoff = Backoff::default();
        let mut has_opened = false;
        while self.recoveries.load(Ordering::SeqCst) == 0 && !self.stop.sleep(GLANCE) {}
        while !self.stop.is_set() {
            // Before the request: while it hangs, rounds may go well again.
            let recoveries = self.recoveries.load(Ordering::SeqCst);
            let outcome = self.open().and_then(|stream| {
                has_opened = true;
                self.hear(stream, &mut backoff)
            });
            if self.stop.is_set() {
                return;
            }
            if matches!(outcome, Ok(()) | Err(Failure::Broken(_))) {
                let _ = self.words.send(Word::Lost);
            }
            let mut wait = backoff.next();
            match outcome {
                Ok(()) => tracing::debug!(peer = self.peer.name, "the stream ended"),
                Err(Failure::NoStreams(_)) if !has_opened => {
                    tracing::info!(peer = self.peer.name, "the peer has no stream; it is asked at intervals");
                    wait += RARELY;
                }
                Err(Failure::NoStreams(error) | Failure::Refused(error)) => {
                    tracing::warn!(peer = self.peer.name, "stream: {error}; the peer is asked at intervals meanwhile");
                }
                Err(Failure::Broken(error)) => tracing::debug!(peer = self.peer.name, "stream: {error}"),
            }
            backoff.rest(wait, &self.stop, || self.recoveries.load(Ordering::SeqCst) != recoveries);
        }
    }

    /// Asks for a stream.
    fn open(&self) -> Result<Response<Body>, Failure> {
        let tables = self.target.tables.as_deref();
        let mut response = self.ask(tables)?;
        if tables.is_some() && matches!(response.status().as_u16(), 400 | 403) {
            // The peer lacks one of them, most likely. News of tables that are not wanted cost a round in which nothing comes.
            response = self.ask(None)?;
        }
        match response.status().as_u16() {
            200 => {}
            status @ (404 | 405 | 501) => return Err(Failure::NoStreams(format!("the peer answered {status}"))),
            status => return Err(Failure::Refused(format!("the peer answered {status}"))),
        }
        match response.body().mime_type() {
            Some("text/event-stream") => Ok(response),
            other => Err(Failure::Refused(format!("the peer answered with {}", other.unwrap_or("something else")))),
        }
    }

    fn ask(&self, tables: Option<&[String]>) -> Result<Response<Body>, Failure> {
        // `news`: only that there is something, not what, from now on. Without tables: of all that may be read, those that are
        // enabled later too.
        let mut request = self.agent.get(format!("{}/stream", self.peer.url)).query("news", "1");
        request = request.header("Accept", "text/event-stream");
        if let Some(tables) = tables {
            request = request.query("tables", tables.join(","));
        }
        for (name, value) in self.since().map_err(broken)? {
            request = request.query(name, value);
        }
        if let Some(token) = &self.peer.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        request.call().map_err(broken)
    }

    /// Tells of what a stream brings until it ends.
    fn hear(&self, mut stream: Response<Body>, backoff: &mut Backoff) -> Result<(), Failure> {
        // Whatever came between the last round and now.
        let _ = self.words.send(Word::Open);
        let opened = Instant::now();
        let mut news = 0;
        let outcome = self.read(BufReader::new(stream.body_mut().as_reader()), &mut news);
        if opened.elapsed() >= if news > 0 { USEFUL } else { STEADY } {
            backoff.reset();
        }
        outcome
    }

    /// Tells of what comes, and counts it.
    fn read(&self, mut lines: impl BufRead, news: &mut u64) -> Result<(), Failure> {
        let mut event = String::new();
        while let Some(line) = next_line(&mut lines).map_err(broken)? {
            match line.strip_prefix("event:") {
                Some(name) => event = name.trim().to_owned(),
                // The end of an event.
                None if line.is_empty() => {
                    let is_news = matches!(event.as_str(), "changes" | "change" | "news");
                    if is_news && self.words.send(Word::News).is_err() {
                        return Ok(());
                    }
                    *news += u64::from(is_news);
                    event.clear();
                }
                None => {}
            }
        }
        Ok(())
    }

    fn since(&self) -> Result<Vec<(&'static str, String)>, String> {
        since(&db::open(&self.target.database, Use::Read)?, &self.peer.name)
    }
}

/// Where a Grove server is to begin, which knows no `news` and would send everything: at the earliest of its cursors. Not at that of a
/// table that had nothing: the round that comes with the stream asks for it.
fn since(conn: &Connection, url: &str) -> Result<Vec<(&'static str, String)>, String> {
    #[derive(serde::Deserialize)]
    struct Cursor {
        ts: i64,
        c: i64,
        node: String,
    }
    let sql = "SELECT pulled FROM _crdt_remote WHERE url = ?1 AND instr(pulled ->> 'node', '~') = 0
         ORDER BY pulled ->> 'ts' = 0, pulled ->> 'ts' LIMIT 1";
    let pulled = conn.query_row(sql, [url], |row| row.get::<_, String>(0)).optional().map_err(|e| e.to_string())?;
    let Some(pulled) = pulled else { return Ok(Vec::new()) };
    let Cursor { ts, c, node } = serde_json::from_str(&pulled).map_err(|e| format!("_crdt_remote: {e}"))?;
    Ok(vec![("since_ts", ts.to_string()), ("since_count", c.to_string()), ("since_node", node)])
}

/// The next line, cut at [`LINE`] bytes; None at the end.
fn next_line(from: &mut impl BufRead) -> std::io::Result<Option<String>> {
    let mut line = Vec::new();
    loop {
        let part = from.fill_buf()?;
        if part.is_empty() {
            return Ok((!line.is_empty()).then(|| String::from_utf8_lossy(&line).into_owned()));
        }
        let end = part.iter().position(|byte| *byte == b'\n');
        let taken = end.unwrap_or(part.len());
        let room = LINE.saturating_sub(line.len()).min(taken);
        line.extend_from_slice(&part[..room]);
        from.consume(end.map_or(taken, |end| end + 1));
        if end.is_some() {
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            return Ok(Some(String::from_utf8_lossy(&line).into_owned()));
        }
    }
}

/// A client for streams: no bound on the whole, but on silence.
pub fn agent(target: &Target) -> Result<Agent, String> {
    let mut config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_connect(Some(Duration::from_secs(10)))
        .timeout_per_read(Some(SILENCE))
        .user_agent(concat!("grove-sync/", env!("CARGO_PKG_VERSION")));
    if let Some(path) = &target.ca {
        let pem = std::fs::read(path).map_err(|e| format!("--ca {}: {e}", path.display()))?;
        let mut roots = Vec::new();
        for item in ureq::tls::parse_pem(&pem) {
            if let ureq::tls::PemItem::Certificate(root) = item.map_err(|e| format!("--ca {}: {e}", path.display()))? {
                roots.push(root);
            }
        }
        if roots.is_empty() {
            return Err(format!("--ca {}: holds no certificate", path.display()));
        }
        let tls = ureq::tls::TlsConfig::builder().root_certs(ureq::tls::RootCerts::new_with_certs(&roots)).build();
        config = config.tls_config(tls);
    }
    Ok(config.build().new_agent())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_table_is_no_place_to_begin_at() {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch("CREATE TABLE _crdt_remote(url, pulled)").unwrap();
        for (ts, node, begin) in [(0, "", "0"), (9, "grove", "9"), (8, "grove", "8"), (7, "hub~1f", "8")] {
            let pulled = format!("{{\"ts\":{ts},\"c\":0,\"node\":\"{node}\"}}");
            conn.execute("INSERT INTO _crdt_remote VALUES ('peer', ?1)", [pulled]).unwrap();
            assert_eq!(since(&conn, "peer").unwrap()[0], ("since_ts", begin.to_owned()));
        }
        assert_eq!(since(&conn, "other"), Ok(Vec::new()));
    }

    #[test]
    fn lines_are_cut_not_refused() {
        let long = "x".repeat(3 * LINE);
        let text = format!("event: changes\r\ndata: {long}\n\nlast");
        let mut from = BufReader::with_capacity(7, text.as_bytes());
        assert_eq!(next_line(&mut from).unwrap().as_deref(), Some("event: changes"));
        assert_eq!(next_line(&mut from).unwrap().map(|line| line.len()), Some(LINE));
        assert_eq!(next_line(&mut from).unwrap().as_deref(), Some(""));
        assert_eq!(next_line(&mut from).unwrap().as_deref(), Some("last"));
        assert_eq!(next_line(&mut from).unwrap(), None);
    }
}
