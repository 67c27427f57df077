//! Schemas that evolve: the application's tables, and ours.

mod common;
mod support;

mod evolution {
    mod afterwards;
    mod alter;
    mod columns;
    mod fixture;
    mod fixtures;
    mod missed;
    mod random;
    mod rename;
    mod scripts;
    mod tables;
    mod types;
}
