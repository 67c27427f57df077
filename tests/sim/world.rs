//! The simulated world: nodes, messages on their way, and what was ever put on the wire.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::clock;
use super::compare::{against_model, waits, When};
use super::copies::Backup;
use super::count::Counts;
use super::deliver::Message;
use super::generate::NODES;
use super::model::{Id, Model};
use super::node::Node;
use super::ops::{Act, Case, Step, Verb, Write};
use super::schema::{Shape, SHAPES};
use super::sql::Render;
use super::wire::{Export, Says, Stamp};
use crate::support::script::{literal, Script};

/// Node ids: one begins another, two need quoting, two differ in case only.
const IDS: [&str; NODES] = ["n", "n'ü\"", "N", "n-1", "0", "z"];
/// When the simulation begins, in milliseconds since the Unix epoch.
const START: i64 = 1_767_225_600_000;
/// A delete written while the clock was hours ahead, and stamped after it came back, may bear a stamp near 1970. The model
/// does not forget, so no node may: this is 82 years.
const KEEP: &str = "SELECT crdt_pragma('tombstone_ttl', '30000d')";

pub struct World {
    pub nodes: Vec<Node>,
    pub tables: Vec<&'static Shape>,
    /// Every record that was ever exported.
    pub all: Model,
    pub script: Script,
    /// `cursors[to][from]`: where `to` stands in the log of `from`.
    pub cursors: Vec<Vec<Option<String>>>,
    edges: bool,
    pub messages: Vec<Message>,
    pub counts: Counts,
    /// Backups by node, and the next file's number.
    pub backups: BTreeMap<usize, Backup>,
    pub files: usize,
    /// A backup was restored: what its node wrote since is in `all`, and may be nowhere else.
    pub restored: bool,
    /// The furthest that a clock was ever ahead, in milliseconds.
    pub ahead: i64,
    pub folder: PathBuf,
    /// What each stamp was used for.
    stamps: BTreeMap<Stamp, Id>,
    /// What was said of a field under a stamp.
    said: BTreeMap<(Id, String, Stamp), String>,
    now: i64,
}

pub type Outcome<T = ()> = Result<T, String>;

impl World {
    /// Opens and enables the case's nodes. Files go to `folder`.
    pub fn new(case: &Case, folder: &std::path::Path, trace: bool) -> Outcome<World> {
        clock::install();
        let tables: Vec<_> = case.tables.iter().map(|i| &SHAPES[*i]).collect();
        let mut world = World {
            nodes: Vec::new(),
            cursors: vec![vec![None; case.nodes.len()]; case.nodes.len()],
            tables,
            all: Model::default(),
            script: Script::new(trace),
            edges: case.edges,
            messages: Vec::new(),
            counts: Counts::default(),
            backups: BTreeMap::new(),
            files: 0,
            restored: false,
            ahead: case.nodes.iter().map(|node| node.skew_ms).max().unwrap_or(0).max(0),
            folder: folder.to_path_buf(),
            stamps: BTreeMap::new(),
            said: BTreeMap::new(),
            now: START,
        };
        for (i, config) in case.nodes.iter().enumerate() {
            let path: Option<PathBuf> = config.file.then(|| folder.join(format!("{i}.db")));
            let mut node = Node::new(IDS[i], config, path, &world.tables)?;
            node.edges = case.edges;
            world.nodes.push(node);
            world.start(i, case.seeded >> i & 1 == 1)?;
        }
        Ok(world)
    }

    /// A node of its own, enabled, that has seen nothing.
    pub fn fresh(&mut self) -> Outcome<Node> {
        clock::set(self.now);
        let config = self.nodes[0].config.clone();
        let mut node = Node::new("fresh", &config, None, &self.nodes[0].tables)?;
        node.run("SELECT crdt_node_id('fresh')")?;
        node.run(KEEP)?;
        for shape in &node.tables {
            node.run(&shape.enable())?;
        }
        node.edges = self.edges;
        Ok(node)
    }

