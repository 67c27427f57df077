//! Schemas that an attacker would write.

use arbitrary::{Result, Unstructured};

use crate::support::quote;

const TABLES: [&str; 12] = [
    "t",
    "a b",
    "it's",
    "q\"q",
    "select",
    "_crdt_log",
    "_crdt_x",
    "_t_crdt",
    "sqlite_x",
    "тест",
    "main.t",
    "x'); DROP TABLE t; --",
];
const COLUMNS: [&str; 16] = [
    "id",
    "v",
    "w",
    "rowid",
    "oid",
    "_rowid_",
    "_row",
    "_tombstone",
    "_left",
    "",
    "a b",
    "q\"q",
    "new",
    "old",
    "seq",
    "t",
];
const TYPES: [&str; 18] = [
    "",
    "TEXT",
    "INTEGER",
    "INT",
    "REAL",
    "BLOB",
    "NUMERIC",
    "ANY",
    "JSON",
    "BOOLEAN",
    "VARCHAR(10)",
    "FLOATING POINT",
    "CHARINT",
    "DOUBLE",
    "TEXT COLLATE NOCASE",
    "TEXT COLLATE RTRIM",
    "INTEGER NOT NULL",
    "STRING",
];
const RULES: [&str; 16] = [
    "",
    "",
    "",
    "NOT NULL",
    "NOT NULL DEFAULT 0",
    "DEFAULT '[]'",
    "DEFAULT (random())",
    "UNIQUE",
    "UNIQUE ON CONFLICT REPLACE",
    "UNIQUE ON CONFLICT IGNORE",
    "CHECK (v <> 7)",
    "CHECK (length(v) < 9)",
    "REFERENCES t(id) ON DELETE CASCADE",
    "GENERATED ALWAYS AS (1) VIRTUAL",
    "AS (v || 'x') STORED",
    "COLLATE NOCASE",
];
const TAILS: [&str; 6] = ["", "", "WITHOUT ROWID", "STRICT", "STRICT, WITHOUT ROWID", ""];
const BODIES: [&str; 12] = [
    "SELECT 1",
    "SELECT RAISE(ABORT, 'no')",
    "SELECT RAISE(IGNORE)",
    "SELECT RAISE(ROLLBACK, 'back')",
    "SELECT RAISE(FAIL, 'fail')",
    "DELETE FROM @",
    "UPDATE @ SET v = 'by trigger'",
    "INSERT OR REPLACE INTO @(id, v) VALUES (9, 9)",
    "DELETE FROM _crdt_log",
    "UPDATE _crdt_state SET folded = 0",
    "UPDATE _crdt_clock SET x = x'ff'",
    "INSERT INTO _crdt_log(t, m, at) VALUES (1, -1, NULL)",
];
const SPECS: [&str; 8] = ["v:counter", "v:set", "v:none", "v:lww", "w:counter", "w:set", "id:set", "nothing:lww"];
const VALUES: [&str; 14] = [
    "NULL",
    "0",
    "1",
    "-1",
    "9223372036854775807",
    "1.5",
    "-0.0",
    "9e999",
    "'x'",
    "'[1,2]'",
    "'{}'",
    "x'00'",
    "CAST(x'ff' AS TEXT)",
    "'a' || char(0)",
];

/// A table, what stands on it, and what is done with it.
pub struct Hostile {
    /// The table's name.
    pub table: String,
    /// What makes it, and what stands on it.
    pub setup: Vec<String>,
    /// The arguments of `crdt_enable` behind the name.
    pub specs: Vec<&'static str>,
    /// Writes.
    pub writes: Vec<String>,
}

/// Takes one from the input.
pub fn hostile(u: &mut Unstructured<'_>) -> Result<Hostile> {
    let table = (*u.choose(&TABLES)?).to_owned();
    let name = quote(&table);
    let mut columns = vec![format!(
        "id {} {}",
        u.choose(&TYPES)?,
        u.choose(&["PRIMARY KEY", "PRIMARY KEY NOT NULL", "PRIMARY KEY DESC", "", "PRIMARY KEY AUTOINCREMENT"])?
    )];
    columns.push(format!("v {} {}", u.choose(&TYPES)?, u.choose(&RULES)?));
    for _ in 0..u.int_in_range(0..=3)? {
        columns.push(format!("{} {} {}", quote(u.choose(&COLUMNS)?), u.choose(&TYPES)?, u.choose(&RULES)?));
    }
    if u.ratio(1, 3)? {
        columns.push(
            (*u.choose(&[
                "PRIMARY KEY (id, v)",
                "PRIMARY KEY (v COLLATE NOCASE)",
                "UNIQUE (v, id)",
                "FOREIGN KEY (v) REFERENCES t(id)",
                "CHECK (v IS NOT id)",
            ])?)
            .to_owned(),
        );
    }
    let mut setup = vec![format!("CREATE TABLE {name}({}) {}", columns.join(", "), u.choose(&TAILS)?)];
    for i in 0..u.int_in_range(0..=3)? {
        let body = u.choose(&BODIES)?.replace('@', &name);
        setup.push(match u.int_in_range(0..=5)? {
            0 => format!(
                "CREATE UNIQUE INDEX i{i} ON {name}({})",
                u.choose(&["v", "v || 'x'", "lower(v)", "v COLLATE NOCASE", "abs(v)", "id, v DESC"])?
            ),
            1 => format!(
                "CREATE UNIQUE INDEX i{i} ON {name}(v) WHERE {}",
                u.choose(&["v > 1", "v IS NOT NULL", "typeof(v) = 'text'"])?
            ),
            2 => format!(
                "CREATE VIEW {} AS SELECT * FROM {name}",
                quote(u.choose(&["_t_crdt", "w", "_a b_crdt", "_crdt_v"])?)
            ),
            _ => format!(
                "CREATE TRIGGER {} {} {} ON {name} BEGIN {body}; END",
                quote(u.choose(&["g1", "g2", "_crdt_1_insert", "_crdt_1_update", "_crdt_9_delete"])?),
                u.choose(&["BEFORE", "AFTER"])?,
                u.choose(&["INSERT", "UPDATE", "DELETE", "UPDATE OF v"])?
            ),
        });
    }
    let mut specs = Vec::new();
    for _ in 0..u.int_in_range(0..=2)? {
        specs.push(*u.choose(&SPECS)?);
    }
    let mut writes = Vec::new();
    for _ in 0..u.int_in_range(0..=8)? {
        let (key, value) = (u.choose(&VALUES)?, u.choose(&VALUES)?);
        writes.push(match u.int_in_range(0..=6)? {
            0..=2 => format!("INSERT INTO {name}(id, v) VALUES ({key}, {value})"),
            3 => format!("INSERT OR REPLACE INTO {name}(id, v) VALUES ({key}, {value})"),
            4 => format!("UPDATE OR REPLACE {name} SET v = {value}"),
            5 => format!("UPDATE {name} SET id = {key} WHERE v IS {value}"),
            _ => format!("DELETE FROM {name} WHERE id IS {key}"),
        });
    }
    Ok(Hostile { table, setup, specs, writes })
}
