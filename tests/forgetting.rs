//! Forgetting and pruning: random schedules against a world that keeps everything, and what pruning must leave alone.

mod common;
mod support;

#[path = "forgetting/busy.rs"]
mod busy;
#[path = "forgetting/filters.rs"]
mod filters;
#[path = "forgetting/once.rs"]
mod once;
#[path = "forgetting/random.rs"]
mod random;
#[path = "forgetting/rules.rs"]
mod rules;
#[path = "forgetting/soak.rs"]
mod soak;
#[path = "forgetting/soak_run.rs"]
mod soak_run;
#[path = "forgetting/world.rs"]
mod world;
