//! A process is killed (`kill -9`) while it writes, merges, exports, enables and cleans up; the file is opened again each time.
//!
//! `CRASH_ROUNDS` sets how often (50), `CRASH_SEED` the seed of the moments.

mod common;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{open, open_file, text};
use rusqlite::Connection;

const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS tasks(id TEXT PRIMARY KEY NOT NULL, title TEXT, votes INTEGER, tags TEXT, email TEXT UNIQUE);
    CREATE TABLE IF NOT EXISTS extra(id INTEGER PRIMARY KEY, v)";
const ENABLE: &str = "SELECT crdt_enable('tasks', 'votes:counter', 'tags:set'); SELECT crdt_enable('extra')";

fn run(conn: &Connection, sql: &str) {
    conn.execute_batch(sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

/// What the child does, step by step. Each step says what it is about to do, and that it is done.
#[test]
fn child() {
    let Ok(path) = std::env::var("CRASH_FILE") else { return };
    let (round, first) = (number("CRASH_ROUND", 0), number("CRASH_FIRST", 0));
    let conn = open_file(path);
    run(&conn, "PRAGMA busy_timeout = 5000; SELECT crdt_pragma('tombstone_ttl', '0s')");
    let peer = open();
    run(&peer, &format!("SELECT crdt_node_id('peer{round}'); {SCHEMA}; {ENABLE}"));
    let mut cursor: Option<String> = None;
    let tell = |line: String| {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{line}").and_then(|()| out.flush()).expect("the pipe");
    };
    for i in first.. {
        let id = format!("r{round}-{i}");
        match i % 8 {
            0..=2 => {
                tell(format!("try put {id} {i}"));
                run(&conn, &format!("BEGIN; INSERT INTO tasks VALUES ('{id}', '{i}', {i}, '[\"{i}\"]', '{id}'); UPDATE tasks SET votes = votes + 1 WHERE id = '{id}'; COMMIT"));
            }
            3 => {
                tell(format!("try put {id} {i}"));
                run(&peer, &format!("INSERT INTO tasks VALUES ('{id}', '{i}', {}, '[\"{i}\"]', '{id}')", i + 1));
                let json = text(&peer, "SELECT crdt_changes_since(?1)", [&cursor]);
                text(&conn, "SELECT crdt_merge(?1)", [&json]);
                let answer: serde_json::Value = serde_json::from_str(&json).expect("an answer");
                cursor = Some(answer["latest_hlc"].to_string());
            }
            4 => {
                let old = format!("r{round}-{}", i - 4);
                tell(format!("try delete {old}"));
                run(&conn, &format!("DELETE FROM tasks WHERE id = '{old}'"));
            }
            5 => {
                tell("try look".into());
                text(&conn, "SELECT crdt_changes_since(NULL, NULL, 5)", []);
                tell(format!("stamp {}", text(&conn, "SELECT crdt_now()", [])));
            }
            6 => {
                tell("try clean".into());
                text(&conn, "SELECT crdt_cleanup_tombstones()", []);
            }
            _ => {
                tell("try enable".into());
                run(
                    &conn,
                    &format!(
                        "INSERT INTO extra(v) VALUES ({i}); SELECT crdt_disable('extra'); SELECT crdt_enable('extra')"
                    ),
                );
            }
        }
        tell("done".into());
    }
}

/// What is known of the rows: title, or deleted; None while a step was under way that was not acknowledged.
type Rows = BTreeMap<String, Option<Option<String>>>;

#[derive(Default)]
struct Known {
    rows: Rows,
    under_way: Option<Vec<String>>,
    stamp: Option<String>,
}

impl Known {
    fn hear(&mut self, line: &str) {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        match words.first().map(String::as_str) {
            Some("try") => self.under_way = Some(words[1..].to_vec()),
            Some("done") => self.settle(true),
            Some("stamp") => self.stamp = Some(line["stamp ".len()..].to_owned()),
            _ => {}
        }
    }

    fn settle(&mut self, done: bool) {
        let Some(step) = self.under_way.take() else { return };
        let outcome = match step[0].as_str() {
            "put" => Some(step[2].clone()),
            "delete" => None,
            _ => return,
        };
        self.rows.insert(step[1].clone(), done.then_some(outcome));
    }
}

/// Lets a child work on the file for a moment, from its first step on, and kills it.
fn kill_one(path: &Path, round: u64, first: u64, after: Duration, known: &mut Known) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--nocapture"])
        .envs([
            ("CRASH_FILE", path.to_str().unwrap()),
            ("CRASH_ROUND", &round.to_string()),
            ("CRASH_FIRST", &first.to_string()),
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let (begun, begins) = std::sync::mpsc::channel();
    let killer = std::thread::spawn(move || {
        let _ = begins.recv_timeout(Duration::from_secs(20));
        std::thread::sleep(after);
        child.kill().unwrap();
        let status = child.wait().unwrap();
        assert!(!status.success() && status.code().is_none(), "killed, not failed: {status}");
    });
    for line in out.lines() {
        let line = line.unwrap();
        known.hear(&line);
        if line.starts_with("try") {
            let _ = begun.send(());
        }
    }
    known.settle(false);
    killer.join().unwrap();
}

fn check(path: &Path, known: &Known) -> Result<(), String> {
    let conn = open_file(path);
    run(&conn, "PRAGMA busy_timeout = 5000");
    for sql in ["PRAGMA integrity_check", "SELECT crdt_check()"] {
        let answer = text(&conn, sql, []);
        if answer != "ok" {
            return Err(format!("{sql}: {answer}"));
        }
    }
    for (id, outcome) in &known.rows {
        let Some(outcome) = outcome else { continue };
        let sql = "SELECT (SELECT title FROM tasks WHERE id = ?1 AND votes = title + 1 AND tags = '[\"' || title || '\"]' AND email = id)";
        let there = Some(text(&conn, sql, [id])).filter(|title| !title.is_empty());
        if there != *outcome {
            return Err(format!("{id} is {there:?}, acknowledged was {outcome:?}"));
        }
    }
    if let Some(before) = &known.stamp {
        let now = text(&conn, "SELECT crdt_now()", []);
        let tick = |json: &str| -> (i64, i64) {
            let stamp: serde_json::Value = serde_json::from_str(json).unwrap();
            (stamp["ts"].as_i64().unwrap(), stamp["c"].as_i64().unwrap())
        };
        if tick(&now) <= tick(before) {
            return Err(format!("the clock went back: {now} after {before}"));
        }
    }
    run(&conn, ENABLE); // it may have been killed between crdt_disable and crdt_enable
    let fresh = open();
    run(&fresh, &format!("{SCHEMA}; {ENABLE}"));
    text(&fresh, "SELECT crdt_merge(?1)", [text(&conn, "SELECT crdt_changes_since(NULL)", [])]);
    for table in ["tasks", "extra"] {
        let digest = |conn: &Connection| text(conn, "SELECT crdt_digest(?1)", [table]);
        if digest(&fresh) != digest(&conn) {
            return Err(format!("a node fed from the file has another {table}"));
        }
    }
    Ok(())
}

#[test]
fn nothing_acknowledged_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let mut seed = number("CRASH_SEED", 7);
    for (mode, share) in [("WAL", 3), ("DELETE", 2)] {
        let path = folder.path().join(format!("{mode}.db"));
        let conn = open_file(&path);
        run(&conn, &format!("PRAGMA journal_mode = {mode}; {SCHEMA}; {ENABLE}"));
        drop(conn);
        let mut known = Known::default();
        let mut steps = 0;
        for round in 0..number("CRASH_ROUNDS", 50) * share / 5 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let before = known.rows.len();
            let first = round % 8; // so that the child starts with another kind of step each time
            kill_one(&path, round, first + 8, Duration::from_millis((seed >> 33) % 60), &mut known);
            steps += known.rows.len() - before;
            if let Err(e) = check(&path, &known) {
                panic!("{mode}, round {round}, CRASH_SEED={}: {e}", number("CRASH_SEED", 7));
            }
        }
        assert!(steps > 0, "{mode}: the children were killed before they did anything");
    }
}
