//! Runs a printed script again, statement by statement, printing what each gives; lines may be added by hand.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::cell::Cell;
use super::clock;
use crate::common;

/// What a script has made so far.
#[derive(Default)]
struct Replay {
    nodes: BTreeMap<usize, Connection>,
    /// The changes of each message.
    messages: BTreeMap<String, Vec<String>>,
    /// The message whose lines are being read.
    open: String,
}

/// Replays the script in the file that `SIM_SCRIPT` names, if any. Nodes are in memory; a line may end in `;`, a
/// statement may span lines.
pub fn script() {
    let Ok(path) = std::env::var("SIM_SCRIPT") else {
        return;
    };
    clock::install();
    let mut replay = Replay::default();
    let text = std::fs::read_to_string(path).expect("SIM_SCRIPT names a readable file");
    let mut statement: Option<(usize, String)> = None;
    for line in text.lines() {
        let begun = line.strip_prefix("node ").and_then(|rest| rest.split_once("> "));
        if let Some((node, sql)) = begun.and_then(|(node, sql)| Some((node.parse().ok()?, sql))) {
            statement = Some((node, sql.to_string()));
        } else if let Some((_, sql)) = &mut statement {
            *sql += line;
        } else {
            replay.note(line);
        }
        if let Some((node, sql)) = statement.take_if(|(_, sql)| sql.trim_end().ends_with(';')) {
            println!("node {node}> {sql}");
            replay.run(node, sql.trim_end_matches(';'));
        }
    }
}

impl Replay {
    /// A comment of the script: a clock, or a message.
    fn note(&mut self, line: &str) {
        if let Some((_, ms)) = line.split_once("the wall clock is ") {
            clock::set(ms.trim_end_matches(" ms").parse().expect("milliseconds"));
        } else if let Some((_, name)) = line.split_once("export(s) are ") {
            self.open = name.trim_end_matches(": [").to_string();
            self.messages.insert(self.open.clone(), Vec::new());
        } else if let Some((_, raw)) = line.strip_prefix("--   ").and_then(|l| l.split_once(": ")) {
            self.messages.entry(self.open.clone()).or_default().push(raw.to_string());
        }
    }

    fn run(&mut self, node: usize, sql: &str) {
        let db = self.nodes.entry(node).or_insert_with(common::open);
        let mut parameter = None;
        if let Some((_, rest)) = sql.split_once("crdt_merge(:") {
            let (name, rest) = rest.split_once(')').expect("a closing bracket");
            let all = &self.messages[name];
            let order: Vec<usize> = match rest.split_once('[') {
                Some((_, list)) => list.trim_end_matches(']').split(", ").flat_map(str::parse).collect(),
                None => (0..all.len()).collect(),
            };
            let picked: Vec<_> = order.iter().map(|i| all[*i].as_str()).collect();
            parameter = Some(format!("[{}]", picked.join(",")));
        }
        if let Err(e) = show(db, sql, parameter) {
            println!("   error: {e}");
        }
    }
}

/// Runs one statement, or several without parameters, and prints the rows of the last.
fn show(db: &Connection, sql: &str, parameter: Option<String>) -> rusqlite::Result<()> {
    if sql.starts_with("PRAGMA") || sql.starts_with('.') {
        return Ok(());
    }
    let mut statement = db.prepare(sql)?;
    let count = statement.column_count();
    let mut rows = statement.query(rusqlite::params_from_iter(parameter))?;
    while let Some(row) = rows.next()? {
        let cells: Vec<_> = (0..count).map(|i| Ok(Cell::of(row.get_ref(i)?))).collect::<rusqlite::Result<_>>()?;
        println!("   {cells:?}");
    }
    Ok(())
}
