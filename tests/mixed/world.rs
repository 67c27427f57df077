//! Three full nodes and a replica with a filter: what can be done with them, and what must hold when they come to rest.

use serde_json::{json, Value};
use tempfile::TempDir;

use super::node::Node;
use crate::common::text;
use crate::support::{clock, merge, page, run};

/// The nodes: a, b and c have all, the last one is a replica of a with a filter.
pub const NODES: usize = 4;
const REPLICA: usize = 3;
/// The last one is made by the replica only: what it makes and nobody has sent it, nobody can tell it to let go.
const IDS: [&str; 5] = ["r0", "r1", "r2", "r3", "own"];

/// One thing done: what, and four numbers to choose by.
pub type Op = (u8, [u8; 4]);

pub struct World {
    nodes: Vec<Node>,
    /// How far each node's clock is off, milliseconds.
    skew: [i64; NODES],
    now: i64,
    /// Cursor by who sent and who received.
    cursors: [[Option<String>; NODES]; NODES],
    /// Payloads that may come once more.
    kept: Vec<String>,
    /// A hook has altered values, or a page was lost: what is still to be sent is not in the cursors alone.
    altered: bool,
    pub script: Vec<String>,
    _dir: TempDir,
}

impl World {
    pub fn new(mut skew: [i64; NODES]) -> World {
        // What the replica makes must not wait at a for its time, see `IDS`.
        skew[REPLICA] = 0;
        let dir =
            tempfile::tempdir_in(if std::path::Path::new("/dev/shm").exists() { "/dev/shm" } else { "." }).unwrap();
        clock::set(1_700_000_000_000);
        let nodes = ["a", "b", "c", "replica"].map(|name| Node::new(dir.path(), name)).into();
        let cursors = Default::default();
        World {
            nodes,
            skew,
            now: 1_700_000_000_000,
            cursors,
            kept: Vec::new(),
            altered: false,
            script: Vec::new(),
            _dir: dir,
        }
    }

    /// Lets time pass, as node `i` sees it.
    fn tick(&mut self, i: usize) {
        self.now += 7;
        clock::set(self.now + self.skew[i]);
    }

    fn say(&mut self, i: usize, what: impl Into<String>) {
        self.script.push(format!("{}: {}", self.nodes[i].name, what.into()));
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
                self.say(i, format!("step {}", self.nodes[i].step));
                self.nodes[i].alter();
            }
            15 => {
                self.say(REPLICA, format!("step {}", self.nodes[REPLICA].step));
                self.tick(REPLICA);
                self.nodes[REPLICA].alter();
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

    /// A random write of a node, under the present names of its columns.
    fn sql(&self, i: usize, kind: u8, c: u8, d: u8) -> String {
        let node = &self.nodes[i];
        let id = IDS[usize::from(c) % 5];
        let (grp, code, p) =
            (d % 2, ["'x'", "'y'", "NULL"][usize::from(d / 2) % 3], ["'p0'", "'p1'", "NULL"][usize::from(d / 8) % 3]);
        // The replica makes no row that its filter would not let through.
        let made = if i == REPLICA { 1 } else { grp };
        let [g, n, s, note, late, tally, gone] =
            ["grp", "n", "s", "note", "late", "tally", "gone"].map(|first| node.column(first));
        let insert = |verb: &str| {
            let id = if i == REPLICA { "own" } else { IDS[usize::from(c) % 4] };
            format!(
                "{verb} INTO t(id, {g}, code, {n}, {s}, p, {note}, high) VALUES ('{id}', {made}, {code}, {}, '[{}]', {p}, 'w{c}{d}', {})",
                d % 5, d % 3, d % 4
            )
        };
        match kind % 18 {
            0 | 1 => insert("INSERT"),
            2 => insert("INSERT OR REPLACE"),
            3 => format!(
                "{} ON CONFLICT(id) DO UPDATE SET {note} = 'u{d}', {n} = coalesce({n}, 0) + 1",
                insert("INSERT")
            ),
            4 => format!("UPDATE t SET {note} = 'n{c}{d}' WHERE id = '{id}'"),
            5 => format!("UPDATE t SET {g} = {grp} WHERE id = '{id}'"),
            6 => format!("UPDATE t SET {n} = coalesce({n}, 0) + {} WHERE id = '{id}'", i64::from(d % 5) - 2),
            7 => format!("UPDATE t SET {s} = json_insert(coalesce({s}, '[]'), '$[#]', {}) WHERE id = '{id}' AND {s} NOT LIKE '%{}%'", d % 9, d % 9),
            8 => format!("UPDATE t SET {s} = '[]' WHERE id = '{id}'"),
            9 => format!("UPDATE t SET code = {code} WHERE id = '{id}'"),
            10 => format!("UPDATE OR REPLACE t SET code = {code}, {g} = {grp} WHERE id = '{id}'"),
            11 => format!("UPDATE t SET p = {p} WHERE id = '{id}'"),
            12 => format!("UPDATE t SET low = {} WHERE id = '{id}'", d % 4),
            13 => format!("UPDATE t SET high = {} WHERE id = '{id}'", d % 4),
            14 if i != REPLICA => format!("UPDATE t SET id = '{}' WHERE id = '{id}'", IDS[usize::from(d) % 4]),
            15 => format!("DELETE FROM t WHERE id = '{id}'"),
            16 => match d % 4 {
                0 => "DELETE FROM parent WHERE id = 'p1'".to_owned(),
                1 => format!("INSERT OR REPLACE INTO parent VALUES ('p1', 'v{c}')"),
                2 => format!("UPDATE parent SET name = 'v{c}{d}'"),
                _ => "INSERT OR IGNORE INTO parent VALUES ('p0', 'again'), ('p1', 'again')".to_owned(),
            },
            _ => match d % 3 {
                0 => format!("UPDATE t SET {late} = 'l{d}' WHERE id = '{id}'"),
                1 if node.step >= 6 => format!("UPDATE t SET {tally} = {tally} + 1 WHERE id = '{id}'"),
                _ => format!("UPDATE t SET {gone} = 'g{d}' WHERE id = '{id}'"),
            },
        }
    }

    /// Sends what is new, or everything, in one piece or several, in order or not; some of it is kept to come again.
    fn send(&mut self, i: usize, j: usize, c: u8, d: u8) {
        let all = c.is_multiple_of(4);
        let since = if all { None } else { self.cursors[i][j].clone() };
        let answer = text(&self.nodes[i].conn, "SELECT crdt_changes_since(?1)", [since]);
        let page = page(&answer);
        self.say(i, format!("to {} {}: {answer}", self.nodes[j].name, if all { "all" } else { "new" }));
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
            self.nodes[j].merge(&json!(part).to_string(), d.is_multiple_of(5));
        }
    }

