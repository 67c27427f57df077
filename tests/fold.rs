//! What is folded into the database, many records by one statement, is what is folded record by record in memory.

#[path = "common/mod.rs"]
mod common;
mod support;

use rusqlite::Connection;
use support::*;

const TABLES: &str = "
    CREATE TABLE tasks(id TEXT PRIMARY KEY NOT NULL, title TEXT, note TEXT, size INTEGER, done INTEGER, body TEXT, tag TEXT);
    SELECT crdt_enable('tasks');
    CREATE TABLE numbers(n INTEGER PRIMARY KEY, a, b, c, d);
    SELECT crdt_enable('numbers');
    CREATE TABLE parts(id TEXT PRIMARY KEY NOT NULL, a, b, c, votes INTEGER, tags TEXT);
    SELECT crdt_enable('parts', 'votes:counter', 'tags:set');
    CREATE TABLE pairs(x TEXT, y INTEGER, a, b, c, PRIMARY KEY(x, y)) WITHOUT ROWID;
    SELECT crdt_enable('pairs');";

const NAMES: [&str; 4] = ["tasks", "numbers", "parts", "pairs"];

/// The changes as the fold in memory has them (in a transaction nothing is written), and then as the fold into the database has them.
fn folded(conn: &Connection) -> String {
    let changes = |conn: &Connection| {
        let page = page(&export(conn));
        let mut changes: Vec<_> = page.changes.iter().map(ToString::to_string).collect();
        changes.sort();
        changes.join("\n")
    };
    run(conn, "BEGIN");
    let in_memory = changes(conn);
    run(conn, "COMMIT");
    let stored = changes(conn);
    let differs = in_memory.lines().zip(stored.lines()).find(|(a, b)| a != b);
    assert!(in_memory == stored, "in memory and in the database: {differs:?}");
    stored
}

/// Rows under keys that rise from round to round.
fn insert(conn: &Connection, round: usize, count: usize) {
    let rows = format!("WITH RECURSIVE i(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM i WHERE i < {count}) INSERT INTO");
    let key = format!("printf('{round:02}-%04d', i)");
    run(conn, &format!("{rows} tasks(id, title, size) SELECT {key}, 'title ' || i, i FROM i"));
    run(conn, &format!("{rows} numbers SELECT {round} * 1000 + i, i, 'b', NULL, 1.5 FROM i"));
    run(conn, &format!("{rows} parts SELECT {key}, i, 2, 3, i, '[\"t\"]' FROM i"));
    run(conn, &format!("{rows} pairs SELECT {key}, i, 'a', 'b', 'c' FROM i"));
}

/// Updates of one column and of several, of every row and of a few.
fn update(conn: &Connection, round: usize) {
    for (every, set) in [(1, "a = a || '!'"), (97, "b = 'few'"), (5, "b = 'b', c = 'c'"), (3, "a = 1, b = 2, c = 3")] {
        let tasks =
            set.replace("a =", "title =").replace("a ||", "title ||").replace("b =", "note =").replace("c =", "tag =");
        run(conn, &format!("UPDATE tasks SET {tasks} WHERE (size + {round}) % {every} = 0"));
        run(conn, &format!("UPDATE numbers SET {set} WHERE (n + {round}) % {every} = 0"));
        run(conn, &format!("UPDATE parts SET {set} WHERE (votes + {round}) % {every} = 0"));
        run(conn, &format!("UPDATE pairs SET {set} WHERE (y + {round}) % {every} = 0"));
    }
}

fn delete_and_revive(conn: &Connection, round: usize) {
    run(conn, &format!("DELETE FROM tasks WHERE size % 13 = {round}; DELETE FROM numbers WHERE n % 13 = {round}"));
    run(conn, &format!("DELETE FROM parts WHERE votes % 13 = {round}; DELETE FROM pairs WHERE y % 13 = {round}"));
    run(conn, "INSERT OR IGNORE INTO tasks(id, title) VALUES ('00-0013', 'again'), ('zz', 'above'), ('a', 'below'), ('zz', 'twice')");
    run(conn, "UPDATE tasks SET id = id || '+' WHERE id = '01-0007'");
}

#[test]
fn many_records_at_once_come_to_what_each_by_itself_comes_to() {
    let [a, b, c] = nodes(["a", "b", "c"], TABLES);
    let mut cursor = None;
    for round in 0..3 {
        insert(&a, round, 90);
        folded(&a);
        update(&a, round);
        folded(&a);
        insert(&a, 10 + round, 70);
        update(&a, round + 1);
        delete_and_revive(&a, round);
        folded(&a);
        // Another author's stamps among them.
        send(&a, &b);
        update(&b, round + 2);
        folded(&b);
        send(&b, &a);
        update(&a, round + 3);
        folded(&a);
        // Whoever follows step by step comes to the same, whatever was pruned.
        let step = since(&a, cursor.as_deref());
        merge(&c, &serde_json::to_string(&step.changes).unwrap());
        cursor = Some(step.cursor);
    }
    for name in NAMES {
        same(&a, &c, name);
    }
    sound(&a);
    sound(&b);
}

#[test]
fn a_record_written_many_times_in_one_fold() {
    let [a] = nodes(["a"], TABLES);
    insert(&a, 0, 100);
    folded(&a);
    for _ in 0..30 {
        run(&a, "UPDATE tasks SET title = title || '.', note = 'n'; UPDATE tasks SET tag = 't' || size WHERE size % 2");
    }
    folded(&a);
    sound(&a);
}

#[test]
fn rising_keys_end_where_another_row_comes() {
    let [a] = nodes(["a"], TABLES);
    for odd in [
        "DELETE FROM numbers WHERE n = 3",
        "INSERT INTO numbers(n) VALUES (-5)",
        "UPDATE numbers SET a = 9 WHERE n = 7",
        "INSERT OR REPLACE INTO numbers(n, a) VALUES (70, 'again')",
        "INSERT INTO tasks(id) VALUES ('[\"[1]\"]')",
    ] {
        let top = common::text(&a, "SELECT coalesce(max(n), 0) FROM numbers", []);
        let rows = format!(
            "WITH RECURSIVE i(i) AS (SELECT {top} + 1 UNION ALL SELECT i + 1 FROM i WHERE i < {top} + 100)
                            INSERT INTO numbers(n, a) SELECT i, 'x' FROM i"
        );
        run(&a, &rows);
        run(&a, odd);
        run(&a, &rows.replace("100)", "300)").replace(&format!("SELECT {top} + 1"), &format!("SELECT {top} + 101")));
        folded(&a);
        run(&a, "DELETE FROM numbers WHERE n < 0");
        folded(&a);
    }
    sound(&a);
}

/// What serves the fold answers nobody else.
#[test]
fn what_a_pass_asks_is_null_otherwise() {
    let a = common::open();
    assert_eq!(common::text(&a, "SELECT quote(_crdt_meet(1)) || quote(_crdt_give(0))", []), "NULLNULL");
}
