//! The application's rows: read and written by key.

use std::rc::Rc;

use crate::conn::Conn;
use crate::error::Result;
use crate::ffi::{Value, ValueRef};
use crate::key::{KeyClass, Pk};
use crate::record::Record;
use crate::schema::{Form, Tracked};
use crate::sql::{ident, list};
use crate::types::Type;

/// SQL condition that names one row, its key values in the parameters from 1 on: by type and bytes, also where the
/// column's collation or affinity would find others equal.
pub fn key_condition(form: &Form) -> String {
    key_condition_of(form, "")
}

/// As [`key_condition`], the columns' names after `prefix`.
pub fn key_condition_of(form: &Form, prefix: &str) -> String {
    key_is(form, prefix, |i| format!("?{}", i + 1))
}

/// As [`key_condition_of`], the key's values as `value` writes them.
fn key_is(form: &Form, prefix: &str, value: impl Fn(usize) -> String) -> String {
    let exact = |(i, key): (usize, &String)| {
        let (k, p) = (format!("{prefix}{}", ident(key)), value(i));
        if form.shape.rowid_alias {
            format!("{k} = {p} AND typeof({p}) = 'integer'")
        } else {
            format!("{k} = {p} AND {k} = {p} COLLATE BINARY AND typeof({k}) = typeof({p})")
        }
    };
    form.shape.key.iter().enumerate().map(exact).collect::<Vec<_>>().join(" AND ")
}

/// Joins rows to the records of a batch, whose key is one column: by value where that finds one row at most. [`crate::found`] looks whether its
/// key is of the same type.
fn key_found(form: &Form) -> String {
    match (form.shape.collates, form.shape.key.as_slice()) {
        (false, [key]) => format!("r.{} = c.pk", ident(key)),
        _ => key_is(form, "r.", |_| "c.pk".to_owned()),
    }
}

/// A statement on a table's rows.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Text {
    /// Whether a row exists.
    Exists,
    /// A row's tracked columns.
    Read,
    /// A record's clock, its key where there is a row, the row's tracked columns; the second parameter is the table's number.
    Whole,
    /// The same of the records of a batch, before it the table's number where the record is known; the parameter is that number.
    Found,
    /// The key of one column and the rowid of each row from a key on, in the order of the keys.
    Rowids,
    /// Key and tracked columns of each row from a key on, in the order of the keys.
    InOrder,
    /// Rowid and tracked columns of the rows whose rowids are in a batch, in its order.
    ByRowid,
    /// A new row with these tracked columns.
    Insert(Vec<usize>),
    /// The same, ignored where it cannot be: only its triggers matter.
    Probe(Vec<usize>),
    /// The rows of a batch: the key, then all tracked columns.
    Batch(bool),
    /// New values of these tracked columns, in rows whose keys come first in a batch.
    Renew(Vec<usize>, bool),
    /// New values of these tracked columns.
    Update(Vec<usize>),
    /// A row's end.
    Delete,
}

/// The SQL of a statement, written the first time.
fn text(form: &Form, what: Text) -> Rc<str> {
    if let Some(text) = form.texts.borrow().get(&what) {
        return Rc::clone(text);
    }
    let text: Rc<str> = Rc::from(write(form, &what));
    form.texts.borrow_mut().insert(what, Rc::clone(&text));
    text
}

