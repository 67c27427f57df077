//! Which tables are enabled, and what of them is tracked.

pub mod alter;
mod columns;
pub mod enable;
mod fields;
pub mod heirs;
pub mod install;
mod script;
pub mod shape;
pub mod switch;
pub mod unique;
pub mod upgrade;

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use crate::conn::Conn;
use crate::error::{Error, Result};
use crate::record::FieldId;
use crate::types::Type;
use shape::{Column, Shape};

/// The layout of the `_crdt` tables that this version reads and writes.
pub const FORMAT: i64 = 2;

/// Places in the log's masks: more than any table had columns. The log has a column for each 62 of them.
const MAX_BITS: u32 = 60_000;

/// What a field is.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// A type of this version.
    Known(Type),
    /// A column that is not tracked.
    None,
    /// A type that this version does not have.
    Foreign(String),
}

impl Kind {
    /// The name in storage and on the wire.
    pub fn name(&self) -> &str {
        match self {
            Kind::Known(ty) => ty.name(),
            Kind::None => "none",
            Kind::Foreign(name) => name,
        }
    }

    /// The kind of that name.
    pub fn parse(name: &str) -> Kind {
        match (name, Type::parse(name)) {
            ("none", _) => Kind::None,
            (_, Some(ty)) => Kind::Known(ty),
            _ => Kind::Foreign(name.to_owned()),
        }
    }
}

/// One field of one table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Field {
    /// Its number.
    pub id: FieldId,
    /// Its column's name.
    pub name: String,
    /// Its type.
    pub kind: Kind,
    /// A lww field's place in the log's masks.
    pub bit: Option<u32>,
    /// The generation in which it became a tracked column here; None for fields of no column.
    pub born: Option<u32>,
    /// The generation in which it ceased to be one.
    pub died: Option<u32>,
}

impl Field {
    /// Whether a column of the table is tracked as this field now.
    pub fn is_local(&self) -> bool {
        self.born.is_some() && self.died.is_none() && self.kind != Kind::None
    }

    fn covered_in(&self, gen: u32) -> bool {
        self.kind == Kind::Known(Type::Lww)
            && self.born.is_some_and(|born| born <= gen)
            && self.died.is_none_or(|died| gen < died)
    }
}

/// A tracked column: the field and the column.
pub struct Tracked {
    /// The field.
    pub field: FieldId,
    /// Its type.
    pub ty: Type,
    /// Its bit in the log's masks (lww only).
    pub bit: Option<u32>,
    /// The column.
    pub column: Column,
}

/// A table that is or was enabled.
pub struct Table {
    /// Its number.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Whether it is enabled now.
    pub enabled: bool,
    /// Whether its triggers are there: a table that is dropped and made again has lost them, and what it holds now is not
    /// what the stamps speak of.
    pub captured: bool,
    /// Counts the changes of its set of fields.
    pub gen: u32,
    /// All its fields in the order of their numbers.
    pub fields: Vec<Field>,
    /// The name under which it was enabled last.
    pub listed: String,
    /// Names under which peers may still send a field, of columns that are not here any more.
    pub aliases: Vec<(String, FieldId)>,
    /// Whether there are any, those included whose name is a column again.
    pub has_aliases: bool,
    /// Fields whose state goes to another, or is to be shown.
    pub heirs: Vec<heirs::Heir>,
    /// Whether a lww column is tracked no more.
    ended: bool,
    covered: Vec<FieldId>,
    form: OnceCell<Form>,
}

/// The columns of a table as they are now.
pub struct Form {
    /// The table itself.
    pub shape: Shape,
    /// Tracked columns in the order of their fields' numbers.
    pub tracked: Vec<Tracked>,
    /// SQL that reads and writes its rows, written once.
    pub texts: RefCell<HashMap<crate::row::Text, Rc<str>>>,
    unique: OnceCell<Vec<FieldId>>,
}

impl Form {
    /// The fields of columns that stand in a unique index; all lww fields, where an index is on an expression or partial.
    pub fn unique_fields(&self, conn: &Conn) -> Result<&[FieldId]> {
        if let Some(fields) = self.unique.get() {
            return Ok(fields);
        }
        let columns = unique::columns(conn, &self.shape.name)?;
        let stands = |t: &&Tracked| {
            columns.as_ref().is_none_or(|names| names.iter().any(|n| n.eq_ignore_ascii_case(&t.column.name)))
        };
        let fields = self.tracked.iter().filter(stands).map(|t| t.field).collect();
        Ok(self.unique.get_or_init(|| fields))
    }

    /// The tracked column of a field.
    pub fn tracked(&self, field: FieldId) -> Option<&Tracked> {
        self.tracked.binary_search_by_key(&field, |t| t.field).ok().and_then(|i| self.tracked.get(i))
    }
}

