//! Parents and children that go with them.

use serde_json::Value;

/// Two enabled tables, the one referring to the other.
pub const FAMILY: &str = "
    CREATE TABLE parent(id TEXT PRIMARY KEY NOT NULL, n INTEGER DEFAULT 0, email TEXT UNIQUE);
    CREATE TABLE child(id TEXT PRIMARY KEY NOT NULL, p TEXT REFERENCES parent(id) ON DELETE CASCADE, body TEXT);
    SELECT crdt_enable('parent');
    SELECT crdt_enable('child');
    PRAGMA foreign_keys = ON;";

/// The changes of one table.
pub fn of(changes: &[Value], table: &str) -> Vec<Value> {
    changes.iter().filter(|change| change["table"] == table).cloned().collect()
}
