//! The generator: a seed gives one case, whatever was generated before.

use super::ops::{Act, Case, Copy, Fate, Form, NodeConfig, Part, Pull, Since, Step, Tag, Verb, Write};
use super::random::Random;
use super::schema::SHAPES;

/// Nodes in a case at most, copies included.
pub const NODES: usize = 6;
const MINUTE: i64 = 60_000;

/// Which table shapes a case is over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tables {
    /// Those that hold every record.
    Plain,
    /// Always one with UNIQUE indexes, CHECKs or foreign keys, and perhaps one of the others.
    Constrained,
    /// Always one that gains columns on the way, on each node at another time, and perhaps one of the others.
    Growing,
}

/// The case of a seed: 2 to 6 nodes, 20 to 200 steps, more short ones than long ones.
pub fn case(seed: u64, tables: Tables) -> Case {
    let mut r = Random::new(seed);
    let count = 2 + r.below(5).min(r.below(5));
    let length = 20 + (0..3).map(|_| r.below(181)).min().unwrap_or(0);
    let seeded = if r.one_in(4) { r.byte() } else { 0 };
    let (edges, by_cursor) = (r.one_in(5), r.one_in(2));
    let hours = r.one_in(4);
    let tables = r.tables(tables);
    let nodes = (0..count).map(|_| r.config(hours)).collect();
    let first = (0..r.below(8)).map(|_| Step { tick: 0, act: r.plain_insert() }).collect::<Vec<_>>();
    let rest = (0..length).map(|_| Step { tick: r.below(3) as u8, act: r.act(hours) }).collect::<Vec<_>>();
    Case { nodes, tables, seeded, edges, by_cursor, steps: first.into_iter().chain(rest).take(200).collect() }
}

impl Random {
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn byte(&mut self) -> u8 {
        self.below(256) as u8
    }

    fn bytes(&mut self) -> [u8; 8] {
        std::array::from_fn(|_| self.byte())
    }

    /// The place in `weights` that a draw falls on.
    fn of(&mut self, weights: &[usize]) -> usize {
        let mut at = self.below(weights.iter().sum());
        weights
            .iter()
            .position(|w| {
                if at < *w {
                    true
                } else {
                    at -= w;
                    false
                }
            })
            .unwrap_or(0)
    }

    fn node(&mut self) -> usize {
        self.below(NODES)
    }

    fn tables(&mut self, tables: Tables) -> Vec<usize> {
        let all = |test: &dyn Fn(usize) -> bool| (0..SHAPES.len()).filter(|i| test(*i)).collect::<Vec<_>>();
        let growing = all(&|i| SHAPES[i].grown.is_some());
        let constrained = all(&|i| SHAPES[i].is_constrained());
        let mut plain = all(&|i| !growing.contains(&i) && !constrained.contains(&i));
        self.shuffle(&mut plain);
        let (mut some, more) = match tables {
            Tables::Plain => (Vec::new(), 1 + self.below(3)),
            Tables::Constrained => (vec![constrained[self.below(constrained.len())]], self.below(2)),
            Tables::Growing => (vec![growing[self.below(growing.len())]], self.below(2)),
        };
        some.extend(plain.into_iter().take(more));
        some
    }

    fn config(&mut self, hours: bool) -> NodeConfig {
        let [file, wal, recursive_triggers, trusted_schema] = std::array::from_fn(|_| self.one_in(2));
        NodeConfig { file, wal, recursive_triggers, trusted_schema, skew_ms: self.skew(hours) }
    }

    /// How far a clock is off: not, a few milliseconds, two minutes; `hours`: up to twelve.
    fn skew(&mut self, hours: bool) -> i64 {
        let within = |r: &mut Random, limit: i64| r.below(2 * limit as usize + 1) as i64 - limit;
        match self.of(&[3, 2, 2, if hours { 4 } else { 0 }]) {
            0 => 0,
            1 => within(self, 3),
            2 => within(self, 2 * MINUTE),
            _ => within(self, 12 * 60 * MINUTE),
        }
    }

