//! A VFS whose n-th I/O fails, with a wall clock that stands still.
#![allow(dead_code)]

use std::cell::Cell;
use std::ffi::{c_int, CStr};
use std::path::Path;

use rusqlite::{ffi, Connection};

use crate::support::shim::{self, Answer, Idea, Io};

/// How the failing I/O fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// An I/O error; nothing is done.
    Error,
    /// A write finds the disk full; half of it gets there. Other I/Os work.
    Full,
    /// A write is cut short by an I/O error; half of it gets there. Other I/Os work.
    Short,
}

/// A kind of failure, once or from then on always.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault {
    pub kind: Kind,
    pub always: bool,
}

/// Every fault.
pub const FAULTS: [Fault; 6] = [
    Fault { kind: Kind::Error, always: false },
    Fault { kind: Kind::Full, always: true },
    Fault { kind: Kind::Short, always: false },
    Fault { kind: Kind::Error, always: true },
    Fault { kind: Kind::Full, always: false },
    Fault { kind: Kind::Short, always: true },
];

#[derive(Clone, Copy)]
struct Plan {
    /// I/Os still to succeed.
    left: u64,
    fault: Fault,
    fired: bool,
}

thread_local! {
    static PLAN: Cell<Option<Plan>> = const { Cell::new(None) };
}

/// Lets the `n`-th I/O of this thread fail (from 1).
pub fn arm(n: u64, fault: Fault) {
    PLAN.set(Some(Plan { left: n, fault, fired: false }));
}

/// Ends it; whether any I/O failed.
pub fn disarm() -> bool {
    PLAN.take().is_some_and(|plan| plan.fired)
}

/// How this I/O is to fail, if it is.
fn fails(write: bool) -> Option<Kind> {
    let mut plan = PLAN.get()?;
    if plan.fault.kind != Kind::Error && !write {
        return None;
    }
    plan.left = plan.left.saturating_sub(1);
    let fires = plan.left == 0 && (plan.fault.always || !plan.fired);
    plan.fired |= fires;
    PLAN.set(Some(plan));
    fires.then_some(plan.fault.kind)
}

/// Opens a database file whose I/O can fail.
pub fn open(path: &Path) -> Connection {
    shim::open::<Faulty>(path)
}

struct Faulty;

impl Idea for Faulty {
    const NAME: &'static CStr = c"faulty";

    fn io(_: &str, io: Io<'_>) -> Answer {
        match fails(matches!(io, Io::Write { .. })) {
            None => Answer::Pass,
            Some(Kind::Error) => Answer::Fail(code(&io)),
            Some(Kind::Full) => Answer::Half(ffi::SQLITE_FULL),
            Some(Kind::Short) => Answer::Half(ffi::SQLITE_IOERR_WRITE),
        }
    }

    fn now() -> i64 {
        1_780_000_000_000
    }
}

/// What an operating system's error becomes.
fn code(io: &Io<'_>) -> c_int {
    match io {
        Io::Open { .. } => ffi::SQLITE_CANTOPEN,
        Io::Read { .. } => ffi::SQLITE_IOERR_READ,
        Io::Write { .. } => ffi::SQLITE_IOERR_WRITE,
        Io::Truncate(_) => ffi::SQLITE_IOERR_TRUNCATE,
        Io::Sync => ffi::SQLITE_IOERR_FSYNC,
        Io::Size => ffi::SQLITE_IOERR_FSTAT,
        Io::Delete { .. } => ffi::SQLITE_IOERR_DELETE,
        Io::Access => ffi::SQLITE_IOERR_ACCESS,
        Io::Lock => ffi::SQLITE_IOERR_LOCK,
        Io::Map => ffi::SQLITE_IOERR_SHMMAP,
    }
}
