//! What a node does on its own: transactions, and looking at its state.

use super::ops::Part;
use super::schema::quote;
use super::world::{Outcome, World};
use crate::support::script::literal;

impl World {
    /// A transaction with savepoints, committed or not.
    pub fn transaction(&mut self, node: usize, parts: &[Part], commit: bool) -> Outcome {
        self.turn(node);
        let mut depth = 0;
        let frame = |world: &mut World, sql: &str| {
            world.script.line(node, sql);
            world.nodes[node].frame(sql)
        };
        frame(self, "BEGIN")?;
        for part in parts {
            match part {
                Part::Do(write) => {
                    let sql = self.sql(node, write)?;
                    self.script.line(node, &sql);
                    self.nodes[node].write(&sql, false)?;
                }
                Part::Savepoint => {
                    depth += 1;
                    frame(self, "SAVEPOINT s")?;
                }
                Part::RollbackTo if depth > 0 => frame(self, "ROLLBACK TO s")?,
                Part::Release if depth > 0 => {
                    depth -= 1;
                    frame(self, "RELEASE s")?;
                }
                Part::Look(how) => self.look(node, *how, true)?,
                Part::RollbackTo | Part::Release => {}
            }
        }
        frame(self, if commit { "COMMIT" } else { "ROLLBACK" })
    }

    /// Calls that fold or read; none may change what the node shows.
    pub fn look(&mut self, node: usize, how: u8, within: bool) -> Outcome {
        let table = self.tables[usize::from(how / 8) % self.tables.len()].table;
        let names: Vec<_> = self.nodes[node].known.records.keys().cloned().collect();
        let record = names.get(usize::from(how / 8) % names.len().max(1));
        let view = quote(&format!("_{table}_crdt"));
        let call =
            |name: &str, (table, pk): &(String, String)| format!("SELECT {name}({}, {})", literal(table), literal(pk));
        let sql = match (how % 8, record) {
            (0, Some(id)) => call("crdt_inspect", id),
            (1, Some(id)) => call("crdt_state", id),
            (2, _) if !within => "SELECT crdt_cursor()".into(),
            (3, _) if !within => "SELECT crdt_now()".into(),
            (4, _) => "SELECT crdt_status()".into(),
            (5, _) => format!("SELECT count(*) FROM {view}"),
            (6, _) => "SELECT crdt_check()".into(),
            // Nothing is old enough to be forgotten (KEEP): it prunes the log.
            (7, _) if !within && how % 16 > 8 => "SELECT crdt_cleanup_tombstones()".into(),
            _ => format!("SELECT crdt_digest({})", literal(table)),
        };
        self.script.line(node, &sql);
        if sql.contains("crdt_now") {
            self.now_is_later(node)?;
        } else if sql.contains("crdt_check") {
            self.nodes[node].check_storage()?;
        } else {
            self.nodes[node].ask(&sql, &[])?;
        }
        self.nodes[node].same_but_for_waiting()
    }

    fn now_is_later(&mut self, node: usize) -> Outcome {
        let node = &mut self.nodes[node];
        let now = node.now()?;
        if node.floor.as_ref().is_some_and(|floor| now <= *floor) || now.node != node.id {
            return Err(format!("{}: crdt_now() gave {now:?}, the clock was at {:?}", node.id, node.floor));
        }
        if !node.dirty {
            node.floor = Some(now);
        }
        Ok(())
    }
}
