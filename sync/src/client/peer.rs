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

/// Who goes to one peer.
pub struct Follower {
    pub target: Target,
    pub url: String,
    /// Between rounds both ways.
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
            if self.rest(wait) {
                return;
            }
        }
    }

    fn stay(&self, backoff: &mut Backoff) -> Result<(), String> {
        let conn = db::open(&self.target.database, Use::Write)?;
        let mut ways = Ways::Both;
        // Pushes do not put the next round both ways off.
        let mut full = Instant::now();
        loop {
            // Read before the round: what is committed during it is looked at afterwards.
            let seen = Seen::read(&conn)?;
            match round(&conn, &self.target, &self.url, Round { ways, retry: false }, |_| ()) {
                Ok(report) => {
                    backoff.reset();
                    self.begun.store(true, Ordering::SeqCst);
                    tell(&self.url, &report);
                    if ways == Ways::Both {
                        full = Instant::now() + self.interval;
                    }
                    match self.wait(&conn, seen, full)? {
                        Some(next) => ways = next,
                        None => return Ok(()),
                    }
                }
                Err(error) => {
                    let wait = backoff.next();
                    tracing::warn!(peer = self.url, retry_ms = wait.as_millis() as u64, "{error}");
                    if self.rest(wait) {
                        return Ok(());
                    }
                    ways = Ways::Both;
                }
            }
        }
    }

    /// Waits for the next round; None when it is told to stop.
    fn wait(&self, conn: &Connection, mut seen: Seen, full: Instant) -> Result<Option<Ways>, String> {
        loop {
            let left = full.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Some(Ways::Both));
            }
            match self.words.recv_timeout(left.min(GLANCE)) {
                // Several at once are one.
                Ok(Word::News) if self.words.try_iter().all(|word| word == Word::News) => return Ok(Some(Ways::Both)),
                Err(RecvTimeoutError::Timeout) => {}
                _ => return Ok(None),
            }
            if seen.has_grown(conn)? {
                return Ok(Some(Ways::Push));
            }
        }
    }

    /// Leaves the peer alone for a while after a failure, whatever it has to tell: a round both ways follows. True when it is
    /// told to stop.
    fn rest(&self, wait: Duration) -> bool {
        let until = Instant::now() + wait;
        loop {
            match self.words.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Word::News) => {}
                Err(RecvTimeoutError::Timeout) => return false,
                Ok(Word::Stop) | Err(RecvTimeoutError::Disconnected) => return true,
            }
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

/// How far the file was written when it was looked at.
struct Seen {
    version: i64,
    end: i64,
}

impl Seen {
    fn read(conn: &Connection) -> Result<Seen, String> {
        // In this order: a commit in between is taken for one that is still to come.
        let version = data_version(conn)?;
        Ok(Seen { version, end: log_end(conn)? })
    }

    /// Whether there is more in the log than when it was looked at last. Not every commit is a reason to go to a peer: others' rounds
    /// write too, if only their cursors.
    fn has_grown(&mut self, conn: &Connection) -> Result<bool, String> {
        if data_version(conn)? == self.version {
            return Ok(false);
        }
        let last = std::mem::replace(self, Seen::read(conn)?);
        Ok(self.end != last.end)
    }
}

/// Rises with every commit of another connection, of whichever process. <https://sqlite.org/pragma.html#pragma_data_version>
fn data_version(conn: &Connection) -> Result<i64, String> {
    number(conn, "PRAGMA data_version")
}

/// The last row of the log: no number is used twice.
fn log_end(conn: &Connection) -> Result<i64, String> {
    number(conn, "SELECT ifnull(max(seq), 0) FROM _crdt_log")
}

fn number(conn: &Connection, sql: &str) -> Result<i64, String> {
    conn.prepare_cached(sql)
        .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
        .map_err(|e| e.to_string())
}
