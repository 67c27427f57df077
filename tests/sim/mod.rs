//! A simulation of several nodes, written against the contract only.

mod cell;
mod claims;
mod clock;
mod compare;
mod deliver;
mod finish;
mod json;
mod local;
mod model;
#[cfg(test)]
mod model_tests;
mod node;
pub mod ops;
mod random;
pub mod replay;
pub mod run;
pub mod schema;
mod script;
mod sql;
mod values;
mod wire;
mod world;