    fn act(&mut self, hours: bool) -> Act {
        let node = self.node();
        match self.of(&[22, 5, 14, 6, 2, 4, 1, 1, 3, 1, 2]) {
            0 => Act::Write { node, plain: self.one_in(5), write: self.write() },
            1 => {
                let parts = (0..1 + self.below(6)).map(|_| self.part()).collect();
                Act::Tx { node, parts, commit: !self.one_in(3) }
            }
            2 => Act::Pull { to: node, pull: self.pull() },
            3 => Act::Deliver { pick: self.below(12), to: node, form: self.form() },
            4 => Act::MergeInTx { pick: self.below(12), to: node, write: self.write(), commit: self.one_in(2) },
            5 => Act::Look { node, how: self.byte() },
            6 => Act::Reopen { node },
            7 => Act::Skew { node, skew_ms: self.skew(hours) },
            8 => Act::Check { node },
            9 => Act::Copy { node, how: [Copy::Fork, Copy::Alone, Copy::Restore][self.below(3)] },
            _ => Act::Grow { node },
        }
    }

    fn pull(&mut self) -> Pull {
        let since = match self.of(&[8, 1, 1, 1]) {
            0 => Since::Cursor,
            1 => Since::Beginning,
            2 => Since::Foreign,
            _ => Since::OneTable(self.byte()),
        };
        let fate = [Fate::Now, Fate::Late, Fate::Lost][self.of(&[4, 2, 1])];
        let (page, pages) = (self.below(6) as u8, 1 + self.below(3) as u8);
        Pull { from: self.node(), since, page, pages, fate, form: self.form() }
    }

    fn form(&mut self) -> Form {
        let seed = self.below(1 << 32) as u64;
        match self.of(&[3, 1, 3, 2, 2, 1]) {
            0 => Form::Whole,
            1 => Form::Object,
            2 => Form::Shuffled(seed),
            3 => Form::Split(seed),
            4 => Form::Part(seed),
            _ => Form::Twice,
        }
    }

    fn part(&mut self) -> Part {
        match self.of(&[8, 2, 2, 1, 1]) {
            0 => Part::Do(self.write()),
            1 => Part::Savepoint,
            2 => Part::RollbackTo,
            3 => Part::Release,
            _ => Part::Look(self.byte()),
        }
    }

    /// Mostly the first few keys, so that nodes meet.
    fn key(&mut self) -> u8 {
        let bound = if self.one_in(7) { 12 } else { 3 };
        self.below(bound) as u8
    }

    /// One key, seldom all.
    fn some_key(&mut self) -> Option<u8> {
        let key = self.key();
        (!self.one_in(17)).then_some(key)
    }

    fn verb(&mut self) -> Verb {
        use Verb::{Fail, Ignore, Plain, Replace, Upsert, UpsertNothing};
        [Plain, Replace, Ignore, Fail, Upsert, UpsertNothing][self.of(&[4, 3, 1, 1, 3, 1])]
    }

    fn insert(&mut self) -> Write {
        let rows = (0..1 + self.below(3)).map(|_| (self.key(), self.bytes())).collect();
        let rowid = self.one_in(17).then(|| self.below(5) as u8);
        Write::Insert { table: self.node(), verb: self.verb(), rows, rowid }
    }

    fn plain_insert(&mut self) -> Act {
        Act::Write { node: self.node(), plain: false, write: self.insert() }
    }

    pub fn write(&mut self) -> Write {
        let table = self.below(6);
        match self.of(&[7, 6, 2, 1, 4, 4, 5, 1]) {
            0 => self.insert(),
            1 => {
                let (key, mask, values) = (self.some_key(), self.byte(), self.bytes());
                Write::Update { table, key, mask, values, verb: self.verb() }
            }
            2 => Write::Rekey { table, from: self.key(), to: self.key(), verb: self.verb() },
            3 => Write::Rerow { table, key: self.key(), to: self.below(9) as u8 },
            4 => Write::Delete { table, key: self.some_key() },
            5 => Write::Count { table, key: self.some_key(), add: self.one_in(2), n: self.byte() },
            6 => Write::Tag { table, key: self.some_key(), how: self.tag() },
            _ => Write::Bad { table, key: self.key(), how: self.byte() },
        }
    }

    fn tag(&mut self) -> Tag {
        match self.of(&[3, 4, 1, 2, 2, 1]) {
            0 => Tag::Assign((0..self.below(4)).map(|_| self.byte()).collect()),
            1 => Tag::Add(self.below(6) as u8),
            2 => Tag::Add(self.byte()),
            3 => Tag::DropFirst,
            4 => Tag::DropLast,
            _ => Tag::Null,
        }
    }
}
