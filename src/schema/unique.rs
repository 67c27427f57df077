//! Which rows a REPLACE could remove through a unique index: conditions for the triggers that note them.
//!
//! `INSERT OR REPLACE` fires no delete trigger for a row that it removes, unless `recursive_triggers` is on
//! (<https://sqlite.org/lang_conflict.html>). So before the write, the row that stands in its way is noted.

use crate::conn::Conn;
use crate::error::Result;
use crate::schema::shape::{Affinity, Column, Shape};
use crate::sql::{ident, list};

/// A way in which a write can clash with another row.
pub struct Clash {
    /// Condition on the other row, whose columns stand bare, and the new row, `new`.
    pub condition: String,
    /// One row at most meets it, whatever indexes there are.
    pub one: bool,
    /// Columns whose update can bring it about; None for any.
    pub columns: Option<Vec<String>>,
    /// Condition for an INSERT's trigger to be asked at all.
    pub when: Option<String>,
}

/// All clashes of a table.
pub fn clashes(conn: &Conn, shape: &Shape) -> Result<Vec<Clash>> {
    let mut all = Vec::new();
    for index in indexes(conn, &shape.name)? {
        let columns = index_columns(conn, &index.name)?;
        if index.origin == "pk" && !key_needs_care(shape, &columns) {
            continue;
        }
        let plain = !index.partial && columns.iter().all(|(name, _)| name.is_some());
        let mut clash = if plain { plain_clash(shape, &columns) } else { expression_clash(shape, &index.sql) };
        // An UPDATE names the columns that a generated one is made of, not the generated one.
        let generated = |name: &String| shape.column(name).is_some_and(|c| c.generated);
        if clash.columns.as_ref().is_some_and(|names| names.iter().any(generated)) {
            clash.columns = None;
        }
        all.push(clash);
    }
    if !shape.rowid_alias {
        if let Some(rowid) = shape.rowid_name() {
            let aliases = ["rowid", "_rowid_", "oid"].into_iter().filter(|name| shape.column(name).is_none());
            all.push(Clash {
                condition: format!("{rowid}=new.{rowid}"),
                one: true,
                columns: Some(aliases.map(str::to_owned).collect()),
                when: Some(format!("~new.{rowid}")), // 0 for -1, which stands for "not given"
            });
        }
    }
    Ok(all)
}

/// The columns that stand in unique indexes; None when one is on an expression or partial, so that any may matter.
pub fn columns(conn: &Conn, table: &str) -> Result<Option<Vec<String>>> {
    let mut all = Vec::new();
    for index in indexes(conn, table)? {
        for (name, _) in index_columns(conn, &index.name)? {
            match name.filter(|_| !index.partial) {
                Some(name) => all.push(name),
                None => return Ok(None),
            }
        }
    }
    Ok(Some(all))
}

/// A unique index as SQLite describes it.
pub struct Index {
    /// Its name.
    pub name: String,
    /// `pk`, `u` (a constraint) or `c` (CREATE INDEX).
    pub origin: String,
    /// It has a WHERE.
    pub partial: bool,
    /// Its CREATE INDEX; empty for one that a constraint made.
    pub sql: String,
}

/// The unique indexes of a table.
pub fn indexes(conn: &Conn, table: &str) -> Result<Vec<Index>> {
    let mut rows = conn.stmt(
        "SELECT l.name, l.origin, l.partial, s.sql FROM pragma_index_list(?1, 'main') l
         LEFT JOIN main.sqlite_schema s ON s.type = 'index' AND s.name = l.name WHERE l.\"unique\" ORDER BY l.name",
    )?;
    rows.bind(1, table)?;
    let mut all = Vec::new();
    while rows.step()? {
        let text = |i| rows.text(i).unwrap_or_default().to_owned();
        all.push(Index { name: text(0), origin: text(1), partial: rows.i64(2) == Some(1), sql: text(3) });
    }
    Ok(all)
}

/// The key columns of an index: name (None for an expression) and collation.
pub fn index_columns(conn: &Conn, index: &str) -> Result<Vec<(Option<String>, String)>> {
    let mut rows = conn.stmt("SELECT name, coll, cid FROM pragma_index_xinfo(?1, 'main') WHERE key ORDER BY seqno")?;
    rows.bind(1, index)?;
    let mut all = Vec::new();
    while rows.step()? {
        let name = rows.text(0).filter(|_| rows.i64(2).is_some_and(|cid| cid >= 0)).map(str::to_owned);
        all.push((name, rows.text(1).unwrap_or("BINARY").to_owned()));
    }
    Ok(all)
}

/// Whether the table takes two keys for one that we tell apart: by collation, or 1 and 1.0.
pub fn key_needs_care(shape: &Shape, columns: &[(Option<String>, String)]) -> bool {
    let loose = |name: &String| shape.column(name).is_some_and(|c| c.affinity == Affinity::Blob);
    columns.iter().any(|(_, collation)| !collation.eq_ignore_ascii_case("BINARY")) || shape.key.iter().any(loose)
}

