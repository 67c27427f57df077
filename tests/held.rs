//! Cells written over one another in rows that are here already: merged many rows at a time, they come to what the road of
//! single records makes of them, to the byte of what is stored.

#[path = "common/mod.rs"]
mod common;
mod support;

use rusqlite::Connection;
use serde_json::{json, Value};
use support::*;

const COLUMNS: &str = "title TEXT, size INTEGER, done BOOLEAN, body JSON";
const VALUES: [&str; 12] = [
    "'x'",
    "NULL",
    "'[1]'",
    "'a\"b\\c'",
    "'\u{1}'",
    "'7'",
    "x'00ff'",
    "1.5",
    "'{\"k\": 1}'",
    "'{\"k\":1}'",
    "1",
    "'ü\u{fffe}'",
];

/// Numbers that look like chance.
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn value(&mut self) -> &'static str {
        VALUES[self.below(VALUES.len())]
    }
}

/// Writes of the application to any of forty rows.
fn write(conn: &Connection, chance: &mut Chance, key: &dyn Fn(usize) -> String) {
    for _ in 0..60 {
        let (key, column) = (key(chance.below(40)), ["title", "size", "done", "body"][chance.below(4)]);
        let (value, other) = (chance.value(), chance.value());
        match chance.below(12) {
            0 => run(conn, &format!("DELETE FROM tasks WHERE id = {key}")),
            1 => run(conn, &format!("INSERT OR REPLACE INTO tasks VALUES ({key}, {value}, 5, 0, {other})")),
            2 => run(conn, &format!("UPDATE tasks SET title = {value}, body = {other}, size = 2000 WHERE id = {key}")),
            _ => run(conn, &format!("UPDATE tasks SET {column} = {value} WHERE id = {key}")),
        }
    }
}

/// Changes as a payload, those of a record next to each other: apart they may come to be merged apart.
fn payload(mut changes: Vec<Value>) -> String {
    changes.sort_by_key(|change| change["pk"].as_str().map(str::to_owned));
    format!("{{\"changes\":{},\"has_more\":false}}", Value::Array(changes))
}

/// The changes as a peer may send them that has other stamps and values.
fn twisted(mut changes: Vec<Value>, chance: &mut Chance) -> String {
    changes.retain(|_| !chance.one_in(9));
    for change in changes.iter_mut().filter(|change| change["crdt_type"] == "lww" && change["field"] != "_row") {
        match chance.below(12) {
            0 | 1 => change["value"] = json!(chance.below(7)),
            2 => change["hlc"]["ts"] = json!(change["hlc"]["ts"].as_i64().unwrap() + chance.below(3_000_000) as i64),
            3 => drop(change.as_object_mut().unwrap().remove("prev")),
            4 => change["altered"] = json!(true),
            5 => change["seen"] = json!([{"ts": change["hlc"]["ts"], "c": 0, "node": "other"}]),
            // Two hours: too far ahead.
            6 if chance.one_in(4) => {
                change["hlc"]["ts"] = json!(change["hlc"]["ts"].as_i64().unwrap() + 7_200_000_000_000)
            }
            _ => {}
        }
    }
    payload(changes)
}

/// A copy of a database in which every record is merged by itself: a trigger of the application could do anything.
fn slow_copy(conn: &Connection, folder: &tempfile::TempDir, name: usize) -> Connection {
    let path = folder.path().join(format!("{name}.db"));
    conn.execute("VACUUM INTO ?1", [path.to_str()]).unwrap();
    let copy = common::open_file(path);
    run(&copy, "CREATE TEMP TABLE lone(x); CREATE TEMP TRIGGER slow AFTER INSERT ON lone BEGIN SELECT 1; END");
    copy
}

/// All that a merge leaves behind, but the time.
fn left_behind(conn: &Connection) -> Vec<String> {
    let mut all = table(conn, "tasks");
    for sql in [
        "SELECT t, pk, g, ts, c, n, dead, x FROM _crdt_clock ORDER BY 1, 2",
        "SELECT t, m, k0, v0 FROM _crdt_log ORDER BY 1, 2, 3, 4",
        "SELECT t, pk, f, w, won, l_value, l_ts, l_c, l_n, i_value, i_ts, i_c, i_n FROM _crdt_conflict ORDER BY 2, 3, 7, 8, 11, 12, 6, 10",
        "SELECT ts, c, twins FROM _crdt_state",
        "SELECT t, pk, reason FROM _crdt_pending ORDER BY 1, 2",
        "SELECT ts, change FROM _crdt_future ORDER BY 1, 2",
    ] {
        all.extend(rows(conn, sql));
    }
    all
}

