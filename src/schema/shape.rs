//! What a user's table is: its key, its columns, what SQLite makes of their values.
//! <https://sqlite.org/datatype3.html>, <https://sqlite.org/pragma.html#pragma_table_xinfo>

use std::rc::Rc;

use crate::conn::Conn;
use crate::error::{Error, Result};
use crate::ffi::ValueRef;
use crate::key::KeyClass;
use crate::sql::literal;
use crate::value::Form;

/// A column's type affinity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Affinity {
    /// INTEGER
    Integer,
    /// TEXT
    Text,
    /// BLOB, or no declared type; also ANY in a STRICT table
    Blob,
    /// REAL
    Real,
    /// NUMERIC
    Numeric,
}

impl Affinity {
    /// The affinity of a declared type, by the rules of datatype3.html section 3.1.
    pub fn of(declared: &str, strict: bool) -> Affinity {
        let upper = declared.to_ascii_uppercase();
        let has = |part: &str| upper.contains(part);
        if has("INT") {
            Affinity::Integer
        } else if has("CHAR") || has("CLOB") || has("TEXT") {
            Affinity::Text
        } else if has("BLOB") || upper.is_empty() || (strict && upper == "ANY") {
            Affinity::Blob
        } else if has("REAL") || has("FLOA") || has("DOUB") {
            Affinity::Real
        } else {
            Affinity::Numeric
        }
    }

    /// Whether a column of this affinity certainly holds `value` as it is; false when in doubt.
    pub fn keeps(self, value: ValueRef<'_>) -> bool {
        let numeric =
            |text: &[u8]| text.first().is_none_or(|b| b.is_ascii_digit() || b" \t\n\r\x0b\x0c+-.".contains(b));
        match (self, value) {
            (_, ValueRef::Text(text)) if !crate::value::has_all_forms(text) => false,
            (_, ValueRef::Null | ValueRef::Blob(_)) | (Affinity::Blob, _) | (Affinity::Text, ValueRef::Text(_)) => true,
            (Affinity::Integer | Affinity::Numeric, ValueRef::Integer(_)) => true,
            (Affinity::Real, ValueRef::Real(r)) => r != 0.0,
            (Affinity::Integer | Affinity::Numeric | Affinity::Real, ValueRef::Text(text)) => {
                !text.is_empty() && !numeric(text)
            }
            _ => false,
        }
    }

    /// How keys in such a column are written.
    pub fn key_class(self) -> KeyClass {
        match self {
            Affinity::Integer => KeyClass::Integer,
            Affinity::Text => KeyClass::Text,
            _ => KeyClass::Other,
        }
    }
}

/// One column.
#[derive(Clone, Debug)]
pub struct Column {
    /// Name as declared.
    pub name: String,
    /// What SQLite makes of its values.
    pub affinity: Affinity,
    /// How its values look in JSON.
    pub form: Form,
    /// NULL is refused.
    pub not_null: bool,
    /// The default as an SQL expression that means the same wherever it stands.
    pub default: Option<String>,
    /// Computed from others.
    pub generated: bool,
    /// Place in the primary key, from 1; 0 for other columns.
    pub key: usize,
}

impl Column {
    /// The default, NULL where none is declared, as an operand: the line break ends a comment that it may end in.
    pub fn default_operand(&self) -> String {
        format!("({}\n)", self.default.as_deref().unwrap_or("NULL"))
    }

    /// Whether the default calls no function: there may be none of that name on another connection.
    pub fn default_calls_nothing(&self) -> bool {
        let text = self.default.as_deref().unwrap_or_default();
        text.split('\'').step_by(2).all(|outside| !outside.contains('('))
    }

    /// The default where it is an INTEGER literal.
    pub fn default_integer(&self) -> Option<i64> {
        self.default.as_deref()?.trim().parse().ok()
    }

