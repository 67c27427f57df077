//! `crdt_enable`: from what is asked for and what is there to the SQL that gets there.
//!
//! The SQL stands on its own: `crdt_schema` gives it to people who keep migrations in files. Rows that are there already go
//! into the log as entries of their own, and the fold gives them their stamps below every real write.

use crate::conn::Conn;
use crate::error::{Error, Result};
use crate::record::FieldId;
use crate::schema::install::{Object, Target};
use crate::schema::shape::{Affinity, Column, Shape};
use crate::schema::{Catalog, Field, Kind, Table, Tracked, FORMAT};
use crate::sql::{ident, literal, SCHEMA};
use crate::types::Type;

/// The SQL that makes our tables and mints the node id.
pub fn install_script() -> String {
    format!(
        "{SCHEMA}INSERT OR IGNORE INTO main._crdt_pragma(name, value) VALUES ('format', {FORMAT});\n\
         INSERT OR IGNORE INTO main._crdt_node(n, node) VALUES (0, '{}'), (1, lower(hex(randomblob(8))));\n\
         INSERT OR IGNORE INTO main._crdt_state VALUES (1, 1, 0, 0, 0, random(), 0, 0, NULL);\n",
        crate::clock::BASE_NODE
    )
}

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
    let present = present(conn, t, &target.view_name())?;
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

/// What stands in the schema of ours for a table: name, kind, text.
fn present(conn: &Conn, t: i64, view: &str) -> Result<Vec<(String, String, String)>> {
    let mut rows = conn.stmt(
        "SELECT name, type, sql FROM main.sqlite_schema
         WHERE type = 'trigger' AND substr(name, 1, length(?1)) = ?1 OR type = 'view' AND name = ?2 COLLATE NOCASE",
    )?;
    let prefix = format!("_crdt_{t}_");
    rows.bind_all(&[prefix.as_str().into(), view.into()])?;
    let mut all = Vec::new();
    while rows.step()? {
        let text = |i| rows.text(i).unwrap_or_default().to_owned();
        all.push((text(0), text(1), text(2)));
    }
    Ok(all)
}

fn same(present: &[(String, String, String)], objects: &[Object]) -> bool {
    present.len() == objects.len()
        && objects.iter().all(|object| present.iter().any(|(name, _, sql)| *name == object.name && *sql == object.sql))
}

/// A table's fields before and after.
struct Fields {
    all: Vec<Field>,
    gen: u32,
    changed: bool,
    /// Fields that become tracked now.
    new: Vec<FieldId>,
    /// Those of them that were known before.
    kept: Vec<FieldId>,
}

impl Fields {
    fn new(known: Option<&Table>, wishes: &[(&Column, Kind)]) -> Fields {
        let mut all: Vec<Field> = known.map(|table| table.fields.clone()).unwrap_or_default();
        let gen = known.map_or(1, |table| table.gen + 1);
        let wished = |f: &Field| wishes.iter().any(|(column, kind)| column.name == f.name && *kind == f.kind);
        let mut changed = known.is_none();
        for field in all.iter_mut().filter(|f| f.born.is_some() && f.died.is_none()) {
            if !wished(field) {
                field.died = Some(gen);
                changed = true;
            }
        }
        let (mut new, mut kept) = (Vec::new(), Vec::new());
        for (column, kind) in wishes {
            if all.iter().any(|f| f.name == column.name && f.kind == *kind && f.born.is_some() && f.died.is_none()) {
                continue;
            }
            changed = true;
            let bit =
                (*kind == Kind::Known(Type::Lww)).then(|| all.iter().filter_map(|f| f.bit).max().map_or(0, |b| b + 1));
            match all.iter_mut().find(|f| f.name == column.name && f.kind == *kind) {
                Some(field) => {
                    *field = Field { born: Some(gen), died: None, bit: field.bit.or(bit), ..field.clone() };
                    new.push(field.id);
                    kept.push(field.id);
                }
                None => {
                    let id = all.iter().map(|f| f.id).max().unwrap_or(0) + 1;
                    all.push(Field {
                        id,
                        name: column.name.clone(),
                        kind: kind.clone(),
                        bit,
                        born: Some(gen),
                        died: None,
                    });
                    new.push(id);
                }
            }
        }
        let gen = if changed { gen } else { gen - 1 };
        Fields { all, gen, changed, new, kept }
    }

    fn tracked(&self, shape: &Shape) -> Vec<Tracked> {
        let local = self.all.iter().filter(|f| f.is_local());
        local
            .filter_map(|f| match (&f.kind, shape.column(&f.name)) {
                (Kind::Known(ty), Some(column)) => {
                    Some(Tracked { field: f.id, ty: *ty, bit: f.bit, column: column.clone() })
                }
                _ => None,
            })
            .collect()
    }
}

/// Writes the statements.
struct Script<'a> {
    conn: &'a Conn,
    portable: bool,
    /// No table has been enabled yet.
    bare: bool,
    known: Option<&'a Table>,
    target: Target<'a>,
    fields: Fields,
    present: Vec<(String, String, String)>,
    objects: Vec<Object>,
}

