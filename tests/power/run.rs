//! What is done while the power is on: one transaction after the other, written down, with what the database held after each.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::common::text;
use crate::disk::Disk;
use crate::support::{page, rows, run, table, try_run};
use crate::vfs::{self, End, Op};

/// Where the wall clock stands at first, milliseconds; it goes on by one every other step.
const START: i64 = 1_780_000_000_000;

const TASKS: &str =
    "CREATE TABLE tasks(id TEXT PRIMARY KEY NOT NULL, title TEXT, votes INTEGER, tags TEXT, email TEXT UNIQUE);
     SELECT crdt_enable('tasks', 'votes:counter', 'tags:set');";
const EXTRA: &str = "CREATE TABLE extra(id INTEGER PRIMARY KEY, v, w);";

/// How a database is kept.
#[derive(Clone, Copy, Debug)]
pub struct Mode {
    pub journal: &'static str,
    pub synchronous: &'static str,
}

pub const MODES: [Mode; 5] = [
    Mode { journal: "WAL", synchronous: "FULL" },
    Mode { journal: "WAL", synchronous: "NORMAL" },
    Mode { journal: "DELETE", synchronous: "EXTRA" },
    Mode { journal: "DELETE", synchronous: "FULL" },
    Mode { journal: "DELETE", synchronous: "NORMAL" },
];

/// What was done.
pub struct Recording {
    pub mode: Mode,
    /// The database file at first.
    pub first: Vec<u8>,
    pub ops: Vec<(End, Op)>,
    /// After each step, the first being none: how many operations there were.
    pub ends: Vec<usize>,
    /// After each step: what the database held.
    pub states: Vec<Vec<String>>,
    /// After each step: the latest stamp that anybody was told of (ts, c).
    pub told: Vec<(i64, u64)>,
    /// After each step: the peer as it was then, which has all that it was sent.
    pub peers: Vec<PathBuf>,
    /// The wall clock at the end.
    pub now: i64,
}

/// A peer, which has nothing yet.
fn peer() -> Connection {
    let peer = vfs::open(Path::new(":memory:"));
    run(&peer, &format!("SELECT crdt_node_id('peer'); {TASKS} {EXTRA} ALTER TABLE tasks ADD COLUMN due; SELECT crdt_enable('tasks'); SELECT crdt_enable('extra')"));
    peer
}

/// What is there to see, rows and state; the log is folded.
pub fn state(conn: &Connection) -> Vec<String> {
    let mut all = rows(conn, "SELECT crdt_node_id(), (SELECT count(*) FROM crdt_pending())");
    // The format is brought up to date by whatever call comes first.
    for name in rows(conn, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT GLOB '_crdt_*' AND name NOT GLOB 'sqlite_*' ORDER BY 1") {
        let name = name.trim_matches('\'');
        all.extend(table(conn, name).into_iter().map(|row| format!("{name}: {row}")));
    }
    all.extend(rows(conn, "SELECT * FROM crdt_fields"));
    for name in rows(conn, "SELECT \"table\" FROM crdt_tables() WHERE enabled") {
        let digest = format!("SELECT crdt_digest({name}, 'full')");
        // One of the fixture's tables is gone.
        all.push(try_run(conn, &digest).map_or_else(|e| e, |()| text(conn, &digest, [])));
    }
    all
}

/// Makes the last changes of the schema, as far as they are missing.
pub fn finish(conn: &Connection) {
    run(conn, "CREATE TABLE IF NOT EXISTS extra(id INTEGER PRIMARY KEY, v, w); SELECT crdt_enable('extra')");
    if rows(conn, "SELECT 1 FROM pragma_table_info('tasks') WHERE name = 'due'").is_empty() {
        run(conn, "SELECT crdt_alter('tasks', 'ADD COLUMN due')");
    }
}

/// One step: one transaction, or what is done in several that nobody can tell apart.
enum Step {
    Sql(String),
    /// Sends what is new to the peer.
    Send,
    /// Takes what the peer has written.
    Take,
    Now,
}

