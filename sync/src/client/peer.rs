//! One peer of `run`: rounds whenever the time has come, the file has changed, or the peer says that it has something.

use std::iter::once;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::Connection;

use super::backoff::Backoff;
use super::peers::Peer;
use super::round::{round, Report, Round, Ways};
use super::stop::Stop;
use super::Target;
use crate::db::{self, Use};
use crate::file::Opened;

/// How often the file is looked at for commits of others: a read of shared memory.
const GLANCE: Duration = Duration::from_millis(20);

/// What the one who listens to a peer tells.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// The peer can be reached again: its stream is open.
    Open,
    /// It has something new.
    News,
    /// Its stream has ended: a round tells whether it is there, and then when it is again.
    Lost,
}

/// Who goes to one peer.
pub struct Follower {
    pub target: Target,
    pub peer: Peer,
    /// Between rounds both ways.
    pub interval: Duration,
    pub words: Receiver<Word>,
    /// How often a round went well after one that failed or a stream that ended; the first that does counts too, as does the first that
    /// pulls.
    pub recoveries: Arc<AtomicU32>,
    pub stop: Arc<Stop>,
}

impl Follower {
    /// Goes to the peer until it is told to stop. A database that fails is opened again after a while.
    pub fn follow(self) {
        let mut backoff = Backoff::default();
        while let Err(error) = self.stay(&mut backoff) {
            // Interrupted, most likely.
            if self.stop.is_set() {
                return;
            }
            let wait = backoff.next();
            tracing::error!(peer = self.peer.name, retry_ms = wait.as_millis() as u64, "{error}");
            if self.stop.sleep(wait) {
                return;
            }
        }
    }

    fn stay(&self, backoff: &mut Backoff) -> Result<(), String> {
        let conn = db::open(&self.target.database, Use::Write)?;
        let opened = Opened::at(&self.target.database);
        self.stop.interrupts(&conn);
        let mut ways = Ways::Both;
        let mut has_failed = true;
        // Pushes do not put the next round both ways off.
        let mut full = Instant::now();
        loop {
            stays(&conn, &opened)?;
            // Read before the round: what is committed during it is looked at afterwards.
            let seen = Seen::read(&conn)?;
            match round(&conn, &self.target, &self.peer, Round { ways, retry: false }, |_| ()) {
                Ok(report) => {
                    backoff.reset();
                    if std::mem::take(&mut has_failed) {
                        self.recoveries.fetch_add(1, Ordering::SeqCst);
                    }
                    tell(&self.peer.name, &report);
                    if ways == Ways::Both {
                        full = Instant::now() + self.interval;
                    }
                    match self.wait((&conn, &opened), seen, full, &mut has_failed)? {
                        Some(next) => ways = next,
                        None => return Ok(()),
                    }
                }
                Err(_) if self.stop.is_set() => return Ok(()),
                Err(error) => {
                    has_failed = true;
                    if self.recoveries.load(Ordering::SeqCst) == 0 && has_pulled(&conn, &self.peer.name) {
                        self.recoveries.fetch_add(1, Ordering::SeqCst);
                    }
                    let wait = backoff.next();
                    tracing::warn!(peer = self.peer.name, retry_ms = wait.as_millis() as u64, "{error}");
                    // Whatever news it has: all of it comes with the next round.
                    backoff.rest(wait, &self.stop, || self.words.try_iter().any(|word| word == Word::Open));
                    ways = Ways::Both;
                }
            }
        }
    }

    /// Waits for the next round; None when it is told to stop. `is_lost`: the stream has ended.
    fn wait(
        &self,
        (conn, opened): (&Connection, &Opened),
        mut seen: Seen,
        full: Instant,
        is_lost: &mut bool,
    ) -> Result<Option<Ways>, String> {
        while !self.stop.is_set() {
            let left = full.saturating_duration_since(Instant::now()).min(GLANCE);
            if left.is_zero() {
                return Ok(Some(Ways::Both));
            }
            match self.words.recv_timeout(left) {
                Ok(word) => {
                    // Several at once are one.
                    *is_lost |= once(word).chain(self.words.try_iter()).filter(|word| *word == Word::Lost).count() > 0;
                    return Ok(Some(Ways::Both));
                }
                Err(RecvTimeoutError::Timeout) => {}
                // Nobody listens to this peer.
                Err(RecvTimeoutError::Disconnected) => thread::sleep(left),
            }
            stays(conn, opened)?;
            if seen.has_grown(conn)? {
                return Ok(Some(Ways::Push));
            }
        }
        Ok(None)
    }
}

/// Fails where another file has taken the place of the one that is open: that one is to be opened then.
fn stays(conn: &Connection, opened: &Opened) -> Result<(), String> {
    opened.check().inspect_err(|_| {
        // Closed as usual, it would remove the write-ahead log of that name, which is the other file's by now.
        let _ = conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    })
}

/// Whether the peer was ever pulled from.
fn has_pulled(conn: &Connection, url: &str) -> bool {
    let sql = "SELECT 1 FROM _crdt_remote WHERE url = ?1 AND pulled IS NOT NULL";
    conn.query_row(sql, [url], |_| Ok(())).is_ok()
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
