//! Every function, as one would call it: those that read first.

/// The calls, one a line.
const CALLS: &str = include_str!("../../tests/hostile/calls.sql");

/// Each call.
pub fn calls() -> impl Iterator<Item = &'static str> {
    CALLS.lines()
}