    /// Whether the default is certainly what a counter or set without any state is: 0, an empty array, NULL.
    pub fn defaults_to_nothing(&self) -> bool {
        let Some(text) = self.default.as_deref().map(str::trim) else { return true };
        let array = text.strip_prefix('\'').and_then(|t| t.strip_suffix('\'')).map(crate::types::set::elements);
        text.eq_ignore_ascii_case("null")
            || self.default_integer() == Some(0)
            || array.is_some_and(|elements| elements.is_ok_and(|e| e.is_empty()))
    }
}

/// One table.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Name as declared.
    pub name: String,
    /// Columns in order, generated ones too.
    pub columns: Vec<Column>,
    /// Names of the key columns in the order of the key's declaration.
    pub key: Vec<String>,
    /// Affinities of the key columns as key classes.
    pub classes: Rc<[KeyClass]>,
    /// Declared WITHOUT ROWID.
    pub without_rowid: bool,
    /// The single key column is the rowid.
    pub rowid_alias: bool,
    /// Declared AUTOINCREMENT.
    pub autoincrement: bool,
    /// Some constraint names its own conflict rule, which would act on merged rows too.
    pub own_conflict_rule: bool,
    /// Some column may have another collation than BINARY.
    pub collates: bool,
}

impl Shape {
    /// Reads the table `name` of the main schema.
    ///
    /// # Errors
    /// No such table; a view, virtual or shadow table; no PRIMARY KEY.
    pub fn read(conn: &Conn, name: &str) -> Result<Shape> {
        let refuse = |why: &str| Error::caller(format!("'{}' {why}", crate::error::excerpt(name)));
        let listed = match Shape::ordinary(conn, name)? {
            Some((name, sql)) => Ok(Some((name, "table".to_owned(), false, false, sql))),
            None => Shape::listed(conn, name),
        };
        let listed = match listed {
            Err(_) if conn.db.version_number() < 3_037_000 => Shape::list_before_3_37(conn, name)?,
            listed => listed?,
        };
        let (name, kind, without_rowid, strict, sql) = listed
            .ok_or_else(|| refuse("is no table of the main database; temp and attached tables cannot be enabled"))?;
        match kind.as_str() {
            "table" => {}
            "view" => return Err(refuse("is a view; enable the tables under it")),
            "virtual" => return Err(refuse("is a virtual table; only ordinary tables can be enabled")),
            _ => return Err(refuse("belongs to a virtual table; only ordinary tables can be enabled")),
        }
        let columns = Shape::columns(conn, &name, strict)?;
        let mut keys: Vec<&Column> = columns.iter().filter(|c| c.key > 0).collect();
        keys.sort_by_key(|c| c.key);
        if keys.is_empty() {
            return Err(refuse("has no PRIMARY KEY; a record needs a name that is the same on every node"));
        }
        let upper = sql.to_ascii_uppercase();
        let rowid_alias = !without_rowid && is_rowid_alias(conn, &name, &keys)?;
        Ok(Shape {
            key: keys.iter().map(|c| c.name.clone()).collect(),
            classes: keys.iter().map(|c| c.affinity.key_class()).collect(),
            rowid_alias,
            autoincrement: rowid_alias && upper.contains("AUTOINCREMENT"),
            own_conflict_rule: upper.contains("ON CONFLICT") || upper.contains("CONFLICT"),
            collates: upper.contains("COLLATE"),
            name,
            columns,
            without_rowid,
        })
    }

    /// The name and the SQL of a table that is certainly no virtual or shadow table, neither WITHOUT ROWID nor STRICT; None for
    /// any other. `pragma_table_list` would tell, but prepares every view of the database for that, ours too.
    fn ordinary(conn: &Conn, name: &str) -> Result<Option<(String, String)>> {
        // A virtual table has no root page; its shadow tables are named after it.
        let found = conn.first(
            "SELECT s.name, s.sql FROM main.sqlite_schema s
             WHERE s.type = 'table' AND s.name = ?1 COLLATE NOCASE AND s.rootpage > 0 AND NOT EXISTS (
               SELECT 1 FROM main.sqlite_schema v WHERE v.type = 'table' AND v.rootpage = 0
               AND substr(s.name, 1, 1 + length(v.name)) = v.name || '_' COLLATE NOCASE)",
            &[name.into()],
            |row| (row.text(0).unwrap_or_default().to_owned(), row.text(1).unwrap_or_default().to_owned()),
        )?;
        let options = |sql: &str| ["WITHOUT", "STRICT"].iter().any(|word| sql.to_ascii_uppercase().contains(word));
        Ok(found.filter(|(_, sql)| !options(sql)))
    }

