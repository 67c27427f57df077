//! Whether a record meets a filter: SQLite evaluates it over the record's row, or over its state where no row is.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use rusqlite::types::Value;
use rusqlite::{params_from_iter, Connection, OptionalExtension};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::catalog::Catalog;
use super::errors::{Refusal, Result};
use super::wire::{self, Affinity};

/// Whether a record waits. Its key is stored as an INTEGER where it is one.
const WAITS: &str = "SELECT 1 FROM main._crdt_pending p JOIN main._crdt_table t ON t.t = p.t
    WHERE t.name = ?1 COLLATE NOCASE AND t.enabled AND p.pk IN (?2, CAST(?2 AS INTEGER)) AND CAST(p.pk AS TEXT) = ?2";

/// What a filter says of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Nothing is known of it, or no more than that it was deleted.
    Unknown,
    /// The filter holds for it; for a deleted record, for what it last was.
    Inside,
    /// It does not.
    Outside,
}

/// A filter's SQL for one table.
pub struct Question {
    table: String,
    columns: Vec<Column>,
    /// Places of the key's columns, in the order of the key.
    key: Vec<usize>,
    /// Over the row, its key in the parameters.
    live: String,
    /// Over values in the parameters: what stands before them and after.
    bound: (String, String),
}

struct Column {
    name: String,
    affinity: Affinity,
}

/// What of `crdt_state` matters.
#[derive(Deserialize)]
struct State<'a> {
    #[serde(borrow)]
    fields: BTreeMap<String, Field<'a>>,
    tombstone: bool,
}

#[derive(Deserialize)]
struct Field<'a> {
    #[serde(borrow)]
    value: &'a RawValue,
}

impl Question {
    /// The SQL of `expr` over an enabled table; None when the table is not enabled.
    pub fn new(conn: &Connection, table: &str, expr: &str) -> Result<Option<Question>> {
        let Some(table) = Catalog::read(conn)?.spelt(table).cloned() else { return Ok(None) };
        let mut info = conn.prepare_cached("SELECT name, type, pk FROM pragma_table_xinfo(?1) WHERE hidden = 0")?;
        let rows = info.query_map([&table], |row| {
            let declared: String = row.get(1)?;
            Ok((Column { name: row.get(0)?, affinity: Affinity::of(&declared) }, row.get::<_, i64>(2)?))
        })?;
        let (columns, places): (Vec<Column>, Vec<i64>) =
            rows.collect::<rusqlite::Result<Vec<_>>>()?.into_iter().unzip();
        let mut key: Vec<usize> = (0..columns.len()).filter(|i| places.get(*i).is_some_and(|pk| *pk > 0)).collect();
        key.sort_by_key(|i| places.get(*i));
        let exact = |(p, i): (usize, &usize)| {
            let name = columns.get(*i).map(|column| ident(&column.name)).unwrap_or_default();
            let p = p + 1;
            format!("{name} = ?{p} AND {name} = ?{p} COLLATE BINARY AND typeof({name}) = typeof(?{p})")
        };
        let by_key = key.iter().enumerate().map(exact).collect::<Vec<_>>().join(" AND ");
        let names = columns.iter().map(|column| ident(&column.name)).collect::<Vec<_>>().join(", ");
        let name = ident(&table);
        let live = format!("SELECT ({expr}) IS TRUE FROM (SELECT {names} FROM main.{name} WHERE {by_key}) AS {name}");
        // A compound has the columns of its first SELECT. DISTINCT and LIMIT keep SQLite from taking it apart.
        let before =
            format!("SELECT DISTINCT ({expr}) IS TRUE FROM (SELECT {names} FROM main.{name} WHERE 0 UNION ALL SELECT ");
        conn.prepare_cached(&live).map_err(|e| misfit(&table, &e))?;
        Ok(Some(Question { columns, key, live, bound: (before, format!(" LIMIT 1) AS {name}")), table }))
    }

    /// What the filter says of the record with that key.
    pub fn of(&self, conn: &Connection, pk: &str) -> Result<Verdict> {
        let mut state = conn.prepare_cached("SELECT crdt_state(?1, ?2)")?;
        let state: Option<String> = state.query_row([&self.table, pk], |row| row.get(0))?;
        let Some(state) = state.as_deref().and_then(|json| serde_json::from_str::<State<'_>>(json).ok()) else {
            return Ok(Verdict::Unknown);
        };
        if state.tombstone && state.fields.is_empty() {
            return Ok(Verdict::Unknown);
        }
        let affinities: Vec<Affinity> =
            self.key.iter().filter_map(|i| self.columns.get(*i)).map(|column| column.affinity).collect();
        let key = wire::key(&affinities, pk);
        // The row of a record that waits is not what is told of it.
        let mut waits = conn.prepare_cached(WAITS)?;
        let live = match &key {
            Some(key) if !state.tombstone && !waits.exists([&self.table, pk])? => answer(conn, &self.live, key)?,
            _ => None,
        };
        let holds = match live {
            Some(holds) => holds,
            None => self.of_state(conn, key.unwrap_or_default(), &state)?,
        };
        Ok(if holds { Verdict::Inside } else { Verdict::Outside })
    }

