//! A short tail of updates is told as it is: the same as if it were folded, without the fold.

#[path = "common/mod.rs"]
mod common;
#[path = "sim/random.rs"]
mod random;
mod support;

use common::{open_file, text};
use random::Random;
use rusqlite::Connection;
use support::*;

const TABLES: &str = "
    CREATE TABLE tasks(id TEXT PRIMARY KEY NOT NULL, a, b, c);
    SELECT crdt_enable('tasks');
    CREATE TABLE numbers(id INTEGER PRIMARY KEY, a, b, c);
    SELECT crdt_enable('numbers');
    CREATE TABLE pairs(id, k DEFAULT 1, a, b, c, PRIMARY KEY(id, k)) WITHOUT ROWID;
    SELECT crdt_enable('pairs');
    CREATE TABLE parts(id TEXT PRIMARY KEY NOT NULL, a, b, c, n INTEGER, s TEXT);
    SELECT crdt_enable('parts', 'n:counter', 's:set');";

const NAMES: [&str; 4] = ["tasks", "numbers", "pairs", "parts"];
const ROWS: i64 = 8;

fn fill(conn: &Connection) {
    for name in NAMES {
        for id in 0..ROWS {
            run(conn, &format!("INSERT INTO {name}(id, a, b, c) VALUES ({id}, 'a', 'b', {id})"));
        }
    }
}

/// How far the log is folded.
fn folded(conn: &Connection) -> i64 {
    conn.query_row("SELECT folded FROM _crdt_state", [], |row| row.get(0)).unwrap()
}

fn answer(conn: &Connection, cursor: &str, form: &str) -> String {
    text(conn, "SELECT crdt_changes_since(?1, NULL, NULL, ?2)", [cursor, form])
}

#[test]
fn an_export_of_a_few_updates_folds_nothing_and_waits_for_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    let a = file_node(&path, "a", TABLES);
    run(&a, "PRAGMA journal_mode = WAL");
    fill(&a);
    let start = mark(&a);
    let before = folded(&a);
    run(&a, "UPDATE tasks SET a = 'new' WHERE id < 3");
    let other = open_file(&path);
    run(&other, "BEGIN IMMEDIATE; UPDATE tasks SET b = 'not yet' WHERE id = 5");
    let told = since(&a, Some(&start));
    assert_eq!(told.fields(), ["0.a", "1.a", "2.a"]);
    let at_end: serde_json::Value = serde_json::from_str(&mark(&a)).unwrap();
    assert_eq!(at_end.to_string(), told.cursor);
    assert_eq!(folded(&a), before, "it was folded");
    run(&other, "COMMIT");
    let next = since(&a, Some(&told.cursor));
    assert_eq!(next.fields(), ["5.b"]);
    assert_eq!(folded(&a), before, "it was folded");
    // Many are folded, and what is no update.
    for i in 0..130 {
        run(&a, &format!("UPDATE numbers SET a = 'many', b = {i}; UPDATE pairs SET c = {i}"));
    }
    let many = since(&a, Some(&next.cursor));
    assert!(many.changes.len() >= 24, "{:?}", many.fields());
    assert!(folded(&a) > before);
    let before = folded(&a);
    run(&a, "DELETE FROM tasks WHERE id = 1");
    assert_eq!(since(&a, Some(&many.cursor)).changes.len(), 1);
    assert!(folded(&a) > before);
    sound(&a);
}

/// One write, mostly an update.
fn step(conn: &Connection, random: &mut Random, peer: &Connection) {
    let name = NAMES[random.below(NAMES.len())];
    let id = random.below(ROWS as usize);
    match random.below(40) {
        0 => run(conn, &format!("DELETE FROM {name} WHERE id = {id}")),
        1 | 2 => run(conn, &format!("INSERT OR REPLACE INTO {name}(id, a) VALUES ({id}, 'again')")),
        3 => run(conn, &format!("UPDATE parts SET n = coalesce(n, 0) + 1, s = '[\"{id}\"]' WHERE id = {id}")),
        4 => {
            run(peer, &format!("UPDATE {name} SET b = 'of peer' WHERE id = {id}"));
            send(peer, conn);
        }
        5 => drop(send(conn, peer)),
        6 => run(conn, &format!("UPDATE {name} SET a = a WHERE id = {id}")),
        7 => run(conn, &format!("BEGIN; UPDATE {name} SET b = 'never' WHERE id <> {id}; ROLLBACK")),
        8 => run(conn, &format!("UPDATE OR REPLACE {name} SET id = {} WHERE id = {id}", random.below(ROWS as usize))),
        _ => {
            let column = ["a", "b", "c"][random.below(3)];
            let value = random.below(1000);
            let rows = random.below(3);
            run(conn, &format!("UPDATE {name} SET {column} = {value} WHERE id BETWEEN {id} AND {id} + {rows}"));
        }
    }
}