fn write(form: &Form, what: &Text) -> String {
    let (table, key, n) = (ident(&form.shape.name), key_condition(form), form.shape.key.len());
    let (columns, rule) = (|cells: &[usize]| columns(form, cells), rule(form));
    match what {
        Text::Exists => format!("SELECT 1 FROM main.{table} WHERE {key}"),
        Text::Read => {
            let all = list(form.tracked.iter().map(|t| ident(&t.column.name)));
            format!("SELECT {} FROM main.{table} WHERE {key}", if all.is_empty() { "1" } else { &all })
        }
        Text::Whole | Text::Found => {
            let columns = form.shape.key.iter().chain(form.tracked.iter().map(|t| &t.column.name));
            let columns = list(columns.map(|column| format!("r.{}", ident(column))));
            let (known, key, from, which) = match what {
                Text::Whole => ("", key_condition_of(form, "r."), "", " WHERE c.t = ?2 AND c.pk = ?1"),
                _ => ("c.t, ", key_found(form), "main._crdt_batch b LEFT JOIN ", ""),
            };
            let on = if which.is_empty() { " ON c.t = ?1 AND c.pk = b.c0" } else { "" };
            format!(
                "SELECT {known}c.g, c.ts, c.c, c.n, c.x, {columns}
                 FROM {from}main._crdt_clock c{on} LEFT JOIN main.{table} r ON {key}{which}"
            )
        }
        Text::Renew(cells, bold) => {
            let sets = list(columns(cells).iter().enumerate().map(|(i, c)| format!("{c} = b.c{}", i + 1)));
            // The rows are known to be there: where the key's own collation finds one, it is the one.
            let key = list(form.shape.key.iter().map(|key| format!("r.{} = b.c0", ident(key))));
            let rule = if *bold { BOLD } else { rule };
            format!("UPDATE{rule} main.{table} AS r SET {sets} FROM main._crdt_batch b WHERE {key}")
        }
        Text::Rowids => {
            let (key, rowid) =
                (list(form.shape.key.iter().map(|k| ident(k))), form.shape.rowid_name().unwrap_or("rowid"));
            let key = format!("{key} COLLATE BINARY");
            format!("SELECT {key}, {rowid} FROM main.{table} WHERE {key} >= ?2 ORDER BY {key}")
        }
        Text::InOrder => {
            let key = list(form.shape.key.iter().map(|k| format!("k.{} COLLATE BINARY", ident(k))));
            // The index alone is gone through, whatever SQLite knows of the table.
            let (r, join) = match form.shape.rowid_name().filter(|_| !form.shape.rowid_alias) {
                Some(rowid) => ("r", format!(" CROSS JOIN main.{table} r ON r.{rowid} = k.{rowid}")),
                None => ("k", String::new()),
            };
            let columns: String = form.tracked.iter().map(|t| format!(", {r}.{}", ident(&t.column.name))).collect();
            format!("SELECT {key}{columns} FROM main.{table} k{join} WHERE {key} >= ?2 ORDER BY {key}")
        }
        Text::ByRowid => {
            let rowid = form.shape.rowid_name().unwrap_or("rowid");
            let columns: String = form.tracked.iter().map(|t| format!(", r.{}", ident(&t.column.name))).collect();
            format!("SELECT r.{rowid}{columns} FROM main._crdt_batch b CROSS JOIN main.{table} r ON r.{rowid} = b.c0")
        }
        Text::Batch(bold) => {
            let names =
                list(form.shape.key.iter().chain(form.tracked.iter().map(|t| &t.column.name)).map(|name| ident(name)));
            let places = list((0..=form.tracked.len()).map(|i| format!("c{i}")));
            let rule = if *bold { BOLD } else { rule };
            format!("INSERT{rule} INTO main.{table}({names}) SELECT {places} FROM main._crdt_batch")
        }
        Text::Insert(cells) => insert_of(form, rule, columns(cells)),
        Text::Probe(cells) => insert_of(form, " OR IGNORE", columns(cells)),
        Text::Update(cells) => {
            let sets = list(columns(cells).iter().enumerate().map(|(i, c)| format!("{c} = ?{}", n + i + 1)));
            format!("UPDATE{rule} main.{table} SET {sets} WHERE {key}")
        }
        Text::Delete => format!("DELETE FROM main.{table} WHERE {key}"),
    }
}

/// An INSERT of the key and further columns, quoted.
fn insert_of(form: &Form, rule: &str, more: Vec<String>) -> String {
    let marks = list((1..=form.shape.key.len() + more.len()).map(|i| format!("?{i}")));
    let names = list(form.shape.key.iter().map(|k| ident(k)).chain(more));
    format!("INSERT{rule} INTO main.{}({names}) VALUES ({marks})", ident(&form.shape.name))
}

