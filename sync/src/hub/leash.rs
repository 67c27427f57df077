//! Work on a connection that ends when nobody waits for it any more.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, InterruptHandle};

/// How the work stands.
enum Work {
    Waiting,
    /// It is being done; how to end it.
    Begun(InterruptHandle),
    /// It is done, or is not to be done.
    Over,
}

/// On the side of who waits: lets go of the work when it is dropped.
pub struct Leash(Arc<Mutex<Work>>);

/// On the side of who works.
pub struct Collar(Arc<Mutex<Work>>);

/// The two ends.
pub fn leash() -> (Leash, Collar) {
    let work = Arc::new(Mutex::new(Work::Waiting));
    (Leash(Arc::clone(&work)), Collar(work))
}

impl Drop for Leash {
    fn drop(&mut self) {
        let mut work = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Work::Begun(handle) = &*work {
            handle.interrupt();
        }
        *work = Work::Over;
    }
}

impl Collar {
    /// Does the work on the connection; None when nobody waits for it. Whoever has the connection next is not interrupted.
    pub fn work<T>(&self, conn: &Connection, work: impl FnOnce(&Connection) -> T) -> Option<T> {
        match &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Work::Over => return None,
            waiting => *waiting = Work::Begun(conn.get_interrupt_handle()),
        }
        let done = work(conn);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Work::Over;
        Some(done)
    }
}
