//! Which tables a database has, by their present names.

use std::collections::BTreeSet;

use rusqlite::Connection;

use super::errors::Result;

/// The tables of a database.
#[derive(PartialEq, Eq, Default, Debug)]
pub struct Catalog {
    /// Those that are enabled: their numbers, which stay when they are renamed, and names.
    enabled: Vec<(i64, String)>,
    /// All but our own, in lower case.
    all: BTreeSet<String>,
}

impl Catalog {
    /// Reads it.
    pub fn read(conn: &Connection) -> Result<Catalog> {
        // An enabled table has a trigger with its number, which SQLite takes along when the table is renamed.
        let mut rows = conn.prepare_cached(
            "SELECT tbl_name, CASE type WHEN 'trigger' THEN CAST(substr(name, 7) AS INTEGER) END FROM main.sqlite_schema
             WHERE type = 'table' AND name NOT GLOB '_crdt_*' OR type = 'trigger' AND name GLOB '_crdt_[0-9]*_insert' ORDER BY 1",
        )?;
        let mut catalog = Catalog::default();
        for row in rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))? {
            match row? {
                (name, Some(number)) if catalog.name_of(number).is_none() => catalog.enabled.push((number, name)),
                (_, Some(_)) => {}
                (name, None) => drop(catalog.all.insert(name.to_ascii_lowercase())),
            }
        }
        Ok(catalog)
    }

    /// The names of those that are enabled.
    pub fn enabled(&self) -> impl Iterator<Item = &String> {
        self.enabled.iter().map(|(_, name)| name)
    }

    /// An enabled table's name as it is spelt there. Names have no case.
    pub fn spelt(&self, table: &str) -> Option<&String> {
        self.enabled().find(|name| name.eq_ignore_ascii_case(table))
    }

    /// The number of an enabled table.
    pub fn number_of(&self, table: &str) -> Option<i64> {
        self.enabled.iter().find(|(_, name)| name.eq_ignore_ascii_case(table)).map(|(number, _)| *number)
    }

    /// The name of an enabled table.
    pub fn name_of(&self, number: i64) -> Option<&String> {
        self.enabled.iter().find(|(of, _)| *of == number).map(|(_, name)| name)
    }

    /// Whether there is such a table, enabled or not.
    pub fn has(&self, table: &str) -> bool {
        self.all.contains(&table.to_ascii_lowercase())
    }

    #[cfg(test)]
    pub fn of(enabled: &[(i64, &str)]) -> Catalog {
        let all = enabled.iter().map(|(_, name)| name.to_ascii_lowercase()).collect();
        Catalog { enabled: enabled.iter().map(|(number, name)| (*number, (*name).to_owned())).collect(), all }
    }
}