    #[allow(clippy::type_complexity)]
    fn listed(conn: &Conn, name: &str) -> Result<Option<(String, String, bool, bool, String)>> {
        conn.first(
            "SELECT l.name, l.type, l.wr, l.strict, s.sql FROM pragma_table_list(?1) l
             LEFT JOIN main.sqlite_schema s ON s.name = l.name AND s.type = l.type WHERE l.schema = 'main' COLLATE NOCASE",
            &[name.into()],
            |row| {
                let text = |i| row.text(i).unwrap_or_default().to_owned();
                (text(0), text(1), row.i64(2) == Some(1), row.i64(3) == Some(1), text(4))
            },
        )
    }

    /// What `pragma_table_list` tells, for hosts older than it.
    #[allow(clippy::type_complexity)]
    fn list_before_3_37(conn: &Conn, name: &str) -> Result<Option<(String, String, bool, bool, String)>> {
        conn.first(
            "SELECT name, type, sql FROM main.sqlite_schema WHERE type IN ('table', 'view') AND name = ?1 COLLATE NOCASE",
            &[name.into()],
            |row| {
                let text = |i| row.text(i).unwrap_or_default().to_owned();
                let upper = text(2).to_ascii_uppercase();
                let kind = if upper.starts_with("CREATE VIRTUAL") { "virtual".to_owned() } else { text(1) };
                let tail = upper.rfind(')').map_or("", |i| upper.get(i..).unwrap_or(""));
                (text(0), kind, tail.contains("WITHOUT"), false, text(2))
            },
        )
    }

    fn columns(conn: &Conn, name: &str, strict: bool) -> Result<Vec<Column>> {
        let mut stmt =
            conn.stmt("SELECT name, type, \"notnull\", dflt_value, pk, hidden FROM pragma_table_xinfo(?1, 'main')")?;
        stmt.bind(1, name)?;
        let mut columns = Vec::new();
        while stmt.step()? {
            let column = stmt.text(0).ok_or_else(|| {
                Error::caller(format!("'{}' has a column whose name is not UTF-8", crate::error::excerpt(name)))
            })?;
            let declared = stmt.text(1).unwrap_or_default();
            columns.push(Column {
                name: column.to_owned(),
                affinity: Affinity::of(declared, strict),
                form: Form::of(declared),
                not_null: stmt.i64(2) == Some(1),
                default: stmt.text(3).map(default_expression),
                generated: matches!(stmt.i64(5), Some(2 | 3)),
                key: stmt.i64(4).and_then(|k| usize::try_from(k).ok()).unwrap_or(0),
            });
        }
        Ok(columns)
    }

    /// The column of that name, as SQLite compares names.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.name.eq_ignore_ascii_case(name))
    }

    /// Columns that can be tracked: neither key nor generated.
    pub fn trackable(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|c| c.key == 0 && !c.generated)
    }

    /// A name by which SQL reaches the rowid; None when there is none.
    pub fn rowid_name(&self) -> Option<&'static str> {
        if self.without_rowid {
            return None;
        }
        ["rowid", "_rowid_", "oid"].into_iter().find(|name| self.column(name).is_none())
    }
}

