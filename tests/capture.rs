//! Whatever SQL an application writes, the other nodes follow: every statement runs with and without the extension loaded,
//! under both settings of `recursive_triggers`, folded after each step or only at the end, and is compared with plain SQLite.

mod common;
mod support;

#[path = "capture/columns.rs"]
mod columns;
#[path = "capture/follow.rs"]
mod follow;
#[path = "capture/reinsert.rs"]
mod reinsert;
#[path = "capture/replace.rs"]
mod replace;
#[path = "capture/shapes.rs"]
mod shapes;
#[path = "capture/statements.rs"]
mod statements;
#[path = "capture/triggers.rs"]
mod triggers;
