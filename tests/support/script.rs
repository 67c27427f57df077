//! What simulated nodes do as a script for the `sqlite3` shell, so that a person can see a failure by hand.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use super::quote;
use crate::common;

/// More databases than the shell keeps open at once: beyond that each is opened anew when it acts.
const CONNECTIONS: usize = 5;

/// What is done, and by which node.
struct Line {
    node: usize,
    does: Does,
}

enum Does {
    /// Opens its database, in memory where there is no file; the statements that a connection begins with follow.
    Open {
        file: Option<String>,
        pragmas: String,
    },
    Clock(i64),
    Sql(String),
    Note(String),
}

/// Lines as they happen. With `trace` each goes to stderr at once, for failures that end the process.
pub struct Script {
    lines: Vec<Line>,
    clocks: Vec<(usize, i64)>,
    trace: bool,
}

impl Script {
    pub fn new(trace: bool) -> Script {
        Script { lines: Vec::new(), clocks: Vec::new(), trace }
    }

    fn push(&mut self, node: usize, does: Does) {
        if self.trace {
            match &does {
                Does::Sql(sql) | Does::Note(sql) => eprintln!("node {node}> {sql}"),
                Does::Clock(ms) => eprintln!("node {node}: the wall clock is {ms}"),
                Does::Open { .. } => eprintln!("node {node} opens"),
            }
        }
        self.lines.push(Line { node, does });
    }

    /// A node opens its database.
    pub fn open(&mut self, node: usize, file: bool, pragmas: &str) {
        self.open_file(node, file.then(|| format!("node{node}.db")), pragmas);
    }

    fn open_file(&mut self, node: usize, file: Option<String>, pragmas: &str) {
        self.clocks.retain(|(n, _)| *n != node);
        self.push(node, Does::Open { file, pragmas: pragmas.to_string() });
    }

    /// A node's database is copied to a file of this name.
    pub fn copy(&mut self, node: usize, name: &str) {
        self.line(node, &format!("VACUUM INTO {}", literal(name)));
    }

    /// A node's database is now the file of this name.
    pub fn take_over(&mut self, node: usize, name: &str, pragmas: &str) {
        self.open_file(node, Some(name.to_string()), pragmas);
    }

    /// A statement that a node runs.
    pub fn line(&mut self, node: usize, sql: &str) {
        self.push(node, Does::Sql(sql.to_string()));
    }

    pub fn note(&mut self, node: usize, note: &str) {
        self.push(node, Does::Note(note.to_string()));
    }

    /// The node's wall clock, when it is not what it was.
    pub fn clock(&mut self, node: usize, unix_ms: i64) {
        if !self.clocks.contains(&(node, unix_ms)) {
            self.clocks.retain(|(n, _)| *n != node);
            self.clocks.push((node, unix_ms));
            self.push(node, Does::Clock(unix_ms));
        }
    }

    /// A merge of change JSON.
    pub fn merge(&mut self, node: usize, json: &str) {
        self.line(node, &format!("SELECT crdt_merge({})", literal(json)));
    }

    /// An arbitrary but repeatable choice.
    pub fn is_third(&self) -> bool {
        self.lines.len().is_multiple_of(3)
    }

    /// The whole, ending in `what` went wrong and in what the nodes show of `tables` then. `clock` and `library` are the
    /// paths of the two extensions that it loads, without their endings.
    pub fn text(&self, tables: &[&str], what: &str, clock: &str, library: &str) -> String {
        let count = self.lines.iter().map(|line| line.node + 1).max().unwrap_or(0);
        let (nodes, out) = (BTreeMap::new(), BEGIN.to_string());
        let mut shell = Shell { out, at: None, apart: count > CONNECTIONS, nodes, clock, library };
        shell.say(format_args!(".load {clock}"));
        for Line { node, does } in &self.lines {
            match does {
                Does::Open { file, pragmas } => shell.open(*node, file.as_deref(), pragmas),
                Does::Clock(ms) => shell.set_clock(*node, *ms),
                Does::Sql(sql) => shell.run(*node, sql),
                Does::Note(note) => shell.say(format_args!("-- {}", note.replace('\n', "\n-- "))),
            }
        }
        shell.say(format_args!("\n-- What is wrong: {}\n-- What the nodes hold:", what.replace('\n', "\n-- ")));
        for node in 0..count {
            shell.run(node, "SELECT crdt_node_id(), crdt_check()");
            shell.run(node, "SELECT * FROM crdt_pending()");
            for table in tables {
                shell.run(node, &format!("SELECT * FROM {}", quote(table)));
                shell.run(node, &format!("SELECT crdt_digest({}, 'full')", literal(table)));
            }
            shell.run(node, CHANGES);
        }
        shell.out
    }
}

