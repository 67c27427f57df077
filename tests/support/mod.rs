//! What the behavioural tests share: databases that are nodes, exchange between them, comparison of what they hold.
#![allow(dead_code)]

pub mod clock;
pub mod script;
pub mod shell;
pub mod shim;

use std::path::Path;

use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::types::ValueRef;
use rusqlite::{Batch, Connection, Params};
use serde_json::{json, Value};

use crate::common::{open, open_file, text};

/// A table with a column of each type, enabled.
pub const TASKS: &str = "
    CREATE TABLE tasks(id TEXT PRIMARY KEY NOT NULL, title TEXT, priority INTEGER DEFAULT 0, tags TEXT DEFAULT '[]',
                       done INTEGER DEFAULT 0);
    SELECT crdt_enable('tasks', 'priority:counter', 'tags:set');";

/// A stamp: ts, c, node.
pub type Stamp<'a> = (i64, u32, &'a str);

/// An in-memory database, named and set up.
pub fn node(name: &str, sql: &str) -> Connection {
    named(open(), name, sql)
}

/// A database file, named and set up.
pub fn file_node(path: &Path, name: &str, sql: &str) -> Connection {
    named(open_file(path), name, sql)
}

/// In-memory databases, each named and set up.
pub fn nodes<const N: usize>(names: [&str; N], sql: &str) -> [Connection; N] {
    names.map(|name| node(name, sql))
}

/// Gives a connection's database a node id and runs `sql`.
pub fn named(conn: Connection, name: &str, sql: &str) -> Connection {
    text(&conn, "SELECT crdt_node_id(?1)", [name]);
    run(&conn, sql);
    conn
}

/// Runs every statement to its end.
pub fn try_run(conn: &Connection, sql: &str) -> Result<(), String> {
    let mut batch = Batch::new(conn, sql);
    let mut go = || -> rusqlite::Result<()> {
        while let Some(mut statement) = batch.next()? {
            let mut rows = statement.raw_query();
            while rows.next()?.is_some() {}
        }
        Ok(())
    };
    go().map_err(|error| error.to_string())
}

/// Runs every statement to its end; none may fail.
#[track_caller]
pub fn run(conn: &Connection, sql: &str) {
    if let Err(error) = try_run(conn, sql) {
        panic!("{error}: {sql}");
    }
}

/// A value so that type and bits show: NULL, 1, 1.0, 'text', x'00'.
pub fn show(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_string(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => format!("{number:?}"),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => format!("'{}'", text.replace('\0', "\\0")),
            Err(_) => format!("'{}'", bytes.escape_ascii()),
        },
        ValueRef::Blob(bytes) => format!("x'{}'", hex::encode(bytes)),
    }
}

/// The rows of a query, each as one line, in the query's order.
#[track_caller]
pub fn rows_with(conn: &Connection, sql: &str, params: impl Params) -> Vec<String> {
    let query = || -> rusqlite::Result<Vec<String>> {
        let mut statement = conn.prepare(sql)?;
        let width = statement.column_count();
        let mut rows = statement.query(params)?;
        let mut lines = Vec::new();
        while let Some(row) = rows.next()? {
            let cells = (0..width).map(|i| Ok(show(row.get_ref(i)?))).collect::<rusqlite::Result<Vec<_>>>();
            lines.push(cells?.join(", "));
        }
        Ok(lines)
    };
    query().unwrap_or_else(|error| panic!("{error}: {sql}"))
}

/// The rows of a query without parameters.
#[track_caller]
pub fn rows(conn: &Connection, sql: &str) -> Vec<String> {
    rows_with(conn, sql, [])
}

/// A table's rows, sorted.
#[track_caller]
pub fn table(conn: &Connection, name: &str) -> Vec<String> {
    let mut lines = rows(conn, &format!("SELECT * FROM {}", quote(name)));
    lines.sort();
    lines
}

/// An identifier, quoted.
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Everything in the database: its schema and every row of every table, ours too.
pub fn contents(conn: &Connection) -> Vec<String> {
    let schema = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY 1, 2";
    let mut all = rows(conn, schema);
    for name in rows(conn, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1") {
        let name = name.trim_matches('\'');
        all.extend(table(conn, name).into_iter().map(|row| format!("{name}: {row}")));
    }
    all
}

/// An answer of `crdt_changes_since`.
pub struct Page {
    pub changes: Vec<Value>,
    pub cursor: String,
    pub more: bool,
    pub json: String,
}

/// What arrived after `cursor`; everything for None.
#[track_caller]
pub fn since(conn: &Connection, cursor: Option<&str>) -> Page {
    page(&text(conn, "SELECT crdt_changes_since(?1)", [cursor]))
}

/// Reads an answer of `crdt_changes_since` or `crdt_pull`.
#[track_caller]
pub fn page(json: &str) -> Page {
    let answer: Value = serde_json::from_str(json).unwrap();
    Page {
        changes: answer["changes"].as_array().expect("changes is an array").clone(),
        cursor: answer["latest_hlc"].to_string(),
        more: answer["has_more"].as_bool().expect("has_more is a boolean"),
        json: json.to_string(),
    }
}

