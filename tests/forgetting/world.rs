//! A few nodes that write, pull, push, replay, clean up. One seed gives one schedule.

use rusqlite::Connection;
use serde_json::{json, Value};

use crate::common::text;
use crate::support::*;

/// Tables of two key shapes, with a column of each type.
pub const SCHEMA: &str = "
    CREATE TABLE tasks(id TEXT PRIMARY KEY NOT NULL, title TEXT, priority INTEGER DEFAULT 0, tags TEXT DEFAULT '[]', done INTEGER DEFAULT 0);
    CREATE TABLE pairs(a INTEGER NOT NULL, b TEXT NOT NULL, v, n INTEGER, PRIMARY KEY(a, b)) WITHOUT ROWID;
    SELECT crdt_enable('tasks', 'priority:counter', 'tags:set'); SELECT crdt_enable('pairs', 'n:counter');
    SELECT crdt_pragma('max_drift', '5m')";

/// A generator of numbers (Marsaglia's xorshift).
pub struct Chance(pub u64);

impl Chance {
    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 16) % n as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// How a node asks another for what is new.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Way {
    /// crdt_pull with a node id, all tables.
    Pull,
    /// crdt_pull with a node id, one table.
    PullTasks,
    /// crdt_changes_since.
    Since,
    /// crdt_changes_since, a few changes a page.
    Pages,
}

/// One step of a schedule.
#[derive(Clone, Debug)]
pub enum Step {
    Wait(i64),
    Write(usize, String),
    /// To, from, how, what becomes of it.
    Ask(usize, usize, Way, Fate),
    Push(usize, usize),
    /// Which payload, and to whom where it may go to anyone.
    Replay(usize, usize),
    Cleanup(usize),
    Epitaphs(usize),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fate {
    Arrives,
    Twice,
    Lost,
    /// Merged, but the cursor is forgotten.
    Unnoted,
}

/// A random statement; its effect depends on the rows alone.
fn statement(chance: &mut Chance, stamp: usize) -> String {
    let key = chance.below(4);
    let e = ["a", "b"][chance.below(2)];
    let f = ["c", "d"][chance.below(2)];
    match chance.below(13) {
        0 => format!("INSERT OR REPLACE INTO tasks(id, title, priority, tags) VALUES ('t{key}', 'r{stamp}', {}, '[\"{e}\"]')", stamp % 7),
        1 | 2 => format!("INSERT OR IGNORE INTO tasks(id, title, priority, tags) VALUES ('t{key}', 'i{stamp}', {}, '[\"{e}\"]')", stamp % 5),
        3 => format!("UPDATE tasks SET title = 'u{stamp}' WHERE id = 't{key}'"),
        4 => format!("UPDATE tasks SET done = {stamp} WHERE id = 't{key}'"),
        5 => format!("UPDATE tasks SET priority = coalesce(priority, 0) + {} WHERE id = 't{key}'", 1 + stamp % 3),
        6 => format!("UPDATE tasks SET tags = '[\"{e}\",\"{f}\"]' WHERE id = 't{key}'"),
        7 | 8 => format!("DELETE FROM tasks WHERE id = 't{key}'"),
        9 => format!("INSERT INTO pairs VALUES ({key}, 'x', 'i{stamp}', 1) ON CONFLICT DO UPDATE SET v = excluded.v, n = coalesce(n, 0) - 1"),
        10 => format!("UPDATE pairs SET v = {stamp} WHERE a = {key}"),
        11 => format!("DELETE FROM pairs WHERE a = {key}"),
        _ => format!("UPDATE tasks SET title = 'all{stamp}'"),
    }
}

/// A schedule of `steps` among `nodes`; `jump` is a pause that lets the TTL pass, in milliseconds.
pub fn schedule(seed: u64, nodes: usize, steps: usize, jump: i64, epitaphs: bool) -> Vec<Step> {
    let mut chance = Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    (0..20).for_each(|_| {
        chance.below(2);
    });
    let mut all = Vec::new();
    for i in 0..steps {
        all.push(Step::Wait(1 + chance.below(3_000) as i64));
        let node = chance.below(nodes);
        let other = (node + 1 + chance.below(nodes - 1)) % nodes;
        all.push(match chance.below(20) {
            0..=7 => Step::Write(node, statement(&mut chance, i)),
            8..=13 => {
                let way = [Way::Pull, Way::PullTasks, Way::Since, Way::Pages][chance.below(4)];
                let fate = [Fate::Arrives, Fate::Arrives, Fate::Arrives, Fate::Twice, Fate::Lost, Fate::Unnoted];
                Step::Ask(node, other, way, fate[chance.below(6)])
            }
            14 | 15 => Step::Push(node, other),
            16 => Step::Replay(node, chance.below(1 << 16)),
            17 if epitaphs && chance.one_in(3) => Step::Epitaphs(node),
            17 | 18 => Step::Cleanup(node),
            _ if chance.one_in(3) => Step::Wait(jump),
            _ => Step::Cleanup(node),
        });
    }
    all
}

/// The nodes, and what travels between them.
pub struct World {
    pub nodes: Vec<Connection>,
    pub wall: i64,
    /// Cursors by who asks, who is asked, and how.
    cursors: Vec<(usize, usize, Way, Value)>,
    /// Who was sent what.
    payloads: Vec<(usize, String)>,
    cleans: bool,
    /// Replays may go to anyone. (What a payload holds besides what its receiver lacks differs with what the log keeps.)
    pub astray: bool,
}

impl World {
    /// `cleans`: clean-ups do something.
    pub fn new(count: usize, ttl: &str, cleans: bool) -> World {
        let wall = 1_780_000_000_000;
        clock::set(wall);
        let nodes = (0..count).map(|i| {
            let conn = named(clock::open(":memory:"), &format!("n{i}"), SCHEMA);
            run(&conn, &format!("SELECT crdt_pragma('tombstone_ttl', '{ttl}')"));
            conn
        });
        World { nodes: nodes.collect(), wall, cursors: Vec::new(), payloads: Vec::new(), cleans, astray: false }
    }