impl Table {
    /// The field of that number.
    pub fn field(&self, id: FieldId) -> Option<&Field> {
        self.fields.binary_search_by_key(&id, |f| f.id).ok().and_then(|i| self.fields.get(i))
    }

    /// The field of that name and type. A column's name matches in any case, as in SQL.
    pub fn named(&self, name: &str, kind: &Kind) -> Option<&Field> {
        let same = |f: &&Field| f.kind == *kind && f.name.eq_ignore_ascii_case(name);
        let local = self.fields.iter().filter(same).find(|f| f.is_local());
        local.or_else(|| self.renamed(name, kind)).or_else(|| self.fields.iter().filter(same).find(|f| f.name == name))
    }

    /// The field of that type whose column once had that name.
    fn renamed(&self, name: &str, kind: &Kind) -> Option<&Field> {
        let was = |alias: &&(String, FieldId)| alias.0.eq_ignore_ascii_case(name);
        let mut fields = self.aliases.iter().filter(was).filter_map(|(_, id)| self.field(*id));
        fields.find(|f| f.kind == *kind)
    }

    /// Whether a field is no column here, or became one later than the table was enabled.
    pub fn is_not_or_anew(&self, id: FieldId) -> bool {
        self.field(id).is_some_and(|f| f.died.is_some() || f.born.is_none_or(|born| born > 1))
    }

    /// The lww fields that were columns and are none now; None where there are none of them.
    pub fn ended(&self) -> Option<impl Fn(FieldId) -> bool + '_> {
        self.ended.then_some(|id| self.field(id).is_some_and(|f| f.born.is_some() && f.died.is_some()))
    }

    /// The columns of one type that are tracked by the present triggers, in the order in which they write them.
    pub fn local(&self, ty: impl Fn(Type) -> bool) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(move |f| f.is_local() && matches!(f.kind, Kind::Known(known) if ty(known)))
    }

    /// The fields that a base stamp of this generation covers.
    pub fn covered(&self) -> &[FieldId] {
        &self.covered
    }

    /// The fields that a base stamp of generation `gen` covers.
    pub fn covered_in(&self, gen: u32) -> Vec<FieldId> {
        self.fields.iter().filter(|f| f.covered_in(gen)).map(|f| f.id).collect()
    }

    /// The table's columns as they are now.
    ///
    /// # Errors
    /// The table is gone or is no longer one that can be enabled.
    pub fn form(&self, conn: &Conn) -> Result<&Form> {
        if let Some(form) = self.form.get() {
            return Ok(form);
        }
        let shape = Shape::read(conn, &self.name)?;
        let watched = columns::watched(conn, self)?;
        let column =
            |f: &Field| watched.get(&f.id).and_then(|name| shape.column(name)).or_else(|| shape.column(&f.name));
        let tracked = self
            .fields
            .iter()
            .filter(|f| f.is_local())
            .filter_map(|f| match (&f.kind, column(f)) {
                (Kind::Known(ty), Some(column)) => {
                    Some(Tracked { field: f.id, ty: *ty, bit: f.bit, column: column.clone() })
                }
                _ => None,
            })
            .collect();
        Ok(self.form.get_or_init(|| Form { shape, tracked, texts: RefCell::default(), unique: OnceCell::new() }))
    }

    /// The same; None where the table is gone or is no longer one that can be enabled.
    ///
    /// # Errors
    /// It could not be found out (no memory, I/O, interrupt). To go on as if the table were gone would lose what is told of it.
    pub fn form_if_usable(&self, conn: &Conn) -> Result<Option<&Form>> {
        match self.form(conn) {
            Ok(form) => Ok(Some(form)),
            Err(e) if e.is_statement() => Ok(None),
            Err(e) => Err(e),
        }
    }
}

/// All tables that are or were enabled.
pub struct Catalog {
    /// What this was read under: the token in `_crdt_state`, and the schema's version.
    mark: (i64, i64),
    /// The format that the database has: below [`FORMAT`] until it is upgraded.
    pub format: i64,
    tables: Vec<Rc<Table>>,
    /// The hooks that stand.
    pub hooks: crate::hooks::Hooks,
    by_id: HashMap<i64, Rc<Table>>,
}

impl Catalog {
    /// The catalog as it is now; None in a database that has none.
    pub fn current(conn: &Conn) -> Result<Option<Rc<Catalog>>> {
        let Some(token) = token(conn)? else { return Ok(None) };
        let version = conn.int("PRAGMA main.schema_version", &[])?.unwrap_or(0);
        let mark = (token, version);
        if let Some(kept) = conn.catalog.borrow().as_ref().filter(|kept| kept.mark == mark) {
            return Ok(Some(Rc::clone(kept)));
        }
        let format = upgrade::check(conn)?;
        let fresh = Rc::new(Catalog::read(conn, mark, format)?);
        conn.catalog.replace(Some(Rc::clone(&fresh)));
        Ok(Some(fresh))
    }

