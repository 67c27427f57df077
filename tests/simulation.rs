//! Several nodes write, send, lose, repeat, shuffle and relay; in the end they must be one, and be what an independent
//! model makes of the records on the wire. `SIM_CASES=1000 cargo test --test simulation` runs more; see `sim/run.rs`.

mod common;
mod sim;

/// Cases that a plain `cargo test` runs.
const CASES: u64 = 60;

#[test]
fn random_schedules_converge_one() {
    sim::run::cases(0, 2, CASES);
}

#[test]
fn random_schedules_converge_two() {
    sim::run::cases(1, 2, CASES);
}
