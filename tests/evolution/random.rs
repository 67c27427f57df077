//! Random schedules: three nodes write, send to each other, and rename or drop and add columns, each at its own time. In the
//! end all have done the same to their tables and are one; no increment and no element is lost.

use std::collections::BTreeSet;

use rusqlite::Connection;

use crate::common::text;
use crate::support::*;

/// A generator of numbers that look random (an LCG, its upper bits).
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// What every node does to its table, in this order, sooner or later.
const STEPS: [&str; 8] = [
    "ALTER TABLE t RENAME COLUMN a TO a2",
    "SELECT crdt_enable('t')",
    "ALTER TABLE t RENAME COLUMN n TO n2",
    "SELECT crdt_alter('t', 'RENAME COLUMN s TO \"s 2\"')",
    "ALTER TABLE t ADD COLUMN late DEFAULT 'none'; SELECT crdt_enable('t')",
    "ALTER TABLE t RENAME COLUMN a2 TO a3; SELECT crdt_enable('t')",
    "SELECT crdt_alter('t', 'DROP COLUMN gone')",
    "ALTER TABLE t RENAME COLUMN n2 TO n; SELECT crdt_enable('t')",
];

struct Node {
    conn: Connection,
    step: usize,
}

impl Node {
    /// The present name of a column.
    fn column(&self, place: usize) -> String {
        quote(
            rows(&self.conn, &format!("SELECT name FROM pragma_table_info('t') WHERE cid = {place}"))[0]
                .trim_matches('\''),
        )
    }

    fn alter(&mut self) {
        if let Some(step) = STEPS.get(self.step) {
            run(&self.conn, step);
            self.step += 1;
        }
    }
}

fn schedule(seed: u64) {
    let mut random = Random(seed);
    let sql = "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, a, n INTEGER, s TEXT, gone); SELECT crdt_enable('t', 'n:counter', 's:set');
        INSERT INTO t(id) VALUES ('0');";
    let mut nodes = ["a", "b", "c"].map(|name| Node { conn: node(name, sql), step: 0 });
    run(&nodes[0].conn, "INSERT INTO t VALUES ('1', 'x', 0, '[]', 'g'), ('2', 'x', 0, '[]', 'g')");
    for i in 1..3 {
        send(&nodes[0].conn, &nodes[i].conn);
    }
    let (mut counted, mut added) = ([0i64; 3], [const { BTreeSet::new() }; 3]);
    for op in 0..60u64 {
        let (i, j) = (random.below(3) as usize, random.below(3) as usize);
        let pk = random.below(3) as usize;
        match random.below(7) {
            0 => nodes[i].alter(),
            1 | 2 if i != j => {
                send(&nodes[i].conn, &nodes[j].conn);
            }
            3 => {
                let column = nodes[i].column(1);
                run(&nodes[i].conn, &format!("UPDATE t SET {column} = 'op {op}' WHERE id = '{pk}'"));
            }
            4 | 5 => {
                let column = nodes[i].column(2);
                run(&nodes[i].conn, &format!("UPDATE t SET {column} = coalesce({column}, 0) + 1 WHERE id = '{pk}'"));
                counted[pk] += 1;
            }
            _ => {
                let column = nodes[i].column(3);
                run(
                    &nodes[i].conn,
                    &format!(
                        "UPDATE t SET {column} = json_insert(coalesce({column}, '[]'), '$[#]', {op}) WHERE id = '{pk}'"
                    ),
                );
                added[pk].insert(op.to_string());
            }
        }
        if random.below(10) == 0 {
            sound(&nodes[i].conn);
        }
    }
    for node in &mut nodes {
        while node.step < STEPS.len() {
            node.alter();
        }
    }
    for _ in 0..2 {
        for (i, j) in [(0, 1), (1, 2), (2, 0), (0, 1)] {
            send(&nodes[i].conn, &nodes[j].conn);
        }
    }
    let [a, b, c] = nodes.map(|node| node.conn);
    same(&a, &b, "t");
    same(&a, &c, "t");
    for conn in [&a, &b, &c] {
        // What came for the dropped column after it was dropped goes on waiting.
        assert_eq!(rows(conn, "SELECT count(*) FROM crdt_pending() WHERE field IS NOT 'gone'"), ["0"]);
        assert_eq!(
            text(conn, "SELECT crdt_node_id() || json_extract(crdt_status(), '$.forks')", []).len(),
            2,
            "no forks"
        );
    }
    for (pk, (counted, added)) in counted.iter().zip(&added).enumerate() {
        let cells = "SELECT coalesce(n, 0), coalesce(\"s 2\", '[]') FROM t WHERE id = ";
        let elements: Vec<&str> = added.iter().map(String::as_str).collect();
        let want = format!("{counted}, '[{}]'", elements.join(","));
        assert_eq!(rows(&a, &format!("{cells}'{pk}'")), [want]);
    }
}

#[test]
fn renames_at_any_time_lose_nothing() {
    for seed in 0..30 {
        if std::panic::catch_unwind(|| schedule(seed)).is_err() {
            panic!("seed {seed}");
        }
    }
}
