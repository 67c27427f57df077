//! What a script of `crdt_schema` leaves to the next call that can write, as SQL alone cannot do it: in `_crdt_pragma`, by table and
//! the generation of its fields before the script, with the place where the log ended then.

use std::collections::HashMap;

use crate::conn::Conn;
use crate::error::{Error, Result};
use crate::schema::missed::Missed;

/// The table's triggers wrote what the log has up to `until` by the fields of generation `gen`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Past {
    /// Place in the log.
    pub until: i64,
    /// The generation.
    pub gen: u32,
}

/// What the triggers missed before they were made again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Due {
    /// Which writes.
    pub missed: Missed,
    /// What the log has up to here is from before, and fields of a later generation are new.
    pub since: Past,
}

/// The notes of one table.
#[derive(Clone, Default, Debug)]
pub struct Notes {
    /// In the order of the log.
    pub past: Vec<Past>,
    /// Rows are to be compared with their records.
    pub due: Option<Due>,
}

/// Reads all notes, by table.
pub fn read(conn: &Conn) -> Result<HashMap<i64, Notes>> {
    let mut all: HashMap<i64, Notes> = HashMap::new();
    let mut rows = conn.stmt("SELECT name, value FROM main._crdt_pragma WHERE name GLOB '*:*' ORDER BY value")?;
    while rows.step()? {
        let damaged = || Error::data("_crdt_pragma holds a note that is none of ours");
        let name: Vec<&str> = rows.text(0).unwrap_or_default().split(':').collect();
        let &[what, t, gen] = name.as_slice() else { return Err(damaged()) };
        let gen = gen.parse().map_err(|_| damaged())?;
        let past = Past { until: rows.i64(1).ok_or_else(damaged)?, gen };
        let notes = all.entry(t.parse().map_err(|_| damaged())?).or_default();
        let missed = match what {
            "fields" => {
                notes.past.push(past);
                continue;
            }
            "rows" => Missed::Rows,
            "writes" => Missed::Writes,
            _ => return Err(damaged()),
        };
        // Of several the first tells since when, and the worst what.
        let other = notes.due.unwrap_or(Due { missed, since: past });
        notes.due = Some(Due { missed: missed.max(other.missed), since: past.min(other.since) });
    }
    Ok(all)
}

/// The SQL that notes what a script that makes a table's triggers again cannot do. `changed`: the table's fields change with it.
pub fn script(t: i64, gen: u32, missed: Missed, changed: bool) -> String {
    let end = "(SELECT coalesce(max(seq), 0) AS seq FROM main._crdt_log)";
    let mut out = String::new();
    if changed {
        out.push_str(&format!(
            "INSERT OR REPLACE INTO main._crdt_pragma(name, value) SELECT 'fields:{t}:{gen}', seq FROM {end}, main._crdt_state \
             WHERE seq > folded;\n"
        ));
    }
    let what = match missed {
        Missed::Nothing => return out,
        Missed::Rows => "rows",
        Missed::Writes => "writes",
    };
    out.push_str(&format!(
        "INSERT OR IGNORE INTO main._crdt_pragma(name, value) SELECT '{what}:{t}:{gen}', seq FROM {end};\n"
    ));
    out
}

/// Forgets the places that the fold has passed.
pub fn drop_past(conn: &Conn, folded: i64) -> Result<()> {
    let sql = "DELETE FROM main._crdt_pragma WHERE name GLOB 'fields:*' AND value <= ?1";
    conn.run(sql, &[folded.into()]).map(drop)
}

/// Forgets that a table's rows are to be compared.
pub fn drop_due(conn: &Conn, t: i64) -> Result<()> {
    let sql =
        "DELETE FROM main._crdt_pragma WHERE name GLOB 'rows:' || ?1 || ':*' OR name GLOB 'writes:' || ?1 || ':*'";
    conn.run(sql, &[t.into()]).map(drop)
}