    fn start(&mut self, i: usize, seeded: bool) -> Outcome {
        let pragmas = self.nodes[i].pragmas();
        self.script.open(i, self.nodes[i].config.file, &pragmas);
        self.turn(i);
        let rename = format!("SELECT crdt_node_id('{}')", IDS[i].replace('\'', "''"));
        self.script.line(i, &rename);
        self.nodes[i].run(&rename)?;
        self.script.line(i, KEEP);
        self.nodes[i].run(KEEP)?;
        for (table, shape) in self.tables.clone().into_iter().enumerate() {
            self.script.line(i, shape.ddl);
            if seeded {
                let values = [1, 2, 3, 4, 5, 6, 7, 8];
                let rows = vec![(0, values), (1, values)];
                let verb = Verb::Plain;
                let sql = self.sql(i, &Write::Insert { table, verb, rows, rowid: None })?;
                self.script.line(i, &sql);
                self.nodes[i].write(&sql, false)?;
            }
            self.script.line(i, &shape.enable());
            self.nodes[i].run(&shape.enable())?;
            self.nodes[i].same_as_twin()?;
        }
        Ok(())
    }

    pub fn step(&mut self, step: &Step) -> Outcome {
        self.now += i64::from(step.tick);
        self.counts.step(&step.act);
        let count = self.nodes.len();
        match &step.act {
            Act::Write { node, plain, write } => {
                let (node, sql) = (node % count, self.sql(node % count, write)?);
                self.turn(node);
                let plain = *plain && self.nodes[node].config.file;
                if plain {
                    self.script.note(node, "by a connection without the extension:");
                }
                self.script.line(node, &sql);
                self.nodes[node].write(&sql, plain)
            }
            Act::Tx { node, parts, commit } => self.transaction(node % count, parts, *commit),
            Act::Pull { to, pull } => self.pull(to % count, pull),
            Act::Deliver { pick, to, form } => match self.messages.len() {
                0 => Ok(()),
                n => self.deliver(pick % n, to % count, *form),
            },
            Act::MergeInTx { pick, to, write, commit } => match self.messages.len() {
                0 => Ok(()),
                n => self.merge_in_transaction(pick % n, to % count, write, *commit),
            },
            Act::Look { node, how } => {
                self.turn(node % count);
                self.look(node % count, *how, false)
            }
            Act::Reopen { node } => {
                self.turn(node % count);
                let node = node % count;
                if self.nodes[node].config.file {
                    let pragmas = self.nodes[node].pragmas();
                    self.script.open(node, true, &pragmas);
                    self.nodes[node].reopen()?;
                }
                self.nodes[node].same_as_twin()
            }
            Act::Skew { node, skew_ms } => {
                self.nodes[node % count].config.skew_ms = *skew_ms;
                self.ahead = self.ahead.max(*skew_ms);
                Ok(())
            }
            Act::Check { node } => self.check(node % count, false),
            Act::Copy { node, how } => self.copy(node % count, *how),
            Act::Grow { node } => self.grow(node % count),
        }
    }

    /// Lets a node act: the wall clock is its own now, in milliseconds.
    pub fn turn(&mut self, node: usize) -> i64 {
        let now = self.now + self.nodes[node].config.skew_ms;
        self.script.clock(node, now);
        clock::set(now);
        now
    }

    /// Sets every wall clock to one that is later than all of them.
    pub fn align_clocks(&mut self) {
        self.now += 13 * 3_600_000;
        for node in &mut self.nodes {
            node.config.skew_ms = 0;
        }
    }

    /// The statement of a write, as the node is now.
    pub fn sql(&self, node: usize, write: &Write) -> Outcome<String> {
        let node = &self.nodes[node];
        let render = Render { tables: &node.tables, edges: self.edges };
        let sql = render.sql(write);
        match *write {
            // A row that takes its own parent's place: SQLite may miss one that refers to it by its old key.
            Write::Rekey { table, from, to, verb: Verb::Replace } if node.makes_orphans(&sql)? => {
                Ok(render.sql(&Write::Rekey { table, from, to, verb: Verb::Plain }))
            }
            _ => Ok(sql),
        }
    }

    /// One export, its records noted and checked.
    pub fn export(
        &mut self,
        node: usize,
        since: Option<&str>,
        table: Option<&str>,
        limit: Option<u8>,
    ) -> Outcome<Export> {
        self.turn(node);
        let show = |v: Option<&str>| v.map_or("NULL".into(), literal);
        let limit_text = limit.map_or("NULL".into(), |n| n.to_string());
        let call = format!("SELECT crdt_changes_since({}, {}, {limit_text})", show(since), show(table));
        self.script.line(node, &call);
        let export = self.nodes[node].export(since, table, limit)?;
        if limit.is_none() && export.has_more {
            return Err(format!("{}: has_more without a limit", self.nodes[node].id));
        }
        self.counts.exported += export.changes.len() as u64;
        self.note(node, &export, table.is_none() && !export.has_more)?;
        self.nodes[node].same_but_for_waiting()?;
        Ok(export)
    }

