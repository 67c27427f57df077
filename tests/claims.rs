//! Which rows are shown: a function of the records alone, whatever the order in which they came.

mod common;
mod support;

#[path = "claims/chains.rs"]
mod chains;
#[path = "claims/circles.rs"]
mod circles;
#[path = "claims/foreign.rs"]
mod foreign;
#[path = "claims/late.rs"]
mod late;
#[path = "claims/model.rs"]
mod model;
#[path = "claims/random.rs"]
mod random;
#[path = "claims/refusals.rs"]
mod refusals;
#[path = "claims/retry.rs"]
mod retry;
#[path = "claims/strangers.rs"]
mod strangers;
#[path = "claims/swaps.rs"]
mod swaps;
#[path = "claims/world.rs"]
mod world;