/// Two nodes that write to the same rows; what each makes of the other's changes, by both roads.
fn both_roads_agree(ddl: &str, seed: u64, key: &dyn Fn(usize) -> String) {
    let (mut chance, folder) = (Chance(seed), tempfile::tempdir().unwrap());
    let [a, b] = ["a", "b"].map(|name| {
        let check = if name == "b" && seed.is_multiple_of(3) { ", CHECK (size < 1000)" } else { "" };
        node(name, &format!("{}; SELECT crdt_enable('tasks')", ddl.replace("CHECKS", check)))
    });
    for i in 0..40 {
        run(&a, &format!("INSERT INTO tasks VALUES ({}, {}, {i}, 0, {})", key(i), chance.value(), chance.value()));
    }
    send(&a, &b);
    for round in 0..3 {
        write(&a, &mut chance, key);
        let _ = try_run(&b, "BEGIN");
        for _ in 0..30 {
            let (key, column) = (key(chance.below(40)), ["title", "done", "body"][chance.below(3)]);
            run(&b, &format!("UPDATE tasks SET {column} = {} WHERE id = {key}", chance.value()));
        }
        run(&b, "COMMIT; SELECT crdt_cursor()");
        let slow = slow_copy(&b, &folder, round);
        let changes = page(&export(&a)).changes;
        let (mut twisted, mut plain) = (twisted(changes.clone(), &mut chance), payload(changes));
        if let Some(form) = ["grove", "", "compact"].get(round).filter(|form| !form.is_empty()) {
            // As we spell it ourselves: such is read otherwise.
            let ours = |json: &str| common::text(&b, "SELECT crdt_convert(?1, ?2)", [json, form]);
            (twisted, plain) = (ours(&twisted), ours(&plain));
        }
        for json in [&twisted, &plain, &plain] {
            let [quickly, slowly] = [&b, &slow].map(|conn| merge(conn, json));
            for told in ["merged", "unchanged", "conflicts", "pending"] {
                assert_eq!(quickly[told], slowly[told], "{told}, seed {seed}, round {round}");
            }
            let [quickly, slowly] = [&b, &slow].map(left_behind);
            let differ = quickly
                .iter()
                .filter(|line| !slowly.contains(line))
                .chain(slowly.iter().filter(|line| !quickly.contains(line)));
            assert_eq!(differ.collect::<Vec<_>>(), Vec::<&String>::new(), "seed {seed}, round {round}");
            assert_eq!(quickly.len(), slowly.len(), "seed {seed}, round {round}");
        }
        sound(&b);
    }
}

#[test]
fn text_keys() {
    let ddl = format!("CREATE TABLE tasks(id TEXT PRIMARY KEY NOT NULL, {COLUMNS} CHECKS)");
    (0..8).for_each(|seed| both_roads_agree(&ddl, seed, &|i| format!("'k{}'", i * 37 % 61)));
}

#[test]
fn integer_keys() {
    let ddl = format!("CREATE TABLE tasks(id INTEGER PRIMARY KEY, {COLUMNS} CHECKS)");
    (0..4).for_each(|seed| both_roads_agree(&ddl, seed, &|i| (i as i64 * 37 - 600).to_string()));
}

#[test]
fn keys_that_are_stored_in_other_ways() {
    let texts = [
        format!("CREATE TABLE tasks(id TEXT PRIMARY KEY NOT NULL, {COLUMNS} CHECKS) WITHOUT ROWID"),
        format!("CREATE TABLE tasks(id TEXT PRIMARY KEY DESC NOT NULL, {COLUMNS} CHECKS)"),
        format!("CREATE TABLE tasks(id TEXT NOT NULL, {COLUMNS} CHECKS, PRIMARY KEY(id))"),
    ];
    for ddl in texts {
        (0..3).for_each(|seed| both_roads_agree(&ddl, seed, &|i| format!("'k{}'", i * 37 % 61)));
    }
    let ddl = format!("CREATE TABLE tasks(id INT PRIMARY KEY NOT NULL, {COLUMNS} CHECKS)");
    (0..3).for_each(|seed| both_roads_agree(&ddl, seed, &|i| (i as i64 * 37 - 600).to_string()));
}

#[test]
fn keys_that_a_collation_finds_equal() {
    let ddl =
        format!("CREATE TABLE tasks(id TEXT PRIMARY KEY NOT NULL COLLATE NOCASE, {COLUMNS} CHECKS) WITHOUT ROWID");
    let key = |i: usize| format!("'{}{i}'", if i.is_multiple_of(2) { "k" } else { "K" });
    (0..4).for_each(|seed| both_roads_agree(&ddl, seed, &key));
}

