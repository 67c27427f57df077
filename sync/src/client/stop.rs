//! The end of `run`: who waits is woken, and what runs is interrupted.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle, ThreadId};
use std::time::{Duration, Instant};

use rusqlite::{Connection, InterruptHandle};

/// How long threads are waited for: a name that is being looked up, or another's lock, holds no interrupt.
const GRACE: Duration = Duration::from_secs(2);
/// How often they are interrupted until then.
const AGAIN: Duration = Duration::from_millis(50);

/// Tells threads to end.
#[derive(Default)]
pub struct Stop {
    is_set: Mutex<bool>,
    set: Condvar,
    /// One connection a thread.
    connections: Mutex<HashMap<ThreadId, InterruptHandle>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Stop {
    /// Whether it is time to end.
    pub fn is_set(&self) -> bool {
        *lock(&self.is_set)
    }

    /// Waits, at most until it is time to end; whether it is.
    pub fn sleep(&self, time: Duration) -> bool {
        let waited = self.set.wait_timeout_while(lock(&self.is_set), time, |is_set| !*is_set);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// From here on what this thread does on `conn`, and on no other connection, is interrupted at the end.
    pub fn interrupts(&self, conn: &Connection) {
        lock(&self.connections).insert(thread::current().id(), conn.get_interrupt_handle());
    }

    /// Tells all to end.
    pub fn set(&self) {
        *lock(&self.is_set) = true;
        self.set.notify_all();
    }

    /// Waits until the threads have ended, for a moment. Those that have not by then may be left: what is written is written.
    pub fn wait(&self, threads: Vec<JoinHandle<()>>) -> Result<(), String> {
        let until = Instant::now() + GRACE;
        while Instant::now() < until && !threads.iter().all(JoinHandle::is_finished) {
            // Again and again: it does nothing to a statement that begins after it.
            lock(&self.connections).values().for_each(InterruptHandle::interrupt);
            thread::sleep(AGAIN);
        }
        for thread in threads.into_iter().filter(JoinHandle::is_finished) {
            thread.join().map_err(|_| "a thread panicked".to_owned())?;
        }
        Ok(())
    }
}
