//! What a node writes.

use super::world::{World, IDS, REPLICA};

impl World {
    /// A random write of a node, under the present names of its columns.
    pub fn sql(&self, i: usize, kind: u8, c: u8, d: u8) -> String {
        let node = &self.nodes[i];
        let id = IDS[usize::from(c) % 5];
        let (grp, code, p) =
            (d % 2, ["'x'", "'y'", "NULL"][usize::from(d / 2) % 3], ["'p0'", "'p1'", "NULL"][usize::from(d / 8) % 3]);
        // The replica makes no row that its filter would not let through.
        let made = if i == REPLICA { 1 } else { grp };
        let [g, n, s, note, late, tally, gone] =
            ["grp", "n", "s", "note", "late", "tally", "gone"].map(|first| node.column(first));
        let insert = |verb: &str| {
            let id = if i == REPLICA { "own" } else { IDS[usize::from(c) % 4] };
            format!(
                "{verb} INTO t(id, {g}, code, {n}, {s}, p, {note}, high) VALUES ('{id}', {made}, {code}, {}, '[{}]', {p}, 'w{c}{d}', {})",
                d % 5, d % 3, d % 4
            )
        };
        match kind % 18 {
            0 | 1 => insert("INSERT"),
            2 => insert("INSERT OR REPLACE"),
            3 => format!(
                "{} ON CONFLICT(id) DO UPDATE SET {note} = 'u{d}', {n} = coalesce({n}, 0) + 1",
                insert("INSERT")
            ),
            4 => format!("UPDATE t SET {note} = 'n{c}{d}' WHERE id = '{id}'"),
            5 => format!("UPDATE t SET {g} = {grp} WHERE id = '{id}'"),
            6 => format!("UPDATE t SET {n} = coalesce({n}, 0) + {} WHERE id = '{id}'", i64::from(d % 5) - 2),
            7 => format!("UPDATE t SET {s} = json_insert(coalesce({s}, '[]'), '$[#]', {}) WHERE id = '{id}' AND {s} NOT LIKE '%{}%'", d % 9, d % 9),
            8 => format!("UPDATE t SET {s} = '[]' WHERE id = '{id}'"),
            9 => format!("UPDATE t SET code = {code} WHERE id = '{id}'"),
            10 => format!("UPDATE OR REPLACE t SET code = {code}, {g} = {grp} WHERE id = '{id}'"),
            11 => format!("UPDATE t SET p = {p} WHERE id = '{id}'"),
            12 => format!("UPDATE t SET low = {} WHERE id = '{id}'", d % 4),
            13 => format!("UPDATE t SET high = {} WHERE id = '{id}'", d % 4),
            14 if i != REPLICA => format!("UPDATE t SET id = '{}' WHERE id = '{id}'", IDS[usize::from(d) % 4]),
            15 => format!("DELETE FROM t WHERE id = '{id}'"),
            16 => match d % 4 {
                0 => "DELETE FROM parent WHERE id = 'p1'".to_owned(),
                1 => format!("INSERT OR REPLACE INTO parent VALUES ('p1', 'v{c}')"),
                2 => format!("UPDATE parent SET name = 'v{c}{d}'"),
                _ => "INSERT OR IGNORE INTO parent VALUES ('p0', 'again'), ('p1', 'again')".to_owned(),
            },
            _ => match d % 3 {
                0 => format!("UPDATE t SET {late} = 'l{d}' WHERE id = '{id}'"),
                1 if node.step >= 6 => format!("UPDATE t SET {tally} = {tally} + 1 WHERE id = '{id}'"),
                _ => format!("UPDATE t SET {gone} = 'g{d}' WHERE id = '{id}'"),
            },
        }
    }
}
