//! `crdt_enable`: from what is asked for and what is there to the SQL that gets there.
//!
//! The SQL stands on its own: `crdt_schema` gives it to people who keep migrations in files. Rows that are there already go
//! into the log as entries of their own, and the fold gives them their stamps below every real write.

use crate::conn::Conn;
use crate::error::{Error, Result};
use crate::record::FieldId;
use crate::schema::fields::Fields;
use crate::schema::install::{Object, Target};
pub use crate::schema::script::install_script;
use crate::schema::script::{Present, Script};
use crate::schema::shape::{Affinity, Column, Shape};
use crate::schema::{Catalog, Kind, Table, Tracked};
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
    /// Whether the table's rows are taken in: it is enabled for the first time, or capture was off.
    pub first: bool,
    /// Fields that become columns here and may have state already, from peers.
    pub kept: Vec<FieldId>,
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

/// Works out what there is to do. A `portable` script also makes our tables where they are not there yet.
pub fn plan(conn: &Conn, catalog: Option<&Catalog>, name: &str, requests: &[Request], portable: bool) -> Result<Plan> {
    if name.to_ascii_lowercase().starts_with("_crdt") {
        return Err(Error::caller("tables whose names begin with _crdt are the extension's own"));
    }
    let shape = Shape::read(conn, name)?;
    check_requests(&shape, requests)?;
    let known = catalog.and_then(|catalog| catalog.by_name(&shape.name)).map(|table| &**table);
    let t = known.map_or_else(|| next_number(catalog), |table| table.id);
    let wishes = wishes(&shape, known, requests)?;
    let fields = Fields::new(known, &wishes);
    let tracked = fields.tracked(&shape);
    let target = Target { t, shape: &shape, tracked: &tracked };
    let objects = target.objects(conn)?;
    check_view(conn, &target)?;
    let present = present(conn, t, &[&target.view_name()])?;
    let intact = known.is_some_and(|table| table.enabled) && !fields.changed && same(&present, &objects);
    let first = known.is_none_or(|table| !table.enabled);
    let mut plan = Plan {
        table: shape.name.clone(),
        fields: wishes.iter().map(|(column, kind)| (column.name.clone(), kind.clone())).collect(),
        warnings: warnings(&shape),
        script: String::new(),
        first,
        kept: Vec::new(),
    };
    if !intact {
        check_rows(conn, &shape, &tracked)?;
        let bare = catalog.is_none_or(|catalog| catalog.tables().is_empty());
        plan.kept = fields.kept.clone();
        plan.script = Script { conn, portable, bare, known, target, fields, present, objects }.write()?;
    }
    Ok(plan)
}

fn next_number(catalog: Option<&Catalog>) -> i64 {
    catalog.map_or(1, |catalog| 1 + catalog.tables().iter().map(|table| table.id).max().unwrap_or(0))
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
        if matches!(column.name.as_str(), "_tombstone" | "_row" | "") {
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
fn wishes<'s>(shape: &'s Shape, known: Option<&Table>, requests: &[Request]) -> Result<Vec<(&'s Column, Kind)>> {
    let wish = |column: &Column| {
        let asked = requests.iter().find(|r| r.column.eq_ignore_ascii_case(&column.name));
        let was = known.and_then(|table| {
            table
                .fields
                .iter()
                .find(|f| f.name == column.name && (f.is_local() || f.kind == Kind::None && f.died.is_none()))
        });
        match (asked, was) {
            (Some(Request { ty: Some(ty), .. }), _) => Kind::Known(*ty),
            (Some(_), _) => Kind::None,
            (None, Some(field)) => field.kind.clone(),
            (None, None) => Kind::Known(Type::Lww),
        }
    };
    Ok(shape.trackable().map(|column| (column, wish(column))).collect())
}

fn warnings(shape: &Shape) -> Vec<String> {
    let mut all = Vec::new();
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
        row.text(0) != Some("view") || !row.text(1).unwrap_or_default().contains("crdt_shadow(")
    })?;
    if other == Some(true) {
        return Err(Error::caller(format!(
            "'{name}' exists and is not ours; rename it: the name is needed for the readable view"
        )));
    }
    Ok(())
}

/// Existing rows must be ones that the triggers would have let in.
fn check_rows(conn: &Conn, shape: &Shape, tracked: &[Tracked]) -> Result<()> {
    let table = ident(&shape.name);
    let probe = |condition: String| conn.int(&format!("SELECT 1 FROM main.{table} WHERE {condition} LIMIT 1"), &[]);
    for key in shape.key.iter().filter(|_| !shape.rowid_alias) {
        if probe(format!("{} IS NULL", ident(key)))?.is_some() {
            return Err(Error::caller(format!(
                "'{}' has rows whose key column '{key}' is NULL; give them a key first",
                shape.name
            )));
        }
    }
    for t in tracked {
        let (c, name) = (ident(&t.column.name), &t.column.name);
        match t.ty {
            Type::Counter if probe(format!("typeof({c}) NOT IN ('integer', 'null')"))?.is_some() => {
                return Err(Error::caller(format!(
                    "'{name}' has values that are not INTEGER; a counter column holds INTEGER or NULL"
                )));
            }
            Type::Set => {
                let bad = format!(
                    "{c} IS NOT NULL AND NOT (typeof({c}) = 'text' AND json_valid({c}) AND (SELECT type FROM json_tree({c}) LIMIT 1) IS 'array')"
                );
                if probe(bad)?.is_some() {
                    return Err(Error::caller(format!(
                        "'{name}' has values that are not JSON arrays; a set column holds an array or NULL"
                    )));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// What stands in the schema of ours for a table: its triggers, and views of ours under these names.
pub fn present(conn: &Conn, t: i64, views: &[&str]) -> Result<Vec<Present>> {
    let mut rows = conn.stmt(
        "SELECT name, type, sql FROM main.sqlite_schema
         WHERE type = 'trigger' AND substr(name, 1, length(?1)) = ?1 OR type = 'view' AND sql LIKE '%crdt_shadow(%'",
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
