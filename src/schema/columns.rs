//! Which column a field is now. SQLite renames a column in our triggers when the application renames it, and the triggers name
//! the columns in the order of their fields: so they tell, until `crdt_enable` is called, what became of a name.
//! <https://sqlite.org/lang_altertable.html#altertabrename>

use std::collections::BTreeMap;

use crate::conn::Conn;
use crate::error::Result;
use crate::record::FieldId;
use crate::schema::Table;
use crate::types::Type;

/// The present names of the columns that a table's triggers watch; empty without triggers.
pub fn watched(conn: &Conn, table: &Table) -> Result<BTreeMap<FieldId, String>> {
    let mut found = BTreeMap::new();
    let prefix = format!("_crdt_{}_", table.id);
    let mut rows = conn.stmt(
        "SELECT substr(name, 1 + length(?1)), sql FROM main.sqlite_schema
         WHERE type = 'trigger' AND (name = ?1 || 'update' OR substr(name, 1, 5 + length(?1)) = ?1 || 'field')",
    )?;
    rows.bind(1, prefix.as_str())?;
    while rows.step()? {
        let (kind, columns) = (rows.text(0).unwrap_or_default(), update_of(rows.text(1).unwrap_or_default()));
        let fields: Vec<FieldId> = match kind.strip_prefix("field") {
            Some(number) => number.parse().into_iter().collect(),
            None => table.local(|ty| ty == Type::Lww).map(|f| f.id).collect(),
        };
        if fields.len() == columns.len() {
            found.extend(fields.into_iter().zip(columns));
        }
    }
    Ok(found)
}

/// The columns after UPDATE OF in a trigger of ours.
fn update_of(sql: &str) -> Vec<String> {
    let mut rest = sql.split_once(" UPDATE OF ").map_or("", |(_, rest)| rest);
    let mut all = Vec::new();
    while let Some((name, after)) = identifier(rest.trim_start()) {
        all.push(name);
        match after.trim_start().strip_prefix(',') {
            Some(more) => rest = more,
            None => break,
        }
    }
    all
}

/// The identifier at the start of `sql`, and what follows it.
fn identifier(sql: &str) -> Option<(String, &str)> {
    let Some(quoted) = sql.strip_prefix('"') else {
        let end = sql.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).unwrap_or(sql.len());
        return (end > 0).then(|| (sql.get(..end).unwrap_or_default().to_owned(), sql.get(end..).unwrap_or_default()));
    };
    let (mut name, mut rest) = (String::new(), quoted);
    loop {
        let (part, after) = rest.split_once('"')?;
        name.push_str(part);
        match after.strip_prefix('"') {
            Some(more) => {
                name.push('"');
                rest = more;
            }
            None => return Some((name, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_a_trigger() {
        let sql = "CREATE TRIGGER \"_crdt_1_update\" AFTER UPDATE OF \"a\", plain,\"say \"\"x,\"\"\" ON \"t\" BEGIN";
        assert_eq!(update_of(sql), ["a", "plain", "say \"x,\""]);
        assert_eq!(update_of("CREATE TRIGGER x AFTER INSERT ON t BEGIN"), Vec::<String>::new());
        assert_eq!(update_of("CREATE TRIGGER x AFTER UPDATE OF \"open"), Vec::<String>::new());
    }
}
