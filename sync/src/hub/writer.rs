//! The one connection that merges pushes. Pushes that wait are committed together, each in a savepoint of its own; all are
//! answered after the commit, which is durable. Between two commits readers that need the write lock have their turn.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use super::changed::Nudge;
use super::errors::{Refusal, Result};
use super::leash::leash;
use crate::file::Opened;

/// Most pushes in a group.
const GROUP: usize = 64;
/// Bytes of requests after which a group takes no more.
const GROUP_BYTES: usize = 16 << 20;

/// How long a turn waits for another process's lock.
const TURN: Duration = Duration::from_millis(250);

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

/// What commits: a connection, and the file that it opened.
pub struct Main {
    pub conn: Connection,
    pub opened: Opened,
}

impl Main {
    /// Fails where nobody would find what is committed.
    fn check(&self) -> Result<()> {
        self.opened.check().map_err(Refusal::lost)
    }
}

/// What is done between two commits; false when it could not get the lock.
type Turn = Box<dyn FnOnce(&Connection) -> bool + Send>;
type Turns = Arc<Mutex<Vec<Turn>>>;

/// What the thread is woken by.
enum Task {
    Push(Waiting),
    Turns,
}

/// The queue of the writer's thread, which ends with the last of its handles.
#[derive(Clone)]
pub struct Writer {
    queue: mpsc::Sender<Task>,
    /// Those that wait. The thread looks for them after each task: that there are some is told once.
    turns: Turns,
}

impl Writer {
    /// Starts the thread; `beside` is for turns.
    pub fn start(
        main: Main,
        beside: Connection,
        waiting: usize,
        nudge: Nudge,
    ) -> std::io::Result<(Writer, JoinHandle<()>)> {
        beside.busy_timeout(TURN).map_err(std::io::Error::other)?;
        let (queue, mut tasks) = mpsc::channel::<Task>(waiting.max(1) + 1);
        let turns = Turns::default();
        let waiting = Arc::clone(&turns);
        let thread = std::thread::Builder::new().name("writer".to_owned()).spawn(move || {
            while let Some(first) = tasks.blocking_recv() {
                let group = gather(first, &mut tasks);
                if !group.is_empty() {
                    commit(&main, group, &nudge);
                }
                take_turns(&beside, &waiting);
            }
        })?;
        Ok((Writer { queue, turns }, thread))
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
        self.queue.try_send(Task::Push(Waiting { job, answer })).map_err(|e| match e {
            TrySendError::Full(_) => Refusal::busy("too many pushes wait; try again"),
            TrySendError::Closed(_) => Refusal::internal(FAILED),
        })?;
        done.await.unwrap_or_else(|_| Err(Refusal::busy("the hub is stopping")))
    }

    /// Has something done that needs the write lock, and commits by itself: after what is being committed, or not at all where
    /// somebody else keeps the lock. It is interrupted when nobody waits for it any more.
    pub async fn between(&self, work: impl FnOnce(&Connection) -> bool + Send + 'static) {
        let (_leash, collar) = leash();
        let (done, over) = oneshot::channel::<()>();
        let turn = move |conn: &Connection| {
            let _done = done;
            collar.work(conn, work).unwrap_or(true)
        };
        let is_first = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            turns.push(Box::new(turn));
            turns.len() == 1
        };
        if is_first {
            // A full queue has the thread come by too.
            let _ = self.queue.try_send(Task::Turns);
        }
        tokio::select! {
            _ = over => {}
            () = self.queue.closed() => {}
        }
    }
}

/// The pushes that are there.
fn gather(first: Task, tasks: &mut mpsc::Receiver<Task>) -> Vec<Waiting> {
    let (mut bytes, mut group, mut next) = (0, Vec::new(), Some(first));
    while let Some(task) = next {
        if let Task::Push(push) = task {
            bytes += push.job.weight;
            group.push(push);
        }
        next = (group.len() < GROUP && bytes < GROUP_BYTES).then(|| tasks.try_recv().ok()).flatten();
    }
    group
}

/// Whether the write lock can be had soon.
pub fn is_free(conn: &Connection) -> bool {
    conn.execute_batch("BEGIN IMMEDIATE; ROLLBACK").is_ok()
}

/// Does what waits for its turn, unless somebody else keeps the lock: pushes are not to wait for that once for each turn.
fn take_turns(conn: &Connection, turns: &Turns) {
    let waiting = std::mem::take(&mut *turns.lock().unwrap_or_else(PoisonError::into_inner));
    if waiting.is_empty() || !is_free(conn) {
        return;
    }
    for turn in waiting {
        if !turn(conn) {
            break;
        }
    }
}

/// Commits a group, and answers.
fn commit(main: &Main, mut group: Vec<Waiting>, nudge: &Nudge) {
    let answers = match together(main, &mut group) {
        Ok(answers) => answers,
        Err(Broken::Refused(refusal)) => group.iter().map(|_| Err(refusal.clone())).collect(),
        // One of them took the others' transaction away, as a trigger's RAISE(ROLLBACK) or a full disk does.
        Err(Broken::Lost) => group.iter_mut().map(|waiting| alone(main, waiting)).collect(),
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
fn together(main: &Main, group: &mut [Waiting]) -> std::result::Result<Vec<Result<String>>, Broken> {
    let conn = &main.conn;
    conn.execute_batch("BEGIN IMMEDIATE")?;
    let done = within(main, group);
    if done.is_err() && !conn.is_autocommit() {
        conn.execute_batch("ROLLBACK")?;
    }
    done
}

fn within(main: &Main, group: &mut [Waiting]) -> std::result::Result<Vec<Result<String>>, Broken> {
    let conn = &main.conn;
    let mut answers = Vec::with_capacity(group.len());
    for waiting in group.iter_mut() {
        if waiting.answer.is_closed() {
            // Who has gone will push again, and others wait.
            answers.push(Err(Refusal::busy("nobody waits for this")));
            continue;
        }
        conn.execute_batch("SAVEPOINT push")?;
        let answer = (waiting.job.work)(conn);
        if conn.is_autocommit() {
            return Err(Broken::Lost);
        }
        conn.execute_batch(if answer.is_ok() { "RELEASE push" } else { "ROLLBACK TO push; RELEASE push" })?;
        answers.push(answer);
    }
    main.check().map_err(Broken::Refused)?;
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
fn alone(main: &Main, waiting: &mut Waiting) -> Result<String> {
    match together(main, std::slice::from_mut(waiting)) {
        Ok(mut answers) => answers.pop().unwrap_or_else(|| Err(Refusal::internal("a push without an answer"))),
        Err(Broken::Refused(refusal)) => Err(refusal),
        Err(Broken::Lost) if waiting.job.single => main.check().and_then(|()| (waiting.job.work)(&main.conn)),
        Err(Broken::Lost) => Err(Refusal::internal("SQLite rolled the push back")),
    }
}
