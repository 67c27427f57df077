//! Changes of our own tables by hand.

use arbitrary::{Result, Unstructured};
use rusqlite::types::Value;
use rusqlite::Connection;

use crate::support::{quote, rows};

/// Numbers at the edges of what our columns mean.
const NUMBERS: [i64; 18] =
    [0, 1, 2, 3, 4, 5, 7, -1, -2, -4, -7, 62, 1 << 31, u32::MAX as i64, 1 << 53, i64::MAX - 1, i64::MAX, i64::MIN];
/// Texts that mean something somewhere.
const TEXTS: [&str; 17] = [
    "",
    "hub",
    "x",
    "lww",
    "counter",
    "set",
    "none",
    "tasks",
    "nums",
    "t1",
    "1",
    "[1,2]",
    "\0",
    "0,1,9",
    "*",
    "1;2",
    "tombstone_ttl",
];

/// The columns of our tables: table, column.
fn columns(conn: &Connection) -> Vec<(String, String)> {
    let sql = "SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c
               WHERE m.type = 'table' AND m.name LIKE '\\_crdt\\_%' ESCAPE '\\' ORDER BY 1, c.cid";
    let unquoted = |line: String| {
        let (table, column) = line.split_once(", ").unwrap_or_default();
        (table.trim_matches('\'').to_owned(), column.trim_matches('\'').to_owned())
    };
    rows(conn, sql).into_iter().map(unquoted).collect()
}

/// A value of any class.
fn value(u: &mut Unstructured<'_>) -> Result<Value> {
    Ok(match u.int_in_range(0..=11)? {
        0 => Value::Null,
        1..=3 => Value::Integer(*u.choose(&NUMBERS)?),
        4 => Value::Integer(u.arbitrary()?),
        5 => Value::Real(u.arbitrary()?),
        6 | 7 => Value::Text((*u.choose(&TEXTS)?).to_owned()),
        8 => Value::Text(u.arbitrary::<&str>()?.to_owned()),
        9 => Value::Blob(vec![0xff; u.int_in_range(0..=40)?]),
        _ => {
            let n = u.int_in_range(0..=24)?;
            Value::Blob(u.bytes(n.min(u.len()))?.to_vec())
        }
    })
}

/// Triggers of our own stand on none of these; hooks are SQL, which may do as it likes.
fn is_sql(table: &str) -> bool {
    table == "_crdt_hook"
}

/// One change: a cell, a row, a table.
pub fn once(conn: &Connection, u: &mut Unstructured<'_>) -> Result<()> {
    let all: Vec<_> = columns(conn).into_iter().filter(|(table, _)| !is_sql(table)).collect();
    let (table, column) = u.choose(&all)?;
    let (quoted, cell) = (quote(table), quote(column));
    match u.int_in_range(0..=11)? {
        0 => {
            let _ = conn.execute(&format!("DELETE FROM {quoted} WHERE {cell} IS ?1"), [value(u)?]);
        }
        1 => {
            let _ = conn.execute(&format!("DELETE FROM {quoted}"), []);
        }
        2 | 3 => {
            let names: Vec<_> = all.iter().filter(|(t, _)| t == table).map(|(_, c)| quote(c)).collect();
            let marks = vec!["?"; names.len()].join(",");
            let values = names.iter().map(|_| value(u)).collect::<Result<Vec<_>>>()?;
            let sql = format!("INSERT OR REPLACE INTO {quoted}({}) VALUES ({marks})", names.join(","));
            let _ = conn.execute(&sql, rusqlite::params_from_iter(values));
        }
        4 => {
            let sql = match u.int_in_range(0..=3)? {
                0 => format!("DROP TABLE {quoted}"),
                1 => format!("ALTER TABLE {quoted} DROP COLUMN {cell}"),
                2 => format!("ALTER TABLE {quoted} RENAME COLUMN {cell} TO other"),
                _ => format!("ALTER TABLE {quoted} ADD COLUMN k9"),
            };
            let _ = conn.execute(&sql, []);
        }
        5 => {
            // The bytes of a packed record with one of them changed.
            let sql = "UPDATE _crdt_clock SET x = CAST(substr(x, 1, ?1) || ?2 || substr(x, ?1 + 2) AS BLOB) WHERE x IS NOT NULL";
            let (at, byte) = (u.int_in_range(0..=40)?, u.arbitrary::<u8>()?);
            let _ = conn.execute(sql, (at, Value::Blob(vec![byte])));
        }
        6 => {
            let _ = conn.execute("UPDATE _crdt_state SET folded = ?1", [value(u)?]);
        }
        _ => {
            let which = u.int_in_range(0..=6)?;
            let sql = format!("UPDATE OR REPLACE {quoted} SET {cell} = ?1 WHERE ?2 = 6 OR (abs(random()) % 1 = 0 AND {cell} IN (SELECT {cell} FROM {quoted} LIMIT 1 OFFSET ?2))");
            let _ = conn.execute(&sql, (value(u)?, which));
        }
    }
    Ok(())
}

/// One statement on one of our tables, as it is; nothing else.
pub fn by_sql(conn: &Connection, sql: &str) {
    use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
    let rule = |context: AuthContext<'_>| match context.action {
        AuthAction::Update { table_name, .. }
        | AuthAction::Insert { table_name }
        | AuthAction::Delete { table_name }
            if is_sql(table_name) || !table_name.starts_with("_crdt") =>
        {
            Authorization::Deny
        }
        AuthAction::Attach { .. } | AuthAction::Pragma { .. } => Authorization::Deny,
        _ => Authorization::Allow,
    };
    let _ = conn.authorizer(Some(rule));
    let _budget = crate::node::Budget::new(conn);
    let _ = conn.execute_batch(sql);
    let _ = conn.authorizer(None::<fn(AuthContext<'_>) -> Authorization>);
}
