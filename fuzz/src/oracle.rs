//! What must hold after any input.

use rusqlite::Connection;

use crate::node::{answer, ask, empty};
use crate::support::table;

/// The tables of the templates.
pub const NAMES: [&str; 3] = ["tasks", "pairs", "nums"];

/// Digests over all that is replicated.
pub fn digests(conn: &Connection) -> Vec<String> {
    NAMES.iter().map(|name| answer(conn, "SELECT crdt_digest(?1, 'full')", [name]).unwrap()).collect()
}

/// The rows of the application's tables.
pub fn rows(conn: &Connection) -> Vec<Vec<String>> {
    NAMES.iter().map(|name| table(conn, name)).collect()
}

/// Neither SQLite nor we find anything wrong.
pub fn sound(conn: &Connection) {
    assert_eq!(answer(conn, "SELECT crdt_check()", []).unwrap(), "ok");
    assert_eq!(answer(conn, "PRAGMA integrity_check", []).unwrap(), "ok");
}

/// The export can be made, and a node that takes it has the same.
pub fn travels(conn: &Connection) {
    let json = answer(conn, "SELECT crdt_changes_since(NULL)", []).unwrap();
    let other = empty();
    ask(&other, "SELECT crdt_merge(?1)", [&json]).unwrap_or_else(|e| panic!("{e}: {json}"));
    assert_eq!(digests(conn), digests(&other), "after {json}");
    sound(&other);
}

/// The clock is no further from the wall clock than it may be, give or take the steps of one microsecond.
pub fn clock_is_near(conn: &Connection) {
    let now: serde_json::Value = serde_json::from_str(&answer(conn, "SELECT crdt_now()", []).unwrap()).unwrap();
    let limit = crate::node::NOW * 1_000_000 + 300_000_000_000 + 1_000_000;
    assert!(now["ts"].as_i64().unwrap() <= limit, "{now}");
}

/// The number under `key` of a JSON answer.
pub fn number(json: &str, key: &str) -> i64 {
    let answer: serde_json::Value = serde_json::from_str(json).unwrap_or_else(|e| panic!("{e}: {json}"));
    answer[key].as_i64().unwrap_or_else(|| panic!("no {key} in {json}"))
}

/// The rows of the application's tables; of those that are there.
pub fn rows_if_any(conn: &Connection) -> Vec<Result<Vec<Vec<u8>>, String>> {
    NAMES.iter().zip(QUOTED).map(|(name, cells)| ask(conn, &format!("SELECT {cells} FROM {name}"), [])).collect()
}

/// The columns of the templates' tables, each row as one text.
const QUOTED: [&str; 3] = [
    "quote(id) || quote(title) || quote(votes) || quote(tags) || quote(body) || quote(done)",
    "quote(a) || quote(b) || quote(v) || quote(n)",
    "quote(id) || quote(email) || quote(low) || quote(boss)",
];
