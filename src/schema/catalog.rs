//! The list of tables that are or were enabled, read once for each state of the schema.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::{heirs, notes, purged, upgrade, Field, Kind, Table, MAX_BITS};
use crate::conn::Conn;
use crate::error::{Error, Result};
use crate::foreign::Foreign;
use crate::hooks::Hooks;

/// All tables that are or were enabled.
pub struct Catalog {
    /// What this was read under: the token in `_crdt_state`, and the schema's version.
    mark: (i64, i64),
    /// The format that the database has: below [`FORMAT`] until it is upgraded.
    pub format: i64,
    tables: Vec<Rc<Table>>,
    /// Whether some table's fields have heirs that are to have their state.
    pub heirs_due: bool,
    /// Whether some table's rows are to be compared with their records.
    pub compare_due: bool,
    /// Whether scripts have left notes of any table.
    pub has_notes: bool,
    /// Whether a table counts again of whose name one was purged.
    pub counts_anew: bool,
    /// The hooks that stand.
    pub hooks: Hooks,
    by_id: HashMap<i64, Rc<Table>>,
    derived: Derived,
}

/// What follows from the schema, found out when it is first asked for.
#[derive(Default)]
pub struct Derived {
    /// Whether rows can be written besides those that a merge writes: by a trigger of the application's, or a foreign key's action.
    pub besides: OnceCell<bool>,
    /// Whether a trigger's text has the word ROLLBACK.
    pub rollback: OnceCell<bool>,
    /// The foreign keys, as if they were enforced.
    pub foreign: OnceCell<Rc<Foreign>>,
}

impl Catalog {
    /// What follows from the schema; None when that has changed since.
    pub fn derived(&self, conn: &Conn) -> Result<Option<&Derived>> {
        let version = conn.int("PRAGMA main.schema_version", &[])?.unwrap_or(0);
        Ok(Some(&self.derived).filter(|_| self.mark.1 == version))
    }

