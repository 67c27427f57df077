//! Foreign keys among the application's tables: rows that name no parent, rows that others refer to, checks put off.
//!
//! Rows are shown that have their parents, as many as can be: rows that refer to each other in a circle too. So where it
//! matters the checks are put off (`PRAGMA defer_foreign_keys`), and rows left without a parent are taken away again.
//! <https://sqlite.org/foreignkeys.html>

use std::cell::OnceCell;
use std::rc::Rc;

use crate::conn::{Cached, Conn};
use crate::error::Result;
use crate::ffi::{Value, ValueRef};
use crate::key::Pk;
use crate::row;
use crate::schema::{Catalog, Form};
use crate::sql::{ident, list};
use crate::store::RecordKey;
use crate::strangers::Strangers;

/// What SQLite says of a row without its parent, and of a parent that rows refer to.
pub const FAILED: &str = "FOREIGN KEY constraint failed";

/// One foreign key.
struct Key {
    child: String,
    parent: String,
    /// Columns of the child, and of the parent.
    columns: Vec<(String, String)>,
    /// A parent cannot go before its children.
    holds: bool,
    /// Nor can it change what they refer to.
    pins: bool,
    /// The child's table is enabled.
    ours: bool,
    /// It may be checked at the commit only: its table has such keys.
    late: bool,
}

/// A table's part in a foreign key between enabled tables.
pub struct Side<'f> {
    /// The key's place among all.
    pub key: usize,
    /// It refers; otherwise it is referred to.
    pub is_child: bool,
    /// Its columns.
    pub columns: Vec<&'f str>,
}

/// The foreign keys of a database; none where they are not enforced.
#[derive(Default)]
pub struct Foreign {
    keys: Vec<Key>,
}

impl Foreign {
    /// The foreign keys as they are now.
    pub fn current(conn: &Conn, catalog: &Catalog) -> Result<Rc<Foreign>> {
        if conn.int("PRAGMA foreign_keys", &[])? != Some(1) {
            return Ok(Rc::default());
        }
        let kept = catalog.derived(conn)?.map(|derived| &derived.foreign);
        if let Some(foreign) = kept.and_then(OnceCell::get) {
            return Ok(Rc::clone(foreign));
        }
        let foreign = Rc::new(Foreign::read(conn, catalog)?);
        Ok(kept.map_or_else(|| Rc::clone(&foreign), |kept| Rc::clone(kept.get_or_init(|| Rc::clone(&foreign)))))
    }

