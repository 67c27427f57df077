//! Records of a table whose key column has got another type: a rebuild makes INTEGER keys of TEXT ones, or the reverse. They are the
//! same records, as their text on the wire is the same. Stored, decimal keys of an INTEGER column are INTEGER, all others TEXT.

use crate::conn::Conn;
use crate::error::{unless_missing, Result};
use crate::key::KeyClass;
use crate::schema::{Form, Table};
use crate::store::Store;

/// Where keys are stored, besides the log: table, column, and which rows are of the table `?1`.
const PLACES: [(&str, &str, &str); 8] = [
    ("_crdt_clock", "pk", "t = ?1"),
    ("_crdt_parts", "pk", "t = ?1"),
    ("_crdt_pending", "pk", "t = ?1"),
    ("_crdt_conflict", "pk", "t = ?1"),
    ("_crdt_left", "pk", "t = ?1"),
    ("_crdt_stays", "pk", "t = ?1"),
    ("_crdt_waiting", "pk", "t = ?1"),
    ("_crdt_inside", "pk", "f IN (SELECT f FROM main._crdt_filter WHERE t = ?1)"),
];

/// What becomes of keys: which ones are stored otherwise than the key column's present type asks for, and as what they are to be.
struct Turn {
    /// Where they stand among the stored keys of a table: integers come first.
    range: &'static str,
    wrong: &'static str,
    right: &'static str,
}

const TO_INTEGER: Turn = Turn {
    range: "pk >= ''",
    wrong: "typeof({}) = 'text' AND CAST(CAST({} AS INTEGER) AS TEXT) = {} COLLATE BINARY",
    right: "CAST({} AS INTEGER)",
};
const TO_TEXT: Turn = Turn { range: "pk < ''", wrong: "typeof({}) = 'integer'", right: "CAST({} AS TEXT)" };

/// Stores a table's keys as its key column's present type asks for. In the caller's savepoint, before the log is folded.
pub fn settle(store: &Store<'_>, table: &Table, form: &Form) -> Result<()> {
    let (conn, classes) = (store.conn, &*form.shape.classes);
    let turn = if classes == [KeyClass::Integer] { TO_INTEGER } else { TO_TEXT };
    // What the triggers logged are values of the column: they are as the key is stored where it is a number or a text.
    let logged = matches!(classes, [KeyClass::Integer | KeyClass::Text]);
    if !is_due(store, table, &turn, logged)? {
        return Ok(());
    }
    for (place, column, whose) in PLACES {
        store_right(conn, &turn, (place, column, whose), table.id)?;
    }
    let whose = if logged { "t = ?1" } else { "t = ?1 AND m = -4" };
    store_right(conn, &turn, ("_crdt_log", "k0", whose), table.id)
}

/// The same for tables whose triggers a script has made again. In the caller's savepoint, before the log is folded.
pub fn settle_due(store: &Store<'_>) -> Result<()> {
    for table in store.catalog.tables().iter().filter(|table| table.notes.due.is_some()) {
        if let Some(form) = table.form_if_usable(store.conn)? {
            settle(store, table, form)?;
        }
    }
    Ok(())
}

/// Whether any key, of a record or of a row of the log that is not folded yet, is stored otherwise.
fn is_due(store: &Store<'_>, table: &Table, turn: &Turn, logged: bool) -> Result<bool> {
    let clocks =
        format!("SELECT 1 FROM main._crdt_clock WHERE t = ?1 AND {} AND {} LIMIT 1", turn.range, of(turn.wrong, "pk"));
    if store.conn.int(&clocks, &[table.id.into()])?.is_some() {
        return Ok(true);
    }
    let tail = format!("SELECT 1 FROM main._crdt_log WHERE seq > ?2 AND t = ?1 AND {} LIMIT 1", of(turn.wrong, "k0"));
    Ok(logged && store.conn.int(&tail, &[table.id.into(), store.folded.into()])?.is_some())
}

fn store_right(conn: &Conn, turn: &Turn, (place, column, whose): (&str, &str, &str), t: i64) -> Result<()> {
    let (right, wrong) = (of(turn.right, column), of(turn.wrong, column));
    // Where both are stored already, the one whose type is right stays.
    let sql = format!("UPDATE OR IGNORE main.{place} SET {column} = {right} WHERE {whose} AND {wrong}");
    unless_missing(conn.run(&sql, &[t.into()]), 0).map(drop)
}

/// An expression on a column.
fn of(expression: &str, column: &str) -> String {
    expression.replace("{}", column)
}
