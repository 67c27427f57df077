//! Traps that other replication projects fell into, each as a test named after it. The comment names who paid for it.

mod common;
mod support;

#[path = "traps/files.rs"]
mod files;
#[path = "traps/rows.rs"]
mod rows;
#[path = "traps/schema.rs"]
mod schema;
#[path = "traps/values.rs"]
mod values;
