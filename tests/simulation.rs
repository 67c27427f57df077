//! Several nodes write, send, lose, repeat, shuffle and relay; in the end they must be one, and be what an independent
//! model makes of the records on the wire. `make soak` runs many more; see `docs/soak.md`.

mod common;
mod sim;
mod support;

use sim::generate::Tables;

/// Schedules of each kind that a plain `cargo test` runs.
const SCHEDULES: u64 = 20;

#[track_caller]
fn schedules(tables: Tables) {
    for seed in 1..=SCHEDULES {
        if let Err(failure) = sim::run::schedule(seed, tables, std::time::Duration::from_secs(60)) {
            panic!("seed {seed}: {}\n\n{}", failure.what, failure.script);
        }
    }
}

#[test]
fn random_schedules_converge() {
    schedules(Tables::Plain);
}

/// Rival claims on unique values, CHECKs, foreign keys.
#[test]
fn random_schedules_with_constraints_converge() {
    schedules(Tables::Constrained);
}

/// Columns that come on each node at another time.
#[test]
fn random_schedules_with_new_columns_converge() {
    schedules(Tables::Growing);
}
