//! What `crdt_enable` costs on a table that has rows, against copying that table: CREATE TABLE with the same primary key and
//! INSERT … SELECT. Both in turns within every round, each on a fresh copy of one file.
//!
//! `make bench-enable`, or with other sizes `BENCH_ROWS=100000 BENCH_ROUNDS=3 make bench-enable`. The first fold is not part of
//! `crdt_enable`, so it has a line of its own: it is done by the first call that needs it.

#[path = "../tests/common/mod.rs"]
mod common;
#[allow(dead_code)]
#[path = "capture/measure.rs"]
mod measure;
#[path = "capture/rows.rs"]
mod rows;

use std::path::Path;

use measure::{timed, Line, Spent};
use rows::Keys;
use rusqlite::Connection;

const COLUMNS: &str =
    "(id TEXT PRIMARY KEY NOT NULL, title TEXT, description TEXT, priority INTEGER DEFAULT 0, tags TEXT, \
    completed INTEGER DEFAULT 0)";

/// A number from the environment.
fn setting(name: &str, default: usize) -> usize {
    std::env::var(name)
        .map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}

fn open(path: &Path) -> Connection {
    let conn = Connection::open(path).unwrap();
    conn.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;").unwrap();
    conn
}

/// A file with a table of `n` rows.
fn make(path: &Path, keys: Keys, n: usize) {
    let conn = open(path);
    conn.execute_batch(&format!("CREATE TABLE tasks{COLUMNS}; BEGIN")).unwrap();
    let mut insert = conn.prepare("INSERT INTO tasks VALUES (?1, ?2, ?3, ?4, ?5, ?6)").unwrap();
    for row in rows::make(keys, n) {
        insert.execute((row.id, row.title, row.description, row.priority, row.tags, row.completed)).unwrap();
    }
    conn.execute_batch("COMMIT").unwrap();
}

/// Runs `work` on a copy of the file.
fn on_copy<T>(path: &Path, work: impl FnOnce(&Connection) -> T) -> T {
    let copy = path.with_extension("copy");
    std::fs::copy(path, &copy).unwrap();
    let conn = open(&copy);
    // What is read is in the cache of the operating system, for both.
    conn.query_row("SELECT sum(length(description)) FROM tasks", [], |_| Ok(())).unwrap();
    let done = work(&conn);
    drop(conn);
    std::fs::remove_file(&copy).unwrap();
    done
}

fn copied(path: &Path) -> Spent {
    let sql = format!("BEGIN; CREATE TABLE copy{COLUMNS}; INSERT INTO copy SELECT * FROM tasks; COMMIT");
    on_copy(path, |conn| timed(|| conn.execute_batch(&sql).unwrap()).1)
}

/// The time of crdt_enable, and of the first fold.
fn enabled(path: &Path, types: &str) -> (Spent, Spent) {
    on_copy(path, |conn| {
        common::load(conn).unwrap();
        let enable = timed(|| common::text(conn, &format!("SELECT crdt_enable('tasks'{types})"), [])).1;
        (enable, timed(|| common::text(conn, "SELECT crdt_cursor()", [])).1)
    })
}

fn main() {
    let n = setting("BENCH_ROWS", 1_000_000).max(100);
    let rounds = setting("BENCH_ROUNDS", 5).max(1);
    let folder = tempfile::TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    println!("{n} rows, {rounds} rounds, SQLite {}; seconds of processor time", rusqlite::version());
    println!(
        "{:<44} | {:>7} | {:>7} | {:>9} | {:>10}",
        "existing rows taken in", "copy", "enable", "ratio CPU", "first fold"
    );
    for keys in [Keys::Random, Keys::Ordered] {
        let path = folder.path().join(keys.name());
        make(&path, keys, n);
        let kinds = [("all lww", ""), ("a counter and a set", ", 'priority:counter', 'tags:set'")];
        let mut lines = kinds.map(|_| (Line::default(), Line::default()));
        for round in 0..rounds {
            for ((_, types), (line, folds)) in kinds.iter().zip(&mut lines) {
                let plain = (round % 2 == 0).then(|| copied(&path));
                let (ours, fold) = enabled(&path, types);
                let plain = plain.unwrap_or_else(|| copied(&path));
                line.plain.push(plain);
                line.ours.push(ours);
                folds.plain.push(plain);
                folds.ours.push(fold);
            }
        }
        for ((name, _), (line, folds)) in kinds.iter().zip(&lines) {
            let (plain, ours) = line.medians();
            let name = format!("{} keys, {name}", keys.name());
            println!(
                "{name:<44} | {plain:>7.3} | {ours:>7.3} | {:>9.2} | {:>10.3}",
                line.ratios().cpu,
                folds.medians().1
            );
        }
        std::fs::remove_file(&path).unwrap();
    }
}
