//! Asks the database for changes, within a token's scope.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension};
use serde::Serialize;
use serde_json::value::RawValue;

use super::catalog::Catalog;
use super::dialect::Counters;
use super::errors::{Refusal, Result};
use super::inside;
use super::scope::Scope;

/// The options of `crdt_pull`.
#[derive(Serialize)]
struct Options<'a> {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    filter: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    counters: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remember: Option<bool>,
}

/// A pull as a client sent it: its keys, their JSON as it came.
pub struct Pull {
    keys: BTreeMap<String, Box<RawValue>>,
    tables: Option<Vec<String>>,
    remember: Option<bool>,
    /// A stream of nobody in particular.
    unnamed: bool,
}

/// A pull within its scope: what `crdt_pull` is called with.
#[derive(Clone)]
pub struct Question {
    request: String,
    options: String,
    /// Filters, and the tables that their names were looked up in.
    within: Option<(BTreeMap<String, String>, Arc<Catalog>)>,
}

impl Pull {
    /// Reads a request.
    pub fn read(json: &str) -> Result<Pull> {
        let bad = |e| Refusal::bad(format!("not a pull request {{\"tables\",\"since\",\"node_id\"}}: {e}"));
        let mut keys: BTreeMap<String, Box<RawValue>> = serde_json::from_str(json).map_err(bad)?;
        let tables = keys.remove("tables").map(|tables| serde_json::from_str(tables.get())).transpose().map_err(bad)?;
        Ok(Pull { keys, tables: tables.flatten(), remember: None, unnamed: false })
    }

    /// A request of its own: the tables, None for all that may be read, a cursor's JSON, and who asks.
    pub fn new(tables: Option<Vec<String>>, since: Option<&str>, node: Option<&str>) -> Result<Pull> {
        let mut keys = BTreeMap::new();
        let mut put = |key: &str, json: String| -> Result<()> {
            let raw = RawValue::from_string(json).map_err(|e| Refusal::bad(format!("{key}: {e}")))?;
            keys.insert(key.to_owned(), raw);
            Ok(())
        };
        if let Some(since) = since {
            put("since", since.to_owned())?;
        }
        if let Some(node) = node {
            put("node_id", serde_json::Value::from(node).to_string())?;
        }
        Ok(Pull { keys, tables, remember: None, unnamed: node.is_none() })
    }

    /// The database does not note who asks: the cursor is where the hub has sent to, not what the client has.
    pub fn unremembered(mut self) -> Pull {
        self.remember = Some(false);
        self
    }

    /// What to ask the database, which has these tables; refused when it is not in the scope.
    pub fn within(self, scope: &Scope, counters: Counters, catalog: &Arc<Catalog>) -> Result<Question> {
        let Pull { mut keys, tables, remember, unnamed } = self;
        let tables = scope.to_read(tables, catalog)?;
        // Without tables it reads all that there are, of which none has a filter.
        let filter = scope.filters(tables.as_deref().unwrap_or_default());
        if let Some(tables) = tables {
            keys.insert("tables".to_owned(), raw(&tables)?);
        }
        let counters = match counters {
            Counters::Totals => None,
            // Whose own counter parts would stay out is not known: all do, and its pulls bring the others'.
            Counters::Operations if unnamed => Some("none"),
            Counters::Operations => Some("operations"),
        };
        let options = raw(&Options { filter: &filter, counters, remember })?;
        let within = scope.has_filters().then(|| (filter, Arc::clone(catalog)));
        Ok(Question { request: raw(&keys)?.get().to_owned(), options: options.get().to_owned(), within })
    }
}

fn raw(value: &impl Serialize) -> Result<Box<RawValue>> {
    serde_json::value::to_raw_value(value).map_err(|e| Refusal::internal(e.to_string()))
}

impl Question {
    /// What tells this question from others.
    pub fn text(&self) -> String {
        format!("{}\n{}", self.request, self.options)
    }

    /// The answer of `crdt_pull`.
    pub fn ask(&self, conn: &Connection) -> Result<String> {
        let mut pull = conn.prepare_cached("SELECT crdt_pull(?1, ?2)")?;
        let answer = pull.query_row([&self.request, &self.options], |row| row.get(0));
        let Some((filters, catalog)) = &self.within else { return Ok(answer?) };
        // A table that has just got another name would have been read without its filter.
        if Catalog::read(conn)? != **catalog {
            return Err(Refusal::busy("the tables have just changed; try again"));
        }
        if answer.is_err() {
            for (table, expr) in filters {
                inside::Question::new(conn, table, expr)?;
            }
        }
        Ok(answer?)
    }
}

/// Brings a pull within its scope and asks.
pub fn pull(conn: &Connection, pull: Pull, scope: &Scope, counters: Counters) -> Result<String> {
    pull.within(scope, counters, &Arc::new(Catalog::read(conn)?))?.ask(conn)
}

/// The last row of the log; None in a database where no table was ever enabled.
pub fn log_end(conn: &Connection) -> Result<Option<i64>> {
    let known =
        conn.query_row("SELECT 1 FROM main.sqlite_schema WHERE name = '_crdt_log'", [], |_| Ok(())).optional()?;
    match known {
        Some(()) => Ok(conn.query_row("SELECT max(seq) FROM main._crdt_log", [], |row| row.get(0))?),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enabled() -> Arc<Catalog> {
        Arc::new(Catalog::of(&[(1, "secrets"), (2, "tasks")]))
    }

    fn ann() -> Scope {
        let filter = BTreeMap::from([("tasks".to_owned(), "owner = 'ann'".to_owned())]);
        Scope::new(vec!["tasks".to_owned()], Vec::new(), filter)
    }

    #[test]
    fn a_request_passes_as_it_came() {
        let sent = r#"{"node_id":"phone","since":{"ts":1795208132433098001,"c":2,"node":"hub~1f.ab"},"x":1.50}"#;
        let question = Pull::read(sent).unwrap().within(&Scope::all(), Counters::Totals, &enabled()).unwrap();
        assert_eq!(question.request, sent);
        assert_eq!(question.options, "{}");
    }

    #[test]
    fn a_scope_names_tables_and_filters() {
        let question =
            Pull::read(r#"{"tables":null}"#).unwrap().within(&ann(), Counters::Operations, &enabled()).unwrap();
        assert_eq!(question.request, r#"{"tables":["tasks"]}"#);
        assert_eq!(question.options, r#"{"filter":{"tasks":"owner = 'ann'"},"counters":"operations"}"#);
    }

    #[test]
    fn another_table_is_refused() {
        let asked = Pull::read(r#"{"tables":["tasks","Secrets"]}"#).unwrap();
        assert_eq!(asked.within(&ann(), Counters::Totals, &enabled()).err().unwrap().status, 403);
        for bad in ["", "[]", "{\"tables\":1}", "null", "{\"tables\":\"tasks\"}"] {
            assert_eq!(Pull::read(bad).err().unwrap().status, 400, "{bad}");
        }
    }
}
