//! The generator: random cases as plain data, small numbers that shrink to small scripts.

use proptest::collection::vec;
use proptest::prelude::*;

/// One simulated history.
#[derive(Clone, Debug)]
pub struct Case {
    pub nodes: Vec<NodeConfig>,
    /// Indexes into `schema::SHAPES`.
    pub tables: Vec<usize>,
    /// Nodes (as bits) that hold the same two rows of each table before they enable it.
    pub seeded: u8,
    /// Counters may reach the limits of i64.
    pub edges: bool,
    /// Clocks are further apart than `max_drift` allows.
    pub drift: bool,
    /// Quiesce with cursors rather than from the beginning.
    pub by_cursor: bool,
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub struct NodeConfig {
    pub file: bool,
    pub wal: bool,
    pub recursive_triggers: bool,
    pub trusted_schema: bool,
    /// How far this node's wall clock is off, in milliseconds.
    pub skew_ms: i64,
}

/// One step, and how many milliseconds pass before it.
#[derive(Clone, Debug)]
pub struct Step {
    pub tick: u8,
    pub act: Act,
}

#[derive(Clone, Debug)]
pub enum Act {
    /// A statement in autocommit; `plain` on a connection that has not loaded the extension (files only).
    Write {
        node: usize,
        plain: bool,
        write: Write,
    },
    Tx {
        node: usize,
        parts: Vec<Part>,
        commit: bool,
    },
    Pull {
        to: usize,
        pull: Pull,
    },
    /// Some earlier message reaches `to`, perhaps again.
    Deliver {
        pick: usize,
        to: usize,
        form: Form,
    },
    /// A merge and a write in one transaction.
    MergeInTx {
        pick: usize,
        to: usize,
        write: Write,
        commit: bool,
    },
    /// Something that folds.
    Look {
        node: usize,
        how: u8,
    },
    Reopen {
        node: usize,
    },
    /// The wall clock is set.
    Skew {
        node: usize,
        skew_ms: i64,
    },
    /// The node's whole export is compared with what it is known to hold, and with what it shows.
    Check {
        node: usize,
    },
}

/// A request for changes.
#[derive(Clone, Debug)]
pub struct Pull {
    pub from: usize,
    pub since: Since,
    /// Changes to a page; 0: all at once.
    pub page: u8,
    /// Pages to take at most.
    pub pages: u8,
    pub fate: Fate,
    pub form: Form,
}

/// One part of a transaction.
#[derive(Clone, Debug)]
pub enum Part {
    Do(Write),
    Savepoint,
    RollbackTo,
    Release,
    Look(u8),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Since {
    Cursor,
    Beginning,
    /// A cursor that another node gave.
    Foreign,
    /// Only some tables, from the beginning.
    OneTable(u8),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fate {
    Now,
    Late,
    Lost,
}

/// How a message's changes reach the merge.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    Whole,
    Object,
    Shuffled(u64),
    /// In several merges of some changes each, all of them in the end.
    Split(u64),
    /// Some of the changes only.
    Part(u64),
    Twice,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verb {
    Plain,
    Replace,
    Ignore,
    Fail,
    Upsert,
    UpsertNothing,
}

/// One SQL statement in the abstract; indexes are taken modulo what there is.
#[derive(Clone, Debug)]
pub enum Write {
    Insert {
        table: usize,
        verb: Verb,
        rows: Vec<(u8, [u8; 8])>,
        rowid: Option<u8>,
    },
    /// `keys`: one row, or all of them.
    Update {
        table: usize,
        key: Option<u8>,
        mask: u8,
        values: [u8; 8],
        verb: Verb,
    },
    Rekey {
        table: usize,
        from: u8,
        to: u8,
        verb: Verb,
    },
    Rerow {
        table: usize,
        key: u8,
        to: u8,
    },
    Delete {
        table: usize,
        key: Option<u8>,
    },
    Count {
        table: usize,
        key: Option<u8>,
        add: bool,
        n: u8,
    },
    Tag {
        table: usize,
        key: Option<u8>,
        how: Tag,
    },
    /// A value that the library must refuse.
    Bad {
        table: usize,
        key: u8,
        how: u8,
    },
}

#[derive(Clone, Debug)]
pub enum Tag {
    Assign(Vec<u8>),
    Add(u8),
    DropFirst,
    DropLast,
    Null,
}

fn verb() -> impl Strategy<Value = Verb> {
    prop_oneof![
        4 => Just(Verb::Plain),
        3 => Just(Verb::Replace),
        1 => Just(Verb::Ignore),
        1 => Just(Verb::Fail),
        3 => Just(Verb::Upsert),
        1 => Just(Verb::UpsertNothing),
    ]
}

/// Mostly the first few keys, so that nodes meet.
fn key() -> impl Strategy<Value = u8> {
    prop_oneof![6 => 0..3u8, 1 => 0..12u8]
}

fn some_key() -> impl Strategy<Value = Option<u8>> {
    prop_oneof![16 => key().prop_map(Some), 1 => Just(None)]
}

fn tag() -> impl Strategy<Value = Tag> {
    prop_oneof![
        3 => vec(any::<u8>(), 0..4).prop_map(Tag::Assign),
        4 => (0..6u8).prop_map(Tag::Add),
        1 => any::<u8>().prop_map(Tag::Add),
        2 => Just(Tag::DropFirst),
        2 => Just(Tag::DropLast),
        1 => Just(Tag::Null),
    ]
}

fn insert() -> impl Strategy<Value = Write> {
    let rows = vec((key(), any::<[u8; 8]>()), 1..4);
    let rowid = proptest::option::weighted(0.06, 0..5u8);
    (0..6usize, verb(), rows, rowid).prop_map(|(table, verb, rows, rowid)| Write::Insert { table, verb, rows, rowid })
}

pub fn write() -> impl Strategy<Value = Write> {
    let table = 0..6usize;
    prop_oneof![
        7 => insert(),
        6 => (table.clone(), some_key(), any::<u8>(), any::<[u8; 8]>(), verb())
            .prop_map(|(table, key, mask, values, verb)| Write::Update { table, key, mask, values, verb }),
        2 => (table.clone(), key(), key(), verb())
            .prop_map(|(table, from, to, verb)| Write::Rekey { table, from, to, verb }),
        1 => (table.clone(), key(), 0..9u8).prop_map(|(table, key, to)| Write::Rerow { table, key, to }),
        4 => (table.clone(), some_key()).prop_map(|(table, key)| Write::Delete { table, key }),
        4 => (table.clone(), some_key(), any::<bool>(), any::<u8>())
            .prop_map(|(table, key, add, n)| Write::Count { table, key, add, n }),
        5 => (table.clone(), some_key(), tag()).prop_map(|(table, key, how)| Write::Tag { table, key, how }),
        1 => (table, key(), any::<u8>()).prop_map(|(table, key, how)| Write::Bad { table, key, how }),
    ]
}

fn part() -> impl Strategy<Value = Part> {
    prop_oneof![
        8 => write().prop_map(Part::Do),
        2 => Just(Part::Savepoint),
        2 => Just(Part::RollbackTo),
        1 => Just(Part::Release),
        1 => any::<u8>().prop_map(Part::Look),
    ]
}

fn form() -> impl Strategy<Value = Form> {
    prop_oneof![
        3 => Just(Form::Whole),
        1 => Just(Form::Object),
        3 => any::<u64>().prop_map(Form::Shuffled),
        2 => any::<u64>().prop_map(Form::Split),
        2 => any::<u64>().prop_map(Form::Part),
        1 => Just(Form::Twice),
    ]
}

fn since() -> impl Strategy<Value = Since> {
    prop_oneof![
        8 => Just(Since::Cursor),
        1 => Just(Since::Beginning),
        1 => Just(Since::Foreign),
        1 => any::<u8>().prop_map(Since::OneTable),
    ]
}

fn skew() -> impl Strategy<Value = i64> {
    prop_oneof![3 => Just(0), 2 => -3..4i64, 2 => -120_000..120_000i64]
}

fn pull() -> impl Strategy<Value = Pull> {
    let fate = prop_oneof![4 => Just(Fate::Now), 2 => Just(Fate::Late), 1 => Just(Fate::Lost)];
    (0..4usize, since(), 0..6u8, 1..4u8, fate, form()).prop_map(|(from, since, page, pages, fate, form)| Pull {
        from,
        since,
        page,
        pages,
        fate,
        form,
    })
}

fn act() -> impl Strategy<Value = Act> {
    let node = 0..4usize;
    prop_oneof![
        22 => (node.clone(), proptest::bool::weighted(0.2), write())
            .prop_map(|(node, plain, write)| Act::Write { node, plain, write }),
        5 => (node.clone(), vec(part(), 1..7), proptest::bool::weighted(0.7))
            .prop_map(|(node, parts, commit)| Act::Tx { node, parts, commit }),
        14 => (node.clone(), pull()).prop_map(|(to, pull)| Act::Pull { to, pull }),
        6 => (any::<usize>(), node.clone(), form()).prop_map(|(pick, to, form)| Act::Deliver { pick, to, form }),
        2 => (any::<usize>(), node.clone(), write(), any::<bool>())
            .prop_map(|(pick, to, write, commit)| Act::MergeInTx { pick, to, write, commit }),
        4 => (node.clone(), any::<u8>()).prop_map(|(node, how)| Act::Look { node, how }),
        1 => node.clone().prop_map(|node| Act::Reopen { node }),
        1 => (node.clone(), skew()).prop_map(|(node, skew_ms)| Act::Skew { node, skew_ms }),
        3 => node.prop_map(|node| Act::Check { node }),
    ]
}

fn config() -> impl Strategy<Value = NodeConfig> {
    let bools = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (bools, skew()).prop_map(|((file, wal, recursive_triggers, trusted_schema), skew_ms)| NodeConfig {
        file,
        wal,
        recursive_triggers,
        trusted_schema,
        skew_ms,
    })
}

/// Cases of 5 to `length` steps, after some inserts, over the table shapes `always` and a few of `some`.
pub fn case(always: Vec<usize>, some: Vec<usize>, length: usize) -> impl Strategy<Value = Case> {
    let tables = proptest::sample::subsequence(some, if always.is_empty() { 1..4 } else { 0..2 })
        .prop_map(move |some| always.iter().copied().chain(some).collect());
    let seeded = prop_oneof![3 => Just(0u8), 1 => any::<u8>()];
    let step = (0..3u8, act()).prop_map(|(tick, act)| Step { tick, act });
    let first =
        (0..4usize, insert()).prop_map(|(node, write)| Step { tick: 0, act: Act::Write { node, plain: false, write } });
    (
        vec(config(), 2..5),
        tables,
        seeded,
        (proptest::bool::weighted(0.2), proptest::bool::weighted(0.1)),
        any::<bool>(),
        vec(first, 0..8),
        vec(step, 5..length),
    )
        .prop_map(|(nodes, tables, seeded, (edges, drift), by_cursor, first, steps)| Case {
            nodes,
            tables,
            seeded,
            edges,
            drift,
            by_cursor,
            steps: first.into_iter().chain(steps).collect(),
        })
}
