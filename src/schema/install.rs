//! What is added to the database for one enabled table: its triggers and its view, as SQL.

use std::ops::RangeInclusive;

use crate::conn::Conn;
use crate::error::Result;
use crate::schema::shape::{Affinity, Shape};
use crate::schema::unique::{clashes, Clash};
use crate::schema::Tracked;
use crate::sql::{fill, ident, list, literal, section, TRIGGERS, VIEW};
use crate::types::Type;

/// Bits in one word of a mask: a mask is never negative, and one bit stays free.
pub const WORD_BITS: u32 = 62;

/// So many bits have a column of the log each, a flag, in place of a mask. SQLite compiles the trigger with each statement: to put
/// flags together into a mask costs three nodes of ten for each. Deleted rows have these columns anyway. Other numbers where assertions
/// are on, so that tables of tests come to both.
const FLAGS: RangeInclusive<u32> = if cfg!(debug_assertions) { 3..=6 } else { 1..=16 };

/// So many lww columns of a deleted row go to the log with it, which is one b-tree less to write to; those of wider tables to the grave,
/// as each column of the log makes all its rows a byte longer.
const NARROW: usize = *FLAGS.end() as usize;

/// A trigger or view to be: its name and the statement that creates it.
pub struct Object {
    /// Name in the schema.
    pub name: String,
    /// `CREATE …`, without the final semicolon, as SQLite keeps it.
    pub sql: String,
}

/// The table to be enabled and what of it is tracked.
pub struct Target<'a> {
    /// Its number.
    pub t: i64,
    /// Its shape.
    pub shape: &'a Shape,
    /// Its tracked columns, in the order of their fields' numbers.
    pub tracked: &'a [Tracked],
}

/// How many key and value columns the log, and value columns the grave, must have for a table.
pub struct Widths {
    /// `k0…` in the log.
    pub keys: usize,
    /// `v0…` in the log.
    pub values: usize,
    /// `v0…` in the grave.
    pub grave: usize,
}

