//! Runs cases by seed and shrinks the ones that fail.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::time::{Duration, Instant};

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::ops::{case, Case};
use super::schema::SHAPES;
use super::world::World;

/// A failed case: what went wrong, and the script that leads there.
struct Failure {
    what: String,
    script: String,
}

/// A number from the environment.
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

/// Which table shapes the cases are over.
#[derive(Clone, Copy, PartialEq)]
pub enum Tables {
    /// Those without UNIQUE indexes.
    Plain,
    /// Always one with, and perhaps others.
    Unique,
}

/// Runs the cases of one worker out of `workers`; panics with the smallest script found for the first that fails.
///
/// From the environment: `SIM_CASES`, how many cases all workers run together; `SIM_SEED`, the first seed; `SIM_STEPS`, the
/// longest schedule; `SIM_SHRINK`, the seconds to spend on shrinking; `SIM_SURVEY=1`, run all and list what fails;
/// `SIM_TRACE=1`, print each step before it runs.
pub fn cases(worker: u64, workers: u64, default: u64, tables: Tables) {
    with_room(move || work(worker, workers, default, tables));
}

/// The generator is deeply nested types: with optimised dependencies it needs more stack than a test's thread has.
fn with_room(work: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(32 << 20).spawn(work).expect("a thread");
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

fn work(worker: u64, workers: u64, default: u64, tables: Tables) {
    let first = setting("SIM_SEED", 1);
    let steps = usize::try_from(setting("SIM_STEPS", 80)).unwrap_or(80).max(6);
    let (unique, plain) = (0..SHAPES.len()).partition(|i| !SHAPES[*i].unique.is_empty());
    let strategy = match tables {
        Tables::Plain => case(Vec::new(), plain, steps),
        Tables::Unique => case(unique, plain, steps),
    };
    let mut failed = 0;
    for seed in (first..first + setting("SIM_CASES", default)).filter(|seed| seed % workers == worker) {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let mut runner = TestRunner::new_with_rng(Config::default(), rng);
        let Ok(mut tree) = strategy.new_tree(&mut runner) else {
            panic!("seed {seed}: no case");
        };
        let Err(failure) = run(&tree.current()) else {
            continue;
        };
        failed += 1;
        if setting("SIM_SURVEY", 0) > 0 {
            println!("seed {seed}: {}", failure.what);
            continue;
        }
        let Failure { what, script } = shrink(&mut tree, failure);
        panic!("SIM_SEED={seed} SIM_CASES=1 fails\n\n{what}\n\n-- the script; before the failure:\n{script}\n");
    }
    assert_eq!(failed, 0, "cases that failed");
}

/// Simplifies while it still fails.
fn shrink(tree: &mut impl ValueTree<Value = Case>, mut failure: Failure) -> Failure {
    let until = Instant::now() + Duration::from_secs(setting("SIM_SHRINK", 60));
    let mut more = tree.simplify();
    while more && Instant::now() < until {
        more = match run(&tree.current()) {
            Err(smaller) => {
                failure = smaller;
                tree.simplify()
            }
            Ok(()) => tree.complicate(),
        };
    }
    failure
}

/// Runs one case from start to end.
fn run(case: &Case) -> Result<(), Failure> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let trace = setting("SIM_TRACE", 0) > 0;
    let fail = |what: String| Failure { what, script: format!("{case:#?}") };
    let mut world = World::new(case, folder.path(), trace).map_err(fail)?;
    let steps = AssertUnwindSafe(|| {
        case.steps.iter().try_for_each(|step| world.step(step))?;
        world.finish(case.by_cursor)
    });
    let result = catch_unwind(steps).unwrap_or_else(|_| Err("a panic".to_string()));
    result.map_err(|what| Failure { what, script: world.script.text() })
}
