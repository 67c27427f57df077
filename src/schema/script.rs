//! The SQL of `crdt_enable`, from what there is to what shall be.

use crate::conn::Conn;
use crate::error::Result;
use crate::schema::fields::Fields;
use crate::schema::install::{Object, Target, Widths, WORD_BITS};
use crate::schema::missed::Missed;
use crate::schema::shape::Affinity;
use crate::schema::{heirs, notes, Table, Tracked, FORMAT};
use crate::sql::{ident, literal, SCHEMA};
use crate::types::Type;

/// The SQL that makes our tables and mints the node id. Where they are there in format 2, what the triggers write is all that is new:
/// versions that do not know it are to refuse the database from now on.
pub fn install_script() -> String {
    format!(
        "{SCHEMA}INSERT OR IGNORE INTO main._crdt_pragma(name, value) VALUES ('format', {FORMAT});\n\
         UPDATE main._crdt_pragma SET value = {FORMAT} WHERE name = 'format' AND value = 2;\n\
         INSERT OR IGNORE INTO main._crdt_node(n, node) VALUES (0, '{}'), (1, lower(hex(randomblob(8))));\n\
         INSERT OR IGNORE INTO main._crdt_state VALUES (1, 1, 0, 0, 0, random(), 0, 0, NULL, NULL);\n",
        crate::clock::BASE_NODE
    )
}

/// A trigger or view of ours that stands in the schema.
pub struct Present {
    /// Its name.
    pub name: String,
    /// `trigger` or `view`.
    pub kind: String,
    /// Its text.
    pub sql: String,
}

/// Adds the columns that a table's triggers need to the log and the grave; `bare`: they are as they were made.
pub fn widen(conn: &Conn, widths: &Widths, bare: bool) -> Result<String> {
    let mut out = String::new();
    for (table, prefix, need) in
        [("_crdt_log", "k", widths.keys), ("_crdt_log", "v", widths.values), ("_crdt_grave", "v", widths.grave)]
    {
        let mut have = 1;
        if !bare {
            let sql = "SELECT count(*) FROM pragma_table_info(?1, 'main') WHERE name GLOB ?2";
            let pattern = format!("{prefix}[0-9]*");
            let count = conn.int(sql, &[table.into(), pattern.as_str().into()])?.unwrap_or(0);
            have = usize::try_from(count).unwrap_or(1);
        }
        for i in have..need {
            out.push_str(&format!("ALTER TABLE main.{table} ADD COLUMN {prefix}{i};\n"));
        }
    }
    Ok(out)
}

/// Writes the statements.
pub struct Script<'a> {
    /// The connection.
    pub conn: &'a Conn,
    /// Our tables are made where they are not there yet.
    pub portable: bool,
    /// No table has been enabled yet.
    pub bare: bool,
    /// The table as it was, if it was ever enabled.
    pub known: Option<&'a Table>,
    /// What its triggers may have missed.
    pub missed: Missed,
    /// The table as it shall be.
    pub target: Target<'a>,
    /// Its fields.
    pub fields: Fields,
    /// Our objects that stand there now: they make way.
    pub present: Vec<Present>,
    /// Those that shall stand there.
    pub objects: Vec<Object>,
}

