//! What a run was about, for the line at its end.

use std::collections::BTreeMap;
use std::fmt;

use super::ops::Act;

#[derive(Clone, Debug, Default)]
#[allow(dead_code)] // The tests of the simulation count nothing together.
pub struct Counts {
    pub schedules: u64,
    pub merges: u64,
    /// Changes that were exported, read and checked.
    pub exported: u64,
    /// Records whose whole state was compared with a model, each time.
    pub compared: u64,
    /// Steps by kind.
    pub steps: BTreeMap<&'static str, u64>,
    /// Schedules by kind.
    pub kinds: BTreeMap<&'static str, u64>,
}

#[allow(dead_code)]
impl Counts {
    pub fn step(&mut self, act: &Act) {
        self.one(match act {
            Act::Write { .. } => "write",
            Act::Tx { .. } => "transaction",
            Act::Pull { .. } => "pull",
            Act::Deliver { .. } => "deliver again",
            Act::MergeInTx { .. } => "merge in a transaction",
            Act::Look { .. } => "look",
            Act::Reopen { .. } => "reopen",
            Act::Skew { .. } => "set the clock",
            Act::Check { .. } => "check",
            Act::Copy { .. } => "copy the file",
            Act::Grow { .. } => "add columns",
        });
    }

    pub fn one(&mut self, kind: &'static str) {
        *self.steps.entry(kind).or_default() += 1;
    }

    /// A schedule of this kind is done.
    pub fn kinds(&mut self, kind: &'static str) {
        *self.kinds.entry(kind).or_default() += 1;
    }

    pub fn add(&mut self, other: &Counts) {
        self.schedules += other.schedules;
        self.merges += other.merges;
        self.exported += other.exported;
        self.compared += other.compared;
        for (kind, n) in &other.steps {
            *self.steps.entry(kind).or_default() += n;
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operations: u64 = self.steps.values().sum();
        write!(
            f,
            "{} schedules, {operations} operations, {} merges, {} changes exported and checked, {} records compared\n  steps:",
            self.schedules, self.merges, self.exported, self.compared
        )?;
        let list = |counts: &BTreeMap<&str, u64>| {
            let all: Vec<_> = counts.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
            all.join(", ")
        };
        write!(f, " {}\n  schedules: {}", list(&self.steps), list(&self.kinds))
    }
}
