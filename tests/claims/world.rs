//! Databases with two tables full of constraints, and what is done with them.

use std::collections::BTreeSet;

use rusqlite::types::ValueRef;
use rusqlite::Connection;
use serde_json::{json, Value};

use super::model::{columns, Cell, Picture};
use crate::common::text;
use crate::support::{node, run, take, try_run};

/// How the tables are declared.
#[derive(Clone, Debug)]
pub struct Schema {
    pub on_delete: &'static str,
    pub on_update: &'static str,
    pub deferred: bool,
    pub without_rowid: bool,
    /// The keys have the collation NOCASE.
    pub folded: bool,
    /// The child's table is enabled first.
    pub child_first: bool,
}

impl Schema {
    fn sql(&self) -> String {
        let action = format!(
            "ON DELETE {} ON UPDATE {}{}",
            self.on_delete,
            self.on_update,
            if self.deferred { " DEFERRABLE INITIALLY DEFERRED" } else { "" }
        );
        let tail = if self.without_rowid { " WITHOUT ROWID" } else { "" };
        let fold = if self.folded { " COLLATE NOCASE" } else { "" };
        let enable = match self.child_first {
            true => "SELECT crdt_enable('child'); SELECT crdt_enable('parent');",
            false => "SELECT crdt_enable('parent'); SELECT crdt_enable('child');",
        };
        format!(
            "PRAGMA foreign_keys = ON;
            CREATE TABLE parent(id TEXT{fold} PRIMARY KEY NOT NULL, code TEXT COLLATE NOCASE UNIQUE, grp INTEGER,
              n INTEGER DEFAULT 1 CHECK (n >= 0), name TEXT, up TEXT REFERENCES parent(id) {action}, UNIQUE(grp, n)){tail};
            CREATE UNIQUE INDEX names ON parent(lower(name)) WHERE grp IS NOT NULL;
            CREATE TABLE child(id TEXT{fold} PRIMARY KEY NOT NULL, p TEXT REFERENCES parent(id) {action},
              c TEXT REFERENCES parent(code) {action}, u TEXT UNIQUE, v TEXT NOT NULL DEFAULT 'd',
              w INTEGER CHECK (w IS NULL OR w < 3), UNIQUE(w, p)){tail};
            {enable}"
        )
    }

    pub fn node(&self, name: &str) -> Connection {
        node(name, &self.sql())
    }
}

pub const KEYS: [&str; 5] = ["a", "b", "c", "d", "A"];

/// Values for cells: keys too, so that references hit.
pub fn value(i: usize) -> Value {
    [json!(null), json!("a"), json!("b"), json!("A"), json!(0), json!(1), json!(2), json!(-1), json!("1"), json!("c")]
        [i % 10]
        .clone()
}

pub fn table_name(child: bool) -> &'static str {
    if child {
        "child"
    } else {
        "parent"
    }
}

/// A change as another node might have made it.
pub fn change(table: &str, pk: &str, field: &str, (ts, c, author): (i64, u32, &str), value: &Value) -> Value {
    let hlc = json!({"ts": ts, "c": c, "node": author});
    let mut change =
        json!({"table": table, "pk": pk, "field": field, "crdt_type": "lww", "hlc": hlc, "node_id": author});
    match field {
        "_tombstone" => change["tombstone"] = json!(true),
        _ => change["value"] = value.clone(),
    }
    change
}

/// A local write; what the table refuses is refused.
pub fn write(node: &Connection, kind: usize, child: bool, pk: &str, column: usize, cells: [&Value; 2]) {
    let table = table_name(child);
    let names = columns(table);
    let (one, two) = (names[column % 5], names[(column + 1) % 5]);
    let sql = |value: &Value| match value {
        Value::Null => "NULL".to_string(),
        Value::String(text) => format!("'{text}'"),
        other => other.to_string(),
    };
    let (x, y) = (sql(cells[0]), sql(cells[1]));
    let statement = match kind % 6 {
        0 | 1 => format!("INSERT INTO {table}(id, {one}, {two}) VALUES ('{pk}', {x}, {y})"),
        2 => format!("INSERT OR REPLACE INTO {table}(id, {one}, {two}) VALUES ('{pk}', {x}, {y})"),
        3 => format!("UPDATE {table} SET {one} = {x} WHERE id = '{pk}'"),
        4 => format!("UPDATE OR REPLACE {table} SET {one} = {x}, {two} = {y} WHERE id = '{pk}'"),
        _ => format!("DELETE FROM {table} WHERE id = '{pk}'"),
    };
    let _refused = try_run(node, &statement);
}

/// Gives `changes` to a node in parts, in an order made from `seed`.
pub fn give(node: &Connection, changes: &[Value], parts: usize, seed: u64) {
    let mut order: Vec<&Value> = changes.iter().collect();
    let mut state = seed | 1;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize
    };
    if seed > 0 {
        for i in (1..order.len()).rev() {
            order.swap(i, next() % (i + 1));
        }
    }
    let size = order.len().div_ceil(parts.max(1)).max(1);
    for part in order.chunks(size) {
        let part: Vec<Value> = part.iter().map(|change| (*change).clone()).collect();
        if seed % 3 == 2 {
            // In a transaction of the caller's: its commit must not fail.
            run(node, "BEGIN");
            take(node, &part);
            run(node, "COMMIT");
        } else {
            take(node, &part);
        }
    }
}

/// What a node shows and lists as pending, after checking that its storage is sound.
pub fn picture(node: &Connection) -> Picture {
    assert_eq!(text(node, "SELECT crdt_check()", []), "ok");
    assert_eq!(text(node, "SELECT count(*) FROM pragma_foreign_key_check", []), "0");
    let mut rows = BTreeSet::new();
    for table in ["parent", "child"] {
        let mut statement = node.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let count = statement.column_count();
        let mut found = statement.query([]).unwrap();
        while let Some(row) = found.next().unwrap() {
            let cell = |i| match row.get_ref(i).unwrap() {
                ValueRef::Integer(i) => Cell::Int(i),
                ValueRef::Text(text) => Cell::Text(String::from_utf8(text.to_vec()).unwrap()),
                _ => Cell::Null,
            };
            rows.insert((table.to_string(), (0..count).map(cell).collect()));
        }
    }
    let mut statement = node.prepare("SELECT \"table\", pk FROM crdt_pending()").unwrap();
    let pending = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    Picture { rows, pending: pending.map(Result::unwrap).collect() }
}

/// Both digests of both tables.
pub fn digests(node: &Connection) -> String {
    run(node, "SELECT 1");
    text(
        node,
        "SELECT crdt_digest('parent') || crdt_digest('child') || crdt_digest('parent', 'full') || crdt_digest('child', 'full')",
        [],
    )
}
