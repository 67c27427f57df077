//! What was written past a table's triggers, as far as the schema tells.

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
    pub fn by(table: &Table, present: &[Present], objects: &[Object]) -> Missed {
        if !table.enabled || !table.captured {
            Missed::Writes
        } else if lacks_clash(table.id, present, objects) {
            Missed::Rows
        } else {
            Missed::Nothing
        }
    }
}

/// Whether a unique index has no triggers that note what a REPLACE removes through it.
fn lacks_clash(t: i64, present: &[Present], objects: &[Object]) -> bool {
    // Not the name, which counts the indexes, nor what goes to the grave, which changes with the columns.
    fn looks_for(sql: &str) -> &str {
        let body = sql.split_once(" BEFORE ").map_or(sql, |(_, body)| body);
        body.split_once("_crdt_grave").map_or(body, |(found, _)| found)
    }
    let clash = format!("_crdt_{t}_clash");
    let mut clashes = objects.iter().filter(|object| object.name.starts_with(&clash));
    clashes.any(|object| !present.iter().any(|there| looks_for(&there.sql) == looks_for(&object.sql)))
}
