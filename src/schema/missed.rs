//! What was written past a table's triggers, as far as the schema tells.

use crate::conn::Conn;
use crate::error::Result;
use crate::schema::install::Object;
use crate::schema::script::Present;
use crate::schema::Table;

/// What a table's triggers may have missed, the least first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Missed {
    /// Nothing.
    Nothing,
    /// That rows came or went, and what their counters and sets hold; not which of their other cells were written.
    Rows,
    /// Any write.
    Writes,
}

impl Missed {
    /// By the triggers that stand there, and those that should.
    pub fn by(conn: &Conn, table: &Table, present: &[Present], objects: &[Object]) -> Result<Missed> {
        if !table.enabled || !table.captured {
            return Ok(Missed::Writes);
        }
        let lacks = if lacks_clash(table.id, present, objects) { Missed::Rows } else { Missed::Nothing };
        Ok(lacks.max(overtaken(conn, table)?))
    }
}

/// What triggers of the application's may have hidden that are newer than ours: they fire before ours.
fn overtaken(conn: &Conn, table: &Table) -> Result<Missed> {
    // Where RAISE ends the statement and leaves the row as it was written, ours do not fire at all.
    let sql = "SELECT max(1 + ((text LIKE '%raise(ignore)%' OR text LIKE '%raise(fail,%') AND text NOT LIKE '%before%'))
               FROM (SELECT *, rowid, replace(replace(replace(replace(sql, ' ', ''), char(9), ''), char(10), ''), char(13), '') AS text
                     FROM main.sqlite_schema) WHERE type = 'trigger' AND tbl_name = ?1 COLLATE NOCASE
               AND name NOT GLOB '_crdt_[0-9]*_*' AND rowid > (SELECT min(rowid) FROM main.sqlite_schema
               WHERE type = 'trigger' AND substr(name, 1, length(?2)) = ?2)";
    let ours = format!("_crdt_{}_", table.id);
    Ok(match conn.int(sql, &[table.name.as_str().into(), ours.as_str().into()])? {
        None => Missed::Nothing,
        Some(1) => Missed::Rows,
        Some(_) => Missed::Writes,
    })
}

/// Whether a unique index has no triggers that note what a REPLACE removes through it.
fn lacks_clash(t: i64, present: &[Present], objects: &[Object]) -> bool {
    // Not the name, which counts the indexes, nor what goes to the grave, which changes with the columns: when it is asked, and for
    // which row. (Triggers made by earlier versions look for the row twice.)
    fn looks_for(sql: &str) -> [&str; 2] {
        let body = sql.split_once(" BEFORE ").map_or(sql, |(_, body)| body);
        let (when, rest) = body.split_once(" BEGIN").unwrap_or((body, ""));
        let row = rest.split_once(" AS o WHERE ").map_or(rest, |(_, row)| row);
        [when, row.split_once(';').map_or(row, |(row, _)| row)]
    }
    let clash = format!("_crdt_{t}_clash");
    let mut clashes = objects.iter().filter(|object| object.name.starts_with(&clash));
    clashes.any(|object| !present.iter().any(|there| looks_for(&there.sql) == looks_for(&object.sql)))
}
