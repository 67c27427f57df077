//! `crdt_enable`: from what is asked for and what is there to the SQL that gets there.
//!
//! The SQL stands on its own: `crdt_schema` gives it to people who keep migrations in files. Rows that are there already go
//! into the log as entries of their own, and the fold gives them their stamps below every real write.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::conn::Conn;
use crate::error::{Error, Result};
use crate::record::FieldId;
use crate::schema::defaults;
use crate::schema::fields::Fields;
use crate::schema::install::{Object, Target};
use crate::schema::missed::Missed;
pub use crate::schema::script::install_script;
use crate::schema::script::{Present, Script};
use crate::schema::shape::{Affinity, Column, Shape};
use crate::schema::{purged, Catalog, Field, Kind, Table, Tracked};
use crate::sql::ident;
use crate::types::Type;

/// What `crdt_enable` will do.
pub struct Plan {
    /// The table's name.
    pub table: String,
    /// Tracked columns and their types, in column order.
    pub fields: Vec<(String, Kind)>,
    /// What the user should know.
    pub warnings: Vec<String>,
    /// The statements; empty when everything is as it should be.
    pub script: String,
}

/// One column's type as asked for in `crdt_enable`.
pub struct Request {
    /// The column.
    pub column: String,
    /// Its type; None for `none`.
    pub ty: Option<Type>,
}

/// Reads `column:type`.
pub fn request(text: &str) -> Result<Request> {
    let (column, ty) = text.rsplit_once(':').ok_or_else(|| {
        Error::caller(format!(
            "'{}' is not of the form column:type, such as 'votes:counter'",
            crate::error::excerpt(text)
        ))
    })?;
    Ok(Request { column: column.to_owned(), ty: Type::requested(ty)? })
}

/// The columns that a table's fields are now, as far as its triggers tell.
fn columns(conn: &Conn, known: Option<&Table>) -> Result<BTreeMap<FieldId, String>> {
    let form = known.map(|table| table.form_if_usable(conn)).transpose()?.flatten();
    let tracked = form.iter().flat_map(|form| &form.tracked);
    Ok(tracked.map(|tracked| (tracked.field, tracked.column.name.clone())).collect())
}

/// Works out what there is to do. A `portable` script also makes our tables where they are not there yet.
pub fn plan(conn: &Conn, catalog: Option<&Catalog>, name: &str, requests: &[Request], portable: bool) -> Result<Plan> {
    plan_with(conn, catalog, name, requests, portable, None)
}

/// As [`plan`]; `columns` tells which column each field is now, where the triggers do not.
pub fn plan_with(
    conn: &Conn,
    catalog: Option<&Catalog>,
    name: &str,
    requests: &[Request],
    portable: bool,
    given: Option<BTreeMap<FieldId, String>>,
) -> Result<Plan> {
    if name.to_ascii_lowercase().starts_with("_crdt") {
        return Err(Error::caller("tables whose names begin with _crdt are the extension's own"));
    }
    let shape = Shape::read(conn, name)?;
    check_requests(&shape, requests)?;
    let known = catalog.and_then(|catalog| catalog.by_name(&shape.name)).map(|table| &**table);
    let t = known.map_or_else(|| next_number(conn, catalog), |table| Ok(table.id))?;
    let columns = given.map_or_else(|| columns(conn, known), Ok)?;
    let wishes = wishes(&shape, known, &columns, requests)?;
    let fields = Fields::new(known, &columns, &wishes);
    let tracked = fields.tracked(&shape);
    let target = Target { t, shape: &shape, tracked: &tracked };
    let objects = target.objects(conn)?;
    check_view(conn, &target)?;
    check_functions(conn, &tracked)?;
    let view = target.view_name();
    let old = known.and_then(|table| left_view(catalog, table));
    let views: Vec<&str> = [Some(view.as_str()), old.as_deref()].into_iter().flatten().collect();
    let present = present(conn, t, &views)?;
    let missed = known.map_or(Ok(Missed::Nothing), |table| Missed::by(conn, table, &present, &objects))?;
    let whole = same(&present, &objects) && are_there(conn, &target.shared())?;
    let intact = known.is_some() && missed == Missed::Nothing && !fields.changed && whole;
    let mut warnings = warnings(&shape, known, &wishes, requests);
    warnings.extend(defaults::warnings(conn, &wishes)?);
    let mut plan = Plan {
        table: shape.name.clone(),
        fields: wishes.iter().map(|(column, kind)| (column.name.clone(), kind.clone())).collect(),
        warnings,
        script: String::new(),
    };
    if !intact {
        check_rows(conn, &shape, &tracked)?;
        let bare = catalog.is_none();
        plan.script = Script { conn, portable, bare, known, missed, target, fields, present, objects }.write()?;
    }
    Ok(plan)
}

/// A number that no table ever had: cursors name tables by it.
fn next_number(conn: &Conn, catalog: Option<&Catalog>) -> Result<i64> {
    let Some(catalog) = catalog else { return Ok(1) };
    let last = catalog.tables().iter().map(|table| table.id).max().unwrap_or(0);
    Ok(last.max(purged::last_number(conn)?).saturating_add(1))
}

