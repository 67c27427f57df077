//! What a token may see and change. Pure.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::catalog::Catalog;
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
    /// By table in lower case; for reading and for writing.
    filter: BTreeMap<String, Filter>,
}

/// What rows of a table must meet.
#[derive(Clone, Debug)]
struct Filter {
    expr: String,
    /// Which table it is, as soon as one of that name is enabled.
    table: OnceLock<i64>,
}

impl PartialEq for Filter {
    fn eq(&self, other: &Filter) -> bool {
        self.expr == other.expr
    }
}

impl Eq for Filter {}

impl Scope {
    /// Everything.
    pub fn all() -> Scope {
        Scope { read: Tables::All, write: Tables::All, filter: BTreeMap::new() }
    }

    /// What a token's entry says.
    pub fn new(read: Vec<String>, write: Vec<String>, filter: BTreeMap<String, String>) -> Scope {
        let filter = filter.into_iter();
        let filter = filter.map(|(table, expr)| (table.to_ascii_lowercase(), Filter { expr, table: OnceLock::new() }));
        let filter = filter.collect();
        Scope { read: Tables::named(read), write: Tables::named(write), filter }
    }

    /// The expression that rows of a table must meet.
    pub fn filter_of(&self, table: &str) -> Option<&str> {
        self.filter.get(&table.to_ascii_lowercase()).map(|filter| filter.expr.as_str())
    }

    /// All filters: tables in lower case, and expressions.
    pub fn all_filters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.filter.iter().map(|(table, filter)| (table.as_str(), filter.expr.as_str()))
    }

    /// Has each filter remember which table it is for.
    pub fn bind(&self, catalog: &Catalog) {
        for (name, filter) in &self.filter {
            if let Some(number) = catalog.number_of(name) {
                filter.table.get_or_init(|| number);
            }
        }
    }

    /// The name of a filter whose table is not there, or is called something else by now.
    fn astray(&self, catalog: &Catalog) -> Option<&String> {
        let renamed = |name: &String, filter: &Filter| {
            let now = filter.table.get().and_then(|number| catalog.name_of(*number));
            now.is_some_and(|now| !now.eq_ignore_ascii_case(name))
        };
        self.filter.iter().find(|(name, filter)| renamed(name, filter) || !catalog.has(name)).map(|(name, _)| name)
    }

    /// Refuses a table without a filter that one might have been meant for.
    pub fn reaches(&self, table: &str, catalog: &Catalog) -> Result<()> {
        if self.filter.is_empty() || self.filter_of(table).is_some() {
            return Ok(());
        }
        self.bind(catalog);
        match self.astray(catalog) {
            None => Ok(()),
            Some(name) => Err(Refusal::internal(format!(
                "this token has a filter for the table '{name}', which there is no more by that name: until the token file \
                 says how it is called now, and is read again, the token reaches only tables that it has filters for"
            ))),
        }
    }

    /// Whether there are filters.
    pub fn has_filters(&self) -> bool {
        !self.filter.is_empty()
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
    pub fn to_read(&self, asked: Option<Vec<String>>, catalog: &Catalog) -> Result<Option<Vec<String>>> {
        if asked.is_none() && self.reads_all() {
            return Ok(None);
        }
        // All tables would take in one that was disabled, and of that no filter is known.
        let all = || catalog.enabled().filter(|t| self.read.have(t)).cloned().collect();
        let tables: Vec<String> = asked.unwrap_or_else(all);
        for table in &tables {
            if !self.read.have(table) {
                return Err(Refusal::forbidden(format!("this token does not read the table '{table}'")));
            }
            self.reaches(table, catalog)?;
        }
        Ok(Some(tables))
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

    fn mostly() -> Scope {
        Scope::new(names(&["*"]), Vec::new(), BTreeMap::from([("tasks".to_owned(), "owner = 'ann'".to_owned())]))
    }

    #[test]
    fn names_have_no_case() {
        assert!(ann().read.have("TASKS") && !ann().read.have("secrets") && !ann().write.have("notes"));
        assert_eq!(ann().filter_of("tAsks"), Some("owner = 'ann'"));
    }

    #[test]
    fn what_is_not_named_is_what_may_be_read() {
        let enabled = Catalog::of(&[(1, "secrets"), (2, "Tasks")]);
        assert_eq!(ann().to_read(None, &enabled).unwrap(), Some(names(&["Tasks"])));
        assert_eq!(Scope::all().to_read(None, &enabled).unwrap(), None);
        assert_eq!(mostly().to_read(None, &enabled).unwrap(), Some(names(&["secrets", "Tasks"])));
        assert_eq!(ann().to_read(Some(names(&["tasks", "secrets"])), &enabled).unwrap_err().status, 403);
    }

    #[test]
    fn filters_are_those_of_the_tables_read() {
        assert_eq!(ann().filters(&names(&["notes"])).len(), 0);
        assert_eq!(ann().filters(&names(&["TASKS", "Tasks", "notes"])).keys().collect::<Vec<_>>(), ["tasks"]);
    }

    #[test]
    fn a_filter_that_went_astray_opens_nothing() {
        let scope = mostly();
        let reads =
            |tables: &[(i64, &str)], asked: &str| scope.to_read(Some(names(&[asked])), &Catalog::of(tables)).is_ok();
        assert!(!reads(&[(1, "notes")], "notes"), "not there yet, or misspelt");
        assert!(reads(&[(1, "notes"), (2, "Tasks")], "notes"));
        assert!(!reads(&[(1, "notes"), (2, "jobs")], "jobs"), "renamed");
        assert!(!reads(&[(2, "jobs"), (3, "tasks")], "jobs"), "renamed, and another is called so");
        assert!(reads(&[(2, "jobs"), (3, "tasks")], "tasks"), "which has the filter");
        assert!(reads(&[(1, "notes"), (3, "tasks")], "notes"), "dropped, and made anew");
        assert_eq!(scope, mostly(), "to have found its table is no change");
    }
}
