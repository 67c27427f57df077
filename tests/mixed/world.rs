//! Three full nodes and a replica with a filter: what can be done with them, and what must hold when they come to rest.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{json, Value};
use tempfile::TempDir;

use super::node::{Node, PRAGMAS, STEPS};
use crate::common::text;
use crate::support::script::{literal, Script};
use crate::support::{clock, merge, page, run};

/// The nodes: a, b and c have all, the last one is a replica of a with a filter.
pub const NODES: usize = 4;
pub const REPLICA: usize = 3;
/// The last one is made by the replica only: what it makes and nobody has sent it, nobody can tell it to let go.
pub const IDS: [&str; 5] = ["r0", "r1", "r2", "r3", "own"];

/// One thing done: what, and four numbers to choose by.
pub type Op = (u8, [u8; 4]);

pub struct World {
    pub nodes: Vec<Node>,
    /// How far each node's clock is off, milliseconds.
    skew: [i64; NODES],
    now: i64,
    /// Cursor by who sent and who received.
    cursors: [[Option<String>; NODES]; NODES],
    /// Payloads that may come once more.
    kept: Vec<String>,
    /// A hook has altered values, or a page was lost: what is still to be sent is not in the cursors alone.
    altered: bool,
    pub merges: u64,
    /// All that nodes sent.
    pub sent: Vec<String>,
    pub script: Script,
    #[allow(dead_code)] // Until the end.
    pub dir: TempDir,
}

impl World {
    pub fn new(mut skew: [i64; NODES]) -> World {
        // What the replica makes must not wait at a for its time, see `IDS`.
        skew[REPLICA] = 0;
        let dir =
            tempfile::tempdir_in(if std::path::Path::new("/dev/shm").exists() { "/dev/shm" } else { "." }).unwrap();
        clock::set(1_700_000_000_000);
        let nodes = ["a", "b", "c", "replica"].map(|name| Node::new(dir.path(), name)).into();
        let mut script = Script::new(false);
        for i in 0..NODES {
            Node::tell(&mut script, i, ["a", "b", "c", "replica"][i]);
        }
        let cursors = Default::default();
        World {
            nodes,
            skew,
            now: 1_700_000_000_000,
            cursors,
            kept: Vec::new(),
            altered: false,
            merges: 0,
            sent: Vec::new(),
            script,
            dir,
        }
    }

    /// Lets time pass, as node `i` sees it.
    fn tick(&mut self, i: usize) {
        self.now += 7;
        clock::set(self.now + self.skew[i]);
        self.script.clock(i, self.now + self.skew[i]);
    }

    fn say(&mut self, i: usize, what: impl Into<String>) {
        self.script.line(i, &what.into());
    }

    pub fn play(&mut self, (kind, [a, b, c, d]): Op) {
        let (i, j) = (usize::from(a) % 3, usize::from(b) % 3);
        self.tick(i);
        match kind {
            0..=9 => {
                let i = if kind == 9 { REPLICA } else { i };
                self.tick(i);
                let sql = self.sql(i, b, c, d);
                self.say(i, sql.clone());
                self.nodes[i].write(&sql);
                if i == REPLICA && sql.contains("INSERT") {
                    self.push();
                    while self.pull(1) {}
                }
            }
            10 => {
                let end = if d % 2 == 0 { "ROLLBACK" } else { "COMMIT" };
                let sql = format!("BEGIN; {}; {}; {end}", self.sql(i, b, c, d), self.sql(i, c, d, b));
                self.say(i, sql.clone());
                self.nodes[i].write(&sql);
            }
            11..=13 if i != j => self.send(i, j, c, d),
            14 => {
                self.alter(i);
            }
            // It renames the column of its filter after a has: what it sends under the new name would not be inside there, and
            // nobody could tell it to let that go.
            15 if self.nodes[REPLICA].step == 4 && self.nodes[0].step <= 4 => {}
            15 => {
                self.tick(REPLICA);
                self.alter(REPLICA);
            }
            16 | 17 => {
                self.pull(d);
            }
            18 => {
                self.push();
                while self.pull(1) {}
            }
            19 => self.replay(i, c, d),
            20 => self.hook(i, c),
            21 => self.toggle(i, b, c, d),
            22 => self.aside(i, c),
            _ => self.read_only(i, j),
        }
    }

    /// The next change of a node's schema; false when all are done.
    fn alter(&mut self, i: usize) -> bool {
        let step = STEPS.get(self.nodes[i].step);
        step.iter().for_each(|sql| self.say(i, **sql));
        self.nodes[i].alter()
    }

    /// What a node has that is new, or all of it.
    fn export(&mut self, i: usize, since: Option<String>) -> String {
        self.say(i, format!("SELECT crdt_changes_since({})", since.as_deref().map_or("NULL".into(), literal)));
        let answer = text(&self.nodes[i].conn, "SELECT crdt_changes_since(?1)", [since]);
        self.sent.push(answer.clone());
        answer
    }

