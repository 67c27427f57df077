//! The steps of a case as SQL for each node, so that a person can replay a failure by hand.

use super::wire::Change;

/// Lines as they happen. With `trace` each goes to stderr at once, for failures that end the process.
pub struct Script {
    lines: Vec<String>,
    clocks: Vec<(usize, i64)>,
    messages: usize,
    trace: bool,
}

impl Script {
    pub fn new(trace: bool) -> Script {
        Script { lines: Vec::new(), clocks: Vec::new(), messages: 0, trace }
    }

    fn push(&mut self, line: String) {
        if self.trace {
            eprintln!("{line}");
        }
        self.lines.push(line);
    }

    /// A statement that a node runs.
    pub fn line(&mut self, node: usize, sql: &str) {
        self.push(format!("node {node}> {sql};"));
    }

    /// The node's wall clock, when it is not what it was.
    pub fn clock(&mut self, node: usize, unix_ms: i64) {
        if !self.clocks.contains(&(node, unix_ms)) {
            self.clocks.retain(|(n, _)| *n != node);
            self.clocks.push((node, unix_ms));
            self.push(format!("-- node {node}: the wall clock is {unix_ms} ms"));
        }
    }

    /// Changes that are on their way; returns the message's name.
    pub fn message(&mut self, changes: &[Change]) -> String {
        let name = format!("m{}", self.messages);
        self.messages += 1;
        self.push(format!("-- the changes of the last export(s) are {name}: ["));
        for (i, change) in changes.iter().enumerate() {
            self.push(format!("--   {i}: {}", change.raw));
        }
        self.push("-- ]".to_string());
        name
    }

    /// A merge of some changes of a message, in this order.
    pub fn merge(&mut self, node: usize, name: &str, order: &[usize]) {
        let whole = order.iter().enumerate().all(|(i, at)| i == *at);
        let part = if whole { String::new() } else { format!(" -- only, and in this order: {order:?}") };
        self.line(node, &format!("SELECT crdt_merge(:{name}){part}"));
    }

    /// An arbitrary but repeatable choice.
    pub fn is_even(&self) -> bool {
        self.lines.len().is_multiple_of(2)
    }

    pub fn text(&self) -> String {
        self.lines.join("\n")
    }
}
