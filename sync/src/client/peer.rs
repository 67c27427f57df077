//! One peer of `run`: rounds whenever the time has come, the file has changed, or the peer says that it has something.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::backoff::Backoff;
use super::round::{round, Report, Round, Ways};
use super::Target;
use crate::db::{self, Use};

/// How often the file is looked at for commits of others: a read of shared memory.
const GLANCE: Duration = Duration::from_millis(20);

/// What a peer's thread is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Word {
    /// The peer has something new.
    News,
    /// To end.
    Stop,
}

/// Why a round is due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Due {
    Everything,
    LocalChanges,
    Stop,
}

/// Who goes to one peer.
pub struct Follower {
    pub target: Target,
    pub url: String,
    /// Between rounds when nothing else asks for one.
    pub interval: Duration,
    pub words: Receiver<Word>,
    /// Set after the first round.
    pub begun: Arc<AtomicBool>,
}

impl Follower {
    /// Goes to the peer until it is told to stop. A database that fails is opened again after a while.
    pub fn follow(self) {
        let mut backoff = Backoff::default();
        loop {
            let Err(error) = self.stay(&mut backoff) else { return };
            let wait = backoff.next();
            tracing::error!(peer = self.url, retry_ms = wait.as_millis() as u64, "{error}");
            if let Ok(Word::Stop) | Err(RecvTimeoutError::Disconnected) = self.words.recv_timeout(wait) {
                return;
            }
        }
    }

    fn stay(&self, backoff: &mut Backoff) -> Result<(), String> {
        let conn = db::open(&self.target.database, Use::Write)?;
        let mut version = data_version(&conn)?;
        let mut due = Due::Everything;
        loop {
            let ways = match due {
                Due::Stop => return Ok(()),
                Due::Everything => Ways::Both,
                Due::LocalChanges => Ways::Push,
            };
            // Read before the round: what is committed during it is looked at afterwards.
            version = data_version(&conn).unwrap_or(version);
            let wait = match round(&conn, &self.target, &self.url, Round { ways, retry: false }, |_| ()) {
                Ok(report) => {
                    backoff.reset();
                    self.begun.store(true, Ordering::SeqCst);
                    tell(&self.url, &report);
                    Wait { until: Instant::now() + self.interval, on_commit: true }
                }
                Err(error) => {
                    let wait = backoff.next();
                    tracing::warn!(peer = self.url, retry_ms = wait.as_millis() as u64, "{error}");
                    Wait { until: Instant::now() + wait, on_commit: false }
                }
            };
            due = wait.next(&conn, version, &self.words)?;
        }
    }
}

fn tell(url: &str, report: &Report) {
    if !report.is_whole() {
        tracing::warn!(peer = url, "{report}");
    } else if !report.is_quiet() {
        tracing::info!(peer = url, "{report}");
    }
}

/// A wait for the next round.
struct Wait {
    until: Instant,
    /// Whether a commit to the file ends it. Not after a failure: the peer is to be left alone for a while.
    on_commit: bool,
}

impl Wait {
    fn next(&self, conn: &Connection, version: i64, words: &Receiver<Word>) -> Result<Due, String> {
        loop {
            let left = self.until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Due::Everything);
            }
            match words.recv_timeout(left.min(GLANCE)) {
                Ok(Word::News) => {
                    // Several at once are one.
                    if words.try_iter().any(|word| word == Word::Stop) {
                        return Ok(Due::Stop);
                    }
                    return Ok(Due::Everything);
                }
                Ok(Word::Stop) | Err(RecvTimeoutError::Disconnected) => return Ok(Due::Stop),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if self.on_commit && data_version(conn)? != version {
                return Ok(Due::LocalChanges);
            }
        }
    }
}

/// Rises with every commit of another connection, of whichever process. <https://sqlite.org/pragma.html#pragma_data_version>
fn data_version(conn: &Connection) -> Result<i64, String> {
    let mut statement = conn.prepare_cached("PRAGMA data_version").map_err(|e| e.to_string())?;
    statement.query_row([], |row| row.get(0)).map_err(|e| e.to_string())
}