fn check_requests(shape: &Shape, requests: &[Request]) -> Result<()> {
    for (i, request) in requests.iter().enumerate() {
        let name = crate::error::excerpt(&request.column);
        let column = shape
            .column(&request.column)
            .ok_or_else(|| Error::caller(format!("'{}' has no column '{name}'", shape.name)))?;
        if column.key > 0 {
            return Err(Error::caller(format!(
                "'{name}' is part of the primary key; a key is not a field and has no type"
            )));
        }
        if column.generated {
            return Err(Error::caller(format!(
                "'{name}' is a generated column; it follows from others and is not tracked"
            )));
        }
        if requests.iter().take(i).any(|other| other.column.eq_ignore_ascii_case(&request.column)) {
            return Err(Error::caller(format!("'{name}' is named twice")));
        }
        check_type(column, request.ty)?;
    }
    for column in &shape.columns {
        if matches!(column.name.as_str(), "_tombstone" | "_row" | "_left" | "") {
            return Err(Error::caller(format!(
                "a column named '{}' cannot be synced: the name has a meaning of its own",
                column.name
            )));
        }
    }
    Ok(())
}

fn check_type(column: &Column, ty: Option<Type>) -> Result<()> {
    let name = &column.name;
    match ty {
        Some(Type::Counter) if matches!(column.affinity, Affinity::Text | Affinity::Real) => {
            Err(Error::caller(format!("'{name}' cannot be a counter: its declared type does not keep INTEGER values")))
        }
        None if column.not_null && column.default.is_none() => Err(Error::caller(format!(
            "'{name}' is NOT NULL without a default, so rows from other nodes need it: it cannot be none"
        ))),
        _ => Ok(()),
    }
}

/// The type of every trackable column: as asked for, else as it was, else lww.
fn wishes<'s>(
    shape: &'s Shape,
    known: Option<&Table>,
    columns: &BTreeMap<FieldId, String>,
    requests: &[Request],
) -> Result<Vec<(&'s Column, Kind)>> {
    let is_now = |f: &Field, column: &Column| match columns.get(&f.id) {
        Some(name) => f.is_local() && *name == column.name,
        None => f.kind == Kind::None && f.died.is_none() && f.name == column.name,
    };
    let wish = |column: &Column| {
        let asked = requests.iter().find(|r| r.column.eq_ignore_ascii_case(&column.name));
        let was = known.and_then(|table| table.fields.iter().find(|f| is_now(f, column)));
        match (asked, was) {
            (Some(Request { ty: Some(ty), .. }), _) => Kind::Known(*ty),
            (Some(_), _) => Kind::None,
            (None, Some(field)) => field.kind.clone(),
            (None, None) => Kind::Known(Type::Lww),
        }
    };
    Ok(shape.trackable().map(|column| (column, wish(column))).collect())
}

/// The view of the name that the table had before it was renamed, unless that is another table's by now.
pub fn left_view(catalog: Option<&Catalog>, table: &Table) -> Option<String> {
    let others = catalog.map(|catalog| catalog.tables()).unwrap_or_default();
    let other = |t: &&Rc<Table>| t.id != table.id && t.captured && t.name.eq_ignore_ascii_case(&table.listed);
    let left = !table.listed.eq_ignore_ascii_case(&table.name) && !others.iter().any(|t| other(&t));
    left.then(|| format!("_{}_crdt", table.listed))
}

fn warnings(shape: &Shape, known: Option<&Table>, wishes: &[(&Column, Kind)], requests: &[Request]) -> Vec<String> {
    let mut all = Vec::new();
    let fields = known.map(|table| table.fields.as_slice()).unwrap_or_default();
    let lost = |f: &&Field| f.kind == Kind::None && f.died.is_none() && shape.column(&f.name).is_none();
    if let Some(lost) = fields.iter().find(lost) {
        // Columns that are not tracked have no trigger that would tell their new name.
        let asked = |name: &str| requests.iter().any(|r| r.column.eq_ignore_ascii_case(name));
        let fresh = |(column, kind): &&(&Column, Kind)| {
            *kind != Kind::None
                && !asked(&column.name)
                && !fields.iter().any(|f| f.name.eq_ignore_ascii_case(&column.name))
        };
        if let Some((column, _)) = wishes.iter().find(fresh) {
            all.push(format!(
                "'{0}' is new here and is synced from now on, and '{1}', of type none, is gone: if it was renamed, call \
                 crdt_enable with '{0}:none'",
                column.name, lost.name
            ));
        }
    }
    if shape.rowid_alias {
        let what = if shape.autoincrement { "INTEGER PRIMARY KEY AUTOINCREMENT" } else { "INTEGER PRIMARY KEY" };
        all.push(format!(
            "{what}: two nodes that insert without naming a key will mint the same one and write one record; \
             use a random or UUID key for rows that are made apart"
        ));
    }
    all
}

