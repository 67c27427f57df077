//! Foreign keys of tables that are not enabled. A merge writes such tables through triggers and actions of foreign keys alone. Where
//! a key is checked at the commit, or its check is put off, SQLite lets what they write stand: so it is asked before.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use crate::conn::Conn;
use crate::error::Result;
use crate::sql::ident;

/// How such a reason begins in `crdt_pending()`.
pub const REASON: &str = "it would break a foreign key of";

/// A row that names no parent: its table, its rowid (none WITHOUT ROWID), which of the table's keys.
type Breach = (String, Option<i64>, Option<i64>);

/// How many there are of each.
type Breaches = BTreeMap<Breach, usize>;

/// The tables that are not enabled and have foreign keys, if a merge could break those.
#[derive(Default)]
pub struct Strangers {
    tables: Vec<String>,
    /// What was broken before, once that was asked for.
    before: OnceCell<Breaches>,
}

impl Strangers {
    /// Those of these names.
    pub fn new(tables: Vec<String>) -> Strangers {
        Strangers { tables, before: OnceCell::new() }
    }

    /// Whether there are none: nothing needs to be guarded.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// Why what was done since [`Strangers::learn`] cannot stay: it broke a key of theirs. As long as that was not called, old breaches
    /// count too.
    pub fn broken(&self, conn: &Conn) -> Result<Option<String>> {
        if self.is_empty() || !conn.db.breaks_deferred_keys() {
            return Ok(None);
        }
        let before = |breach: &Breach| self.before.get().and_then(|all| all.get(breach)).copied().unwrap_or(0);
        let new = self.breaches(conn)?.into_iter().find(|(breach, count)| *count > before(breach));
        Ok(new.map(|((table, ..), _)| {
            format!("{REASON} '{}', a table that is not enabled", crate::error::excerpt(&table))
        }))
    }

    /// Whether it is known what was broken before.
    pub fn is_learnt(&self) -> bool {
        self.before.get().is_some()
    }

    /// Reads what is broken now, which the call under way is not to blame for; false where that is known already.
    pub fn learn(&self, conn: &Conn) -> Result<bool> {
        if self.is_learnt() {
            return Ok(false);
        }
        let breaches = self.breaches(conn)?;
        self.before.get_or_init(|| breaches);
        Ok(true)
    }

    fn breaches(&self, conn: &Conn) -> Result<Breaches> {
        let mut all = Breaches::new();
        for table in &self.tables {
            let mut rows = match conn.stmt(&format!("PRAGMA main.foreign_key_check({})", ident(table))) {
                // A key that names what is not there: no trigger can write such a row.
                Err(e) if e.is_statement() => continue,
                rows => rows?,
            };
            while rows.step()? {
                *all.entry((table.clone(), rows.i64(1), rows.i64(3))).or_default() += 1;
            }
        }
        Ok(all)
    }
}
