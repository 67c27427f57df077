//! The compact form: an export holds what that of the Grove form holds, and merging either comes to the same.

mod common;
mod support;

#[path = "compact/random.rs"]
mod random;
#[path = "compact/requests.rs"]
mod requests;
#[path = "compact/surface.rs"]
mod surface;

use rusqlite::{Connection, Params};
use serde_json::Value;

use crate::common::text;

/// An export of the compact form.
fn compact(conn: &Connection, cursor: Option<&str>) -> String {
    text(conn, r#"SELECT crdt_changes_since(?1, NULL, NULL, '{"format":"compact"}')"#, [cursor])
}

/// An answer with its changes in the Grove form.
#[track_caller]
fn grove(conn: &Connection, json: &str) -> String {
    text(conn, "SELECT crdt_convert(?1, 'grove')", [json])
}

/// An answer as JSON.
#[track_caller]
fn answer(conn: &Connection, sql: &str, params: impl Params) -> Value {
    serde_json::from_str(&text(conn, sql, params)).unwrap()
}
