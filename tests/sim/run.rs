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

#[cfg(test)]
mod tests {
    use super::super::ops::{Act, Fate, Form, NodeConfig, Pull, Since, Step, Verb, Write};
    use super::*;

    fn case(acts: Vec<Act>) -> Case {
        let tree = SHAPES.iter().position(|shape| shape.table == "tree").unwrap();
        let config =
            NodeConfig { file: false, wal: false, recursive_triggers: false, trusted_schema: true, skew_ms: 0 };
        let steps = acts.into_iter().map(|act| Step { tick: 1, act }).collect();
        Case { nodes: vec![config; 2], tables: vec![tree], seeded: 0, edges: false, by_cursor: false, steps }
    }

    /// "b", its child "a", and "c", the child of that; then "a" takes the place of "b". SQLite lets that go, and "c" names no
    /// parent: no fault of the nodes, and nothing that they could agree on.
    #[test]
    fn a_row_in_the_place_of_its_parent_leaves_no_orphans() {
        let row = |key, up, c| (key, [up, 2, 2, c, 0, 0, 0, 0]);
        let rows = vec![row(1, 0, 0), row(0, 2, 1), row(2, 1, 3)];
        let insert = Write::Insert { table: 0, verb: Verb::Plain, rows, rowid: None };
        let insert = |node| Act::Write { node, plain: false, write: insert.clone() };
        let moved = Write::Rekey { table: 0, from: 0, to: 1, verb: Verb::Replace };
        let pull = Pull { from: 1, since: Since::Cursor, page: 0, pages: 1, fate: Fate::Late, form: Form::Whole };
        for acts in [
            vec![insert(0), Act::Write { node: 0, plain: false, write: moved.clone() }],
            // What is to move comes with the merge only.
            vec![insert(1), Act::Pull { to: 0, pull }, Act::MergeInTx { pick: 0, to: 0, write: moved, commit: true }],
        ] {
            if let Err(failure) = run(&case(acts)) {
                panic!("{}\n\n{}", failure.what, failure.script);
            }
        }
    }
}