impl Target<'_> {
    /// The name of the table's view.
    pub fn view_name(&self) -> String {
        format!("_{}_crdt", self.shape.name)
    }

    /// What the table's triggers write.
    pub fn widths(&self) -> Widths {
        let (parts, lww) = (self.parts().count(), self.lww().count());
        let kept = if lww <= NARROW { lww } else { 0 };
        let least = if parts > 0 { 3 } else { 1 };
        Widths {
            keys: self.shape.key.len(),
            values: [parts, self.words(), self.flags().unwrap_or(0), kept].into_iter().fold(least, usize::max),
            grave: lww.max(1),
        }
    }

    /// All triggers of the table, and its view.
    pub fn objects(&self, conn: &Conn) -> Result<Vec<Object>> {
        let mut all = vec![self.trigger("insert", "insert", &[])];
        if self.lww().next().is_some() {
            all.push(self.update());
        }
        for column in self.parts() {
            all.push(self.part(column));
        }
        let mut columns: Vec<String> = self.shape.key.iter().map(|k| ident(k)).collect();
        if self.shape.rowid_alias {
            // UPDATE … SET rowid = … is matched by its spelling.
            let aliases = ["rowid", "_rowid_", "oid"].into_iter().filter(|name| self.shape.column(name).is_none());
            columns.extend(aliases.map(str::to_owned));
        }
        all.push(self.trigger("key", "key", &[("columns", &list(columns))]));
        all.push(self.trigger("delete", if self.lww().count() <= NARROW { "delete" } else { "wide delete" }, &[]));
        for (i, clash) in clashes(conn, self.shape)?.iter().enumerate() {
            all.push(self.suspect(clash, i, true));
            all.push(self.suspect(clash, i, false));
        }
        let name = self.view_name();
        let sql = fill(section(VIEW, "view"), &[("view", &ident(&name)), ("t", &self.t.to_string())]);
        all.push(Object { name, sql });
        Ok(all)
    }

    /// The log's columns and expressions that name the row `row` (`new`, `old`): for statements that read the table.
    pub fn key_columns(&self) -> String {
        list((0..self.shape.key.len()).map(|i| format!("k{i}")))
    }

    /// `, v0, v1…` for the counters and sets, and the matching values of the row `row`.
    pub fn part_columns(&self, row: &str) -> (String, String) {
        let names = (0..self.parts().count()).map(|i| format!(",v{i}")).collect();
        let values = self.parts().map(|p| format!(",{row}{}", ident(&p.column.name))).collect();
        (names, values)
    }

    /// Its lww columns.
    pub(super) fn lww(&self) -> impl Iterator<Item = &Tracked> {
        self.tracked.iter().filter(|t| t.ty == Type::Lww)
    }

    /// Its counters and sets.
    pub(super) fn parts(&self) -> impl Iterator<Item = &Tracked> {
        self.tracked.iter().filter(|t| t.ty != Type::Lww)
    }

    fn most(&self) -> u32 {
        self.lww().filter_map(|t| t.bit).max().unwrap_or(0)
    }

    fn words(&self) -> usize {
        (self.most() / WORD_BITS) as usize // words after the first, which is the mask itself
    }

    /// How many flags say what an UPDATE changed; None where a mask does.
    fn flags(&self) -> Option<usize> {
        let bits = self.most() + 1;
        FLAGS.contains(&bits).then_some(bits as usize)
    }

    /// The key of the row `row`: `old.`, or nothing for one that a SELECT reads.
    fn keys(&self, row: &str) -> String {
        list(self.shape.key.iter().map(|k| format!("{row}{}", ident(k))))
    }

    /// The new row's key, refused when a part of it is NULL.
    fn new_keys(&self) -> String {
        let table = &self.shape.name;
        list(self.shape.key.iter().map(|key| {
            let nullable = !self.shape.rowid_alias && self.shape.column(key).is_some_and(|c| !c.not_null);
            let column = format!("new.{}", ident(key));
            if nullable && !self.shape.without_rowid {
                let why = literal(&format!("crdt: {table}.{key} is part of the key and cannot be NULL"));
                format!("CASE WHEN {column} IS NULL THEN RAISE(ABORT, {why}) ELSE {column} END")
            } else {
                column
            }
        }))
    }

    /// A counter's or set's new value, refused when it is none.
    fn checked(&self, tracked: &Tracked) -> String {
        let column = format!("new.{}", ident(&tracked.column.name));
        let name = format!("crdt: {}.{}", self.shape.name, tracked.column.name);
        let (good, why) = match tracked.ty {
            Type::Set => (
                // json_tree raises an error of its own where the text is no JSON: most such text is told by how it begins, before.
                format!(
                    "{column} IS NULL OR typeof({column})='text' AND ({column}>='[' AND {column}<'\\' OR {column} GLOB '[^!-.0-Z\\-~]*') \
                     AND (SELECT type FROM json_tree({column}) LIMIT 1) IS 'array'"
                ),
                format!("{name} is a set; write a JSON array or NULL"),
            ),
            _ => (
                format!("typeof({column}) IN ('integer', 'null')"),
                format!("{name} is a counter; write an INTEGER or NULL"),
            ),
        };
        format!("CASE WHEN {good} THEN {column} ELSE RAISE(ABORT, {}) END", literal(&why))
    }

    fn trigger(&self, kind: &str, template: &str, more: &[(&str, &str)]) -> Object {
        let name = format!("_crdt_{}_{kind}", self.t);
        let grave: Vec<&Tracked> = self.lww().collect();
        let in_grave = |row: &str| grave.iter().map(|t| format!(",{row}{}", ident(&t.column.name))).collect::<String>();
        let (log_parts, _) = self.part_columns("");
        let new_parts: String = self.parts().map(|p| format!(",{}", self.checked(p))).collect();
        let mut values: Vec<(&str, &str)> = more.to_vec();
        let owned = [
            ("name", ident(&name)),
            ("table", ident(&self.shape.name)),
            ("t", self.t.to_string()),
            ("moved", self.moved()),
            ("stood", self.stood()),
            ("log_keys", self.key_columns()),
            ("new_keys", self.new_keys()),
            ("old_keys", self.keys("old.")),
            ("row_keys", self.keys("")),
            ("key_changed", self.key_differs("old.", "new.")),
            ("log_parts", log_parts),
            ("new_parts", new_parts),
            ("grave_columns", (0..grave.len()).map(|i| format!(",v{i}")).collect()),
            ("old_values", in_grave("old.")),
            ("row_values", in_grave("")),
        ];
        values.extend(owned.iter().map(|(key, value)| (*key, value.as_str())));
        let sql = fill(section(TRIGGERS, template), &values);
        Object { name, sql: sql.trim_end_matches(';').to_owned() }
    }

    fn update(&self) -> Object {
        let columns = list(self.lww().map(|t| ident(&t.column.name)));
        let (m, names, values) = if self.flags().is_some() { self.flagged() } else { self.masked() };
        let more = [("columns", columns.as_str()), ("m", &m), ("log_words", &names), ("words", &values)];
        self.trigger("update", "update", &more)
    }

    /// What an UPDATE changed, as flags: `m`, the log's columns, and expressions for them.
    fn flagged(&self) -> (String, String, String) {
        let changed = |tracked: &Tracked| format!(",{}", self.differs(&tracked.column.name, "old.", "new."));
        let names = self.lww().map(|t| format!(",v{}", t.bit.unwrap_or(0))).collect();
        ("-8".to_owned(), names, self.lww().map(changed).collect())
    }

    /// The same as a mask, of as many words as are needed.
    fn masked(&self) -> (String, String, String) {
        let words = self.words();
        let mut masks = vec![Vec::new(); words + 1];
        for tracked in self.lww() {
            let bit = tracked.bit.unwrap_or(0);
            let changed = self.differs(&tracked.column.name, "old.", "new.");
            let test = match bit % WORD_BITS {
                0 => format!("({changed})"),
                place => format!("(({changed})<<{place})"),
            };
            if let Some(mask) = masks.get_mut((bit / WORD_BITS) as usize) {
                mask.push(test);
            }
        }
        let word = |bits: &Vec<String>| if bits.is_empty() { "0".to_owned() } else { any_of(bits) };
        let mut masks = masks.iter().map(word);
        let first = masks.next().unwrap_or_default();
        (first, (0..words).map(|i| format!(",v{i}")).collect(), masks.map(|word| format!(",{word}")).collect())
    }

    fn part(&self, tracked: &Tracked) -> Object {
        let kind = format!("field{}", tracked.field);
        let more = [
            ("column", ident(&tracked.column.name)),
            ("field", tracked.field.to_string()),
            ("binary", self.binary().to_owned()),
            ("checked", self.checked(tracked)),
        ];
        self.trigger(&kind, "parts", &more.each_ref().map(|(key, value)| (*key, value.as_str())))
    }

    fn suspect(&self, clash: &Clash, i: usize, insert: bool) -> Object {
        let event = match (&clash.columns, insert) {
            (_, true) => "INSERT".to_owned(),
            (None, false) => "UPDATE".to_owned(),
            (Some(columns), false) => format!("UPDATE OF {}", list(columns.iter().map(|c| ident(c)))),
        };
        // Bare names are the row's that stands there. A column that is gone would be taken for text, but none can go: the delete
        // trigger names them all, with their row.
        let other = self.key_differs("", if insert { "new." } else { "old." });
        let when = clash.when.as_ref().filter(|_| insert).map_or_else(String::new, |when| format!(" WHEN {when}"));
        let kind = format!("{}{i}", if insert { "clash" } else { "move" });
        let (found, limit) = (format!("({}) AND ({other})", clash.condition), if clash.one { "" } else { " LIMIT 1" });
        let more = [("event", event.as_str()), ("when", &when), ("found", &found), ("limit", limit)];
        self.trigger(&kind, "suspect", &more)
    }

    /// SQL that tells whether two rows have different keys, by type and bytes.
    fn key_differs(&self, a: &str, b: &str) -> String {
        self.shape.key.iter().map(|key| self.differs(key, a, b)).collect::<Vec<_>>().join(" OR ")
    }

    /// SQL that tells whether a column differs between two rows, by type and bytes. SQL finds 1 and 1.0 equal, and only a column
    /// without affinity keeps both.
    fn differs(&self, column: &str, a: &str, b: &str) -> String {
        let c = ident(column);
        let loose = self.shape.column(column).is_some_and(|c| c.affinity == Affinity::Blob);
        let types = if loose { format!(" OR typeof({a}{c})<>typeof({b}{c})") } else { String::new() };
        format!("{a}{c} IS NOT {b}{c}{}{types}", self.binary())
    }

    /// What compares by bytes. Every word costs, as SQLite compiles the triggers with each statement.
    fn binary(&self) -> &'static str {
        if self.shape.collates {
            " COLLATE BINARY"
        } else {
            ""
        }
    }
}

/// `a|b|(c|d)`: in `((a|b)|c)|d` SQLite needs a register for each bit, and prepares them all at each run of the trigger.
fn any_of(bits: &[String]) -> String {
    match bits.split_at(bits.len() / 2) {
        (_, [one]) if bits.len() == 1 => one.clone(),
        ([one], rest) => format!("{one}|{}", any_of(rest)),
        (some, rest) => format!("{}|({})", any_of(some), any_of(rest)),
    }
}
