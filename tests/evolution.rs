//! Schemas that evolve: the application's tables, and ours.

mod common;
mod support;

mod evolution {
    mod fixture;
    mod fixtures;
}