/// What a copy of the database tells when its log has been folded.
fn of_a_folded_copy(path: &std::path::Path, cursor: &str, form: &str) -> String {
    let copy = path.with_extension("copy");
    let _ = std::fs::remove_file(&copy);
    std::fs::copy(path, &copy).unwrap();
    let copy = open_file(&copy);
    text(&copy, "SELECT crdt_digest('tasks')", []);
    assert_eq!(folded(&copy).to_string(), text(&copy, "SELECT max(seq) FROM _crdt_log", []));
    answer(&copy, cursor, form)
}

#[test]
fn what_is_told_is_what_the_fold_makes_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut lightly = 0;
    for seed in 0..6 {
        let mut random = Random::new(seed);
        let path = dir.path().join(format!("{seed}.db"));
        let (a, peer) = (file_node(&path, "a", TABLES), node("peer", TABLES));
        fill(&a);
        send(&a, &peer);
        let mut cursors = vec![mark(&a)];
        for _ in 0..120 {
            for _ in 0..1 + random.below(3) {
                step(&a, &mut random, &peer);
            }
            let before = folded(&a);
            let which = random.below(cursors.len());
            let form = ["{}", "{\"format\":\"compact\"}"][random.below(2)];
            let expected = of_a_folded_copy(&path, &cursors[which], form);
            let told = answer(&a, &cursors[which], form);
            assert!(told == expected, "seed {seed}:\n{told}\n{expected}");
            lightly += usize::from(folded(&a) == before);
            match random.below(3) {
                0 => cursors.push(mark(&a)),
                1 if form == "{}" => cursors[which] = page(&told).cursor,
                _ => {}
            }
        }
        sound(&a);
        for name in NAMES {
            swap(&a, &peer);
            same(&a, &peer, name);
        }
    }
    assert!(lightly > 200, "{lightly}");
}

/// Where the wall clock stands, in milliseconds.
const START: i64 = 1_800_000_000_000;
const HOUR: i64 = 3_600_000;

/// A node that was written to at that time, and its cursor.
fn at_start() -> (Connection, String) {
    support::clock::set(START);
    let a = named(support::clock::open(":memory:"), "a", TABLES);
    fill(&a);
    let cursor = mark(&a);
    (a, cursor)
}

/// What was told has its stamp, whatever the wall clock is when it is folded.
#[test]
fn a_clock_set_back_before_the_fold_changes_no_stamp() {
    let (a, cursor) = at_start();
    for (minutes, is_folded) in [(4, false), (60, true)] {
        let before = folded(&a);
        support::clock::set(START + minutes * 60_000);
        run(&a, &format!("UPDATE tasks SET a = 'in {minutes}' WHERE id = 1"));
        let told = since(&a, Some(&cursor));
        assert_eq!(folded(&a) > before, is_folded, "{minutes} minutes");
        support::clock::set(START - 24 * HOUR);
        text(&a, "SELECT crdt_digest('tasks')", []);
        assert_eq!(since(&a, Some(&cursor)).changes, told.changes, "{minutes} minutes");
        assert_eq!(stamp_of(&told.changes[0]).0, (START + minutes * 60_000) * 1_000_000);
    }
    sound(&a);
}

/// Nor one that was told from a fold in memory, in a transaction of the application's.
#[test]
fn a_clock_set_back_changes_no_stamp_that_was_told_in_a_transaction() {
    let (a, cursor) = at_start();
    support::clock::set(START + HOUR);
    run(&a, "UPDATE tasks SET a = 'ahead' WHERE id = 1; BEGIN");
    let told = since(&a, Some(&cursor));
    run(&a, "COMMIT");
    support::clock::set(START);
    text(&a, "SELECT crdt_digest('tasks')", []);
    assert_eq!(since(&a, Some(&cursor)).changes, told.changes);
    run(&a, "UPDATE tasks SET a = 'later' WHERE id = 1");
    assert!(stamp_of(&since(&a, Some(&cursor)).changes[0]) > stamp_of(&told.changes[0]));
    sound(&a);
}

/// A time that the wall clock has come back from is none to go by: not before the fold either.
#[test]
fn a_write_far_ahead_is_not_told_before_it_is_folded() {
    let (a, cursor) = at_start();
    support::clock::set(START + HOUR);
    run(&a, "UPDATE tasks SET a = 'ahead' WHERE id = 1");
    support::clock::set(START + 1_000);
    let told = since(&a, Some(&cursor));
    assert!(stamp_of(&told.changes[0]).0 <= (START + 1_000) * 1_000_000, "{:?}", told.changes);
    support::clock::set(START + HOUR);
    text(&a, "SELECT crdt_digest('tasks')", []);
    assert_eq!(since(&a, Some(&cursor)).changes, told.changes);
}

