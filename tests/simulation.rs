//! Several nodes write, send, lose, repeat, shuffle and relay; in the end they must be one, and be what an independent
//! model makes of the records on the wire. `SIM_CASES=1000 cargo test --test simulation` runs more; see `sim/run.rs`.

mod common;
mod sim;

/// Cases that a plain `cargo test` runs.
const CASES: u64 = 120;

#[test]
fn random_schedules_converge_one() {
    sim::run::cases(0, 2, CASES, sim::run::Tables::Plain);
}

#[test]
fn random_schedules_converge_two() {
    sim::run::cases(1, 2, CASES, sim::run::Tables::Plain);
}

/// Rival claims on unique values.
#[test]
fn random_schedules_with_rival_claims_converge() {
    sim::run::cases(0, 1, CASES, sim::run::Tables::Unique);
}

/// `SIM_SCRIPT=file cargo test --test simulation replay -- --nocapture` replays a script that a failure printed.
#[test]
fn replay_of_a_printed_script() {
    sim::replay::script();
}
