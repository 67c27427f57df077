//! What grove-crdt costs against plain SQLite: the same work on a plain table and on an enabled one, in turns within every
//! round, so that a busy machine slows both. A ratio is the median of the rounds' own ratios.
//!
//! `make bench`, or with other sizes `BENCH_ROWS=10000 BENCH_ROUNDS=3 make bench`. Prints a table and writes
//! `target/bench.json`.

#[path = "../../tests/common/mod.rs"]
mod common;
mod database;
mod measure;
mod report;
mod rows;
mod work;

use database::Kind;
use measure::Results;
use rows::Keys;

/// A number from the environment.
fn setting(name: &str, default: usize) -> usize {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")),
        Err(_) => default,
    }
}

fn main() {
    let n = setting("BENCH_ROWS", 100_000).max(100);
    let rounds = setting("BENCH_ROUNDS", 7).max(1);
    let mut results = Results::default();
    for round in 0..rounds {
        for keys in [Keys::Random, Keys::Ordered] {
            let rows = rows::make(keys, n);
            for kind in [Kind::Lww, Kind::Parts] {
                work::Round { results: &mut results, rows: &rows, keys, kind, swap: round % 2 == 1 }.run();
            }
        }
        eprintln!("round {} of {rounds}", round + 1);
    }
    report::print(&results, n, rounds);
    report::save(&results, n, rounds);
}
