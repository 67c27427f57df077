//! Sync hooks: what they see, filter, alter, refuse and write.

mod common;
mod support;

#[path = "hooks/after.rs"]
mod after;
#[path = "hooks/altered.rs"]
mod altered;
#[path = "hooks/examples.rs"]
mod examples;
#[path = "hooks/inbound.rs"]
mod inbound;
#[path = "hooks/inside.rs"]
mod inside;
#[path = "hooks/outbound.rs"]
mod outbound;
#[path = "hooks/register.rs"]
mod register;
#[path = "hooks/waiting.rs"]
mod waiting;

use rusqlite::Connection;
use serde_json::Value;

/// Registers a hook for every table; the answer.
#[track_caller]
fn hook(conn: &Connection, name: &str, event: &str, sql: &str) -> Value {
    serde_json::from_str(&common::text(conn, "SELECT crdt_hook(?1, ?2, ?3)", [name, event, sql])).unwrap()
}

/// What a hook of that statement is refused for.
#[track_caller]
fn refusal(conn: &Connection, event: &str, sql: &str) -> String {
    common::error(conn, "SELECT crdt_hook('h', ?1, ?2)", [event, sql])
}

/// Why a merge of these changes fails.
#[track_caller]
fn merge_error(conn: &Connection, changes: &[Value]) -> String {
    common::error(conn, "SELECT crdt_merge(?1)", [Value::from(changes).to_string()])
}
