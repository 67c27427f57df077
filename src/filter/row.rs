//! Whether a filter holds for a record: SQLite evaluates it over the record's row, or over its state where no row is.

use crate::error::{Error, Result};
use crate::ffi::ValueRef;
use crate::key::Pk;
use crate::row;
use crate::schema::shape::Affinity;
use crate::schema::{Form, Table};
use crate::sql::{ident, list};
use crate::store::Store;

/// A filter's SQL for one table.
pub struct Question {
    /// Over the row, its key in the parameters.
    live: String,
    /// Over values in the parameters, key, then tracked columns: what stands before them and after.
    bound: (String, String),
}

impl Question {
    /// The SQL of `expr`. It sees the key and the tracked columns only: of others nothing would tell that they changed.
    ///
    /// # Errors
    /// It does not fit the table, as after a column was renamed.
    pub fn new(store: &Store<'_>, table: &Table, expr: &str) -> Result<Question> {
        let form = table.form(store.conn)?;
        let (name, columns) = (ident(&form.shape.name), columns(form));
        let from = list(columns.iter().map(|c| ident(c)));
        let key = row::key_condition(form);
        let question = Question {
            live: format!(
                "SELECT CASE WHEN ({expr}) THEN 1 ELSE 0 END FROM (SELECT {from} FROM main.{name} WHERE {key}) AS {name}"
            ),
            // A compound has the columns of its first SELECT, with their affinity and collation. DISTINCT and LIMIT keep
            // SQLite from taking it apart.
            bound: (
                format!(
                    "SELECT DISTINCT CASE WHEN ({expr}) THEN 1 ELSE 0 END FROM (SELECT {from} FROM main.{name} WHERE 0 \
                     UNION ALL SELECT "
                ),
                format!(" LIMIT 1) AS {name}"),
            ),
        };
        // Prepared anew: what was prepared before a change of the schema would fail only at its first step.
        store.conn.db.prepare(&question.live)?;
        Ok(question)
    }

    /// Whether the record is alive and the filter holds for it. An expression that fails for a row does not hold.
    pub fn holds(&self, store: &Store<'_>, table: &Table, pk: &Pk) -> Result<bool> {
        let Some(record) = store.load(table, pk)?.filter(|record| record.alive()) else { return Ok(false) };
        let form = table.form(store.conn)?;
        let key = pk.decode(&form.shape.classes);
        // A disabled table may hold anything by now, and the row of a record that waits is not what is told of it: they have kept
        // their values.
        let is_row = table.captured && !crate::pending::has(store, table.id, pk)?;
        if let (Some(key), true) = (&key, is_row) {
            let key: Vec<ValueRef<'_>> = key.iter().map(|value| value.as_ref()).collect();
            if let Some(holds) = answer(store, &self.live, &key)? {
                return Ok(holds);
            }
        }
        let Some(key) = key else { return Ok(false) };
        let cells: Vec<_> = form.tracked.iter().map(|tracked| row::shown(&record, tracked)).collect();
        let values: Vec<ValueRef<'_>> = key
            .iter()
            .map(|value| value.as_ref())
            .chain(cells.iter().map(|cell| cell.as_ref().map_or(ValueRef::Null, |value| value.as_ref())))
            .collect();
        let affinities = form.shape.key.iter().map(|key| form.shape.column(key).map(|column| column.affinity));
        let affinities = affinities.chain(form.tracked.iter().map(|tracked| Some(tracked.column.affinity)));
        let marks =
            list(affinities.zip(&values).enumerate().map(|(i, (affinity, value))| mark(i + 1, affinity, *value)));
        let (before, after) = &self.bound;
        Ok(answer(store, &format!("{before}{marks}{after}"), &values)?.unwrap_or(false))
    }
}

/// A parameter for a column. Values that the column would leave as they are get a cast to what they are: newer versions of
/// SQLite drop a compound's affinity where one of its values may be of any type.
fn mark(i: usize, affinity: Option<Affinity>, value: ValueRef<'_>) -> String {
    match (affinity, value) {
        (Some(Affinity::Text), ValueRef::Text(_) | ValueRef::Null) => format!("CAST(?{i} AS TEXT)"),
        (
            Some(Affinity::Integer | Affinity::Real | Affinity::Numeric),
            ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Null,
        ) => format!("CAST(?{i} AS NUMERIC)"),
        _ => format!("?{i}"),
    }
}

/// The columns that a filter can name.
fn columns(form: &Form) -> Vec<&str> {
    let tracked = form.tracked.iter().map(|tracked| tracked.column.name.as_str());
    form.shape.key.iter().map(String::as_str).chain(tracked).collect()
}

/// The answer; None without a row.
fn answer(store: &Store<'_>, sql: &str, values: &[ValueRef<'_>]) -> Result<Option<bool>> {
    let mut stmt = store.conn.stmt(sql)?;
    stmt.bind_all(values)?;
    match stmt.step() {
        Ok(false) => Ok(None),
        Ok(true) => Ok(Some(stmt.i64(0) == Some(1))),
        Err(e) if crate::apply::is_refusal(&e) => Ok(Some(false)),
        Err(e) => Err(e),
    }
}

/// Checks the expression of a filter of `table` before it is used for the first time.
pub fn check(store: &Store<'_>, table: &Table, expr: &str) -> Result<()> {
    let names = super::expression::check(expr)?;
    let form = table.form(store.conn)?;
    let columns = columns(form);
    let is_known = |name: &String| {
        name.eq_ignore_ascii_case(&form.shape.name) || columns.iter().any(|column| column.eq_ignore_ascii_case(name))
    };
    if let Some(name) = names.iter().find(|name| !is_known(name)) {
        let name = crate::error::excerpt(name);
        return Err(Error::caller(format!(
            "'{name}' in the expression is neither key nor tracked column of '{}'; strings have single quotes",
            form.shape.name
        )));
    }
    let unfit = |e: Error| {
        Error::caller(format!(
            "the expression does not fit '{}' ({}); it is over the key and the tracked columns, with functions that are \
             deterministic",
            form.shape.name,
            e.message()
        ))
    };
    // What SQLite takes in a partial index is deterministic and reads the row alone. It is prepared, not run.
    let column = form.shape.key.first().map_or_else(String::new, |key| ident(key));
    let (name, index) = (ident(&form.shape.name), "_crdt_filter_check");
    let probe = format!("CREATE INDEX main.{index} ON {name}({column}) WHERE ({expr})");
    store.conn.db.prepare(&probe).map_err(unfit)?;
    Question::new(store, table, expr).map(|_| ()).map_err(unfit)
}