impl Script<'_> {
    /// The statements, in order.
    ///
    /// # Errors
    /// The log's columns cannot be counted.
    pub fn write(&self) -> Result<String> {
        let mut out = String::new();
        if self.portable {
            out.push_str(&install_script());
        }
        let mut widths = self.target.widths();
        if !self.fields.retyped.is_empty() {
            widths.values = widths.values.max(2); // what they held is told by two
        }
        out.push_str(&widen(self.conn, &widths, self.portable && self.bare)?);
        if let Some(known) = self.known {
            out.push_str(&notes::script(known.id, known.gen, self.missed, self.fields.changed));
        }
        self.describe(&mut out);
        out.push_str(&self.names());
        for Present { name, kind, .. } in &self.present {
            out.push_str(&format!("DROP {} main.{};\n", kind.to_ascii_uppercase(), ident(name)));
        }
        for object in self.target.shared().iter().chain(&self.objects) {
            out.push_str(&object.sql);
            out.push_str(";\n");
        }
        self.take_in(&mut out);
        out.push_str("UPDATE main._crdt_state SET token = random();\n");
        Ok(out)
    }

    /// Writes the table and the fields that are not as they were.
    fn describe(&self, out: &mut String) {
        let (t, gen) = (self.target.t, self.fields.gen);
        out.push_str(&format!(
            "INSERT INTO main._crdt_table(t, name, enabled, gen) VALUES ({t}, {}, 1, {gen}) \
             ON CONFLICT(t) DO UPDATE SET name = excluded.name, enabled = 1, gen = excluded.gen;\n",
            literal(&self.target.shape.name)
        ));
        for field in &self.fields.all {
            if self.known.and_then(|table| table.field(field.id)) == Some(field) {
                continue;
            }
            let number = |n: Option<u32>| n.map_or_else(|| "NULL".to_owned(), |n| n.to_string());
            out.push_str(&format!(
                "INSERT OR REPLACE INTO main._crdt_field(t, f, name, type, bit, born, died) VALUES ({t}, {}, {}, {}, {}, {}, {});\n",
                field.id,
                literal(&field.name),
                literal(field.kind.name()),
                number(field.bit),
                number(field.born),
                number(field.died)
            ));
        }
    }

    /// What is noted of renamed and returned columns.
    fn names(&self) -> String {
        let some = !self.fields.aliases.is_empty() || self.known.is_some_and(|table| table.has_aliases);
        let columns: Vec<&str> = self.target.shape.columns.iter().filter(|_| some).map(|c| c.name.as_str()).collect();
        heirs::script(self.target.t, &self.fields.aliases, &self.fields.heirs, &columns)
    }

    /// Existing rows, when the table is new; else what the new fields already hold.
    fn take_in(&self, out: &mut String) {
        let (t, shape) = (self.target.t, self.target.shape);
        let table = ident(&shape.name);
        let keys = shape.key.iter().map(|k| ident(k)).collect::<Vec<_>>().join(",");
        if self.known.is_none() {
            let (names, values) = self.target.part_columns("");
            out.push_str(&format!(
                "INSERT INTO main._crdt_log(t, m, at, {}{names}) SELECT {t}, -6, (SELECT julianday()), {keys}{values} FROM main.{table};\n",
                self.target.key_columns()
            ));
            return;
        }
        let new = self.target.tracked.iter().filter(|tracked| self.fields.new.contains(&tracked.field));
        for tracked in new {
            out.push_str(&self.take_in_field(tracked, &table, &keys));
        }
    }

    /// Rows whose new field holds something else than its default: written now, as far as anyone else knows.
    fn take_in_field(&self, tracked: &Tracked, table: &str, keys: &str) -> String {
        let (t, log_keys, c) = (self.target.t, self.target.key_columns(), ident(&tracked.column.name));
        if self.fields.retyped.contains(&tracked.field) {
            // Every node changes the type of the same values: like rows from before crdt_enable they are nobody's write.
            return format!(
                "INSERT INTO main._crdt_log(t, m, at, {log_keys}, v0, v1) SELECT {t}, -7, (SELECT julianday()), {keys}, {}, {c} FROM main.{table};\n",
                tracked.field
            );
        }
        let default = tracked.column.default_operand();
        // Only a column without affinity keeps apart what SQL finds equal.
        let types = match tracked.column.affinity {
            Affinity::Blob => format!(" OR typeof({c}) <> typeof({default})"),
            _ => String::new(),
        };
        match (tracked.ty, tracked.bit) {
            (Type::Lww, Some(bit)) => {
                let word = (bit / WORD_BITS) as usize;
                let mask = 1i64 << (bit % WORD_BITS);
                let (m, more, value) = match word {
                    0 => (mask, String::new(), String::new()),
                    word => (0, format!(", v{}", word - 1), format!(", {mask}")),
                };
                format!(
                    "INSERT INTO main._crdt_log(t, m, at, {log_keys}{more}) SELECT {t}, {m}, julianday(), {keys}{value} \
                     FROM main.{table} WHERE {c} IS NOT {default} COLLATE BINARY{types};\n"
                )
            }
            _ => {
                let field = tracked.field;
                let (mut out, mut old) = (String::new(), "NULL");
                if !tracked.column.defaults_to_nothing() {
                    // The default itself counts: the same on every node that adds the column.
                    out = format!(
                        "INSERT INTO main._crdt_log(t, m, at, {log_keys}, v0, v1, v2) SELECT {t}, -7, julianday(), {keys}, {field}, {default}, 1 FROM main.{table};\n"
                    );
                    old = &default;
                }
                out + &format!(
                    "INSERT INTO main._crdt_log(t, m, at, {log_keys}, v0, v1, v2) SELECT {t}, -5, julianday(), {keys}, {field}, {old}, {c} \
                     FROM main.{table} WHERE {c} IS NOT {default} COLLATE BINARY{types};\n"
                )
            }
        }
    }
}