fn steps(upgrade: bool) -> Vec<Step> {
    let mut all = Vec::new();
    let sql = |text: String| Step::Sql(text);
    if upgrade {
        all.push(sql("SELECT crdt_cursor()".into()));
        all.push(sql("UPDATE tasks SET title = 'after' WHERE id = 't1'".into()));
        all.push(sql("SELECT crdt_enable('tasks')".into()));
        all.push(sql("SELECT crdt_merge('[]')".into()));
        all.push(sql("SELECT crdt_cleanup_tombstones()".into()));
        return all;
    }
    for turn in 0..3 {
        let long = "x".repeat(700);
        all.push(sql(format!("INSERT INTO tasks(id, title, votes, tags, email) VALUES ('t{turn}', 'one', 1, '[\"a\"]', 'm{turn}'), ('u{turn}', 'two', NULL, '[]', NULL)")));
        all.push(sql(format!("BEGIN; UPDATE tasks SET votes = coalesce(votes, 0) + 1; UPDATE tasks SET title = 'turn {turn}' WHERE id = 't0'; INSERT INTO tasks(id) VALUES ('v{turn}'); COMMIT")));
        all.push(Step::Send);
        all.push(sql(format!("WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60) INSERT INTO tasks(id, title) SELECT 'long{turn}-' || i, '{long}' FROM n")));
        all.push(Step::Take);
        all.push(sql(format!(
            "UPDATE tasks SET tags = '[\"after\",\"{turn}\"]', votes = votes - 1 WHERE id LIKE 't%'"
        )));
        all.push(Step::Now);
        all.push(sql(format!("DELETE FROM tasks WHERE id = 'u{turn}'")));
        all.push(Step::Send);
        all.push(sql("SELECT crdt_cleanup_tombstones()".into()));
        all.push(match turn {
            0 => sql(format!(
                "BEGIN; {EXTRA} INSERT INTO extra VALUES (1, 'there', 2); SELECT crdt_enable('extra'); COMMIT"
            )),
            1 => sql("SELECT crdt_alter('tasks', 'ADD COLUMN due')".into()),
            _ => sql("SELECT crdt_alter('extra', 'DROP COLUMN w')".into()),
        });
        all.push(sql(format!("INSERT INTO tasks(id, title) VALUES ('w{turn}', 'written')")));
        all.push(match turn {
            0 => sql("SELECT crdt_disable('extra')".into()),
            1 => sql("SELECT crdt_enable('extra')".into()),
            _ => sql("SELECT crdt_hook('h', 'after_inbound', 'SELECT :change')".into()),
        });
        all.push(sql("UPDATE tasks SET title = title || '.' WHERE id LIKE 'long%'".into()));
        all.push(sql("DELETE FROM tasks WHERE id LIKE 'long%' AND id NOT LIKE '%1'".into()));
    }
    all.push(Step::Send);
    all.push(sql("UPDATE tasks SET votes = 0".into()));
    all
}