impl Script<'_> {
    fn write(&self) -> Result<String> {
        let mut out = String::new();
        if self.portable {
            out.push_str(&install_script());
        }
        self.widen(&mut out)?;
        self.describe(&mut out);
        for (name, kind, _) in &self.present {
            out.push_str(&format!("DROP {} main.{};\n", kind.to_ascii_uppercase(), ident(name)));
        }
        for object in &self.objects {
            out.push_str(&object.sql);
            out.push_str(";\n");
        }
        self.take_in(&mut out);
        out.push_str("UPDATE main._crdt_state SET token = random();\n");
        Ok(out)
    }

    /// Adds the columns that the table's triggers need to the log and the grave.
    fn widen(&self, out: &mut String) -> Result<()> {
        let widths = self.target.widths();
        for (table, prefix, first, need) in [
            ("_crdt_log", "k", 1, widths.keys),
            ("_crdt_log", "v", 1, widths.values),
            ("_crdt_grave", "v", 1, widths.grave),
        ] {
            let have = if !(self.portable && self.bare) {
                let sql = "SELECT count(*) FROM pragma_table_info(?1, 'main') WHERE name GLOB ?2";
                let pattern = format!("{prefix}[0-9]*");
                let count = self.conn.int(sql, &[table.into(), pattern.as_str().into()])?.unwrap_or(0);
                usize::try_from(count).unwrap_or(first)
            } else {
                first
            };
            for i in have..need {
                out.push_str(&format!("ALTER TABLE main.{table} ADD COLUMN {prefix}{i};\n"));
            }
        }
        Ok(())
    }

    fn describe(&self, out: &mut String) {
        let (t, gen) = (self.target.t, self.fields.gen);
        out.push_str(&format!(
            "INSERT OR REPLACE INTO main._crdt_table(t, name, enabled, gen) VALUES ({t}, {}, 1, {gen});\n",
            literal(&self.target.shape.name)
        ));
        for field in &self.fields.all {
            if self.known.and_then(|table| table.field(field.id)) == Some(field) {
                continue;
            }
            let number = |n: Option<u32>| n.map_or_else(|| "NULL".to_owned(), |n| n.to_string());
            out.push_str(&format!(
                "INSERT OR REPLACE INTO main._crdt_field(t, f, name, type, bit, born, died) VALUES ({t}, {}, {}, {}, {}, {}, {});\n",
                field.id,
                literal(&field.name),
                literal(field.kind.name()),
                number(field.bit),
                number(field.born),
                number(field.died)
            ));
        }
    }

    /// Existing rows, when the table is new; else what the new fields already hold.
    fn take_in(&self, out: &mut String) {
        let (t, shape) = (self.target.t, self.target.shape);
        let table = ident(&shape.name);
        let keys = shape.key.iter().map(|k| ident(k)).collect::<Vec<_>>().join(",");
        if self.known.is_none() {
            let (names, values) = self.target.part_columns("");
            out.push_str(&format!(
                "INSERT INTO main._crdt_log(t, m, at, {}{names}) SELECT {t}, -6, 0.0, {keys}{values} FROM main.{table};\n",
                self.target.key_columns()
            ));
            return;
        }
        let new = self.target.tracked.iter().filter(|tracked| self.fields.new.contains(&tracked.field));
        for tracked in new {
            out.push_str(&self.take_in_field(tracked, &table, &keys));
        }
    }

    /// Whether the column was tracked as another type before.
    fn retyped(&self, tracked: &Tracked) -> bool {
        let before = self.known.map(|table| table.fields.as_slice()).unwrap_or_default();
        before.iter().any(|f| f.name == tracked.column.name && f.id != tracked.field && f.born.is_some())
    }

    /// Rows whose new field holds something else than its default: written now, as far as anyone else knows.
    fn take_in_field(&self, tracked: &Tracked, table: &str, keys: &str) -> String {
        let (t, log_keys, c) = (self.target.t, self.target.key_columns(), ident(&tracked.column.name));
        if self.retyped(tracked) {
            // Every node changes the type of the same values: like rows from before crdt_enable they are nobody's write.
            return format!(
                "INSERT INTO main._crdt_log(t, m, at, {log_keys}, v0, v1) SELECT {t}, -7, 0.0, {keys}, {}, {c} FROM main.{table};\n",
                tracked.field
            );
        }
        let default = tracked.column.default.as_deref().unwrap_or("NULL");
        match (tracked.ty, tracked.bit) {
            (Type::Lww, Some(bit)) => {
                let word = (bit / crate::schema::install::WORD_BITS) as usize;
                let mask = 1i64 << (bit % crate::schema::install::WORD_BITS);
                let (m, more, value) = match word {
                    0 => (mask, String::new(), String::new()),
                    word => (0, format!(", v{}", word - 1), format!(", {mask}")),
                };
                format!(
                    "INSERT INTO main._crdt_log(t, m, at, {log_keys}{more}) SELECT {t}, {m}, julianday('now'), {keys}{value} \
                     FROM main.{table} WHERE {c} IS NOT ({default});\n"
                )
            }
            _ => format!(
                "INSERT INTO main._crdt_log(t, m, at, {log_keys}, v0, v1, v2) SELECT {t}, -5, julianday('now'), {keys}, {}, NULL, {c} \
                 FROM main.{table} WHERE {c} IS NOT ({default});\n",
                tracked.field
            ),
        }
    }
}
