//! The one connection that merges pushes. Pushes that wait are committed together, each in a savepoint of its own; all are
//! answered after the commit, which is durable.

use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use super::changed::Nudge;
use super::errors::{Refusal, Result};

/// Most pushes in a group.
const GROUP: usize = 64;
/// Bytes of requests after which a group takes no more.
const GROUP_BYTES: usize = 16 << 20;

const FAILED: &str = "the writer has failed; the hub's log tells how";

type Work = Box<dyn FnMut(&Connection) -> Result<String> + Send>;

/// A push that waits.
pub struct Job {
    /// What to do. It may be done again when a group could not be committed.
    pub work: Work,
    /// Bytes of the request.
    pub weight: usize,
    /// Whether it is one statement, which is whole without a transaction around it.
    pub single: bool,
}

struct Waiting {
    job: Job,
    answer: oneshot::Sender<Result<String>>,
}

/// The queue of the writer's thread, which ends with the last of its handles.
#[derive(Clone)]
pub struct Writer {
    queue: mpsc::Sender<Waiting>,
}

impl Writer {
    /// Starts the thread.
    pub fn start(conn: Connection, waiting: usize, nudge: Nudge) -> std::io::Result<(Writer, JoinHandle<()>)> {
        let (queue, mut jobs) = mpsc::channel::<Waiting>(waiting.max(1));
        let thread = std::thread::Builder::new().name("writer".to_owned()).spawn(move || {
            while let Some(first) = jobs.blocking_recv() {
                let mut bytes = first.job.weight;
                let mut group = vec![first];
                while group.len() < GROUP && bytes < GROUP_BYTES {
                    let Ok(next) = jobs.try_recv() else { break };
                    bytes += next.job.weight;
                    group.push(next);
                }
                commit(&conn, group, &nudge);
            }
        })?;
        Ok((Writer { queue }, thread))
    }

    /// Fails when the thread has.
    pub fn check(&self) -> Result<()> {
        match self.queue.is_closed() {
            true => Err(Refusal::internal(FAILED)),
            false => Ok(()),
        }
    }

    /// Has a job done; the answer comes when it is durable.
    pub async fn run(&self, job: Job) -> Result<String> {
        let (answer, done) = oneshot::channel();
        self.queue.try_send(Waiting { job, answer }).map_err(|e| match e {
            TrySendError::Full(_) => Refusal::busy("too many pushes wait; try again"),
            TrySendError::Closed(_) => Refusal::internal(FAILED),
        })?;
        done.await.unwrap_or_else(|_| Err(Refusal::busy("the hub is stopping")))
    }
}

/// Commits a group, and answers.
fn commit(conn: &Connection, mut group: Vec<Waiting>, nudge: &Nudge) {
    let answers = match together(conn, &mut group) {
        Ok(answers) => answers,
        Err(Broken::Refused(refusal)) => group.iter().map(|_| Err(refusal.clone())).collect(),
        // One of them took the others' transaction away, as a trigger's RAISE(ROLLBACK) or a full disk does.
        Err(Broken::Lost) => group.iter_mut().map(|waiting| alone(conn, waiting)).collect(),
    };
    nudge.now();
    for (waiting, answer) in group.into_iter().zip(answers) {
        // Who has gone meanwhile will push again.
        drop(waiting.answer.send(answer));
    }
}

/// Why a group was not committed.
enum Broken {
    Refused(Refusal),
    Lost,
}

impl From<rusqlite::Error> for Broken {
    fn from(e: rusqlite::Error) -> Broken {
        Broken::Refused(e.into())
    }
}

/// All in one transaction.
fn together(conn: &Connection, group: &mut [Waiting]) -> std::result::Result<Vec<Result<String>>, Broken> {
    conn.execute_batch("BEGIN IMMEDIATE")?;
    let done = within(conn, group);
    if done.is_err() && !conn.is_autocommit() {
        conn.execute_batch("ROLLBACK")?;
    }
    done
}

fn within(conn: &Connection, group: &mut [Waiting]) -> std::result::Result<Vec<Result<String>>, Broken> {
    let mut answers = Vec::with_capacity(group.len());
    for waiting in group.iter_mut() {
        conn.execute_batch("SAVEPOINT push")?;
        let answer = (waiting.job.work)(conn);
        if conn.is_autocommit() {
            return Err(Broken::Lost);
        }
        conn.execute_batch(if answer.is_ok() { "RELEASE push" } else { "ROLLBACK TO push; RELEASE push" })?;
        answers.push(answer);
    }
    conn.execute_batch("COMMIT")?;
    count(group);
    Ok(answers)
}

/// Counts a commit of pushes.
fn count(group: &[Waiting]) {
    metrics::counter!("grove_commits_total").increment(1);
    metrics::histogram!("grove_commit_group_size").record(u32::try_from(group.len()).unwrap_or(u32::MAX));
}

/// One in a transaction of its own, or, where that was taken away too and the library can do better, in none.
fn alone(conn: &Connection, waiting: &mut Waiting) -> Result<String> {
    match together(conn, std::slice::from_mut(waiting)) {
        Ok(mut answers) => answers.pop().unwrap_or_else(|| Err(Refusal::internal("a push without an answer"))),
        Err(Broken::Refused(refusal)) => Err(refusal),
        Err(Broken::Lost) if waiting.job.single => (waiting.job.work)(conn),
        Err(Broken::Lost) => Err(Refusal::internal("SQLite rolled the push back")),
    }
}
