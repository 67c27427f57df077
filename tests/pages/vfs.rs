//! A VFS that counts the pages that this thread reads and writes.

use std::cell::Cell;
use std::ffi::CStr;
use std::path::Path;

use rusqlite::Connection;

use crate::support::shim::{self, Answer, Idea, Io};

/// SQLite's page size where none is chosen.
const PAGE: usize = 4096;

/// Whole pages, by what happened to them. What is smaller (headers of files and frames) is not counted.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Pages {
    /// Read from the database or its WAL.
    pub read: u64,
    /// Appended to the WAL.
    pub logged: u64,
    /// Brought from the WAL into the database.
    pub checkpointed: u64,
    /// Read from or written to temporary files: statement journals, sorters.
    pub scratch: u64,
}

thread_local! {
    static COUNT: Cell<Pages> = const { Cell::new(Pages { read: 0, logged: 0, checkpointed: 0, scratch: 0 }) };
}

/// Opens a database file whose pages are counted.
pub fn open(path: &Path) -> Connection {
    shim::open::<Counter>(path)
}

/// What `work` reads and writes.
pub fn counted(work: impl FnOnce()) -> Pages {
    COUNT.set(Pages::default());
    work();
    COUNT.take()
}

struct Counter;

impl Idea for Counter {
    const NAME: &'static CStr = c"counter";

    fn io(name: &str, io: Io<'_>) -> Answer {
        let mut count = COUNT.get();
        let place = match io {
            Io::Read { bytes } if bytes < PAGE => return Answer::Pass,
            Io::Write { bytes, .. } if bytes.len() < PAGE => return Answer::Pass,
            Io::Read { .. } | Io::Write { .. } if name.is_empty() => &mut count.scratch,
            Io::Read { .. } => &mut count.read,
            Io::Write { .. } if name.ends_with("-wal") => &mut count.logged,
            Io::Write { .. } => &mut count.checkpointed,
            _ => return Answer::Pass,
        };
        *place += 1;
        COUNT.set(count);
        Answer::Pass
    }

    fn now() -> i64 {
        1_780_000_000_000
    }
}