/// What a connection has read of the log is of no use in another file, put in the place of the one it was read from.
#[test]
fn a_backup_that_is_put_back_is_read_anew() {
    for round in 0..10 {
        let dir = tempfile::tempdir().unwrap();
        let [path, saved] = ["a.db", "saved.db"].map(|name| dir.path().join(name));
        let a = file_node(&path, "a", TABLES);
        fill(&a);
        let cursor = mark(&a);
        std::fs::copy(&path, &saved).unwrap();
        run(&a, "UPDATE tasks SET a = 'lost' WHERE id = 1");
        assert_eq!(since(&a, Some(&cursor)).fields(), ["1.a"]);
        // SQLite's schema version is the same.
        std::fs::copy(&saved, &path).unwrap();
        // In the same millisecond most often.
        run(&a, "UPDATE tasks SET b = 'other' WHERE id = 1");
        let told = since(&a, Some(&cursor));
        assert_eq!(told.fields(), ["1.b"], "round {round}");
        text(&a, "SELECT crdt_digest('tasks')", []);
        assert_eq!(since(&a, Some(&cursor)).changes, told.changes);
        sound(&a);
    }
}

/// What a connection keeps is let go when another one has folded, or logged more than is kept.
#[test]
fn connections_take_turns() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    let a = file_node(&path, "a", TABLES);
    fill(&a);
    let cursor = mark(&a);
    let b = open_file(&path);
    for round in 0..20 {
        let id = round % ROWS;
        run([&a, &b][round as usize % 2], &format!("UPDATE tasks SET a = {round}, b = {round} WHERE id = {id}"));
        let [of_a, of_b] = [&a, &b].map(|conn| answer(conn, &cursor, "{}"));
        assert_eq!(of_a, of_b, "{round}");
        if round % 5 == 4 {
            text([&b, &a][round as usize % 2], "SELECT crdt_digest('tasks')", []);
        }
    }
    sound(&a);
    sound(&b);
}

#[test]
fn a_cursor_of_an_unfolded_place_outlives_pruning() {
    let a = node("a", TABLES);
    fill(&a);
    let (mut cursors, mut folds) = (vec![mark(&a)], 0);
    for round in 0..1_300 {
        let before = folded(&a);
        run(
            &a,
            &format!(
                "UPDATE tasks SET a = {round} WHERE id = {}; UPDATE numbers SET b = {round} WHERE id = 2",
                round % 3
            ),
        );
        // Who asked some answers ago, and has not asked since.
        let old = since(&a, Some(&cursors[cursors.len().saturating_sub(9)]));
        let told = since(&a, cursors.last().map(String::as_str));
        for page in [&old, &told] {
            // Of the records that were written pruning may have more told; of others nothing.
            assert!(
                !page.fields().iter().any(|field| field == "7.a"),
                "it started over in round {round}: {:?}",
                page.fields()
            );
        }
        cursors.push(told.cursor);
        folds += usize::from(folded(&a) != before);
    }
    let places: String = a.query_row("SELECT places FROM _crdt_state", [], |row| row.get(0)).unwrap();
    let places: Vec<i64> = places.split(',').map(|place| place.parse().unwrap()).collect();
    assert!((24..=80).contains(&places.len()) && places.is_sorted_by(|a, b| a < b), "{places:?}");
    let rows = |a: &Connection| a.query_row("SELECT count(*) FROM _crdt_log", [], |row| row.get::<_, i64>(0)).unwrap();
    assert!((1..650).contains(&folds), "{folds}");
    assert!(rows(&a) < 1_500, "nothing was pruned: {}", rows(&a));
}

/// What a call has noted is gone where it fails.
#[test]
fn a_cursor_is_noted_after_a_call_that_failed() {
    let a = node("a", TABLES);
    fill(&a);
    let cursor = mark(&a);
    run(&a, "UPDATE tasks SET a = 'new' WHERE id = 1");
    let bad = cursor.replace("\"ts\":", "\"ts\":-");
    assert!(a.query_row("SELECT crdt_changes_since(?1)", [&bad], |_| Ok(())).is_err());
    for _ in 0..3 {
        assert_eq!(since(&a, Some(&cursor)).fields(), ["1.a"]);
    }
    // Nor is it noted again when it is folded.
    for _ in 0..2 {
        let [places, end] =
            ["SELECT places FROM _crdt_state", "SELECT max(seq) FROM _crdt_log"].map(|sql| text(&a, sql, []));
        assert_eq!(places.split(',').filter(|place| *place == end).count(), 1, "{places}, {end}");
        text(&a, "SELECT crdt_digest('tasks')", []);
    }
}
