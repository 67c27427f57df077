//! Random work on two nodes. What one of them sends is sent in both forms, each to a node of its own.

use proptest::prelude::*;
use rusqlite::Connection;

use super::{compact, grove};
use crate::support::*;

/// Every type of column, a key of two columns, a key that is a number.
const TABLES: &str = "
    CREATE TABLE tasks(id TEXT PRIMARY KEY NOT NULL, title TEXT, note, done BOOLEAN, body JSON, votes INTEGER, tags TEXT);
    SELECT crdt_enable('tasks', 'votes:counter', 'tags:set');
    CREATE TABLE pairs(a, b, v REAL, PRIMARY KEY (a, b));
    SELECT crdt_enable('pairs');
    CREATE TABLE ids(id INTEGER PRIMARY KEY);
    SELECT crdt_enable('ids');";

/// What a peer that none of the nodes is may have sent.
const FOREIGN: [&str; 6] = [
    r#"{"table":"tasks","pk":"K","field":"colour","crdt_type":"lww","hlc":{"ts":5,"c":1,"node":"x"},"value":{"a" : 1e2}}"#,
    r#"{"table":"tasks","pk":"K","field":"list","crdt_type":"list","hlc":{"ts":6,"c":1,"node":"y"},"list_op": {"op":"insert"}}"#,
    r#"{"table":"tasks","pk":"K","field":"votes","crdt_type":"counter","hlc":{"ts":1700000000000000001,"c":0,"node":"x"},
        "counter_delta":{"inc":2},"operation":true}"#,
    r#"{"table":"tasks","pk":"K","field":"title","crdt_type":"lww","hlc":{"ts":9000000000000000000,"c":0,"node":"z"},"value":"later"}"#,
    r#"{"table":"tasks","pk":"K","field":"title","crdt_type":"lww","hlc":{"ts":1700000000000000009,"c":9,"node":"x"},"value":"hooked",
        "altered":true,"seen":[{"ts":8,"c":0,"node":"y"},{"ts":7,"c":0,"node":"z"}]}"#,
    r#"{"table":"tasks","pk":"K","field":"tags","crdt_type":"set","hlc":{"ts":1700000000000000011,"c":0,"node":"y"},
        "set_op":{"op":"remove","elements":["a","b"]}}"#,
];

/// A statement that the four numbers choose.
fn statement([kind, key, a, b]: [u8; 4]) -> String {
    let key = ["k", "", "[1]", "\u{fffe}\"z"][usize::from(key % 4)];
    let value = ["NULL", "1", "1.0", "-0.0", "'te\"xt'", "x'00ff'", "'[1,2]'", "9223372036854775807", "1e999"];
    let value = value[usize::from(a % 9)];
    let tags = ["[]", "[\"a\"]", "[\"a\",\"b\",{\"c\":1}]", "[1,\"b\"]"][usize::from(b % 4)];
    match kind % 12 {
        0..=2 => format!(
            "INSERT OR REPLACE INTO tasks VALUES ('{key}', {value}, {value}, {}, '{tags}', {a}, '{tags}')",
            b % 2
        ),
        3 => format!("UPDATE tasks SET title = {value} WHERE id = '{key}'"),
        4 => format!("UPDATE tasks SET title = '{a}', note = {value}, done = NULL, votes = coalesce(votes, 0) + {b}"),
        5 => format!("UPDATE tasks SET votes = -{a}, tags = '{tags}' WHERE id = '{key}'"),
        6 => format!("UPDATE tasks SET tags = '{tags}'"),
        7 => format!("DELETE FROM tasks WHERE id = '{key}'"),
        8 => format!("INSERT OR REPLACE INTO pairs VALUES ({}, '{key}', {value})", a % 3),
        9 => format!("INSERT OR IGNORE INTO ids VALUES ({})", a % 5),
        10 => format!("DELETE FROM ids WHERE id = {}; DELETE FROM pairs WHERE a = {}", a % 5, b % 3),
        _ => {
            let change = FOREIGN[usize::from(a % 6)].replace("\"K\"", &serde_json::json!(key).to_string());
            format!("SELECT crdt_merge('[{}]')", change.replace('\'', "''"))
        }
    }
}

fn open(name: &str) -> Connection {
    named(clock::open(":memory:"), name, TABLES)
}

/// All that is known, whatever came first: what is merged part by part is logged, and numbers nodes, in another order.
fn stored(conn: &Connection) -> Vec<String> {
    let sql = "SELECT crdt_digest('tasks', 'full') || crdt_digest('pairs', 'full') || crdt_digest('ids', 'full')
               UNION ALL SELECT change FROM crdt_changes() UNION ALL SELECT quote(reason) || pk || field FROM crdt_pending()
               UNION ALL SELECT \"table\" || pk || field || quote(local_value) || quote(incoming_value) FROM crdt_conflicts()
               UNION ALL SELECT crdt_check()";
    let mut all = rows(conn, sql);
    all.sort_unstable();
    all
}

/// What `from` has after `cursor`, to a node in each form; the cursor to go on from.
fn both(from: &Connection, cursor: Option<&str>, [in_grove, in_compact]: [&Connection; 2]) -> String {
    let page = since(from, cursor);
    let json = compact(from, cursor);
    assert_eq!(grove(from, &json), page.json, "{json}");
    let again = crate::common::text(from, "SELECT crdt_convert(?1, 'compact')", [&page.json]);
    assert_eq!(grove(from, &again), page.json);
    assert_eq!(merge(in_grove, &page.json), merge(in_compact, &json), "{json}");
    assert_eq!(stored(in_grove), stored(in_compact), "{json}");
    page.cursor
}

fn play(steps: &[(u8, [u8; 4])]) {
    let mut now = 1_700_000_000_000;
    clock::set(now);
    let nodes = [open("a"), open("b")];
    let takers = [open("taker"), open("taker")];
    let mut cursors: [Option<String>; 2] = Default::default();
    for (what, numbers) in steps {
        now += i64::from(what % 3);
        clock::set(now);
        let i = usize::from(what / 3 % 2);
        match what % 16 {
            0..=11 => {
                // What a constraint refuses is refused.
                let _ = try_run(&nodes[i], &statement(*numbers));
            }
            12 | 13 => {
                send(&nodes[i], &nodes[1 - i]);
            }
            _ => cursors[i] = Some(both(&nodes[i], cursors[i].as_deref(), [&takers[0], &takers[1]])),
        }
    }
    nodes.iter().for_each(|node| drop(both(node, None, [&takers[0], &takers[1]])));
    for name in ["tasks", "pairs", "ids"] {
        same(&takers[0], &takers[1], name);
    }
}

/// `COMPACT_CASES=5000 cargo test --test compact random` runs more.
fn config() -> ProptestConfig {
    let cases = std::env::var("COMPACT_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(60);
    ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 600, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]
    #[test]
    fn both_forms_come_to_the_same(steps in prop::collection::vec((any::<u8>(), any::<[u8; 4]>()), 1..40)) {
        play(&steps);
    }
}
