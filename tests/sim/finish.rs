//! After the schedule: quiescence, then everything must be equal everywhere.

use std::collections::BTreeSet;

use super::compare::{against_model, replicated, When};
use super::model::Model;
use super::node::Node;
use super::wire::{array, Change};
use super::world::World;

type Outcome = Result<(), String>;

impl World {
    /// Exchanges until nothing is new, and checks the six properties of a converged world.
    pub fn finish(&mut self, by_cursor: bool) -> Outcome {
        for node in 0..self.nodes.len() {
            self.shows_its_state(node, false)?;
        }
        self.align_clocks();
        for node in 0..self.nodes.len() {
            self.grow(node)?;
        }
        self.deliver_owed()?;
        for node in 0..self.nodes.len() {
            self.retry(node)?;
        }
        self.quiesce(by_cursor)?;
        self.forget_the_lost();
        for node in 0..self.nodes.len() {
            self.check(node, true)?;
        }
        self.rows_are_equal()?;
        self.digests_are_equal()?;
        self.rows_are_the_models()?;
        let mut fed = BTreeSet::new();
        for node in 0..self.nodes.len() {
            self.one_node_is_enough(node, &mut fed)?;
        }
        self.nothing_is_new()
    }

    /// Everyone pulls from everyone until no merge takes anything: at most nodes + 2 rounds.
    fn quiesce(&mut self, by_cursor: bool) -> Outcome {
        let count = self.nodes.len();
        let mut taken = Vec::new();
        for round in 0..count + 2 {
            let mut merged = 0;
            for (to, from) in (0..count).flat_map(|a| (0..count).map(move |b| (a, b))) {
                if to != from {
                    let cursor = self.cursors[to][from].clone().filter(|_| by_cursor || round > 0);
                    let export = self.export(from, cursor.as_deref(), None, None)?;
                    self.cursors[to][from] = Some(export.cursor);
                    merged += self.merge_all(to, &export.changes)?;
                }
            }
            taken.push(merged);
            if merged == 0 {
                return Ok(());
            }
        }
        Err(format!("no quiescence: the rounds took {taken:?} changes"))
    }

    /// Merges a whole export; how many changes were new.
    fn merge_all(&mut self, to: usize, changes: &[Change]) -> Result<i128, String> {
        let order: Vec<_> = (0..changes.len()).collect();
        Ok(self.merge(to, changes, &order, false)?.merged)
    }

    fn rows_are_equal(&self) -> Outcome {
        let first = &self.nodes[0];
        self.nodes[1..].iter().try_for_each(|other| self.same_rows(first, other))
    }

    fn same_rows(&self, a: &Node, b: &Node) -> Outcome {
        for shape in a.tables.iter() {
            let mine = replicated(shape, &a.rows(shape)?);
            let other = replicated(shape, &b.rows(shape)?);
            if mine != other {
                let table = shape.table;
                return Err(format!("{table} differs: {} shows\n  {mine:?}\n{} shows\n  {other:?}", a.id, b.id));
            }
        }
        Ok(())
    }

    fn digests_are_equal(&self) -> Outcome {
        let first = self.nodes[0].digests()?;
        for node in &self.nodes[1..] {
            if node.digests()? != first {
                return Err(format!("digest of {} differs from {}'s", node.id, self.nodes[0].id));
            }
        }
        Ok(())
    }

    fn rows_are_the_models(&self) -> Outcome {
        let mut faults = Vec::new();
        for node in &self.nodes {
            for shape in &node.tables {
                let found = against_model(shape, &self.all, &node.rows(shape)?, When { complete: true, settled: true });
                faults.extend(found.iter().map(|f| format!("{}: {f}", node.id)));
            }
            faults.extend(node.known.lacks(&self.all).iter().map(|f| format!("{} never got {f}", node.id)));
        }
        match faults.len() {
            0 => Ok(()),
            _ => Err(faults.join("\n  ")),
        }
    }

    /// A new node that hears of one node only becomes its equal. What says the same, in whatever order, is tried once.
    fn one_node_is_enough(&mut self, node: usize, fed: &mut BTreeSet<Vec<String>>) -> Outcome {
        let export = self.export(node, None, None, None)?;
        let mut said: Vec<_> = export.changes.iter().map(|change| change.raw.clone()).collect();
        said.sort();
        if !fed.insert(said) {
            return Ok(());
        }
        let fresh = self.fresh()?;
        let report = fresh.merge(&array(&export.changes))?;
        let fault = |e: String| format!("a fresh node fed from node {node} alone: {e}");
        let claims = self.tables.iter().any(|shape| shape.is_constrained());
        if report.pending != 0 && !claims {
            return Err(fault(format!("{} changes pending", report.pending)));
        }
        self.same_rows(&self.nodes[node], &fresh).map_err(fault)?;
        if self.nodes[node].pending()? != fresh.pending()? {
            return Err(fault("other records wait".into()));
        }
        if self.nodes[node].digests()? != fresh.digests()? {
            return Err(fault("the digests differ".into()));
        }
        let again = Model::of(&fresh.export(None, None, None)?.changes)?;
        let lacks = again.lacks(&Model::of(&export.changes)?);
        if !lacks.is_empty() {
            return Err(fault(format!("its export lacks {}", lacks.join("\n  "))));
        }
        fresh.check_storage().map_err(fault)
    }

    /// Nothing to deliver: the cursor comes back as it was; nothing to take: no merge says it took anything.
    fn nothing_is_new(&mut self) -> Outcome {
        let count = self.nodes.len();
        let mut ends = Vec::new();
        for node in 0..count {
            ends.push(self.export(node, None, None, None)?);
        }
        for (to, end) in (0..count).flat_map(|to| (0..count).map(move |from| (to, from))) {
            let merged = self.merge_all(to, &ends[end].changes)?;
            if merged != 0 {
                let id = &self.nodes[to].id;
                return Err(format!("{id}: all is known, and yet a merge took {merged} changes"));
            }
        }
        for (node, end) in ends.iter().enumerate() {
            let next = self.export(node, Some(&end.cursor), None, None)?;
            if !next.changes.is_empty() || next.cursor != end.cursor || next.has_more {
                let (id, changes) = (&self.nodes[node].id, array(&next.changes));
                return Err(format!(
                    "{id}: nothing is new, and yet {} became {} with {changes}",
                    end.cursor, next.cursor
                ));
            }
        }
        Ok(())
    }
}