const BEGIN: &str = "-- Run it in an empty folder: sqlite3 < this file. It makes files there.
-- wall_clock() is of the library loaded first. It sets the time that SQLite and grove-crdt see.
.bail off
.headers off
.mode list
.echo on
";

const CHANGES: &str =
    "SELECT \"table\", pk, field, hlc_ts, hlc_c, node_id, value, tombstone FROM crdt_changes(NULL) ORDER BY 1, 2, 3, 6";

/// A text as an SQL literal.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Writes what the shell is to do.
struct Shell<'a> {
    out: String,
    /// The node whose database is the present one.
    at: Option<usize>,
    /// There are more nodes than connections.
    apart: bool,
    nodes: BTreeMap<usize, Seat>,
    clock: &'a str,
    library: &'a str,
}

/// Where a node's database is, how it is opened, and its clock.
struct Seat {
    file: String,
    pragmas: String,
    wall: Option<i64>,
}

impl Shell<'_> {
    fn say(&mut self, line: std::fmt::Arguments<'_>) {
        let _ = writeln!(self.out, "{line}");
    }

    fn open(&mut self, node: usize, file: Option<&str>, pragmas: &str) {
        let file = match file {
            Some(name) => name.to_string(),
            None if self.apart => format!("node{node}.db"),
            None => ":memory:".to_string(),
        };
        let wall = self.nodes.get(&node).and_then(|seat| seat.wall);
        self.nodes.insert(node, Seat { file, pragmas: pragmas.to_string(), wall });
        if !self.apart {
            self.say(format_args!(".connection {node}"));
        }
        self.load(node);
        self.at = Some(node);
    }

    fn load(&mut self, node: usize) {
        let Some(Seat { file, pragmas, .. }) = self.nodes.get(&node) else {
            return;
        };
        let (clock, library) = (self.clock, self.library);
        let lines = format!(".open {file}\n.load {clock}\n.load {library}\n{pragmas};");
        self.say(format_args!("{lines}"));
    }

    /// Makes a node's database the present one.
    fn turn(&mut self, node: usize) {
        if self.at == Some(node) {
            return;
        }
        match self.apart {
            true => self.load(node),
            false => self.say(format_args!(".connection {node}")),
        }
        self.at = Some(node);
        if let Some(ms) = self.nodes.get(&node).and_then(|seat| seat.wall) {
            self.say(format_args!("SELECT wall_clock({ms});"));
        }
    }

    fn set_clock(&mut self, node: usize, ms: i64) {
        if let Some(seat) = self.nodes.get_mut(&node) {
            seat.wall = Some(ms);
        }
        if self.at == Some(node) {
            self.say(format_args!("SELECT wall_clock({ms});"));
        }
        self.turn(node);
    }

    fn run(&mut self, node: usize, sql: &str) {
        self.turn(node);
        self.say(format_args!("{sql};"));
    }
}

/// The paths of the extension that sets the wall clock, and of the one under test, without their endings.
pub fn libraries() -> (String, String) {
    let library = common::library().with_extension("");
    let clock = library.parent().and_then(Path::parent).map(|profile| profile.join("examples/libwall_clock"));
    (clock.unwrap_or_default().display().to_string(), library.display().to_string())
}
