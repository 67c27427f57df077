//! A schedule as plain data: small numbers, so that it shrinks to a small script.

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
    /// The node's file is copied and opened as another node, or as the node itself: a backup that is restored.
    Copy {
        node: usize,
        how: Copy,
    },
    /// The node's table gains the columns that others may have already.
    Grow {
        node: usize,
    },
}

/// How a copied file becomes a node of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Copy {
    /// By `crdt_fork()`.
    Fork,
    /// By itself, when it hears of what the original wrote after the copy.
    Alone,
    /// It replaces the original, as a backup does that is restored, and `crdt_fork()` is called.
    Restore,
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