    fn cursor(&mut self, to: usize, from: usize, way: Way) -> &mut Value {
        let found = self.cursors.iter().position(|c| (c.0, c.1, c.2) == (to, from, way));
        let place = found.unwrap_or_else(|| {
            self.cursors.push((to, from, way, Value::Null));
            self.cursors.len() - 1
        });
        &mut self.cursors[place].3
    }

    /// Asks once: the payload and the next cursor.
    fn page(&mut self, to: usize, from: usize, way: Way, cursor: &Value) -> Value {
        let given = (!cursor.is_null()).then(|| cursor.to_string());
        let conn = &self.nodes[from];
        let answer = match way {
            Way::Pull | Way::PullTasks => {
                let tables = if way == Way::Pull { Value::Null } else { json!(["tasks"]) };
                let request = json!({"tables": tables, "since": cursor, "node_id": format!("n{to}")}).to_string();
                text(conn, "SELECT crdt_pull(?1)", [request])
            }
            Way::Since => text(conn, "SELECT crdt_changes_since(?1)", [given]),
            Way::Pages => text(conn, "SELECT crdt_changes_since(?1, NULL, 3)", [given]),
        };
        if way != Way::Pages {
            self.payloads.push((to, answer.clone()));
        }
        serde_json::from_str(&answer).unwrap()
    }

    /// Asks until there is no more; the number of changes that came.
    fn ask(&mut self, to: usize, from: usize, way: Way, fate: Fate) -> usize {
        let mut came = 0;
        let mut cursor = self.cursor(to, from, way).clone();
        for turn in 0.. {
            assert!(turn < 500, "pages without end: n{to} from n{from} at {cursor}");
            let page = self.page(to, from, way, &cursor);
            came += page["changes"].as_array().unwrap().len();
            if fate == Fate::Lost {
                return came;
            }
            for _ in 0..if fate == Fate::Twice { 2 } else { 1 } {
                merge(&self.nodes[to], &page.to_string());
            }
            // The pages together are the same whatever the log keeps, one of them alone is not: who is no peer that pulls may find
            // a record further on.
            if fate == Fate::Unnoted && self.astray {
                return came;
            }
            cursor = page["latest_hlc"].clone();
            if fate != Fate::Unnoted {
                *self.cursor(to, from, way) = cursor.clone();
            }
            if page["has_more"] == json!(false) {
                break;
            }
        }
        came
    }