    /// A node takes change JSON, perhaps within a transaction.
    fn merge(&mut self, i: usize, json: &str, within: bool) {
        let sql = format!("SELECT crdt_merge({})", literal(json));
        self.say(i, if within { format!("BEGIN; {sql}; COMMIT") } else { sql });
        self.merges += 1;
        self.nodes[i].merge(json, within);
    }

    /// Sends what is new, or everything, in one piece or several, in order or not; some of it is kept to come again.
    fn send(&mut self, i: usize, j: usize, c: u8, d: u8) {
        let all = c.is_multiple_of(4);
        let since = if all { None } else { self.cursors[i][j].clone() };
        let answer = self.export(i, since);
        let page = page(&answer);
        self.give(j, page.changes, c, d);
        self.cursors[i][j] = Some(page.cursor);
        if d.is_multiple_of(3) {
            self.kept.push(answer);
        }
    }

    fn give(&mut self, j: usize, mut changes: Vec<Value>, c: u8, d: u8) {
        self.tick(j);
        if c % 3 == 1 {
            let mut state = u32::from(d) * 7919 + 1;
            for i in (1..changes.len()).rev() {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                changes.swap(i, (state >> 8) as usize % (i + 1));
            }
        }
        let size = changes.len().div_ceil(1 + usize::from(d) % 3).max(1);
        for part in changes.chunks(size) {
            self.merge(j, &json!(part).to_string(), d.is_multiple_of(5));
        }
    }

    fn replay(&mut self, i: usize, c: u8, d: u8) {
        if !self.kept.is_empty() {
            let old = self.kept[usize::from(c) % self.kept.len()].clone();
            self.give(i, page(&old).changes, c, d);
        }
    }

    /// The replica takes one page; whether anything moved.
    fn pull(&mut self, d: u8) -> bool {
        self.tick(0);
        let filter = format!("{} = 1", self.nodes[0].column("grp"));
        let since: Value =
            self.cursors[0][REPLICA].as_deref().map_or(Value::Null, |json| serde_json::from_str(json).unwrap());
        let request =
            json!({"node_id": "replica", "since": since, "limit": if d.is_multiple_of(2) { 5 } else { 10_000 }});
        let options = json!({"filter": {"t": filter}});
        let [request, options] = [request, options].map(|json| json.to_string());
        self.say(0, format!("SELECT crdt_pull({}, {})", literal(&request), literal(&options)));
        let answer = text(&self.nodes[0].conn, "SELECT crdt_pull(?1, ?2)", [request, options]);
        self.tick(REPLICA);
        let page = page(&answer);
        for _ in 0..1 + d % 2 {
            self.merge(REPLICA, &answer, d.is_multiple_of(7));
        }
        let moved = self.cursors[0][REPLICA].as_ref() != Some(&page.cursor);
        self.cursors[0][REPLICA] = Some(page.cursor);
        moved
    }

    /// The replica sends what it has that is new.
    fn push(&mut self) -> bool {
        self.tick(REPLICA);
        let answer = self.export(REPLICA, self.cursors[REPLICA][0].clone());
        let page = page(&answer);
        self.tick(0);
        self.merge(0, &answer, false);
        let moved = self.cursors[REPLICA][0].as_ref() != Some(&page.cursor);
        self.cursors[REPLICA][0] = Some(page.cursor);
        moved
    }

    fn hook(&mut self, i: usize, c: u8) {
        let node = &mut self.nodes[i];
        let sql = match c % 4 {
            0 => "SELECT crdt_hook('audit', 'after_inbound', 'INSERT INTO audit VALUES (:table, :pk, :field, :value)')",
            1 if node.hooked => "SELECT crdt_unhook('alter')",
            1 => {
                "SELECT crdt_hook('alter', 'before_inbound', 'SELECT CASE WHEN :field IN (''note'', ''remark'') AND \
                 :value NOT LIKE ''!%'' THEN json_set(:change, ''$.value'', ''!'' || :value) ELSE :change END', 't')"
            }
            2 => "SELECT crdt_pragma('conflict_log', 3)",
            _ => "SELECT crdt_hook('out', 'before_outbound', 'SELECT :change')",
        };
        if c % 4 == 1 {
            node.hooked = !node.hooked;
            self.altered = true;
        }
        run(&node.conn, sql);
        self.say(i, sql);
    }

    /// Writes while capture is off.
    fn toggle(&mut self, i: usize, b: u8, c: u8, d: u8) {
        let sql = self.sql(i, b, c, d);
        self.say(i, format!("SELECT crdt_disable('t'); {sql}; SELECT crdt_enable('t')"));
        run(&self.nodes[i].conn, "SELECT crdt_disable('t')");
        self.nodes[i].write(&sql);
        run(&self.nodes[i].conn, "SELECT crdt_enable('t')");
    }