    fn read(conn: &Conn, mark: (i64, i64), format: i64) -> Result<Catalog> {
        let mut fields: HashMap<i64, Vec<Field>> = HashMap::new();
        let small = |v: Option<i64>| v.and_then(|v| u32::try_from(v).ok());
        let mut rows = conn.stmt("SELECT t, f, name, type, bit, born, died FROM main._crdt_field ORDER BY t, f")?;
        while rows.step()? {
            let damaged = || Error::data("_crdt_field holds a row that is none of ours");
            fields.entry(rows.i64(0).ok_or_else(damaged)?).or_default().push(Field {
                id: small(rows.i64(1)).ok_or_else(damaged)?,
                name: rows.text(2).ok_or_else(damaged)?.to_owned(),
                kind: Kind::parse(rows.text(3).ok_or_else(damaged)?),
                bit: small(rows.i64(4)).map(|bit| if bit < MAX_BITS { Ok(bit) } else { Err(damaged()) }).transpose()?,
                born: small(rows.i64(5)),
                died: small(rows.i64(6)),
            });
        }
        drop(rows);
        let mut moves = heirs::Moves::read(conn, format)?;
        let mut tables = Vec::new();
        // SQLite renames the triggers' table with the table: they know its present name.
        let mut rows = conn.stmt(
            "SELECT t.t, coalesce(s.tbl_name, t.name), t.enabled, t.gen, s.name IS NOT NULL, t.name
             FROM main._crdt_table t LEFT JOIN main.sqlite_schema s
             ON s.type = 'trigger' AND s.name = '_crdt_' || t.t || '_insert' ORDER BY t.t",
        )?;
        while rows.step()? {
            let damaged = || Error::data("_crdt_table holds a row that is none of ours");
            let id = rows.i64(0).ok_or_else(damaged)?;
            let gen = small(rows.i64(3)).ok_or_else(damaged)?;
            let fields = fields.remove(&id).unwrap_or_default();
            tables.push(Rc::new(Table {
                id,
                name: rows.text(1).ok_or_else(damaged)?.to_owned(),
                enabled: rows.i64(2) == Some(1),
                captured: rows.i64(4) == Some(1),
                gen,
                covered: fields.iter().filter(|f| f.covered_in(gen)).map(|f| f.id).collect(),
                ended: fields.iter().any(|f| f.kind == Kind::Known(Type::Lww) && f.born.is_some() && f.died.is_some()),
                listed: rows.text(5).ok_or_else(damaged)?.to_owned(),
                has_aliases: moves.any_aliases(id),
                aliases: moves.aliases(conn, id, rows.text(1).unwrap_or_default())?,
                heirs: moves.heirs(id),
                fields,
                form: OnceCell::new(),
            }));
        }
        drop(rows);
        let by_id = tables.iter().map(|t| (t.id, Rc::clone(t))).collect();
        Ok(Catalog { mark, format, tables, hooks: crate::hooks::Hooks::read(conn)?, by_id })
    }

    /// Every table, in the order in which they were first enabled.
    pub fn tables(&self) -> &[Rc<Table>] {
        &self.tables
    }

    /// The table of that number.
    pub fn by_id(&self, id: i64) -> Option<&Rc<Table>> {
        self.by_id.get(&id)
    }

    /// The table of that name, enabled or not.
    pub fn by_name(&self, name: &str) -> Option<&Rc<Table>> {
        // A table that was dropped may have left its name to another.
        let named = || self.tables.iter().filter(|t| t.name.eq_ignore_ascii_case(name));
        named().find(|t| t.captured).or_else(|| named().next())
    }

    /// The enabled table of that name.
    ///
    /// # Errors
    /// It is not enabled, or its triggers are gone.
    pub fn enabled(&self, name: &str) -> Result<&Rc<Table>> {
        let table = self.by_name(name).filter(|t| t.enabled).ok_or_else(|| not_enabled(name))?;
        if table.captured {
            return Ok(table);
        }
        let literal = crate::sql::literal(&crate::error::excerpt(name));
        Err(Error::caller(format!(
            "table {literal} was dropped, or rebuilt without its triggers; call SELECT crdt_enable({literal}) again"
        )))
    }
}

/// The error for a table that is not enabled.
pub fn not_enabled(name: &str) -> Error {
    let name = crate::error::excerpt(name);
    let literal = crate::sql::literal(&name);
    Error::caller(format!("table {literal} is not enabled; call SELECT crdt_enable({literal}) first, or leave it out"))
}

/// The token that changes with the catalog; None in a database without our tables.
fn token(conn: &Conn) -> Result<Option<i64>> {
    // Asked of the schema each time: a table that is missing would be an error of SQLite's.
    let exists = conn.int("SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND name = '_crdt_state'", &[])?;
    if exists.is_none() {
        return Ok(None);
    }
    conn.int("SELECT token FROM main._crdt_state", &[])
}
