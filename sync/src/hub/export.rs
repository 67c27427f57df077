//! Asks the database for changes, within a token's scope.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::catalog::Catalog;
use super::dialect::Counters;
use super::errors::{Refusal, Result};
use super::inside;
use super::place::Place;
use super::scope::Scope;

/// Bytes of a page, about, for those that go on while there is more; each has a record at least.
pub const PAGE: usize = 4 << 20;
/// Bytes of a page for those that may come back for the next one only when their time has come.
const LONG_PAGE: usize = 16 << 20;

/// The options of `crdt_pull`.
#[derive(Clone, Serialize)]
struct Options {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    filter: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    counters: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remember: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<usize>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    end: bool,
}

/// A pull as a client sent it: its keys, their JSON as it came.
pub struct Pull {
    keys: BTreeMap<String, Box<RawValue>>,
    tables: Option<Vec<String>>,
    remember: Option<bool>,
    /// A stream of nobody in particular.
    unnamed: bool,
    /// Only what comes from here on.
    end: bool,
}

/// A pull within its scope: what `crdt_pull` is called with.
#[derive(Clone)]
pub struct Question {
    request: String,
    options: Options,
    /// The tables in which those with a filter were looked up.
    catalog: Option<Arc<Catalog>>,
}

impl Pull {
    /// Reads a request.
    pub fn read(json: &str) -> Result<Pull> {
        let bad = |e| Refusal::bad(format!("not a pull request {{\"tables\",\"since\",\"node_id\"}}: {e}"));
        let mut keys: BTreeMap<String, Box<RawValue>> = serde_json::from_str(json).map_err(bad)?;
        let tables = keys.remove("tables").map(|tables| serde_json::from_str(tables.get())).transpose().map_err(bad)?;
        Ok(Pull { keys, tables: tables.flatten(), remember: None, unnamed: false, end: false })
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
        Ok(Pull { keys, tables, remember: None, unnamed: node.is_none(), end: false })
    }

    /// How long a page may be. Who limits its pages knows that there are more.
    pub fn page_bytes(&self) -> usize {
        let limited = self.keys.get("limit").is_some_and(|limit| limit.get() != "null");
        if limited {
            PAGE
        } else {
            LONG_PAGE
        }
    }

    /// Who asks.
    pub fn node(&self) -> Option<String> {
        self.keys.get("node_id").and_then(|node| serde_json::from_str(node.get()).ok())
    }

    /// The database does not note who asks: the cursor is where the hub has sent to, not what the client has.
    pub fn unremembered(mut self) -> Pull {
        self.remember = Some(false);
        self
    }

    /// Nothing of what was: the answer is where the log ends.
    pub fn at_end(mut self) -> Pull {
        self.end = true;
        self
    }

    /// What to ask the database, which has these tables; refused when it is not in the scope.
    pub fn within(self, scope: &Scope, counters: Counters, catalog: &Arc<Catalog>) -> Result<Question> {
        let Pull { mut keys, tables, remember, unnamed, end } = self;
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
        let options = Options { filter, counters, remember, bytes: None, end };
        let catalog = scope.has_filters().then(|| Arc::clone(catalog));
        Ok(Question { request: raw(&keys)?.get().to_owned(), options, catalog })
    }
}

fn raw(value: &impl Serialize) -> Result<Box<RawValue>> {
    serde_json::value::to_raw_value(value).map_err(|e| Refusal::internal(e.to_string()))
}

impl Question {
    /// What tells this question from others.
    pub fn text(&self) -> String {
        format!("{}\n{}", self.request, serde_json::json!(self.options))
    }

    /// The same, little of it, from where the answer has come to that was given.
    pub fn little(&self, answer: &str) -> Result<Question> {
        #[derive(Deserialize)]
        struct Reached<'a> {
            #[serde(borrow)]
            latest_hlc: &'a RawValue,
        }
        let mut keys: BTreeMap<String, Box<RawValue>> =
            serde_json::from_str(&self.request).map_err(|e| Refusal::internal(e.to_string()))?;
        // Any time will do without one; at the beginning the log would be pruned first.
        let since = match serde_json::from_str(answer) {
            Ok(Reached { latest_hlc }) => latest_hlc.to_owned(),
            Err(_) => raw(&Place { ts: 1, ..Place::default() })?,
        };
        keys.insert("since".to_owned(), since);
        keys.insert("limit".to_owned(), raw(&1)?);
        let options = Options { remember: Some(false), end: false, ..self.options.clone() };
        Ok(Question { request: raw(&keys)?.get().to_owned(), options, catalog: self.catalog.clone() })
    }

    /// The answer of `crdt_pull`, of about so many bytes.
    pub fn ask(&self, conn: &Connection, bytes: usize) -> Result<String> {
        let options = raw(&Options { bytes: Some(bytes), ..self.options.clone() })?;
        let mut pull = conn.prepare_cached("SELECT crdt_pull(?1, ?2)")?;
        let answer = pull.query_row([&*self.request, options.get()], |row| row.get(0));
        let Some(catalog) = &self.catalog else { return Ok(answer?) };
        // A table that has just got another name would have been read without its filter.
        if Catalog::read(conn)? != **catalog {
            return Err(Refusal::busy("the tables have just changed; try again"));
        }
        if answer.as_ref().is_err_and(is_error) {
            for (table, expr) in &self.options.filter {
                check_filter(conn, table, expr)?;
            }
        }
        Ok(answer?)
    }
}

/// Whether somebody has made a mistake.
fn is_error(e: &rusqlite::Error) -> bool {
    e.sqlite_error().is_some_and(|e| e.extended_code & 0xff == 1)
}

/// Tells a filter that does not fit from a request that is wrong.
fn check_filter(conn: &Connection, table: &str, expr: &str) -> Result<()> {
    if inside::Question::new(conn, table, expr)?.is_some() {
        let request = serde_json::json!({ "tables": [table], "limit": 1 });
        let options = serde_json::json!({ "filter": { table: expr }, "remember": false });
        let mut pull = conn.prepare_cached("SELECT crdt_pull(?1, ?2) IS NULL")?;
        match pull.query_row([request.to_string(), options.to_string()], |row| row.get::<_, bool>(0)) {
            Err(e) if is_error(&e) => return Err(inside::misfit(table, &e)),
            _ => {}
        }
    }
    Ok(())
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
        assert_eq!(serde_json::json!(question.options), serde_json::json!({}));
    }

    #[test]
    fn a_scope_names_tables_and_filters() {
        let question =
            Pull::read(r#"{"tables":null}"#).unwrap().within(&ann(), Counters::Operations, &enabled()).unwrap();
        assert_eq!(question.request, r#"{"tables":["tasks"]}"#);
        assert_eq!(
            serde_json::json!(question.options),
            serde_json::json!({"filter": {"tasks": "owner = 'ann'"}, "counters": "operations"})
        );
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