impl Page {
    /// `pk.field` of each change, sorted, each once.
    pub fn fields(&self) -> Vec<String> {
        let name = |c: &Value| format!("{}.{}", c["pk"].as_str().unwrap(), c["field"].as_str().unwrap());
        let mut names: Vec<_> = self.changes.iter().map(name).collect();
        names.sort();
        names.dedup();
        names
    }

    /// The only change of that field.
    #[track_caller]
    pub fn change(&self, field: &str) -> &Value {
        let hits: Vec<_> = self.changes.iter().filter(|c| c["field"] == field).collect();
        assert_eq!(hits.len(), 1, "one change of {field} in {}", self.json);
        hits[0]
    }

    /// The only change of that field of that record.
    #[track_caller]
    pub fn of(&self, pk: &str, field: &str) -> &Value {
        let hits: Vec<_> = self.changes.iter().filter(|c| c["pk"] == pk && c["field"] == field).collect();
        assert_eq!(hits.len(), 1, "one change of {pk}.{field} in {}", self.json);
        hits[0]
    }
}

/// Everything that the node knows, as change JSON.
#[track_caller]
pub fn export(conn: &Connection) -> String {
    since(conn, None).json
}

/// A place to export from later on.
#[track_caller]
pub fn mark(conn: &Connection) -> String {
    text(conn, "SELECT crdt_cursor()", [])
}

/// Merges change JSON; the answer.
#[track_caller]
pub fn merge(conn: &Connection, json: &str) -> Value {
    serde_json::from_str(&text(conn, "SELECT crdt_merge(?1)", [json])).unwrap()
}

/// Merges changes; the answer.
#[track_caller]
pub fn take(conn: &Connection, changes: &[Value]) -> Value {
    merge(conn, &json!(changes).to_string())
}

/// Sends everything that `from` knows to `to`; the merge's answer.
#[track_caller]
pub fn send(from: &Connection, to: &Connection) -> Value {
    merge(to, &export(from))
}

/// Sends everything both ways.
#[track_caller]
pub fn swap(a: &Connection, b: &Connection) {
    send(a, b);
    send(b, a);
}

/// The digest of a table.
#[track_caller]
pub fn digest(conn: &Connection, table: &str) -> String {
    text(conn, "SELECT crdt_digest(?1)", [table])
}

/// Both hold the same rows and the same state, deleted records included.
#[track_caller]
pub fn same(a: &Connection, b: &Connection, name: &str) {
    assert_eq!(table(a, name), table(b, name), "rows of {name}");
    assert_eq!(digest(a, name), digest(b, name), "digest of {name}: {:#?}", table(a, name));
    let full = |conn| text(conn, "SELECT crdt_digest(?1, 'full')", [name]);
    assert_eq!(full(a), full(b), "full digest of {name}");
    sound(a);
    sound(b);
}

/// No invariant of the storage is broken.
#[track_caller]
pub fn sound(conn: &Connection) {
    assert_eq!(text(conn, "SELECT crdt_check()", []), "ok");
}

/// A change of record t1 of table tasks; `body` adds keys or overrides them.
pub fn change(field: &str, (ts, c, node): Stamp<'_>, body: Value) -> Value {
    let hlc = json!({"ts": ts, "c": c, "node": node});
    let mut record =
        json!({"table": "tasks", "pk": "t1", "field": field, "crdt_type": "lww", "hlc": hlc, "node_id": node});
    record.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
    record
}

/// A value written to an lww column of record t1.
pub fn lww(field: &str, stamp: Stamp<'_>, value: impl Into<Value>) -> Value {
    change(field, stamp, json!({"value": value.into()}))
}

/// An author's totals of the counter `priority` of record t1.
pub fn counter(stamp: Stamp<'_>, inc: i64, dec: i64) -> Value {
    change("priority", stamp, json!({"crdt_type": "counter", "counter_delta": {"inc": inc, "dec": dec}}))
}

/// An operation, `add` or `remove`, on the set `tags` of record t1.
pub fn set(op: &str, stamp: Stamp<'_>, elements: Value) -> Value {
    change("tags", stamp, json!({"crdt_type": "set", "set_op": {"op": op, "elements": elements}}))
}

/// The delete of record t1.
pub fn tombstone(stamp: Stamp<'_>) -> Value {
    change("_tombstone", stamp, json!({"crdt_type": "", "tombstone": true}))
}

/// The stamp of a change, as something that can be ordered.
pub fn stamp_of(change: &Value) -> (i64, u64, String) {
    let hlc = &change["hlc"];
    (hlc["ts"].as_i64().unwrap(), hlc["c"].as_u64().unwrap(), hlc["node"].as_str().unwrap().to_string())
}

/// `crdt_status()`.
pub fn status(conn: &Connection) -> Value {
    serde_json::from_str(&text(conn, "SELECT crdt_status()", [])).unwrap()
}

/// The time of a new stamp, in nanoseconds.
#[track_caller]
pub fn now(conn: &Connection) -> i64 {
    let stamp: Value = serde_json::from_str(&text(conn, "SELECT crdt_now()", [])).unwrap();
    stamp["ts"].as_i64().unwrap()
}
