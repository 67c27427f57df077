//! What a token may see and change. Pure.

use std::collections::BTreeMap;

use super::errors::{Refusal, Result};

/// A selection of tables.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Tables {
    /// All, also those that are enabled later.
    All,
    /// These.
    These(Vec<String>),
}

impl Tables {
    /// From a list of names; `*` is all.
    pub fn named(names: Vec<String>) -> Tables {
        if names.iter().any(|name| name == "*") {
            Tables::All
        } else {
            Tables::These(names)
        }
    }

    /// Whether a table is one of them. SQLite's names have no case.
    pub fn have(&self, table: &str) -> bool {
        match self {
            Tables::All => true,
            Tables::These(names) => names.iter().any(|name| name.eq_ignore_ascii_case(table)),
        }
    }
}

/// The tables that may be read, those that may be written, and of which rows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scope {
    /// Tables to pull from.
    pub read: Tables,
    /// Tables to push to.
    pub write: Tables,
    /// Expressions over the rows, by table in lower case; for reading and for writing.
    filter: BTreeMap<String, String>,
}

impl Scope {
    /// Everything.
    pub fn all() -> Scope {
        Scope { read: Tables::All, write: Tables::All, filter: BTreeMap::new() }
    }

    /// What a token's entry says.
    pub fn new(read: Vec<String>, write: Vec<String>, filter: BTreeMap<String, String>) -> Scope {
        let filter = filter.into_iter().map(|(table, expr)| (table.to_ascii_lowercase(), expr)).collect();
        Scope { read: Tables::named(read), write: Tables::named(write), filter }
    }

    /// The expression that rows of a table must meet.
    pub fn filter_of(&self, table: &str) -> Option<&str> {
        self.filter.get(&table.to_ascii_lowercase()).map(String::as_str)
    }

    /// All filters: tables in lower case, and expressions.
    pub fn all_filters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.filter.iter().map(|(table, expr)| (table.as_str(), expr.as_str()))
    }

    /// Whether it may read every row of every table.
    pub fn reads_all(&self) -> bool {
        self.read == Tables::All && self.filter.is_empty()
    }

    /// Whether it may write every row of every table.
    pub fn writes_all(&self) -> bool {
        self.write == Tables::All && self.filter.is_empty()
    }

    /// The tables that a request reads: those that it names, which must all be allowed, or all that are.
    pub fn to_read(&self, asked: Option<Vec<String>>, enabled: &[String]) -> Result<Option<Vec<String>>> {
        match asked {
            Some(asked) => match asked.iter().find(|table| !self.read.have(table)) {
                Some(table) => Err(Refusal::forbidden(format!("this token does not read the table '{table}'"))),
                None => Ok(Some(asked)),
            },
            None if self.reads_all() => Ok(None),
            // All tables would take in one that was disabled, and of that no filter is known.
            None => Ok(Some(enabled.iter().filter(|t| self.read.have(t)).cloned().collect())),
        }
    }

    /// The filters for a request that reads these tables, by their names, in lower case: whether a table is enabled is for the
    /// database to say, which knows of one that has just become so.
    pub fn filters(&self, tables: &[String]) -> BTreeMap<String, String> {
        tables.iter().filter_map(|t| Some((t.to_ascii_lowercase(), self.filter_of(t)?.to_owned()))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn ann() -> Scope {
        let filter = BTreeMap::from([("Tasks".to_owned(), "owner = 'ann'".to_owned())]);
        Scope::new(names(&["tasks", "notes"]), names(&["tasks"]), filter)
    }

    #[test]
    fn names_have_no_case() {
        assert!(ann().read.have("TASKS") && !ann().read.have("secrets") && !ann().write.have("notes"));
        assert_eq!(ann().filter_of("tAsks"), Some("owner = 'ann'"));
    }

    #[test]
    fn what_is_not_named_is_what_may_be_read() {
        let enabled = names(&["secrets", "Tasks"]);
        assert_eq!(ann().to_read(None, &enabled).unwrap(), Some(names(&["Tasks"])));
        assert_eq!(Scope::all().to_read(None, &enabled).unwrap(), None);
        let mostly = Scope::new(names(&["*"]), Vec::new(), ann().filter);
        assert_eq!(mostly.to_read(None, &enabled).unwrap(), Some(enabled.clone()));
        assert_eq!(ann().to_read(Some(names(&["tasks", "secrets"])), &enabled).unwrap_err().status, 403);
    }

    #[test]
    fn filters_are_those_of_the_tables_read() {
        assert_eq!(ann().filters(&names(&["notes"])).len(), 0);
        assert_eq!(ann().filters(&names(&["TASKS", "Tasks", "notes"])).keys().collect::<Vec<_>>(), ["tasks"]);
    }
}