/// The rule under which SQLite keeps no journal of a statement, as it need not take back what the statement did before it was refused.
const BOLD: &str = " OR FAIL";

/// A constraint's own conflict rule (ON CONFLICT REPLACE) must not remove other rows.
fn rule(form: &Form) -> &'static str {
    if form.shape.own_conflict_rule {
        " OR ABORT"
    } else {
        ""
    }
}

/// The quoted names of tracked columns.
fn columns(form: &Form, cells: &[usize]) -> Vec<String> {
    cells.iter().filter_map(|i| form.tracked.get(*i)).map(|t| ident(&t.column.name)).collect()
}

fn values<'v>(key: &'v [Value], cells: &'v [(usize, Value)]) -> Vec<ValueRef<'v>> {
    key.iter().chain(cells.iter().map(|(_, value)| value)).map(Value::as_ref).collect()
}

fn places(cells: &[(usize, Value)]) -> Vec<usize> {
    cells.iter().map(|(i, _)| *i).collect()
}

/// Whether the row exists.
pub fn exists(conn: &Conn, form: &Form, pk: &Pk) -> Result<bool> {
    let Some(key) = pk.decode(&form.shape.classes) else { return Ok(false) };
    Ok(conn.int(&text(form, Text::Exists), &values(&key, &[]))?.is_some())
}

/// Whether a row's tracked column `i` holds what the column's affinity makes of `value`.
pub fn holds(conn: &Conn, form: &Form, key: &[Value], i: usize, value: &Value) -> Result<bool> {
    let Some(tracked) = form.tracked.get(i) else { return Ok(false) };
    // A comparison gives the other side the column's affinity: https://sqlite.org/datatype3.html#type_conversions_prior_to_comparison
    let sql = format!(
        "SELECT 1 FROM main.{} WHERE {} AND {} IS ?{} COLLATE BINARY",
        ident(&form.shape.name),
        key_condition(form),
        ident(&tracked.column.name),
        key.len() + 1
    );
    Ok(conn.int(&sql, &values(key, std::slice::from_ref(&(i, value.clone()))))?.is_some())
}

/// The values of the tracked columns, in their order; None when there is no such row.
pub fn read(conn: &Conn, form: &Form, pk: &Pk) -> Result<Option<Vec<Value>>> {
    let Some(key) = pk.decode(&form.shape.classes) else { return Ok(None) };
    let mut row = conn.stmt(&text(form, Text::Read))?;
    row.bind_all(&values(&key, &[]))?;
    if !row.step()? {
        return Ok(None);
    }
    Ok(Some((0..form.tracked.len()).map(|i| row.column(i).to_value()).collect()))
}

/// The SQL that reads a record's clock and its row at once, for tables whose key is one column.
pub fn whole(form: &Form) -> Rc<str> {
    text(form, Text::Whole)
}

/// The same for the records of a batch.
pub fn found(form: &Form) -> Rc<str> {
    text(form, Text::Found)
}

/// The SQL that gives `cells` of the rows of a batch new values, for tables whose key is one column.
/// Where one is refused, `bold` leaves those before it written.
pub fn renew_batch(form: &Form, cells: Vec<usize>, bold: bool) -> Rc<str> {
    text(form, Text::Renew(cells, bold))
}

/// The SQL that goes through the keys and rowids of a table; None where no index has its keys in the order of their bytes.
pub fn rowids(conn: &Conn, form: &Form) -> Result<Option<Rc<str>>> {
    let shape = &form.shape;
    let has = !shape.rowid_alias && shape.rowid_name().is_some() && is_bytewise(conn, form)?;
    Ok(has.then(|| text(form, Text::Rowids)))
}

