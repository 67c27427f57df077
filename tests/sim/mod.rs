//! A simulation of several nodes, written against the contract only.

mod aside;
mod cell;
mod claims;
pub mod clock;
pub mod compare;
mod copies;
pub mod count;
mod deliver;
mod finish;
pub mod generate;
mod json;
mod local;
pub mod model;
#[cfg(test)]
mod model_tests;
mod node;
mod ops;
pub mod random;
pub mod run;
pub mod schema;
pub mod shrink;
mod sql;
mod values;
pub mod wire;
mod world;