#[test]
fn columns_named_like_those_of_a_batch() {
    let key = |i: usize| format!("'{}'", ["a", "b", "[1]", "[{\"$blob\":\"61\"}]", "7"][i % 5].repeat(1 + i / 5));
    let ddl = "CREATE TABLE tasks(id PRIMARY KEY NOT NULL, title, size INTEGER, done BOOLEAN, body JSON CHECKS)";
    (0..4).for_each(|seed| both_roads_agree(ddl, seed, &key));
    let [a, b] = ["a", "b"].map(|name| {
        node(name, "CREATE TABLE tasks(c0 TEXT PRIMARY KEY NOT NULL, c2, c1, r, b); SELECT crdt_enable('tasks')")
    });
    for i in 0..40 {
        run(&a, &format!("INSERT INTO tasks VALUES ('{i}', {i}, 1, 2, 3)"));
    }
    send(&a, &b);
    run(&a, "UPDATE tasks SET c1 = c2 + 7, r = 'r', b = 'b' WHERE c2 % 3");
    assert_eq!(send(&a, &b)["merged"], 78);
    same(&a, &b, "tasks");
}

#[test]
fn the_log_of_conflicts_keeps_the_newest() {
    let ddl = "CREATE TABLE tasks(id TEXT PRIMARY KEY NOT NULL, title TEXT); SELECT crdt_enable('tasks')";
    for most in [0, 1, 999, 1_000, 1_001, 2_500, 30_000] {
        let [a, b] = ["a", "b"].map(|name| node(name, ddl));
        run(&b, &format!("SELECT crdt_pragma('conflict_log', {most})"));
        let keys = "WITH RECURSIVE k(i) AS (SELECT 10001 UNION ALL SELECT i + 1 FROM k WHERE i < 13300)";
        run(&a, &format!("{keys} INSERT INTO tasks SELECT i, 'old' FROM k"));
        send(&a, &b);
        run(&a, "UPDATE tasks SET title = 'a'");
        run(&b, "UPDATE tasks SET title = 'b'");
        let json = export(&a);
        assert_eq!(merge(&b, &json)["conflicts"], 3_300);
        let kept = rows(&b, "SELECT pk FROM crdt_conflicts()");
        assert_eq!(kept.len(), most.min(3_300));
        // Of those that are read together the greatest key is the last.
        let last: Vec<String> = (10_001..=13_300).rev().take(most + 50).map(|key| format!("'{key}'")).collect();
        assert!(kept.iter().all(|pk| last.contains(pk)), "{most}");
    }
}

/// Merges `changes` by a call of its own, or in a transaction of the caller's.
fn merged(to: &Connection, changes: &str, within: bool) -> Value {
    if !within {
        return merge(to, changes);
    }
    run(to, "BEGIN");
    let told = merge(to, changes);
    run(to, "COMMIT");
    told
}

/// A CHECK that refuses some of the rows, new and old, a conflict in each of the others.
#[test]
fn of_rows_that_are_written_together_all_are_or_none() {
    for within in [false, true] {
        let ddl = "CREATE TABLE tasks(id TEXT PRIMARY KEY NOT NULL, title TEXT, size INTEGER CHECKS); SELECT crdt_enable('tasks')";
        let [a, b] =
            [("a", ""), ("b", ", CHECK (size < 1000)")].map(|(name, check)| node(name, &ddl.replace(" CHECKS", check)));
        let keys = "WITH RECURSIVE k(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM k WHERE i < 49)";
        run(&a, &format!("{keys} INSERT INTO tasks SELECT i, 'old', i FROM k"));
        send(&a, &b);
        run(&b, "UPDATE tasks SET title = 'b'; SELECT crdt_cursor()");
        std::thread::sleep(std::time::Duration::from_millis(5));
        run(&a, "UPDATE tasks SET title = 'a' WHERE size % 2 = 0; UPDATE tasks SET size = 5000 WHERE size % 2 = 1");
        let told = merged(&b, &export(&a), within);
        assert_eq!((&told["conflicts"], &told["pending"]), (&json!(20), &json!(20)), "{within}");
        // Not what a part of the rows had been given already.
        assert_eq!(rows(&b, "SELECT DISTINCT local_value FROM crdt_conflicts()"), ["'b'"]);
        assert_eq!(rows(&b, "SELECT count(*) FROM tasks WHERE title = 'a'"), ["20"]);
        sound(&b);
        let place = mark(&a);
        run(&a, &format!("{keys} INSERT INTO tasks SELECT 'n' || i, 'new', iif(i % 5, i, 5000) FROM k"));
        let told = merged(&b, &since(&a, Some(&place)).json, within);
        assert_eq!((&told["merged"], &told["pending"]), (&json!(80), &json!(16)), "{within}");
        assert_eq!(rows(&b, "SELECT count(*) FROM tasks WHERE title = 'new'"), ["32"]);
        sound(&b);
        let c = node("c", &ddl.replace(" CHECKS", ""));
        send(&b, &c);
        send(&b, &a);
        same(&a, &c, "tasks");
    }
}