/// A DEFAULT clause's text as an expression: there SQLite takes a name, bare or quoted, for text, elsewhere for a column.
fn default_expression(text: &str) -> String {
    const OTHERS: [&str; 6] = ["TRUE", "FALSE", "NULL", "CURRENT_TIME", "CURRENT_DATE", "CURRENT_TIMESTAMP"];
    let between = |open, close| text.strip_prefix(open).and_then(|rest: &str| rest.strip_suffix(close));
    let quoted = |quote: char| {
        let twice = format!("{quote}{quote}");
        between(quote, quote)
            .filter(|inner| !inner.replace(&twice, "").contains(quote))
            .map(|i| i.replace(&twice, &quote.to_string()))
    };
    let in_name = |c: char| c == '_' || c == '$' || c.is_ascii_alphanumeric() || !c.is_ascii();
    let bare = || {
        let is_name = text.chars().all(in_name) && !text.starts_with(|c: char| c.is_ascii_digit() || c == '$');
        (is_name && !OTHERS.iter().any(|word| word.eq_ignore_ascii_case(text))).then(|| text.to_owned())
    };
    let bracketed = || between('[', ']').filter(|inner| !inner.contains(']')).map(str::to_owned);
    let name = quoted('"').or_else(|| quoted('`')).or_else(bracketed).or_else(bare);
    name.map_or_else(|| text.to_owned(), |name| literal(&name))
}

/// Whether the key is an INTEGER PRIMARY KEY: the only kind of key of a rowid table that has no index of its own.
fn is_rowid_alias(conn: &Conn, name: &str, keys: &[&Column]) -> Result<bool> {
    if keys.len() != 1 || keys.iter().any(|k| k.affinity != Affinity::Integer) {
        return Ok(false);
    }
    let indexes = conn.int("SELECT count(*) FROM pragma_index_list(?1, 'main') WHERE origin = 'pk'", &[name.into()])?;
    Ok(indexes == Some(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_mean_what_they_mean_in_a_default_clause() {
        let conn = rusqlite::Connection::open_in_memory().unwrap();
        for text in [
            "abc",
            "\"v\"",
            "[v]",
            "`v`",
            "v",
            "é",
            "a$b",
            "replace",
            "rowid",
            "\"a\"\"b\"",
            "`a``b`",
            "[a\"b]",
            "\"it's\"",
            "\"\"",
            "true",
            "\"true\"",
            "[NULL]",
            "False",
            "null",
            "\"current_date\"",
            "CURRENT_DATE",
            "7",
            "- 5",
            "+5",
            "1e3",
            "0x10",
            "'it''s'",
            "'\"v\"'",
            "x'00'",
            "(1 + 1)",
            "(true)",
            "(1 -- c\n)",
            "('a' || \"char\"(65))",
        ] {
            let sql =
                format!("DROP TABLE IF EXISTS t; CREATE TABLE t(v, d DEFAULT {text}); INSERT INTO t(v) VALUES (9)");
            conn.execute_batch(&sql).unwrap();
            let said = conn.query_row("SELECT dflt_value FROM pragma_table_info('t') WHERE name = 'd'", [], |row| {
                row.get::<_, String>(0)
            });
            let ours = default_expression(&said.unwrap());
            let same = conn.query_row(
                &format!("SELECT d IS ({ours}\n) AND typeof(d) = typeof(({ours}\n)) FROM t"),
                [],
                |row| row.get(0),
            );
            assert_eq!(same, Ok(true), "{text}: {ours}");
        }
    }

    #[test]
    fn affinities_as_sqlite_has_them() {
        let of = |t| Affinity::of(t, false);
        assert_eq!(of("INTEGER"), Affinity::Integer);
        assert_eq!(of("FLOATING POINT"), Affinity::Integer, "INT in POINT");
        assert_eq!(of("VARCHAR(10)"), Affinity::Text);
        assert_eq!(of(""), Affinity::Blob);
        assert_eq!(of("DOUBLE"), Affinity::Real);
        assert_eq!(of("BOOLEAN"), Affinity::Numeric);
        assert_eq!(of("ANY"), Affinity::Numeric);
        assert_eq!(Affinity::of("ANY", true), Affinity::Blob);
    }
}