/// The SQL that goes through the keys and tracked columns of a table; None where it has not its keys in the order of their bytes.
pub fn in_order(conn: &Conn, form: &Form) -> Result<Option<Rc<str>>> {
    let shape = &form.shape;
    let has = shape.rowid_alias || ((shape.without_rowid || shape.rowid_name().is_some()) && is_bytewise(conn, form)?);
    Ok(has.then(|| text(form, Text::InOrder)))
}

/// Whether the index of a key of one column has it in the order of its bytes.
fn is_bytewise(conn: &Conn, form: &Form) -> Result<bool> {
    let sql = "SELECT 1 FROM pragma_index_list(?1, 'main') l JOIN pragma_index_xinfo(l.name, 'main') x
               WHERE l.origin = 'pk' AND x.seqno = 0 AND x.coll = 'BINARY'";
    Ok(form.shape.key.len() == 1 && conn.int(sql, &[form.shape.name.as_str().into()])?.is_some())
}

/// The SQL that reads rows by a batch of rowids.
pub fn by_rowid(form: &Form) -> Rc<str> {
    text(form, Text::ByRowid)
}

/// Inserts a row with `cells` (column index in `form.tracked`, value); other columns get their defaults.
pub fn insert(conn: &Conn, form: &Form, key: &[Value], cells: &[(usize, Value)]) -> Result<()> {
    spelled(conn, form, key, cells)?;
    let sql = text(form, Text::Insert(places(cells)));
    let write = || inserted(conn, form, || conn.run(&sql, &values(key, cells)));
    written(conn.rollbacks.watch(conn, form, key, write)?)
}

/// Runs an INSERT. One that is refused leaves its count of broken deferred keys behind where no trigger is on: SQLite keeps no
/// journal of it then.
fn inserted(conn: &Conn, form: &Form, insert: impl FnOnce() -> Result<i64>) -> Result<i64> {
    let late = !conn.put_off.get() && conn.foreign.borrow().is_late_in(&form.shape.name);
    match late {
        true => conn.savepoint("crdt_row", insert),
        false => insert(),
    }
}

/// As [`insert`], with values of further columns.
pub fn insert_with(
    conn: &Conn,
    form: &Form,
    key: &[Value],
    cells: &[(usize, Value)],
    rest: &[(String, Value)],
) -> Result<()> {
    spelled(conn, form, key, cells)?;
    let more = columns(form, &places(cells)).into_iter().chain(rest.iter().map(|(name, _)| name.clone()));
    let sql = insert_of(form, rule(form), more.collect());
    let all: Vec<ValueRef<'_>> =
        values(key, cells).into_iter().chain(rest.iter().map(|(_, value)| value.as_ref())).collect();
    written(conn.rollbacks.watch(conn, form, key, || inserted(conn, form, || conn.run_once(&sql, &all)))?)
}

/// The SQL that inserts the rows of a batch: the key of one column, then all tracked columns. Where one is refused, `bold` leaves
/// those before it inserted.
pub fn insert_batch(form: &Form, bold: bool) -> Rc<str> {
    text(form, Text::Batch(bold))
}

/// As [`insert`], ignored where the row cannot be: for what the triggers before it note.
pub fn probe(conn: &Conn, form: &Form, key: &[Value], cells: &[(usize, Value)]) -> Result<()> {
    conn.run(&text(form, Text::Probe(places(cells))), &values(key, cells))?;
    Ok(())
}

/// Updates `cells` of a row.
pub fn update(conn: &Conn, form: &Form, key: &[Value], cells: &[(usize, Value)]) -> Result<()> {
    if cells.is_empty() {
        return Ok(());
    }
    if conn.foreign.borrow().is_tree(&form.shape.name) {
        let mut row = conn.stmt(&text(form, Text::Read))?;
        row.bind_all(&values(key, &[]))?;
        if row.step()? {
            let new = |i: usize| cells.iter().find(|(place, _)| *place == i).map(|(_, value)| value.clone());
            let whole = (0..form.tracked.len()).map(|i| (i, new(i).unwrap_or_else(|| row.column(i).to_value())));
            spelled(conn, form, key, &whole.collect::<Vec<_>>())?;
        }
    }
    let sql = text(form, Text::Update(places(cells)));
    conn.rollbacks.watch(conn, form, key, || conn.run(&sql, &values(key, cells)))?;
    Ok(())
}

