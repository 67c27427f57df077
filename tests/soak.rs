//! Random schedules on all cores, one seed one schedule: `make soak SCHEDULES=n SEED=s`. See `docs/soak.md`.
//!
//! From the environment: `SOAK_SCHEDULES`, how many (default 40); `SOAK_SEED`, the first seed (1); `SOAK_THREADS`;
//! `SOAK_SHRINK`, the seconds to spend on a smaller script (60); `SOAK_SURVEY`, list what fails and go on; `SOAK_KIND`, only this
//! kind of schedule, for every seed; `SOAK_TRACE`, print each step before it runs.

// The tests of the simulation itself run in `simulation.rs`: a target without harness has none.
#![allow(dead_code, unused_imports)]

mod common;
mod sim;
mod support;

#[path = "soak/kinds.rs"]
mod kinds;
#[path = "soak/mixed.rs"]
mod mixed;
#[path = "soak/run.rs"]
mod run;

fn main() -> std::process::ExitCode {
    // Asked what tests there are, or for one of another file: there is no list, and nothing to do.
    let others = std::env::args().skip(1).any(|argument| argument == "--list" || !argument.starts_with('-'));
    if others {
        return std::process::ExitCode::SUCCESS;
    }
    run::all()
}