fn plain_clash(shape: &Shape, columns: &[(Option<String>, String)]) -> Clash {
    let names: Vec<String> = columns.iter().filter_map(|(name, _)| name.clone()).collect();
    let equal = columns.iter().filter_map(|(name, collation)| {
        let column = ident(name.as_ref()?);
        let own = !shape.collates && collation.eq_ignore_ascii_case("BINARY");
        let collate = if own { String::new() } else { format!(" COLLATE {}", ident(collation)) };
        Some(format!("{column}={}{collate}", new_cell(shape, name.as_ref()?)))
    });
    Clash { condition: equal.collect::<Vec<_>>().join(" AND "), one: false, columns: Some(names), when: None }
}

/// What the new row is to hold in a column. REPLACE puts the default in place of a NULL that is refused, but only after the
/// triggers that come before it.
fn new_cell(shape: &Shape, name: &str) -> String {
    let cell = format!("new.{}", ident(name));
    let filled = |column: &&Column| column.not_null && column.default.is_some() && column.default_calls_nothing();
    match shape.column(name).filter(filled) {
        Some(column) => format!("coalesce({cell},{})", column.default_operand()),
        None => cell,
    }
}

/// Computes the index's expressions over the other row and over the new one, whose columns get the table's affinities by
/// standing in a union with the table itself: a bare `new.x` has none.
fn expression_clash(shape: &Shape, index_sql: &str) -> Clash {
    let (expressions, predicate) = parse(index_sql);
    let columns = || shape.columns.iter().map(|c| ident(&c.name));
    let row = format!(
        "(SELECT {} FROM {} WHERE 0 UNION ALL SELECT {})",
        // Names of their own, so that the expression goes on meaning them when a column is renamed.
        list(columns().map(|c| format!("{c} AS {c}"))),
        ident(&shape.name),
        list(shape.columns.iter().map(|c| new_cell(shape, &c.name)))
    );
    let mut condition = Vec::new();
    if let Some(predicate) = &predicate {
        condition.push(format!("({predicate})"));
    }
    let guard = predicate.unwrap_or_else(|| "1".to_owned());
    for e in expressions {
        condition.push(format!("({e}) = (SELECT CASE WHEN ({guard}) THEN ({e}) END FROM {row})"));
    }
    Clash { condition: condition.join(" AND "), one: false, columns: None, when: None }
}

/// The expressions and the WHERE of a CREATE INDEX statement, as SQLite has accepted it.
pub fn parse(sql: &str) -> (Vec<String>, Option<String>) {
    let (mut depth, mut start, mut quote) = (0usize, 0usize, None::<u8>);
    let mut items = Vec::new();
    let mut end = sql.len();
    let bytes = sql.as_bytes();
    let mut i = 0;
    while let Some(&b) = bytes.get(i) {
        match (quote, b) {
            (Some(b'-'), b'\n') => quote = None,
            (Some(b'*'), b'*') if bytes.get(i + 1) == Some(&b'/') => {
                quote = None;
                i += 1;
            }
            (Some(q), _) if q == b && q != b'-' && q != b'*' => quote = None,
            (Some(_), _) => {}
            (None, b'\'' | b'"' | b'`') => quote = Some(b),
            (None, b'[') => quote = Some(b']'),
            (None, b'-') if bytes.get(i + 1) == Some(&b'-') => quote = Some(b'-'),
            (None, b'/') if bytes.get(i + 1) == Some(&b'*') => {
                quote = Some(b'*');
                i += 1;
            }
            (None, b'(') => {
                depth += 1;
                if depth == 1 {
                    start = i + 1;
                }
            }
            (None, b',') if depth == 1 => {
                items.push(sql.get(start..i).unwrap_or_default());
                start = i + 1;
            }
            (None, b')') => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    items.push(sql.get(start..i).unwrap_or_default());
                    end = i + 1;
                    break;
                }
            }
            _ => {}
        }
        i += 1;
    }
    let expressions = items.into_iter().map(without_order).collect();
    let tail = sql.get(end..).unwrap_or_default().trim();
    let predicate = tail.get(..5).filter(|w| w.eq_ignore_ascii_case("WHERE")).and_then(|_| tail.get(5..));
    (expressions, predicate.map(|p| format!("{p}\n")))
}

/// An indexed expression without its ASC or DESC.
fn without_order(item: &str) -> String {
    let item = item.trim();
    for order in ["ASC", "DESC"] {
        if let Some(cut) = item.len().checked_sub(order.len()) {
            let (head, tail) = (item.get(..cut), item.get(cut..));
            if let (Some(head), Some(tail)) = (head, tail) {
                if tail.eq_ignore_ascii_case(order) && head.ends_with(char::is_whitespace) {
                    return head.trim_end().to_owned();
                }
            }
        }
    }
    format!("{item}\n") // the line break ends a comment that the expression may end in
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_definitions_are_taken_apart() {
        let (expressions, predicate) = parse(
            "CREATE UNIQUE INDEX \"a(\" ON t(lower(a, ')') DESC, \"b,\" COLLATE NOCASE /* , */) WHERE c = '(' -- x",
        );
        assert_eq!(expressions.len(), 2);
        assert_eq!(expressions.first().map(|e| e.trim()), Some("lower(a, ')')"));
        assert!(predicate.is_some_and(|p| p.trim().starts_with("c = '('")));
    }
}