fn check_view(conn: &Conn, target: &Target<'_>) -> Result<()> {
    let name = target.view_name();
    let sql = "SELECT type, sql FROM main.sqlite_schema WHERE name = ?1 COLLATE NOCASE";
    let other = conn.first(sql, &[name.as_str().into()], |row| {
        row.text(0) != Some("view") || !row.text(1).unwrap_or_default().contains("crdt_shadow")
    })?;
    if other == Some(true) {
        return Err(Error::caller(format!(
            "'{name}' exists and is not ours; rename it: the name is needed for the readable view"
        )));
    }
    Ok(())
}

/// The triggers of a set column call SQLite's `json_tree`, which a table or view of that name hides.
fn check_functions(conn: &Conn, tracked: &[Tracked]) -> Result<()> {
    let hidden =
        "SELECT 1 FROM main.sqlite_schema WHERE type IN ('table', 'view') AND name = 'json_tree' COLLATE NOCASE";
    match tracked.iter().any(|tracked| tracked.ty == Type::Set) && conn.int(hidden, &[])?.is_some() {
        true => Err(Error::caller(
            "'json_tree' is a table or view of this database, and hides SQLite's function of that name, by which writes of set columns \
             are checked; rename it",
        )),
        false => Ok(()),
    }
}

/// Existing rows must be ones that the triggers would have let in. One pass over the table when they are.
fn check_rows(conn: &Conn, shape: &Shape, tracked: &[Tracked]) -> Result<()> {
    let mut refused: Vec<(String, String)> = Vec::new();
    let nullable = |key: &&String| shape.column(key).is_some_and(|c| !c.not_null) && !shape.without_rowid;
    for key in shape.key.iter().filter(|_| !shape.rowid_alias).filter(nullable) {
        let why = format!("'{}' has rows whose key column '{key}' is NULL; give them a key first", shape.name);
        refused.push((format!("{} IS NULL", ident(key)), why));
    }
    for t in tracked {
        let (c, name) = (ident(&t.column.name), &t.column.name);
        match t.ty {
            Type::Lww => {}
            Type::Counter => refused.push((
                format!("NOT ({c} IS NULL OR typeof({c}) = 'integer')"),
                format!("'{name}' has values that are not INTEGER; a counter column holds INTEGER or NULL"),
            )),
            Type::Set => refused.push((
                // Not json_tree, as in the triggers: that is many times slower, and here it need not pass for trusted. What
                // sorts between '[' and the next letter is text that begins with it: most arrays need no more than parsing.
                format!(
                    "NOT ({c} IS NULL OR {c} COLLATE BINARY >= '[' AND {c} COLLATE BINARY < '\\' AND json_valid({c}) \
                     OR typeof({c}) = 'text' AND json_valid({c}) AND json_type({c}) IS 'array')"
                ),
                format!("'{name}' has values that are not JSON arrays; a set column holds an array or NULL"),
            )),
        }
    }
    let probe = |condition: &str| {
        conn.int(&format!("SELECT 1 FROM main.{} WHERE {condition} LIMIT 1", ident(&shape.name)), &[])
    };
    let any: Vec<String> = refused.iter().map(|(condition, _)| format!("({condition})")).collect();
    if any.is_empty() || probe(&any.join(" OR "))?.is_none() {
        return Ok(());
    }
    for (condition, why) in refused {
        if probe(&condition)?.is_some() {
            return Err(Error::caller(why));
        }
    }
    Ok(())
}

/// What stands in the schema of ours for a table: its triggers, and views of ours under these names.
pub fn present(conn: &Conn, t: i64, views: &[&str]) -> Result<Vec<Present>> {
    let mut rows = conn.stmt(
        "SELECT name, type, sql FROM main.sqlite_schema
         WHERE type = 'trigger' AND substr(name, 1, length(?1)) = ?1 OR type = 'view' AND sql LIKE '%crdt_shadow%'",
    )?;
    let prefix = format!("_crdt_{t}_");
    rows.bind(1, prefix.as_str())?;
    let mut all = Vec::new();
    while rows.step()? {
        let text = |i| rows.text(i).unwrap_or_default().to_owned();
        let there = Present { name: text(0), kind: text(1), sql: text(2) };
        if there.kind == "trigger" || views.iter().any(|view| view.eq_ignore_ascii_case(&there.name)) {
            all.push(there);
        }
    }
    Ok(all)
}

fn same(present: &[Present], objects: &[Object]) -> bool {
    present.len() == objects.len()
        && objects.iter().all(|object| present.iter().any(|there| there.name == object.name && there.sql == object.sql))
}

/// Whether objects that tables share stand in the schema.
fn are_there(conn: &Conn, shared: &[Object]) -> Result<bool> {
    let sql = "SELECT 1 FROM main.sqlite_schema WHERE type IN ('view', 'trigger') AND name = ?1";
    for object in shared {
        if conn.int(sql, &[object.name.as_str().into()])?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}
