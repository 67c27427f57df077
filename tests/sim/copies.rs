//! Files that are copied, backups that are restored, columns that come on the way.

use std::path::PathBuf;

use super::clock;
use super::generate::NODES;
use super::model::Model;
use super::node::Node;
use super::ops::{Copy, Verb, Write};
use super::schema::Shape;
use super::world::{Outcome, World};

/// A node's file as it was, and what the node knew then.
pub struct Backup {
    node: Node,
    path: PathBuf,
    name: String,
}

/// A copied file's name.
fn name(number: usize) -> String {
    format!("copy{number}.db")
}

impl World {
    pub fn copy(&mut self, node: usize, how: Copy) -> Outcome {
        if how == Copy::Restore {
            return match self.backups.remove(&node) {
                Some(backup) => self.restore(node, backup),
                None => self.back_up(node),
            };
        }
        if self.nodes.len() >= NODES {
            return Ok(());
        }
        let new = self.nodes.len();
        let path = self.copy_file(node)?;
        let mut config = self.nodes[node].config.clone();
        config.file = true;
        // It has written nothing that lies in its future: this would be stamped anew.
        config.skew_ms = self.ahead;
        let copy = self.nodes[node].copy(path, config)?;
        self.script.take_over(new, &name(self.files), &copy.pragmas());
        self.nodes.push(copy);
        let cursors = match self.messages.iter().any(|message| message.owed == Some(node)) {
            true => vec![None; new],
            false => self.cursors[node].clone(),
        };
        self.cursors.push(cursors);
        self.cursors.iter_mut().for_each(|of| of.resize(new + 1, None));
        if how == Copy::Alone && self.hears_of_the_original(new, node)? {
            return Ok(());
        }
        self.fork(new)
    }

    /// The original writes, and the copy hears of it: false when nothing came of that.
    fn hears_of_the_original(&mut self, copy: usize, original: usize) -> Outcome<bool> {
        let write = Write::Insert { table: 0, verb: Verb::Replace, rows: vec![(0, [0; 8])], rowid: None };
        let sql = self.sql(original, &write)?;
        self.turn(original);
        self.script.line(original, &sql);
        self.nodes[original].write(&sql, false)?;
        let before = self.nodes[original].own.last().cloned();
        let export = self.export(original, None, None, None)?;
        let wall = self.turn(copy);
        self.chance(copy, wall);
        let order: Vec<_> = (0..export.changes.len()).collect();
        let news = self.nodes[original].own.last().cloned();
        if news == before {
            return Ok(false);
        }
        // While it has the original's id, a merge moves no floor of its own.
        self.nodes[copy].dirty = true;
        self.merge(copy, &export.changes, &order, false)?;
        match self.nodes[copy].forked() {
            Ok(()) => Ok(true),
            // A write that loses here, or to a record that is deleted later, leaves no trace: then nothing tells.
            Err(fault) => {
                let known = Model::of(&self.export(copy, None, None, None)?.changes)?;
                let mut records = known.records.values();
                match records.any(|record| record.top == news && record.alive()) {
                    true => Err(fault),
                    false => Ok(false),
                }
            }
        }
    }

    fn fork(&mut self, node: usize) -> Outcome {
        let wall = self.turn(node);
        self.chance(node, wall);
        self.script.line(node, "SELECT crdt_fork()");
        self.nodes[node].ask("SELECT crdt_fork()", &[])?;
        self.nodes[node].forked()?;
        self.nodes[node].same_but_for_waiting()
    }

    /// The next id that a node mints is a function of the place in the schedule.
    fn chance(&mut self, node: usize, wall: i64) {
        self.files += 1;
        let seed = 1_000 * self.files as u64;
        clock::set_chance(seed);
        self.script.line(node, &format!("SELECT wall_clock({wall}, {seed})"));
    }

    /// Copies the database to a new file. What is not folded yet may get other stamps there (by a clock that is hours off), or
    /// mean another thing (a row that a REPLACE removed, and that is written again here): so it is folded first.
    fn copy_file(&mut self, node: usize) -> Outcome<PathBuf> {
        self.export(node, None, None, None)?;
        self.turn(node);
        self.files += 1;
        let path = self.folder.join(name(self.files));
        self.script.copy(node, &name(self.files));
        self.nodes[node].run(&format!("VACUUM INTO '{}'", path.display()))?;
        self.nodes[node].reset_twin()?;
        Ok(path)
    }

    fn back_up(&mut self, node: usize) -> Outcome {
        let path = self.copy_file(node)?;
        let copy = self.nodes[node].copy(path.clone(), self.nodes[node].config.clone())?;
        self.backups.insert(node, Backup { node: copy.closed(), path, name: name(self.files) });
        Ok(())
    }

    /// The node goes on from its backup: it knows what it knew then, and asks everyone from the beginning.
    fn restore(&mut self, node: usize, backup: Backup) -> Outcome {
        let mut config = self.nodes[node].config.clone();
        config.file = true;
        config.skew_ms = self.ahead;
        let Backup { node: old, path, name } = backup;
        self.nodes[node] = old.copy(path, config)?;
        self.restored = true;
        self.script.take_over(node, &name, &self.nodes[node].pragmas());
        self.cursors[node].fill(None);
        self.fork(node)
    }

    /// The node's growing table, if any, gains its later columns.
    pub fn grow(&mut self, node: usize) -> Outcome {
        let growing = |shape: &&'static Shape| shape.grown.is_some();
        if self.nodes[node].tables.iter().any(growing) {
            self.turn(node);
            if let Some(sql) = self.nodes[node].grow()? {
                self.script.line(node, &sql);
            }
            self.nodes[node].reset_twin()?;
        }
        Ok(())
    }

    pub fn retry(&mut self, node: usize) -> Outcome {
        if self.nodes[node].aside.is_empty() {
            return Ok(());
        }
        let wall = self.turn(node);
        self.script.line(node, "SELECT crdt_retry()");
        self.nodes[node].retry(wall)
    }

    /// What a node wrote and told nobody before it went back to its backup is gone.
    pub fn forget_the_lost(&mut self) {
        if self.restored {
            let mut all = Model::default();
            self.nodes.iter().for_each(|node| all.absorb(&node.known));
            self.all = all;
        }
    }
}