    pub fn step(&mut self, step: &Step) {
        clock::set(self.wall);
        match step {
            Step::Wait(ms) => self.wall += ms,
            Step::Write(node, sql) => run(&self.nodes[*node], sql),
            Step::Ask(to, from, way, fate) => drop(self.ask(*to, *from, *way, *fate)),
            Step::Push(from, to) => {
                let cursor = self.cursor(*to, *from, Way::Since).clone();
                let page = self.page(*to, *from, Way::Since, &cursor);
                let request = json!({"node_id": format!("n{from}"), "changes": page["changes"]}).to_string();
                let answer: Value =
                    serde_json::from_str(&text(&self.nodes[*to], "SELECT crdt_push(?1)", [request])).unwrap();
                assert_eq!(answer["rejected"], json!([]));
                *self.cursor(*to, *from, Way::Since) = page["latest_hlc"].clone();
            }
            Step::Replay(to, which) if !self.payloads.is_empty() => {
                let (receiver, payload) = &self.payloads[which % self.payloads.len()];
                let to = if self.astray { to } else { receiver };
                merge(&self.nodes[*to], payload);
            }
            Step::Cleanup(node) if self.cleans => {
                text(&self.nodes[*node], "SELECT crdt_cleanup_tombstones()", []);
                sound(&self.nodes[*node]);
            }
            Step::Epitaphs(node) if self.cleans => {
                text(&self.nodes[*node], "SELECT crdt_cleanup_tombstones(NULL, 'epitaphs')", []);
                sound(&self.nodes[*node]);
            }
            // Folded in both worlds.
            Step::Cleanup(node) | Step::Epitaphs(node) => drop(digest(&self.nodes[*node], "tasks")),
            Step::Replay(..) => {}
        }
    }

    /// Everybody asks everybody, by the cursors that they hold, until nothing is new.
    pub fn settle(&mut self) {
        let count = self.nodes.len();
        for round in 0..12 {
            self.wall += 1_000;
            clock::set(self.wall);
            let mut came = 0;
            for to in 0..count {
                for from in (0..count).filter(|from| *from != to) {
                    let way = if (to + from) % 2 == 0 { Way::Pull } else { Way::Since };
                    came += self.ask(to, from, way, Fate::Arrives);
                }
            }
            if came == 0 {
                return;
            }
            assert!(round < 11, "it never becomes quiet");
        }
    }

    /// All nodes are alike, sound, and who they were; one that begins from any of them is like them.
    pub fn check(&self) {
        for (i, node) in self.nodes.iter().enumerate() {
            assert_eq!(text(node, "SELECT crdt_node_id()", []), format!("n{i}"), "no fork");
            sound(node);
            assert_eq!(rows(node, "SELECT * FROM crdt_pending()"), [""; 0]);
        }
        for (i, node) in self.nodes.iter().enumerate() {
            let fresh = named(clock::open(":memory:"), "fresh", SCHEMA);
            send(node, &fresh);
            sound(&fresh);
            for name in ["tasks", "pairs"] {
                assert_eq!(table(node, name), table(&self.nodes[0], name), "rows of {name}, n{i} and n0");
                assert_eq!(digest(node, name), digest(&self.nodes[0], name), "digest of {name}, n{i} and n0");
                assert_eq!(table(node, name), table(&fresh, name), "rows of {name}, fresh from n{i}");
                assert_eq!(digest(node, name), digest(&fresh, name), "digest of {name}, fresh from n{i}");
            }
        }
    }
}
