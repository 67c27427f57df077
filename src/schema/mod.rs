//! Which tables are enabled, and what of them is tracked.

pub mod alter;
mod catalog;
mod columns;
pub mod compare;
mod defaults;
pub mod enable;
mod fields;
pub mod heirs;
pub mod install;
pub mod missed;
pub mod notes;
mod past;
pub mod purged;
pub mod rekey;
mod script;
pub mod shape;
mod shared;
mod stood;
pub mod switch;
pub mod unique;
pub mod upgrade;

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use crate::conn::Conn;
use crate::error::{self, Result};
use crate::record::FieldId;
use crate::types::Type;
pub use catalog::{not_enabled, Catalog};
use shape::{Column, Shape};

/// The layout of the `_crdt` tables that this version reads and writes.
pub const FORMAT: i64 = 3;

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
    /// Whether its name is now that of another one, whose triggers are there: it was dropped.
    pub replaced: bool,
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
    /// What a script of `crdt_schema` left to be done.
    pub notes: notes::Notes,
    /// Whether a lww column is tracked no more.
    ended: bool,
    covered: Vec<FieldId>,
    form: OnceCell<Form>,
    places: OnceCell<Places>,
}

/// Places among a table's fields, of which peers may send many.
#[derive(Default)]
struct Places {
    /// By name, in lower case.
    names: HashMap<String, Vec<usize>>,
    /// Those that are or were columns.
    columns: Vec<usize>,
}

/// The columns of a table as they are now.
pub struct Form {
    /// The table itself.
    pub shape: Shape,
    /// Tracked columns in the order of their fields' numbers.
    pub tracked: Vec<Tracked>,
    /// Where the fields that a base stamp of today covers are: each one's place in the table's fields and in `tracked`.
    pub covered: Vec<(usize, usize)>,
    /// SQL that reads and writes its rows, written once.
    pub texts: RefCell<HashMap<crate::row::Text, Rc<str>>>,
    unique: OnceCell<Vec<FieldId>>,
}

impl Form {
    /// The columns of `shape` that are tracked as the fields of `table`; `column` tells a field's column.
    fn new<'s>(shape: Shape, table: &Table, column: impl Fn(&Field) -> Option<&'s Column>) -> Form {
        let local = table.fields.iter().filter(|f| f.is_local());
        let tracked: Vec<Tracked> = local
            .filter_map(|f| match (&f.kind, column(f)) {
                (Kind::Known(ty), Some(column)) => {
                    Some(Tracked { field: f.id, ty: *ty, bit: f.bit, column: column.clone() })
                }
                _ => None,
            })
            .collect();
        let place = |id: &FieldId| {
            let field = table.fields.binary_search_by_key(id, |f| f.id).ok()?;
            let cell = tracked.binary_search_by_key(id, |t| t.field).ok()?;
            tracked.get(cell).filter(|t| t.ty == Type::Lww).map(|_| (field, cell))
        };
        let covered = table.covered.iter().filter_map(place).collect();
        let (texts, unique) = Default::default();
        Form { shape, tracked, covered, texts, unique }
    }

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
    /// A sentence where the table is there and enabled, but not its triggers.
    pub fn uncaptured(&self, conn: &Conn) -> Result<Option<String>> {
        if !self.enabled || self.captured || self.replaced || self.form_if_usable(conn)?.is_none() {
            return Ok(None);
        }
        let name = crate::sql::literal(&self.name);
        Ok(Some(format!(
            "the triggers of {name} are gone, as when a table is rebuilt: what is written there is not recorded until SELECT crdt_enable({name}) is called again"
        )))
    }

    /// Whether it has, or had, a counter.
    pub fn counts(&self) -> bool {
        self.fields.iter().any(|field| field.kind == Kind::Known(Type::Counter))
    }

    /// The field of that number.
    pub fn field(&self, id: FieldId) -> Option<&Field> {
        self.fields.binary_search_by_key(&id, |f| f.id).ok().and_then(|i| self.fields.get(i))
    }

    /// The field of that name and type. A column's name matches in any case, as in SQL.
    pub fn named(&self, name: &str, kind: &Kind) -> Option<&Field> {
        let places = self.places.get_or_init(|| self.places());
        let places = places.names.get(&name.to_ascii_lowercase()).map(Vec::as_slice).unwrap_or_default();
        let same = || places.iter().filter_map(|place| self.fields.get(*place)).filter(|field| field.kind == *kind);
        let local = same().find(|field| field.is_local());
        local.or_else(|| self.renamed(name, kind)).or_else(|| same().find(|field| field.name == name))
    }

    fn places(&self) -> Places {
        let mut all = Places::default();
        for (place, field) in self.fields.iter().enumerate() {
            all.names.entry(field.name.to_ascii_lowercase()).or_default().push(place);
            if field.born.is_some() {
                all.columns.push(place);
            }
        }
        all
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

    fn any_ended(fields: &[Field]) -> bool {
        fields.iter().any(|f| f.kind == Kind::Known(Type::Lww) && f.born.is_some() && f.died.is_some())
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
        let columns = &self.places.get_or_init(|| self.places()).columns;
        let columns = columns.iter().filter_map(|place| self.fields.get(*place));
        columns.filter(|f| f.covered_in(gen)).map(|f| f.id).collect()
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
        let columns = shape.clone();
        let named = |name: &str| columns.column(name);
        let column = |f: &Field| watched.get(&f.id).and_then(|name| named(name)).or_else(|| named(&f.name));
        Ok(self.form.get_or_init(|| Form::new(shape, self, column)))
    }

    /// The same; None where the table is gone or is no longer one that can be enabled.
    ///
    /// # Errors
    /// It could not be found out (no memory, I/O, interrupt, a limit of the host's). To go on as if the table were gone would lose
    /// what is told of it.
    pub fn form_if_usable(&self, conn: &Conn) -> Result<Option<&Form>> {
        match self.form(conn) {
            Ok(form) => Ok(Some(form)),
            // We say so; SQLite lists the tables that there are.
            Err(e) if e.kind() == error::Kind::Caller => Ok(None),
            Err(e) => Err(e),
        }
    }
}
