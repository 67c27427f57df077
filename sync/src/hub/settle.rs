//! Rows that an export could not judge, as somebody else held the write lock: the membership of rows in filters is written down.
//! SQLite gives the lock to whoever happens to ask at the right moment, and a reader that stands before a row of pushes may never
//! be the one. So the writer judges them, in a turn of its own between two commits.

use rusqlite::Connection;

use super::errors::Result;
use super::export::Question;
use super::{writer, Shared};

/// How an answer ends that ends before rows that are not judged.
const WAITS: &str = ",\"waits\":true}";
/// How often a turn is tried where readers take the lock in between.
const TRIES: usize = 3;

/// Whether an answer ends before rows that are not judged.
pub fn is_short(answer: &str) -> bool {
    answer.ends_with(WAITS)
}

/// Whether there may be more once the lock can be had.
fn waits(answer: &Result<String>) -> bool {
    match answer {
        Ok(answer) => is_short(answer),
        Err(refusal) => refusal.is_busy(),
    }
}

/// The answer to a question; where it waits, the one that there is after a turn of the writer.
pub async fn ended(hub: &Shared, answer: Result<String>, question: Question, bytes: usize) -> Result<String> {
    if !waits(&answer) {
        return answer;
    }
    let little = question.little(answer.as_deref().unwrap_or_default())?;
    hub.writer.between(move |conn| settle(conn, &little)).await;
    hub.readers.run(move |conn| question.ask(conn, bytes)).await
}

/// Has the rows judged; false where somebody else keeps the lock.
fn settle(conn: &Connection, question: &Question) -> bool {
    for _ in 0..TRIES {
        if !waits(&question.ask(conn, 1)) {
            return true;
        }
        if !writer::is_free(conn) {
            return false;
        }
    }
    true
}
