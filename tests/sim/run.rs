//! Runs one case, and makes of one that fails the smallest that does.

use std::cell::{Cell, RefCell};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::Path;
use std::sync::Once;
use std::time::Duration;

use super::count::Counts;
use super::generate::{self, Tables};
use super::ops::Case;
use super::schema::SHAPES;
use super::shrink;
use super::world::World;
use crate::support::script::libraries;

/// A failed schedule: what went wrong, and the script for the `sqlite3` shell that leads there.
pub struct Failure {
    pub what: String,
    pub script: String,
}

thread_local! {
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
    static CATCHING: Cell<bool> = const { Cell::new(false) };
}

/// What `work` gives; a panic in it is an error with its message, and is not printed.
pub fn caught<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| match CATCHING.get() {
            true => PANIC.set(info.to_string()),
            false => others(info),
        }));
    });
    CATCHING.set(true);
    let result = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(PANIC.take()));
    CATCHING.set(false);
    result
}

/// A folder for a schedule's files: in memory where there is one.
pub fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.exists() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a temporary folder")
}

/// The schedule of a seed.
///
/// # Errors
/// What went wrong, with the smallest script found for it in `time`.
pub fn schedule(seed: u64, tables: Tables, time: Duration) -> Result<Counts, Failure> {
    let case = generate::case(seed, tables);
    run(&case).map_err(|first| {
        let mut last = first;
        shrink::smallest(case, time, |smaller| match run(smaller) {
            Err(failure) => {
                last = failure;
                true
            }
            Ok(_) => false,
        });
        last
    })
}

/// Runs one case from start to end.
fn run(case: &Case) -> Result<Counts, Failure> {
    let folder = folder();
    let trace = std::env::var_os("SOAK_TRACE").is_some();
    let tables: Vec<_> = case.tables.iter().map(|i| SHAPES[*i].table).collect();
    let fail = |what: String| Failure { what, script: format!("{case:#?}") };
    let mut world = caught(|| World::new(case, folder.path(), trace)).map_err(fail)?;
    let result = caught(|| {
        case.steps.iter().try_for_each(|step| world.step(step))?;
        world.finish(case.by_cursor)
    });
    result.map_err(|what| {
        let (clock, library) = libraries();
        Failure { script: world.script.text(&tables, &what, &clock, &library), what }
    })?;
    world.counts.schedules = 1;
    Ok(world.counts)
}