    /// The same over the values of the state.
    fn of_state(&self, conn: &Connection, key: Vec<Value>, state: &State<'_>) -> Result<bool> {
        let mut values: Vec<Value> = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            let field = state.fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(&column.name));
            values.push(field.and_then(|(_, field)| wire::value(field.value.get())).unwrap_or(Value::Null));
        }
        for (i, value) in self.key.iter().zip(key) {
            if let Some(place) = values.get_mut(*i) {
                *place = value;
            }
        }
        let marks: Vec<String> =
            self.columns.iter().zip(&values).enumerate().map(|(i, (c, v))| mark(i + 1, c.affinity, v)).collect();
        let sql = format!("{}{}{}", self.bound.0, marks.join(", "), self.bound.1);
        Ok(answer(conn, &sql, &values)?.unwrap_or(false))
    }
}

/// A parameter for a column. A cast to what the value is gives the compound the column's affinity in every version of SQLite.
fn mark(i: usize, affinity: Affinity, value: &Value) -> String {
    match (affinity, value) {
        (Affinity::Text, Value::Text(_) | Value::Null) => format!("CAST(?{i} AS TEXT)"),
        (Affinity::Integer | Affinity::Number, Value::Integer(_) | Value::Real(_) | Value::Null) => {
            format!("CAST(?{i} AS NUMERIC)")
        }
        _ => format!("?{i}"),
    }
}

/// The answer; None without a row. An expression that fails for a row does not hold.
fn answer(conn: &Connection, sql: &str, values: &[Value]) -> Result<Option<bool>> {
    let mut question = conn.prepare_cached(sql)?;
    let answer = question.query_row(params_from_iter(values), |row| row.get(0)).optional();
    match answer {
        Err(e) if e.sqlite_error().is_some_and(|e| e.extended_code & 0xff == 1) => Ok(Some(false)),
        answer => Ok(answer?),
    }
}

/// A filter that does not fit its table is a fault of the token file, not of the request.
pub fn misfit(table: &str, e: &rusqlite::Error) -> Refusal {
    tracing::error!("the filter of a token for the table '{table}' does not fit it: {e}");
    let message = format!("the filter of this token for the table '{table}' does not fit it; the hub's log tells how");
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, message)
}

fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{self, Use};

    fn database() -> (tempfile::TempDir, Connection) {
        let dir = tempfile::tempdir().unwrap();
        let conn = db::open(&dir.path().join("app.db"), Use::Create).unwrap();
        conn.execute_batch(
            "CREATE TABLE tasks(id TEXT PRIMARY KEY NOT NULL, owner TEXT, votes INTEGER DEFAULT 0, title TEXT NOT NULL DEFAULT '');
             CREATE TABLE pairs(a, b INTEGER, owner TEXT, PRIMARY KEY (b, a));
             SELECT crdt_enable('tasks', 'votes:counter'); SELECT crdt_enable('pairs');
             INSERT INTO tasks(id, owner, votes) VALUES ('t1', 'ann', 3), ('t2', 'bob', 3), ('t3', 'bob', 0);
             INSERT INTO pairs VALUES ('x', 1, 'ann'), ('y', 2, NULL);
             DELETE FROM tasks WHERE id = 't3';",
        )
        .unwrap();
        (dir, conn)
    }

    fn of(conn: &Connection, table: &str, expr: &str, pk: &str) -> Verdict {
        Question::new(conn, table, expr).unwrap().unwrap().of(conn, pk).unwrap()
    }

    #[test]
    fn rows() {
        let (_dir, conn) = database();
        assert_eq!(of(&conn, "TASKS", "owner = 'ann'", "t1"), Verdict::Inside);
        assert_eq!(of(&conn, "tasks", "owner = 'ann'", "t2"), Verdict::Outside);
        assert_eq!(of(&conn, "tasks", "owner = 'ann'", "t9"), Verdict::Unknown);
        assert_eq!(of(&conn, "tasks", "json_extract(owner, '$.x') = 1", "t1"), Verdict::Outside);
        assert_eq!(of(&conn, "pairs", "owner = 'ann'", r#"[1,"x"]"#), Verdict::Inside);
        assert_eq!(of(&conn, "pairs", "owner = 'ann'", r#"[2,"y"]"#), Verdict::Outside);
        assert!(Question::new(&conn, "others", "1").unwrap().is_none());
    }

    #[test]
    fn deleted_records_are_what_they_last_were() {
        let (_dir, conn) = database();
        assert_eq!(of(&conn, "tasks", "owner = 'bob' AND id = 't3' AND votes < 1", "t3"), Verdict::Inside);
        assert_eq!(of(&conn, "tasks", "owner = 'ann'", "t3"), Verdict::Outside);
    }

    #[test]
    fn records_that_are_not_shown_are_judged_by_their_state() {
        let (_dir, conn) = database();
        let now = "SELECT json_extract(crdt_pragma('hlc'), '$.ts') + 1000000";
        let ts: i64 = conn.query_row(now, [], |row| row.get(0)).unwrap();
        let change = |pk: &str, field: &str, value: &str| {
            format!(
                r#"{{"table":"tasks","pk":"{pk}","field":"{field}","crdt_type":"lww","hlc":{{"ts":{ts},"c":0,"node":"x"}},"node_id":"x","value":{value}}}"#
            )
        };
        // t1 has a row, which stays as it is.
        for pk in ["t4", "t1"] {
            let pushed = format!("[{},{}]", change(pk, "owner", "\"eve\""), change(pk, "title", "null"));
            let pending: i64 =
                conn.query_row("SELECT json_extract(crdt_merge(?1), '$.pending')", [pushed], |row| row.get(0)).unwrap();
            assert!(pending > 0, "a title is NOT NULL");
            assert_eq!(of(&conn, "tasks", "owner = 'eve'", pk), Verdict::Inside);
            assert_eq!(of(&conn, "tasks", "owner = 'ann'", pk), Verdict::Outside);
        }
    }
}
