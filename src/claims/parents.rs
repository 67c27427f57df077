//! Rows are shown with their parents: which may still come, and what goes with a row that goes.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::{captured, Retry};
use crate::apply::{self, is_declared, vacate};
use crate::error::Result;
use crate::key::Pk;
use crate::record::Record;
use crate::schema::{Form, Table};
use crate::store::RecordKey;
use crate::{foreign, pending, row};

impl Retry<'_, '_> {
    /// Whether parents of a record may yet be shown: they wait too.
    pub(super) fn hopes(&self, form: &Form) -> bool {
        let child = &form.shape.name;
        let foreign = self.store.conn.foreign.borrow();
        let mut parents = foreign.parents(child);
        parents.any(|parent| {
            let others = usize::from(parent.eq_ignore_ascii_case(child));
            self.waiting.get(&parent.to_ascii_lowercase()).is_some_and(|n| *n > others)
        })
    }

    pub(super) fn held(&self, form: &Form, pk: &Pk) -> Result<bool> {
        match pk.decode(&form.shape.classes) {
            Some(key) => self.store.conn.foreign.borrow().holds(self.store.conn, form, &key),
            None => Ok(false),
        }
    }

    /// Takes the rows away that refer to a row, directly or not: before it goes, so that no action of a foreign key changes
    /// them. They wait for it.
    pub(super) fn take_children(&mut self, table: &Rc<Table>, pk: &Pk) -> Result<()> {
        let mut all: Vec<RecordKey> = vec![(table.id, pk.clone())];
        let mut known: BTreeSet<RecordKey> = all.iter().cloned().collect();
        let mut at = 0;
        while let Some((t, pk)) = all.get(at).cloned() {
            at += 1;
            let Some(table) = self.store.table(t) else { continue };
            let foreign = self.store.conn.foreign.borrow();
            let form = table.form(self.store.conn)?;
            for child in foreign.children(self.store.conn, &self.store.catalog, form, &pk)? {
                if known.insert(child.clone()) {
                    all.push(child);
                }
            }
        }
        // Rows that refer to each other may go with each other: what they hold is kept first.
        let mut going = Vec::new();
        for (t, pk) in all.into_iter().skip(1) {
            let Some(table) = self.store.table(t) else { continue };
            let form = table.form(self.store.conn)?;
            let Some(before) = self.store.load(&table, &pk)? else { continue };
            let mut now = before.clone();
            self.watch.intend(form, t, &pk, &mut now);
            let whole = apply::complete(self.store.conn, form, &pk, &now)?;
            going.push((table, pk, before, whole));
        }
        for (table, pk, before, mut whole) in going.into_iter().rev() {
            let form = table.form(self.store.conn)?;
            let refusal = self.take_row(&table, form, &pk, &mut whole)?;
            self.store.save(&table, &pk, Some(&before), &whole)?;
            pending::set(self.store, table.id, &pk, Some(refusal.as_deref().unwrap_or(foreign::FAILED)))?;
        }
        Ok(())
    }

    /// Takes a record's row away, and those that refer to it; why not, where that is refused.
    pub(super) fn take_away(
        &mut self,
        table: &Rc<Table>,
        form: &Form,
        pk: &Pk,
        now: &mut Record,
    ) -> Result<Option<String>> {
        if self.held(form, pk)? {
            return Ok(Some(foreign::FAILED.to_owned()));
        }
        *now = apply::complete(self.store.conn, form, pk, now)?;
        self.take_children(table, pk)?;
        self.take_row(table, form, pk, now)
    }

    /// Rows that could not be put back as they were wait. What is left of them is no picture of their record.
    pub(super) fn leave(&mut self, reasons: BTreeMap<RecordKey, String>) -> Result<()> {
        for ((t, pk), reason) in reasons {
            pending::set(self.store, t, &pk, Some(&reason))?;
            let Some(table) = self.store.table(t).filter(|_| is_declared(&reason)) else { continue };
            let form = table.form(self.store.conn)?;
            let Some(before) = self.store.load(&table, &pk)? else { continue };
            let mut now = before.clone();
            self.take_away(&table, form, &pk, &mut now)?;
            self.store.save(&table, &pk, Some(&before), &now)?;
        }
        Ok(())
    }

    pub(super) fn take_row(
        &mut self,
        table: &Rc<Table>,
        form: &Form,
        pk: &Pk,
        now: &mut Record,
    ) -> Result<Option<String>> {
        let there = now.clone();
        let refusal = self.guarded(|retry| {
            let refusal = vacate(retry.store.conn, form, pk, now)?;
            if refusal.is_none() {
                retry.watch.gone(table.id, pk);
            }
            retry.watch.notice(retry.store, pk, table.id, retry.manner.mark)?;
            Ok(refusal)
        })?;
        Ok(refusal.unwrap_or_else(|reason| {
            *now = there;
            Some(reason)
        }))
    }

    /// Rows whose foreign key names no parent wait for it: the commit must not fail, and no row is shown without its parents.
    pub(super) fn keep_keys(&mut self) -> Result<()> {
        let mut moved = true;
        while moved && self.store.conn.db.breaks_deferred_keys() {
            moved = false;
            for table in captured(self.store) {
                let form = table.form(self.store.conn)?;
                let orphans = self.store.conn.foreign.borrow().orphans(self.store.conn, form)?;
                for pk in orphans.into_iter().filter(|pk| !self.broken.contains(&(table.id, pk.clone()))) {
                    let Some(before) = self.store.load(table, &pk)? else { continue };
                    let mut now = before.clone();
                    self.watch.intend(form, table.id, &pk, &mut now);
                    if self.take_away(table, form, &pk, &mut now)?.is_some() {
                        // A trigger would have the commit fail.
                        let conn = self.store.conn;
                        conn.db.without_triggers(|| self.take_row(table, form, &pk, &mut now))?;
                    }
                    moved |= !row::exists(self.store.conn, form, &pk)?;
                    self.store.save(table, &pk, Some(&before), &now)?;
                    pending::set(self.store, table.id, &pk, Some(foreign::FAILED))?;
                }
            }
        }
        Ok(())
    }
}
