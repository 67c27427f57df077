//! How changes travel: late, lost, repeated, shuffled, in parts, inside transactions.

use std::rc::Rc;

use super::node::Merged;
use super::ops::{Fate, Form, Pull, Since, Write};
use super::random::Random;
use super::wire::{array, Change};
use super::world::{Outcome, World};

/// Kept messages; older ones are forgotten unless still owed.
const KEPT: usize = 12;

/// Changes on their way.
pub struct Message {
    changes: Rc<Vec<Change>>,
    /// The node whose cursor has moved past it, so that it must get it before the end.
    pub owed: Option<usize>,
}

impl World {
    /// `to` asks for what it has not got, and gets it now, later or never.
    pub fn pull(&mut self, to: usize, pull: &Pull) -> Outcome {
        let count = self.nodes.len();
        let from = match pull.from % count {
            same if same == to => (same + 1) % count,
            other => other,
        };
        let page = (pull.page > 0).then_some(pull.page);
        let one_table = match pull.since {
            Since::OneTable(i) => Some(self.tables[usize::from(i) % self.tables.len()].table),
            _ => None,
        };
        let mut cursor = match pull.since {
            Since::Cursor => self.cursors[to][from].clone(),
            Since::Beginning | Since::OneTable(_) => None,
            Since::Foreign => self.cursors[from][(from + count - 1) % count].clone(),
        };
        let mut changes = Vec::new();
        for _ in 0..pull.pages {
            let export = self.export(from, cursor.as_deref(), one_table, page)?;
            changes.extend(export.changes);
            cursor = Some(export.cursor);
            if page.is_none() || !export.has_more {
                break;
            }
        }
        if pull.fate == Fate::Lost {
            return Ok(());
        }
        if one_table.is_none() {
            self.cursors[to][from] = cursor;
        }
        self.forget_messages();
        self.messages.push(Message { changes: Rc::new(changes), owed: Some(to) });
        match pull.fate {
            Fate::Now => self.deliver(self.messages.len() - 1, to, pull.form),
            _ => Ok(()),
        }
    }

    fn forget_messages(&mut self) {
        if self.messages.len() >= KEPT {
            if let Some(old) = self.messages.iter().position(|m| m.owed.is_none()) {
                self.messages.remove(old);
            }
        }
    }

    /// Brings a kept message to a node, in some form.
    pub fn deliver(&mut self, message: usize, to: usize, form: Form) -> Outcome {
        let changes = Rc::clone(&self.messages[message].changes);
        let mut random = Random::new(match form {
            Form::Shuffled(seed) | Form::Split(seed) | Form::Part(seed) => seed,
            _ => 0,
        });
        let mut order: Vec<usize> = (0..changes.len()).collect();
        if matches!(form, Form::Shuffled(_) | Form::Split(_) | Form::Part(_)) {
            random.shuffle(&mut order);
        }
        let batches: Vec<&[usize]> = match form {
            Form::Split(_) => order.chunks(1 + random.below(5)).collect(),
            Form::Part(_) => vec![&order[..random.below(order.len() + 1)]],
            Form::Twice => vec![&order, &order],
            _ => vec![&order],
        };
        for batch in batches {
            // What a merge overwrites cannot be missed any more, so look now and then before one.
            if self.script.is_third() {
                self.shows_its_state(to, false)?;
            }
            self.merge(to, &changes, batch, matches!(form, Form::Object))?;
        }
        if matches!(form, Form::Twice) && self.merge(to, &changes, &order, false)?.merged > 0 {
            return Err(format!("{}: a repeated merge took something", self.nodes[to].id));
        }
        let message = &mut self.messages[message];
        if message.owed == Some(to) && !matches!(form, Form::Part(_)) {
            message.owed = None;
        }
        Ok(())
    }

    /// Everything that is still owed arrives.
    pub fn deliver_owed(&mut self) -> Outcome {
        for message in (0..self.messages.len()).rev() {
            if let Some(to) = self.messages[message].owed {
                self.deliver(message, to, Form::Whole)?;
            }
        }
        Ok(())
    }

    /// Merges some changes of a message at a node, in this order, and notes that it knows them.
    pub fn merge(&mut self, to: usize, changes: &[Change], order: &[usize], object: bool) -> Outcome<Merged> {
        let wall = self.turn(to);
        let changes: Vec<_> = order.iter().map(|i| &changes[*i]).collect();
        self.counts.merges += 1;
        let mut json = array(changes.iter().copied());
        if object {
            json = format!(r#"{{"changes":{json},"has_more":false}}"#);
        }
        self.script.merge(to, &json);
        let node = &mut self.nodes[to];
        let report = node.merge(&json)?;
        let latest = node.accept(changes, wall)?;
        if !node.dirty {
            node.floor = node.floor.clone().max(latest);
        }
        node.reset_twin()?;
        Ok(report)
    }

    pub fn merge_in_transaction(&mut self, message: usize, to: usize, write: &Write, commit: bool) -> Outcome {
        let sql = self.sql(to, write)?;
        let changes = Rc::clone(&self.messages[message].changes);
        self.turn(to);
        let (known, aside) = (self.nodes[to].known.clone(), self.nodes[to].aside.clone());
        let floor = self.nodes[to].floor.clone();
        self.script.line(to, "BEGIN");
        self.nodes[to].frame("BEGIN")?;
        self.script.line(to, &sql);
        self.nodes[to].write(&sql, false)?;
        let order: Vec<_> = (0..changes.len()).collect();
        self.merge(to, &changes, &order, false)?;
        let sql = self.sql(to, write)?;
        self.script.line(to, &sql);
        self.nodes[to].write(&sql, false)?;
        let end = if commit { "COMMIT" } else { "ROLLBACK" };
        self.script.line(to, end);
        self.nodes[to].frame(end)?;
        if !commit {
            self.nodes[to].known = known;
            self.nodes[to].aside = aside;
            self.nodes[to].floor = floor;
        } else if self.messages[message].owed == Some(to) {
            self.messages[message].owed = None;
        }
        Ok(())
    }
}
