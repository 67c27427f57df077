//! Where this database stands with a peer: `_crdt_remote`.

use std::collections::BTreeSet;

use crate::conn::Conn;
use crate::error::{Error, Result};
use crate::ffi::ValueRef;
use crate::functions::json_strings;
use crate::session;
use crate::store::Store;

/// A peer, and the tables that a pair of cursors is for.
pub struct Place {
    /// The peer's address.
    pub url: String,
    /// Sorted.
    pub tables: Vec<String>,
    /// Whether it stands in for a larger set that the peer refused.
    pub part: bool,
}

/// The cursors of a place.
#[derive(Clone, Default, Debug)]
pub struct Cursors {
    /// In the peer's log: everything before it is merged here.
    pub pulled: Option<String>,
    /// In our log: the peer has confirmed everything before it.
    pub pushed: Option<String>,
    /// When everything was last asked of a peer whose cursors may skip something, nanoseconds.
    pub whole: Option<i64>,
    /// The peer's node id, where it is one of ours.
    pub node: Option<String>,
}

impl Place {
    /// The tables as a JSON array.
    pub fn tables_json(&self) -> String {
        json_strings(&self.tables)
    }

    /// The cursors as they stand.
    pub fn read(&self, conn: &Conn) -> Result<Cursors> {
        let sql = "SELECT pulled, pushed, whole, node FROM main._crdt_remote WHERE url = ?1 AND tables = ?2";
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let found =
            conn.first(sql, &[self.url.as_str().into(), self.tables_json().as_str().into()], |row| Cursors {
                pulled: owned(row.text(0)),
                pushed: owned(row.text(1)),
                whole: row.i64(2),
                node: owned(row.text(3)),
            })?;
        Ok(found.unwrap_or_default())
    }

    /// Moves the cursors that are given, in the caller's savepoint.
    pub fn save(&self, store: &Store<'_>, to: &Cursors) -> Result<()> {
        fn text(cursor: &Option<String>) -> ValueRef<'_> {
            cursor.as_deref().map_or(ValueRef::Null, ValueRef::from)
        }
        store.conn.run(
            "INSERT INTO main._crdt_remote(url, tables, pulled, pushed, whole, seen, node, part) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT(url, tables) DO UPDATE SET pulled = ifnull(excluded.pulled, pulled),
               pushed = ifnull(excluded.pushed, pushed), whole = ifnull(excluded.whole, whole), seen = excluded.seen,
               node = ifnull(excluded.node, node), part = part AND excluded.part",
            &[
                self.url.as_str().into(),
                self.tables_json().as_str().into(),
                text(&to.pulled),
                text(&to.pushed),
                to.whole.map_or(ValueRef::Null, ValueRef::from),
                store.wall.into(),
                text(&to.node),
                i64::from(self.part).into(),
            ],
        )?;
        Ok(())
    }

    /// The peer has not what it had confirmed: all is to be sent again, in the caller's savepoint. Repeats are harmless.
    pub fn unconfirm(&self, store: &Store<'_>) -> Result<()> {
        let tables = self.tables_json();
        let key = [self.url.as_str(), tables.as_str()].map(ValueRef::from);
        let sql =
            "UPDATE main._crdt_remote SET pushed = NULL, whole = NULL, node = NULL WHERE url = ?1 AND tables = ?2";
        store.conn.run(sql, &key)?;
        store.conn.run("DELETE FROM main._crdt_refused WHERE url = ?1 AND tables = ?2", &key)?;
        Ok(())
    }

    /// What lies after the cursor `pushed` is to be sent again, in the caller's savepoint. Repeats are harmless.
    pub fn go_back(&self, store: &Store<'_>, pushed: Option<&str>) -> Result<()> {
        let tables = self.tables_json();
        let values = [self.url.as_str().into(), tables.as_str().into(), pushed.map_or(ValueRef::Null, ValueRef::from)];
        let sql = "UPDATE main._crdt_remote SET pushed = ?3 WHERE url = ?1 AND tables = ?2";
        store.conn.run(sql, &values).map(drop)
    }

    /// Forgets the place, in the caller's savepoint.
    pub fn forget(&self, store: &Store<'_>) -> Result<()> {
        self.unconfirm(store)?;
        let tables = self.tables_json();
        let key = [self.url.as_str(), tables.as_str()].map(ValueRef::from);
        store.conn.run("DELETE FROM main._crdt_remote WHERE url = ?1 AND tables = ?2", &key)?;
        Ok(())
    }
}

/// Forgets what stood in for a set that the peer refused, now that the whole of it went through.
pub fn absorb(conn: &Conn, whole: &Place) -> Result<()> {
    let mut parts = known(conn, &whole.url, "AND part")?;
    parts.retain(|tables| *tables != whole.tables && tables.iter().all(|name| whole.tables.contains(name)));
    if parts.is_empty() {
        return Ok(());
    }
    session::write(conn, |store| {
        let part = |tables: &Vec<String>| Place { url: whole.url.clone(), tables: tables.clone(), part: true };
        parts.iter().try_for_each(|tables| part(tables).forget(store))
    })
}

/// The sets of tables that are known of a peer, the longest first.
fn known(conn: &Conn, url: &str, which: &str) -> Result<Vec<Vec<String>>> {
    let sql =
        format!("SELECT tables FROM main._crdt_remote WHERE url = ?1 {which} ORDER BY length(tables) DESC, tables");
    let mut rows = conn.stmt(&sql)?;
    rows.bind(1, url)?;
    let mut known = Vec::new();
    while rows.step()? {
        let text = rows.text(0).unwrap_or_default();
        let tables: Vec<String> = serde_json::from_str(text).map_err(|e| {
            Error::data(format!("_crdt_remote: tables is no JSON array of names ({e}); delete that row"))
        })?;
        known.push(tables);
    }
    Ok(known)
}

/// The tables that are asked for; of all that are enabled where none are named.
pub fn asked(store: &Store<'_>, names: Option<&[String]>) -> Result<BTreeSet<String>> {
    let catalog = &store.catalog;
    match names {
        Some(names) => names.iter().map(|name| Ok(catalog.enabled(name)?.name.clone())).collect(),
        None => {
            let tables = catalog.tables().iter().filter(|table| table.enabled && table.captured);
            Ok(tables.map(|table| table.name.clone()).collect())
        }
    }
}

/// Makes the tables that remember peers, where they are not there yet. Those of an earlier form go: everything is exchanged once more.
pub fn install(conn: &Conn) -> Result<()> {
    let known = "SELECT 1 FROM pragma_table_info('_crdt_remote', 'main') WHERE name = 'part'";
    if conn.int(known, &[])?.is_some() {
        return Ok(());
    }
    session::write(conn, |store| {
        store.conn.change_schema("DROP TABLE IF EXISTS main._crdt_remote; DROP TABLE IF EXISTS main._crdt_refused;")?;
        store.conn.change_schema(include_str!("../../sql/remote.sql"))
    })
}

/// The sets of tables that have cursors of their own with a peer: those known that hold none but tables asked for, and what none
/// of them has. So a table that is enabled later is pulled from its start, and the others go on from where they were.
pub fn sets(conn: &Conn, url: &str, asked: BTreeSet<String>) -> Result<Vec<Vec<String>>> {
    let mut left = asked;
    let mut sets: Vec<Vec<String>> = Vec::new();
    for tables in known(conn, url, "")? {
        if tables.iter().all(|name| left.contains(name)) {
            tables.iter().for_each(|name| {
                left.remove(name);
            });
            sets.push(tables);
        }
    }
    if !left.is_empty() {
        sets.push(left.into_iter().collect());
    }
    Ok(sets)
}
