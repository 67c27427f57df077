//! Which rows are shown: a function of the records alone, whatever the order in which they came.

mod common;
mod support;

#[path = "claims/model.rs"]
mod model;
#[path = "claims/random.rs"]
mod random;
#[path = "claims/world.rs"]
mod world;