    /// The catalog as it is now; None in a database that has none.
    pub fn current(conn: &Conn) -> Result<Option<Rc<Catalog>>> {
        let version = conn.int("PRAGMA main.schema_version", &[])?.unwrap_or(0);
        let kept = conn.catalog.borrow().as_ref().filter(|kept| kept.mark.1 == version).cloned();
        let Some(token) = token(conn, kept.is_some())? else { return Ok(None) };
        let mark = (token, version);
        if let Some(kept) = kept.filter(|kept| kept.mark == mark) {
            return Ok(Some(kept));
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
        let mut notes = notes::read(conn)?;
        let mut tables = Vec::new();
        let mut captured = captured(conn)?;
        let mut rows = conn.stmt("SELECT t, name, enabled, gen FROM main._crdt_table ORDER BY t")?;
        while rows.step()? {
            let damaged = || Error::data("_crdt_table holds a row that is none of ours");
            let id = rows.i64(0).ok_or_else(damaged)?;
            let gen = small(rows.i64(3)).ok_or_else(damaged)?;
            let fields = fields.remove(&id).unwrap_or_default();
            let listed = rows.text(1).ok_or_else(damaged)?.to_owned();
            let present = captured.remove(&id);
            let is_captured = present.is_some();
            let name = present.unwrap_or_else(|| listed.clone());
            tables.push(Table {
                id,
                enabled: rows.i64(2) == Some(1),
                captured: is_captured,
                replaced: false,
                gen,
                covered: fields.iter().filter(|f| f.covered_in(gen)).map(|f| f.id).collect(),
                ended: Table::any_ended(&fields),
                listed,
                has_aliases: moves.any_aliases(id),
                aliases: moves.aliases(conn, id, &name)?,
                name,
                heirs: moves.heirs(id),
                notes: notes.remove(&id).unwrap_or_default(),
                fields,
                form: OnceCell::new(),
                places: OnceCell::new(),
            });
        }
        drop(rows);
        let taken: HashSet<String> =
            tables.iter().filter(|t| t.captured).map(|t: &Table| t.name.to_ascii_lowercase()).collect();
        for table in &mut tables {
            table.replaced = !table.captured && taken.contains(&table.name.to_ascii_lowercase());
        }
        let tables: Vec<Rc<Table>> = tables.into_iter().map(Rc::new).collect();
        let by_id = tables.iter().map(|t| (t.id, Rc::clone(t))).collect();
        let any = |due: fn(&Table) -> bool| tables.iter().any(|t: &Rc<Table>| t.enabled && t.captured && due(t));
        let heirs_due = any(|t| !t.heirs.is_empty());
        let compare_due = any(|t| t.notes.due.is_some());
        let has_notes = tables.iter().any(|t: &Rc<Table>| t.notes.due.is_some() || !t.notes.past.is_empty());
        let counted = purged::counted(conn)?;
        let counts_anew = tables
            .iter()
            .any(|t| t.enabled && t.captured && t.counts() && counted.contains(&t.name.to_ascii_lowercase()));
        let (hooks, derived) = (Hooks::read(conn)?, Derived::default());
        Ok(Catalog { mark, format, tables, heirs_due, compare_due, has_notes, counts_anew, hooks, by_id, derived })
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
        self.find(name, "")
    }

    /// The same for one of those that are told of together.
    pub fn listed(&self, name: &str) -> Result<&Rc<Table>> {
        self.find(name, ", or leave it out")
    }

    fn find(&self, name: &str, or: &str) -> Result<&Rc<Table>> {
        let table = self.by_name(name).filter(|t| t.enabled).ok_or_else(|| not_enabled(name, or))?;
        if table.captured {
            return Ok(table);
        }
        let literal = crate::sql::literal(&crate::error::excerpt(name));
        Err(Error::caller(format!(
            "table {literal} was dropped, or rebuilt without its triggers; call SELECT crdt_enable({literal}) again"
        )))
    }
}

/// The error for a table that is not enabled; `or` what else than to enable it can be done.
pub fn not_enabled(name: &str, or: &str) -> Error {
    let name = crate::error::excerpt(name);
    let literal = crate::sql::literal(&name);
    Error::caller(format!("table {literal} is not enabled; call SELECT crdt_enable({literal}) first{or}"))
}

/// The tables whose triggers are there, by number. SQLite renames the triggers' table with the table: they know its present name.
fn captured(conn: &Conn) -> Result<HashMap<i64, String>> {
    let mut found = HashMap::new();
    let mut rows = conn.stmt(
        "SELECT name, tbl_name FROM main.sqlite_schema WHERE type = 'trigger' AND name GLOB '_crdt_[0-9]*_insert'",
    )?;
    while rows.step()? {
        let name = rows.text(0).unwrap_or_default();
        let number = name.strip_prefix("_crdt_").and_then(|name| name.strip_suffix("_insert"));
        let t = number.and_then(|number| Some((number, number.parse::<i64>().ok()?)));
        if let (Some((_, t)), Some(table)) = (t.filter(|(number, t)| *number == t.to_string()), rows.text(1)) {
            found.insert(t, table.to_owned());
        }
    }
    Ok(found)
}

/// The token that changes with the catalog; None in a database without our tables. `likely`: they were there when the schema had
/// the version that it has now.
fn token(conn: &Conn, likely: bool) -> Result<Option<i64>> {
    const TOKEN: &str = "SELECT token FROM main._crdt_state";
    // The schema is gone through row by row, so it is not asked without need.
    match likely.then(|| conn.int(TOKEN, &[])) {
        // Another file may have taken the place of this one (a restored backup): its schema may have that version too.
        None => {}
        Some(Err(e)) if e.message().starts_with("no such table") => {}
        Some(token) => return token,
    }
    // A table that is missing would be an error of SQLite's.
    let exists = conn.int("SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND name = '_crdt_state'", &[])?;
    if exists.is_none() {
        return Ok(None);
    }
    conn.int(TOKEN, &[])
}