/// Does the work, in `folder`.
pub fn record(folder: &Path, mode: Mode, upgrade: bool) -> Recording {
    let path = folder.join("recorded.db");
    let keep = |peer: &Connection, n: usize| {
        let path = folder.join(format!("peer{n}.db"));
        peer.execute("VACUUM INTO ?1", [path.to_str().unwrap()]).unwrap();
        path
    };
    let mut now = START;
    vfs::set_clock(now);
    begin(&path, mode, upgrade);
    let first = std::fs::read(&path).unwrap();
    vfs::record(&path);
    let conn = vfs::open(&path);
    // Checkpoints are the only syncs of a WAL under NORMAL. A small cache, so that pages are written before the commit.
    let checkpoint = if mode.synchronous == "NORMAL" { 200 } else { 12 };
    let sql = format!(
        "PRAGMA synchronous = {}; PRAGMA wal_autocheckpoint = {checkpoint}; PRAGMA cache_size = 12",
        mode.synchronous
    );
    run(&conn, &sql);
    let other = peer();
    let (mut ends, mut told, mut peers) = (vec![vfs::recorded()], vec![(0, 0)], vec![keep(&other, 0)]);
    let (mut cursor, mut turn): (Option<String>, i64) = (None, 0);
    for (i, step) in steps(upgrade).into_iter().enumerate() {
        now += i as i64 % 2;
        vfs::set_clock(now);
        let (mut latest, mut known) = (*told.last().unwrap(), peers.last().unwrap().clone());
        match step {
            Step::Sql(sql) => run(&conn, &sql),
            Step::Send => {
                let page = page(&text(&conn, "SELECT crdt_changes_since(?1)", [&cursor]));
                text(&other, "SELECT crdt_merge(?1)", [&page.json]);
                let own = page.changes.iter().filter(|change| change["hlc"]["node"] == "a");
                latest = own.map(|change| stamp(&change["hlc"])).chain([latest]).max().unwrap();
                known = keep(&other, i + 1);
                cursor = Some(page.cursor);
            }
            Step::Take => {
                turn += 1;
                take(&conn, turn, now);
            }
            Step::Now => {
                latest = stamp(&serde_json::from_str(&text(&conn, "SELECT crdt_now()", [])).unwrap());
            }
        }
        ends.push(vfs::recorded());
        told.push(latest);
        peers.push(known);
    }
    drop(conn);
    let ops = vfs::end();
    let mut all = Recording { mode, first, ops, ends, states: Vec::new(), told, peers, now };
    all.states = all.states(&folder.join("state.db"));
    all
}

fn stamp(hlc: &serde_json::Value) -> (i64, u64) {
    (hlc["ts"].as_i64().unwrap(), hlc["c"].as_u64().unwrap())
}

fn begin(path: &PathBuf, mode: Mode, upgrade: bool) {
    if upgrade {
        std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format1.db"), path).unwrap();
    }
    let conn = vfs::open(path);
    run(&conn, &format!("PRAGMA journal_mode = {}", mode.journal));
    if !upgrade {
        run(&conn, &format!("SELECT crdt_node_id('a'); {TASKS} SELECT crdt_pragma('tombstone_ttl', '0s')"));
    }
}

/// Merges what another node writes; the second time its clock is two minutes ahead.
fn take(conn: &Connection, turn: i64, now: i64) {
    let ts = (now + if turn == 2 { 120_000 } else { 0 }) * 1_000_000;
    let change = |pk: &str, field: &str, body: &str| {
        format!("{{\"table\":\"tasks\",\"pk\":\"{pk}\",\"field\":\"{field}\",\"hlc\":{{\"ts\":{ts},\"c\":{turn},\"node\":\"far\"}},{body}}}")
    };
    let changes = [
        change("t0", "title", "\"crdt_type\":\"lww\",\"value\":\"far\""),
        change("far", "title", &format!("\"crdt_type\":\"lww\",\"value\":\"{}\"", "y".repeat(5_000))),
        change("far", "votes", &format!("\"crdt_type\":\"counter\",\"counter_delta\":{{\"inc\":{turn},\"dec\":0}}")),
        change("v0", "_tombstone", "\"crdt_type\":\"\",\"tombstone\":true"),
    ];
    text(conn, "SELECT crdt_merge(?1)", [format!("[{}]", changes.join(","))]);
}

impl Recording {
    fn states(&self, path: &Path) -> Vec<Vec<String>> {
        let mut disk = Disk::new(&self.first);
        let mut done = 0;
        let mut states = Vec::new();
        for end in &self.ends {
            self.ops[done..*end].iter().for_each(|op| disk.apply(op));
            done = *end;
            disk.whole().put(path);
            states.push(state(&vfs::open(path)));
        }
        states
    }
}