    fn aside(&mut self, i: usize, c: u8) {
        let what = match c % 5 {
            0 => {
                self.now += 8 * 86_400_000;
                // A filter that nobody has used for so long is forgotten too.
                while self.pull(1) {}
                self.tick(i);
                "SELECT crdt_cleanup_tombstones()"
            }
            1 => "SELECT crdt_retry()",
            2 => "SELECT crdt_digest('t', 'full')",
            3 => "SELECT crdt_check()",
            _ => "reopen",
        };
        match what {
            "reopen" => {
                self.script.open(i, true, PRAGMAS);
                self.nodes[i].reopen();
            }
            sql => {
                self.say(i, sql);
                run(&self.nodes[i].conn, sql);
            }
        }
    }

    fn read_only(&mut self, i: usize, j: usize) {
        let answer = self.nodes[i].export_read_only();
        self.script.note(i, "by a connection that cannot write:");
        self.say(i, "SELECT crdt_changes_since(NULL)");
        self.tick(j);
        self.merge(j, &answer, false);
    }

    /// All have the same schema and no hooks, and tell each other until nothing moves.
    pub fn settle(&mut self) {
        for i in 0..NODES {
            self.tick(i);
            while self.alter(i) {}
            if self.nodes[i].hooked {
                self.say(i, "SELECT crdt_unhook('alter')");
                run(&self.nodes[i].conn, "SELECT crdt_unhook('alter')");
            }
            self.nodes[i].hooked = false;
        }
        // Nothing waits for its time any more.
        self.now += 13 * 3_600_000;
        self.skew = [0; NODES];
        for i in 0..NODES {
            self.tick(i);
            self.say(i, "SELECT crdt_retry()");
            run(&self.nodes[i].conn, "SELECT crdt_retry()");
        }
        if std::mem::take(&mut self.altered) {
            // What a hook altered gives way to the original where that comes again.
            self.cursors[REPLICA][0] = None;
            self.tell_all(true);
        }
        self.rest();
        let kept = self.nodes[..3].iter().map(Node::kept).collect::<BTreeSet<_>>();
        if kept.len() > 1 {
            // Who drops a column lets its values go; who got one after dropping it keeps it. Where it was told before the other
            // one's drop, only a whole export tells it again.
            self.tell_all(true);
            self.rest();
        }
        self.compare();
        // What comes once more is known. Of a deleted record that may be the delete alone: a node that had forgotten it, and took
        // what a peer wrote to it later and deleted, holds that much of it. Who writes it anew passes on all of it.
        let all: Vec<String> = self.nodes[..3]
            .iter()
            .map(|n| without_the_dead(&text(&n.conn, "SELECT crdt_changes_since(NULL)", [])))
            .collect();
        for node in &self.nodes[..3] {
            for json in &all {
                let answer = merge(&node.conn, json);
                assert_eq!(
                    (&answer["merged"], &answer["conflicts"]),
                    (&json!(0), &json!(0)),
                    "{} learns from {json}",
                    node.name
                );
            }
        }
        assert!(!self.tell_all(false), "a quiet log sends something");
    }

    /// Everyone sends what is new to everyone until nothing moves.
    fn rest(&mut self) {
        for round in 0.. {
            if !self.tell_all(false) {
                return;
            }
            assert!(round < 20, "nothing settles");
        }
    }

    /// Everyone sends to everyone; whether anything moved.
    fn tell_all(&mut self, all: bool) -> bool {
        let mut moved = false;
        for i in 0..3 {
            for j in (0..3).filter(|j| *j != i) {
                self.tick(i);
                let since = if all { None } else { self.cursors[i][j].clone() };
                let answer = self.export(i, since);
                let page = page(&answer);
                self.tick(j);
                self.merge(j, &answer, false);
                moved |= self.cursors[i][j].as_ref() != Some(&page.cursor);
                self.cursors[i][j] = Some(page.cursor);
            }
        }
        moved |= self.push();
        while self.pull(1) {
            moved = true;
        }
        moved
    }

    fn compare(&mut self) {
        for node in &self.nodes {
            node.check();
        }
        let (first, others) = self.nodes.split_first().unwrap();
        for node in &others[..2] {
            assert_eq!(node.rows("1"), first.rows("1"), "rows of {} and a", node.name);
            assert_eq!(node.pending(), first.pending(), "pending of {} and a", node.name);
            assert_eq!(node.digest(), first.digest(), "digest of {} and a", node.name);
        }
        assert_eq!(others[2].rows("1"), first.rows("team = 1"), "rows of the replica");
    }
}

/// An export without the fields of deleted records.
fn without_the_dead(json: &str) -> String {
    let mut changes = page(json).changes;
    let id = |change: &Value| format!("{} {}", change["table"], change["pk"]);
    let stamp = |change: &Value| {
        let hlc = &change["hlc"];
        (hlc["ts"].as_i64(), hlc["c"].as_i64(), hlc["node"].as_str().map(str::to_owned))
    };
    let is_delete = |change: &Value| change["field"] == "_tombstone";
    let mut latest = BTreeMap::new();
    for change in &changes {
        let last = latest.entry(id(change)).or_default();
        *last = (stamp(change), is_delete(change)).max(std::mem::take(last));
    }
    changes.retain(|change| is_delete(change) || !latest[&id(change)].1);
    json!(changes).to_string()
}