    fn read(conn: &Conn, catalog: &Catalog) -> Result<Foreign> {
        let mut all = Foreign::default();
        let mut rows = conn.stmt(
            "SELECT m.name, f.id, f.\"table\", f.\"from\", coalesce(f.\"to\", k.name), f.on_delete, f.on_update,
               m.sql LIKE '%DEFERRED%'
             FROM main.sqlite_schema m, pragma_foreign_key_list(m.name, 'main') f
             LEFT JOIN pragma_table_info(f.\"table\", 'main') k ON f.\"to\" IS NULL AND k.pk = f.seq + 1
             WHERE m.type = 'table' ORDER BY m.name, f.id, f.seq",
        )?;
        let mut last = None;
        let stays = |action: Option<&str>| matches!(action, Some("NO ACTION" | "RESTRICT"));
        while rows.step()? {
            let text = |i| rows.text(i).unwrap_or_default().to_owned();
            let (child, column) = (text(0), (text(3), text(4)));
            let id = (child.clone(), rows.i64(1));
            match all.keys.last_mut().filter(|_| last.as_ref() == Some(&id)) {
                Some(key) => key.columns.push(column),
                None => all.keys.push(Key {
                    ours: catalog.enabled(&child).is_ok(),
                    child,
                    parent: text(2),
                    columns: vec![column],
                    holds: stays(rows.text(5)),
                    pins: stays(rows.text(6)),
                    late: rows.i64(7) == Some(1),
                }),
            }
            last = Some(id);
        }
        Ok(all)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether rows of enabled tables may break keys until the commit.
    fn is_late(&self) -> bool {
        self.keys.iter().any(|key| key.ours && key.late)
    }

    /// The same of the rows of one table.
    pub fn is_late_in(&self, child: &str) -> bool {
        self.keys.iter().any(|key| key.late && key.child.eq_ignore_ascii_case(child))
    }

    /// Whether some key refers to rows of a table by that column.
    pub fn names(&self, parent: &str, column: &str) -> bool {
        let of = |key: &&Key| key.parent.eq_ignore_ascii_case(parent);
        self.keys.iter().filter(of).any(|key| key.columns.iter().any(|(_, to)| to.eq_ignore_ascii_case(column)))
    }

    /// Whether a column is part of some key, of the child's or the parent's side.
    pub fn concerns(&self, table: &str, column: &str) -> bool {
        let of = |key: &&Key| key.child.eq_ignore_ascii_case(table);
        let named = |key: &Key| key.columns.iter().any(|(from, _)| from.eq_ignore_ascii_case(column));
        self.names(table, column) || self.keys.iter().filter(of).any(named)
    }

    /// What a table has part in; both sides of a key by which its rows refer to each other.
    pub fn sides(&self, table: &str) -> Vec<Side<'_>> {
        let ours = self.keys.iter().enumerate().filter(|(_, key)| key.ours);
        let both = ours.flat_map(|(i, key)| [(i, key, true), (i, key, false)]);
        let own = both.filter(|(_, of, is_child)| {
            let side = if *is_child { &of.child } else { &of.parent };
            side.eq_ignore_ascii_case(table)
        });
        own.map(|(key, of, is_child)| {
            let columns = of.columns.iter().map(|(from, to)| if is_child { from.as_str() } else { to.as_str() });
            Side { key, is_child, columns: columns.collect() }
        })
        .collect()
    }

    /// The tables that are not enabled and have keys, if a merge could break those: where it writes nothing besides, only by actions
    /// of such keys.
    pub fn strangers(&self, writes_besides: bool) -> Strangers {
        let theirs = || self.keys.iter().filter(|key| !key.ours);
        if !writes_besides && theirs().all(|key| key.holds && key.pins) {
            return Strangers::default();
        }
        let mut tables: Vec<String> = theirs().map(|key| key.child.clone()).collect();
        tables.dedup(); // they stand by name
        Strangers::new(tables)
    }

    /// The tables that a table's rows refer to.
    pub fn parents<'f>(&'f self, child: &'f str) -> impl Iterator<Item = &'f str> {
        self.keys.iter().filter(move |key| key.child.eq_ignore_ascii_case(child)).map(|key| key.parent.as_str())
    }

    /// The keys of rows that name a parent which is not there.
    pub fn orphans(&self, conn: &Conn, form: &Form) -> Result<Vec<Pk>> {
        let mut all = Vec::new();
        for key in self.keys.iter().filter(|key| key.child.eq_ignore_ascii_case(&form.shape.name)) {
            let columns = list(form.shape.key.iter().map(|k| format!("\"c\".{}", ident(k))));
            let named = key.columns.iter().map(|(from, _)| format!("\"c\".{} IS NOT NULL AND ", ident(from)));
            let sql = format!(
                "SELECT {columns} FROM main.{} AS \"c\" WHERE {}NOT EXISTS (SELECT 1 FROM main.{} AS \"p\" WHERE {})",
                ident(&key.child),
                named.collect::<String>(),
                ident(&key.parent),
                key.refers(false) + &key.is_not_itself(form)
            );
            let Some(mut rows) = ask(conn, &sql)? else { continue };
            while rows.step()? {
                let values: Vec<ValueRef<'_>> = (0..form.shape.key.len()).map(|i| rows.column(i)).collect();
                all.push(Pk::encode(&form.shape.classes, &values));
            }
        }
        all.sort_unstable();
        all.dedup();
        Ok(all)
    }

    /// The rows of enabled tables that refer to a row.
    pub fn children(&self, conn: &Conn, catalog: &Catalog, form: &Form, pk: &Pk) -> Result<Vec<RecordKey>> {
        let mut all = Vec::new();
        let ours = |k: &&Key| k.ours && k.parent.eq_ignore_ascii_case(&form.shape.name);
        for key in self.keys.iter().filter(ours) {
            let Some(values) = pk.decode(&form.shape.classes) else { continue };
            let Ok(table) = catalog.enabled(&key.child) else { continue };
            let child = table.form(conn)?;
            let sql = format!(
                "SELECT {} FROM main.{} AS \"p\" JOIN main.{} AS \"c\" ON {} WHERE {}",
                list(child.shape.key.iter().map(|k| format!("\"c\".{}", ident(k)))),
                ident(&key.parent),
                ident(&key.child),
                key.refers(true),
                row::key_condition_of(form, "\"p\".")
            );
            let Some(mut rows) = ask(conn, &sql)? else { continue };
            rows.bind_all(&values.iter().map(Value::as_ref).collect::<Vec<_>>())?;
            while rows.step()? {
                let key: Vec<ValueRef<'_>> = (0..child.shape.key.len()).map(|i| rows.column(i)).collect();
                all.push((table.id, Pk::encode(&child.shape.classes, &key)));
            }
        }
        Ok(all)
    }

    /// Whether rows of a table may refer to others of it.
    pub fn is_tree(&self, table: &str) -> bool {
        self.keys.iter().any(|key| key.is_tree() && key.child.eq_ignore_ascii_case(table))
    }

    /// Whether a row would name itself in another spelling ('A' for 'a' under NOCASE). SQLite does not find such a parent,
    /// and where the check is put off counts it as missing for good.
    pub fn misspells_itself(&self, conn: &Conn, form: &Form, key: &[Value], cells: &[(usize, Value)]) -> Result<bool> {
        let same = |name: &str, other: &str| name.eq_ignore_ascii_case(other);
        let cell = |name: &str| {
            let in_key = form.shape.key.iter().zip(key).find(|(column, _)| same(column, name)).map(|(_, value)| value);
            let named = |i: &usize| form.tracked.get(*i).is_some_and(|t| same(&t.column.name, name));
            in_key.or_else(|| cells.iter().find(|(i, _)| named(i)).map(|(_, value)| value))
        };
        for k in self.keys.iter().filter(|k| k.is_tree() && same(&k.child, &form.shape.name)) {
            let pairs: Vec<_> = k.columns.iter().filter_map(|(from, to)| Some((cell(from)?, cell(to)?))).collect();
            let alike = pairs.len() == k.columns.len() && pairs.iter().all(|(from, to)| alike(from, to));
            if !alike || pairs.iter().all(|(from, to)| from == to) {
                continue;
            }
            let columns = list(k.columns.iter().map(|(_, to)| ident(to)));
            let marks = list((1..=pairs.len()).map(|i| format!("?{i}")));
            let equal =
                k.columns.iter().enumerate().map(|(i, (_, to))| format!("{} = ?{}", ident(to), pairs.len() + i + 1));
            let sql = format!(
                "SELECT 1 FROM (SELECT {columns} FROM main.{} WHERE 0 UNION ALL SELECT {marks}) WHERE {}",
                ident(&k.child),
                equal.collect::<Vec<_>>().join(" AND ")
            );
            let values = pairs.iter().map(|(_, to)| to.as_ref()).chain(pairs.iter().map(|(from, _)| from.as_ref()));
            if conn.int(&sql, &values.collect::<Vec<_>>())?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether rows of a table that is not enabled hold a row in its place: those are not ours to take away.
    pub fn holds(&self, conn: &Conn, form: &Form, key: &[Value]) -> Result<bool> {
        let strangers = |k: &&Key| k.holds && !k.ours && k.parent.eq_ignore_ascii_case(&form.shape.name);
        for stranger in self.keys.iter().filter(strangers) {
            let sql = format!(
                "SELECT 1 FROM main.{} AS \"p\" WHERE {} AND EXISTS (SELECT 1 FROM main.{} AS \"c\" WHERE {})",
                ident(&stranger.parent),
                row::key_condition(form),
                ident(&stranger.child),
                stranger.refers(true)
            );
            let values: Vec<ValueRef<'_>> = key.iter().map(Value::as_ref).collect();
            if finds(conn, &sql, &values)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether rows of a table that is not enabled refer to a row by what `cells` would change. Where the check is put off, SQLite finds out
    /// too late.
    pub fn pins(&self, conn: &Conn, form: &Form, key: &[Value], cells: &[(usize, Value)]) -> Result<bool> {
        let strangers = |k: &&Key| k.pins && !k.ours && k.parent.eq_ignore_ascii_case(&form.shape.name);
        for stranger in self.keys.iter().filter(strangers) {
            let named = |name: &str| stranger.columns.iter().any(|(_, to)| to.eq_ignore_ascii_case(name));
            let name = |i: usize| form.tracked.get(i).map_or("", |tracked| tracked.column.name.as_str());
            let changed: Vec<_> = cells.iter().filter(|(i, _)| named(name(*i))).collect();
            if changed.is_empty() {
                continue;
            }
            let same = |(at, (i, _)): (usize, &&(usize, Value))| {
                format!("\"p\".{} IS ?{}", ident(name(*i)), key.len() + at + 1)
            };
            let sql = format!(
                "SELECT 1 FROM main.{} AS \"p\" WHERE {} AND NOT ({}) AND EXISTS (SELECT 1 FROM main.{} AS \"c\" WHERE {})",
                ident(&stranger.parent),
                row::key_condition(form),
                changed.iter().enumerate().map(same).collect::<Vec<_>>().join(" AND "),
                ident(&stranger.child),
                stranger.refers(true)
            );
            let values = key.iter().chain(changed.iter().map(|(_, value)| value)).map(Value::as_ref);
            if finds(conn, &sql, &values.collect::<Vec<_>>())? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// A question about a key; None where it names what is not there: nothing refers by it, and as a parent it lets no row in.
fn ask<'c>(conn: &'c Conn, sql: &str) -> Result<Option<Cached<'c>>> {
    match conn.stmt(sql) {
        Err(e) if e.is_statement() => Ok(None),
        asked => asked.map(Some),
    }
}

/// Whether a question finds a row.
fn finds(conn: &Conn, sql: &str, values: &[ValueRef<'_>]) -> Result<bool> {
    let Some(mut rows) = ask(conn, sql)? else { return Ok(false) };
    rows.bind_all(values)?;
    rows.step()
}

impl Key {
    fn is_tree(&self) -> bool {
        self.child.eq_ignore_ascii_case(&self.parent)
    }

    /// In a table that refers to itself: condition that "p" is another row than "c", unless it is spelled the same.
    fn is_not_itself(&self, form: &Form) -> String {
        if !self.is_tree() {
            return String::new();
        }
        let exact = |(a, b): (&String, &String)| format!("\"p\".{} IS \"c\".{} COLLATE BINARY", ident(a), ident(b));
        let row = form.shape.key.iter().map(|k| exact((k, k))).collect::<Vec<_>>().join(" AND ");
        let spelled = self.columns.iter().map(|(from, to)| exact((to, from))).collect::<Vec<_>>().join(" AND ");
        format!(" AND (NOT ({row}) OR ({spelled}))")
    }

    /// Condition that the row "c" refers to the row "p": by the collation and affinity of the parent's columns alone.
    /// `by_child` adds one, wider, that an index on the child's columns can serve.
    fn refers(&self, by_child: bool) -> String {
        let condition = |(from, to): &(String, String)| {
            let (from, to) = (ident(from), ident(to));
            match by_child {
                true => format!("\"p\".{to} = \"c\".{from} AND \"p\".{to} = +\"c\".{from}"),
                false => format!("\"p\".{to} = +\"c\".{from}"),
            }
        };
        self.columns.iter().map(condition).collect::<Vec<_>>().join(" AND ")
    }
}

/// Whether some column may take two values for one.
fn alike(a: &Value, b: &Value) -> bool {
    let text = |value: &Value| match value {
        Value::Text(text) => Some(String::from_utf8_lossy(text).trim().to_lowercase()),
        Value::Integer(i) => Some(i.to_string()),
        Value::Real(r) => Some(r.to_string()),
        _ => None,
    };
    a == b || matches!((text(a), text(b)), (Some(a), Some(b)) if a == b)
}

/// Puts the checks of foreign keys off until [`resume`].
pub fn put_off(conn: &Conn) -> Result<()> {
    if conn.int("PRAGMA defer_foreign_keys", &[])? == Some(0) {
        conn.db.exec("PRAGMA defer_foreign_keys = ON")?;
        conn.put_off.set(true);
    }
    Ok(())
}

/// Puts them off before anything is broken. Older SQLite counts what is broken meanwhile apart, and [`resume`] lets go of that
/// count alone: what had been broken before and is mended meanwhile would stay counted as broken.
pub fn put_off_at_once(conn: &Conn) -> Result<()> {
    match conn.db.breaks_deferred_keys() {
        true => Ok(()),
        false => put_off(conn),
    }
}

/// The same where rows of enabled tables may break keys until the commit.
pub fn put_off_late(conn: &Conn) -> Result<()> {
    let late = conn.foreign.borrow().is_late();
    if late {
        put_off_at_once(conn)?;
    }
    Ok(())
}

/// Ends what [`put_off`] began. By now no row of ours may break a key.
pub fn resume(conn: &Conn) -> Result<()> {
    match conn.put_off.replace(false) {
        true => conn.db.exec("PRAGMA defer_foreign_keys = OFF"),
        false => Ok(()),
    }
}