    /// Takes an export into the models, and checks every stamp in it.
    fn note(&mut self, from: usize, export: &Export, to_the_end: bool) -> Outcome {
        let node = &mut self.nodes[from];
        let mut fresh = Vec::new();
        for change in &export.changes {
            let fault = |what: &str| Err(format!("{}: {what}: {}", node.id, change.raw));
            self.all.take(change)?;
            node.known.take(change)?;
            let stamp = &change.stamp;
            if stamp.node == "_base" {
                continue;
            }
            let id = (change.table.clone(), change.pk.clone());
            let own = stamp.node == node.id;
            if !own && !node.ancestors.contains(&stamp.node) && !self.stamps.contains_key(stamp) {
                return fault("a stamp that its author never issued");
            }
            if own && stamp.ts % 1000 != 0 {
                return fault("an own stamp that is not whole microseconds");
            }
            // What a copied file folded otherwise than its original may come back: that is not new.
            let new = !self.stamps.contains_key(stamp);
            if *self.stamps.entry(stamp.clone()).or_insert_with(|| id.clone()) != id {
                return fault("a stamp used for two records");
            }
            let says = match &change.says {
                Says::Lww(value) => value.raw.clone(),
                Says::Counter { inc, dec } => format!("+{inc} -{dec}"),
                Says::Tombstone => "deleted".into(),
                Says::Add(_) | Says::Remove(..) => String::new(),
            };
            let key = (id, change.field.clone(), stamp.clone());
            if *self.said.entry(key).or_insert_with(|| says.clone()) != says {
                return fault("another thing said under the same stamp");
            }
            if own && node.own.insert(stamp.clone()) && new {
                fresh.push(stamp.clone());
            }
        }
        if to_the_end {
            if let Some(low) = fresh.iter().find(|stamp| node.floor.as_ref().is_some_and(|f| *stamp <= f)) {
                return Err(format!("{}: new stamp {low:?} is not above {:?}", node.id, node.floor));
            }
            node.floor = node.floor.clone().max(node.own.last().cloned());
            node.dirty = false;
        }
        Ok(())
    }

    /// A node's whole export must carry all that it is known to hold, page by page too, and be what it shows.
    pub fn check(&mut self, node: usize, settled: bool) -> Outcome {
        let full = self.shows_its_state(node, settled)?;
        let mut paged = Model::default();
        let mut cursor = None;
        let limit = 3 + (self.counts.merges % 11) as u8;
        loop {
            let page = self.export(node, cursor.as_deref(), None, Some(limit))?;
            page.changes.iter().try_for_each(|c| paged.take(c))?;
            cursor = Some(page.cursor);
            if !page.has_more {
                break;
            }
        }
        let mut faults = paged.lacks(&full);
        faults.extend(full.lacks(&paged));
        match faults.len() {
            0 => self.nodes[node].check_storage(),
            _ => Err(format!("{}: the pages are not the whole: {}", self.nodes[node].id, faults.join("\n  "))),
        }
    }

    /// A node's whole export must carry all that it is known to hold, and be what it shows. Which of rival
    /// claims are shown need be right only when all is `settled`: local writes settle nothing by themselves.
    pub fn shows_its_state(&mut self, node: usize, settled: bool) -> Outcome<Model> {
        self.retry(node)?;
        let full = Model::of(&self.export(node, None, None, None)?.changes)?;
        let node = &self.nodes[node];
        let lacks = full.lacks(&node.known);
        let mut faults: Vec<_> = lacks.iter().map(|l| format!("the export: {l}")).collect();
        for shape in &node.tables {
            faults.extend(against_model(shape, &full, &node.rows(shape)?, When { complete: false, settled }));
        }
        faults.extend(waits(node, &full, settled)?);
        self.counts.compared += full.records.len() as u64;
        match faults.len() {
            0 => Ok(full),
            _ => Err(format!("{}: {}", node.id, faults.join("\n  "))),
        }
    }
}
