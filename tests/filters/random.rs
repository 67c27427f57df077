//! Random writes on a hub and its peers, filters that change, pages of any size: in the end each peer has what its filter
//! lets through, and no key came to it that was never inside a filter of its own
//! while somebody pulled under it.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rusqlite::Connection;
use serde_json::json;

use crate::common::text;
use crate::support::*;
use crate::OWNED;

#[derive(Clone, Debug)]
enum Step {
    /// A write on the hub.
    Write(String),
    /// A write on a peer, to rows that it has, or a new row of its own.
    Peer(usize, String),
    /// A page for a peer.
    Pull(usize),
    /// A page that a peer merges, its cursor being lost.
    Lost(usize),
    /// A page for a peer from within a transaction, where nothing can be noted.
    Aside(usize),
    /// A peer sends what it has.
    Push(usize),
    /// Another filter for a peer.
    Filter(usize, usize),
    /// Another filter of the hub's own.
    Own(usize),
}

const FILTERS: [&str; 5] =
    ["owner = 'ann'", "owner = 'bob'", "votes > 1", "owner IS NOT NULL AND votes < 3", "tags <> '[]'"];
const OWN: [Option<&str>; 3] = [None, Some("owner <> 'eve'"), Some("id <> 't3'")];

fn write() -> impl Strategy<Value = String> {
    let (id, owner) = (0..4, prop::sample::select(vec!["'ann'", "'bob'", "'eve'", "NULL"]));
    (0..9, id, owner, 0..4).prop_map(|(kind, id, owner, n)| match kind {
        0 => format!("INSERT OR REPLACE INTO tasks VALUES ('t{id}', {owner}, 'x{n}', {n}, '[{n}]')"),
        1 | 2 | 7 | 8 => format!("UPDATE tasks SET owner = {owner} WHERE id = 't{id}'"),
        3 => format!("UPDATE tasks SET votes = votes + {n} - 1 WHERE id = 't{id}'"),
        4 => format!("UPDATE tasks SET tags = CASE tags WHEN '[]' THEN '[{n}]' ELSE '[]' END WHERE id = 't{id}'"),
        5 => format!("UPDATE tasks SET title = 'y{n}' WHERE id IN ('t{id}', 't{n}')"),
        _ => format!("DELETE FROM tasks WHERE id = 't{id}'"),
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => write().prop_map(Step::Write),
        2 => (0..2usize, write().prop_filter("updates", |sql| sql.starts_with("UPDATE"))).prop_map(|(i, sql)| Step::Peer(i, sql)),
        5 => (0..2usize).prop_map(Step::Pull),
        2 => (0..2usize).prop_map(Step::Lost),
        2 => (0..2usize).prop_map(Step::Aside),
        2 => (0..2usize).prop_map(Step::Push),
        1 => (0..2usize, 0..FILTERS.len()).prop_map(|(i, f)| Step::Filter(i, f)),
        1 => (0..OWN.len()).prop_map(Step::Own),
    ]
}

struct Peer {
    conn: Connection,
    filter: usize,
    cursor: Option<String>,
    /// What its cursor was made under.
    under: String,
    /// The conditions that it has pulled under.
    had: BTreeSet<String>,
}

struct World {
    hub: Connection,
    peers: Vec<Peer>,
    own: usize,
    /// Keys that were inside when a page was made, by condition.
    inside: BTreeMap<String, BTreeSet<String>>,
}

impl World {
    fn new() -> World {
        let peers = ["p0", "p1"].into_iter().enumerate();
        let peers = peers.map(|(i, name)| Peer {
            conn: node(name, OWNED),
            filter: i,
            cursor: None,
            under: String::new(),
            had: BTreeSet::new(),
        });
        let hub = node("hub", OWNED);
        run(&hub, "SELECT crdt_pragma('page_bytes', 500)");
        World { hub, peers: peers.collect(), own: 0, inside: BTreeMap::new() }
    }

    fn condition(&self, i: usize) -> String {
        format!("({}) AND ({})", FILTERS[self.peers[i].filter], OWN[self.own].unwrap_or("1"))
    }

    /// One page; whether there is more.
    fn pull(&mut self, i: usize) -> bool {
        let condition = self.condition(i);
        let now = rows(&self.hub, &format!("SELECT id FROM tasks WHERE {condition}"));
        let peer = &mut self.peers[i];
        let inside = self.inside.entry(condition.clone()).or_default();
        inside.extend(now.iter().map(|id| id.trim_matches('\'').to_owned()));
        peer.had.insert(condition.clone());
        let since: serde_json::Value =
            peer.cursor.as_deref().map_or(json!(null), |json| serde_json::from_str(json).unwrap());
        let options = json!({"filter": {"tasks": FILTERS[peer.filter]}}).to_string();
        let request = json!({"since": since}).to_string();
        let pull = |row: &rusqlite::Row<'_>| row.get::<_, String>(0);
        let answer = match self.hub.query_row("SELECT crdt_pull(?1, ?2)", [request, options], pull) {
            Err(e) if e.to_string().contains("outside of one") => return false,
            answer => answer.unwrap(),
        };
        let page = page(&answer);
        for change in &page.changes {
            let pk = change["pk"].as_str().unwrap();
            let inside = peer.had.iter().any(|condition| self.inside[condition].contains(pk));
            assert!(inside, "a key that was never inside: {}", page.json);
        }
        merge(&peer.conn, &page.json);
        (peer.cursor, peer.under) = (Some(page.cursor), condition);
        page.more
    }

    fn push(&self, i: usize) {
        send(&self.peers[i].conn, &self.hub);
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Write(sql) => run(&self.hub, sql),
            Step::Peer(i, sql) => run(&self.peers[*i].conn, sql),
            Step::Pull(i) => {
                self.pull(*i);
            }
            Step::Lost(i) => {
                // Who begins, with a filter, is told of nothing that was there before.
                let (cursor, under) = (self.peers[*i].cursor.clone(), self.condition(*i));
                if cursor.as_ref().is_some_and(|json| !json.contains("~0\"")) && under == self.peers[*i].under {
                    self.pull(*i);
                    self.peers[*i].cursor = cursor;
                }
            }
            Step::Aside(i) => {
                run(&self.hub, "BEGIN");
                self.pull(*i);
                run(&self.hub, "COMMIT");
            }
            Step::Push(i) => self.push(*i),
            Step::Filter(i, f) => self.peers[*i].filter = *f,
            Step::Own(own) => {
                self.own = *own;
                text(&self.hub, "SELECT crdt_filter('tasks', ?1)", [OWN[*own]]);
            }
        }
    }

    /// Everyone sends and pulls until nothing moves.
    fn settle(&mut self) {
        for round in 0.. {
            let mut moved = false;
            for i in 0..self.peers.len() {
                self.push(i);
                let before = self.peers[i].cursor.clone();
                while self.pull(i) {}
                moved |= before != self.peers[i].cursor;
            }
            if !moved {
                break;
            }
            assert!(round < 20, "nothing settles");
        }
        for i in 0..self.peers.len() {
            let condition = self.condition(i);
            let wanted = rows(&self.hub, &format!("SELECT * FROM tasks WHERE {condition} ORDER BY id"));
            assert_eq!(rows(&self.peers[i].conn, "SELECT * FROM tasks ORDER BY id"), wanted, "peer {i}: {condition}");
            sound(&self.peers[i].conn);
            assert_eq!(status(&self.peers[i].conn)["forks"], 0);
        }
        sound(&self.hub);
    }
}

/// `FILTER_CASES=1000 cargo test --test filters random` runs more.
pub fn cases() -> u32 {
    std::env::var("FILTER_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_peer_has_what_its_filter_lets_through(steps in prop::collection::vec(step(), 1..60)) {
        let mut world = World::new();
        for (i, step) in steps.iter().enumerate() {
            world.step(step);
            if i % 25 == 24 {
                world.settle();
            }
        }
        world.settle();
    }
}
