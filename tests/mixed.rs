//! Hooks, filters, the conflict log, schema changes, claims and forgetting, all at once.

mod common;
mod support;

#[path = "mixed/encodings.rs"]
mod encodings;
#[path = "mixed/node.rs"]
mod node;
#[path = "mixed/pairs.rs"]
mod pairs;
#[path = "mixed/random.rs"]
mod random;
#[path = "mixed/statements.rs"]
mod statements;
#[path = "mixed/world.rs"]
mod world;
