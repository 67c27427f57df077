//! A VFS that writes down all that is done to a database's files, with a wall clock that a test sets.

use std::cell::{Cell, RefCell};
use std::ffi::CStr;
use std::path::Path;

use rusqlite::Connection;

use crate::support::shim::{self, Answer, Idea, Io};

/// Which of a database's files: the ending of its name.
pub type End = &'static str;

/// The files that outlive the power. Shared memory does not: SQLite makes it anew.
pub const ENDS: [End; 3] = ["", "-journal", "-wal"];

/// What was done to a file.
#[derive(Clone, Debug)]
pub enum Op {
    Create,
    Write {
        at: usize,
        bytes: Vec<u8>,
    },
    Truncate(usize),
    Sync,
    /// `durable`: the folder was synced.
    Delete {
        durable: bool,
    },
}

thread_local! {
    static OPS: RefCell<Vec<(End, Op)>> = const { RefCell::new(Vec::new()) };
    static PATH: RefCell<String> = const { RefCell::new(String::new()) };
    static NOW: Cell<i64> = const { Cell::new(0) };
}

/// Sets this thread's wall clock, milliseconds since the Unix epoch.
pub fn set_clock(ms: i64) {
    NOW.set(ms);
}

/// Begins to write down what this thread does to the database at `path`.
pub fn record(path: &Path) {
    PATH.replace(path.to_str().unwrap().to_string());
    OPS.take();
}

/// How much was written down so far.
pub fn recorded() -> usize {
    OPS.with_borrow(Vec::len)
}

/// Ends it; what was written down.
pub fn end() -> Vec<(End, Op)> {
    PATH.take();
    OPS.take()
}

/// Opens a database.
pub fn open(path: &Path) -> Connection {
    shim::open::<Recorder>(path)
}

struct Recorder;

impl Idea for Recorder {
    const NAME: &'static CStr = c"recorder";

    fn io(name: &str, io: Io<'_>) -> Answer {
        let end = PATH.with_borrow(|path| name.strip_prefix(path.as_str()).filter(|_| !path.is_empty()));
        let Some(end) = end.and_then(|end| ENDS.into_iter().find(|known| *known == end)) else { return Answer::Pass };
        let op = match io {
            Io::Open { created: true } => Op::Create,
            Io::Write { bytes, at } => Op::Write { at: at as usize, bytes: bytes.to_vec() },
            Io::Truncate(size) => Op::Truncate(size as usize),
            Io::Sync => Op::Sync,
            Io::Delete { durable } => Op::Delete { durable },
            _ => return Answer::Pass,
        };
        OPS.with_borrow_mut(|ops| ops.push((end, op)));
        Answer::Pass
    }

    fn now() -> i64 {
        NOW.get()
    }
}