/// As [`update`], by a statement that is not kept.
pub fn update_once(conn: &Conn, form: &Form, key: &[Value], cells: &[(usize, Value)]) -> Result<()> {
    if cells.is_empty() {
        return Ok(());
    }
    let sql = text(form, Text::Update(places(cells)));
    conn.rollbacks.watch(conn, form, key, || conn.run_once(&sql, &values(key, cells)))?;
    Ok(())
}

/// Deletes a row.
pub fn delete(conn: &Conn, form: &Form, key: &[Value]) -> Result<()> {
    let sql = text(form, Text::Delete);
    written(conn.rollbacks.watch(conn, form, key, || conn.run(&sql, &values(key, &[])))?)
}

/// Refuses a row that names itself as its parent in another spelling.
fn spelled(conn: &Conn, form: &Form, key: &[Value], cells: &[(usize, Value)]) -> Result<()> {
    const FOREIGN_KEY: i32 = 787;
    match conn.foreign.borrow().misspells_itself(conn, form, key, cells)? {
        true => Err(crate::error::Error::sqlite(FOREIGN_KEY, crate::foreign::FAILED)),
        false => Ok(()),
    }
}

/// RAISE(IGNORE) drops a write without an error.
fn written(rows: i64) -> Result<()> {
    match rows {
        0 => Err(crate::error::Error::sqlite(19, "a trigger of the application ignored the row")),
        _ => Ok(()),
    }
}

/// Whether a table with these key columns can only give back the key that it was given.
pub fn key_is_exact(classes: &[KeyClass], key: &[Value]) -> bool {
    classes.iter().zip(key).all(|pair| match pair {
        (KeyClass::Text, Value::Text(text)) => crate::value::has_all_forms(text),
        (KeyClass::Integer, Value::Integer(_)) | (KeyClass::Text, Value::Blob(_)) => true,
        _ => false,
    })
}

/// What a column shows of a record's state; None for a lww field without state, or whose value the live cell holds.
pub fn shown(record: &Record, tracked: &Tracked) -> Option<Value> {
    match tracked.ty {
        Type::Lww => {
            let saved = record.lww.get(&tracked.field)?.saved.as_deref()?;
            crate::value::decode(saved).ok()
        }
        Type::Counter => Some(match record.sum(tracked.field) {
            Some(sum) => Value::Integer(crate::types::counter::shown(sum)),
            None if tracked.column.not_null => Value::Integer(0),
            None => Value::Null,
        }),
        Type::Set => {
            let text = crate::types::set::column_text(record.elements(tracked.field).into_iter());
            Some(Value::Text(text.into_bytes()))
        }
    }
}

/// Whether a cell holds as little as a counter or set that nobody has written: a column that was added begins with its
/// default, 0 or NULL.
pub fn is_bare(record: &Record, tracked: &Tracked, cell: &Value) -> bool {
    match tracked.ty {
        Type::Lww => false,
        Type::Counter => *cell == Value::Integer(0) && record.sum(tracked.field).is_none(),
        Type::Set => *cell == Value::Null && record.elements(tracked.field).is_empty(),
    }
}

/// The keys of all rows.
pub fn keys(conn: &Conn, form: &Form) -> Result<Vec<Pk>> {
    let columns = list(form.shape.key.iter().map(|k| ident(k)));
    let mut rows = conn.stmt(&format!("SELECT {columns} FROM main.{}", ident(&form.shape.name)))?;
    let mut all = Vec::new();
    while rows.step()? {
        let values: Vec<ValueRef<'_>> = (0..form.shape.key.len()).map(|i| rows.column(i)).collect();
        all.push(Pk::encode(&form.shape.classes, &values));
    }
    Ok(all)
}