    fn replay(&mut self, i: usize, c: u8, d: u8) {
        if !self.kept.is_empty() {
            let old = self.kept[usize::from(c) % self.kept.len()].clone();
            self.say(i, format!("again: {old}"));
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
        let answer = text(&self.nodes[0].conn, "SELECT crdt_pull(?1, ?2)", [request.to_string(), options.to_string()]);
        self.say(REPLICA, format!("pulls {since} {filter}: {answer}"));
        self.tick(REPLICA);
        let page = page(&answer);
        for _ in 0..1 + d % 2 {
            self.nodes[REPLICA].merge(&answer, d.is_multiple_of(7));
        }
        let moved = self.cursors[0][REPLICA].as_ref() != Some(&page.cursor);
        self.cursors[0][REPLICA] = Some(page.cursor);
        moved
    }

    /// The replica sends what it has that is new.
    fn push(&mut self) -> bool {
        self.tick(REPLICA);
        let answer =
            text(&self.nodes[REPLICA].conn, "SELECT crdt_changes_since(?1)", [self.cursors[REPLICA][0].clone()]);
        self.say(REPLICA, format!("pushes: {answer}"));
        let page = page(&answer);
        self.tick(0);
        self.nodes[0].merge(&answer, false);
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
        self.say(i, format!("disable; {sql}; enable"));
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
        self.say(i, what);
        match what {
            "reopen" => self.nodes[i].reopen(),
            sql => run(&self.nodes[i].conn, sql),
        }
    }

    fn read_only(&mut self, i: usize, j: usize) {
        let answer = self.nodes[i].export_read_only();
        self.say(i, format!("read-only to {}: {answer}", self.nodes[j].name));
        self.tick(j);
        self.nodes[j].merge(&answer, false);
    }

    /// All have the same schema and no hooks, and tell each other until nothing moves.
    pub fn settle(&mut self) {
        for i in 0..NODES {
            self.tick(i);
            while self.nodes[i].alter() {}
            if self.nodes[i].hooked {
                run(&self.nodes[i].conn, "SELECT crdt_unhook('alter')");
            }
            self.nodes[i].hooked = false;
        }
        self.say(0, "everyone alters, and settles");
        // Nothing waits for its time any more.
        self.now += 3_600_000;
        for i in 0..NODES {
            self.tick(i);
            run(&self.nodes[i].conn, "SELECT crdt_retry()");
        }
        if std::mem::take(&mut self.altered) {
            // What a hook altered gives way to the original where that comes again.
            self.cursors[REPLICA][0] = None;
            self.tell_all(true);
        }
        for round in 0.. {
            if !self.tell_all(false) {
                break;
            }
            assert!(round < 20, "nothing settles");
        }
        self.compare();
        // What comes once more is known.
        let all: Vec<String> =
            self.nodes[..3].iter().map(|n| text(&n.conn, "SELECT crdt_changes_since(NULL)", [])).collect();
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

    /// Everyone sends to everyone; whether anything moved.
    fn tell_all(&mut self, all: bool) -> bool {
        let mut moved = false;
        for i in 0..3 {
            for j in (0..3).filter(|j| *j != i) {
                self.tick(i);
                let since = if all { None } else { self.cursors[i][j].clone() };
                let answer = text(&self.nodes[i].conn, "SELECT crdt_changes_since(?1)", [since]);
                self.say(i, format!("to {}: {answer}", self.nodes[j].name));
                let page = page(&answer);
                self.tick(j);
                self.nodes[j].merge(&answer, false);
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
