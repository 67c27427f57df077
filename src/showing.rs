//! One round of writing rows: which were refused, and which are to blame where the tables of others broke.

use std::collections::BTreeMap;

use crate::apply::{apply, Known, Shown};
use crate::error::Result;
use crate::putback::Watch;
use crate::record::Record;
use crate::show::Work;
use crate::store::Store;

/// The records of a merge while they are shown.
pub struct Showing<'s, 'c> {
    /// The state.
    pub store: &'s Store<'c>,
    /// The records.
    pub work: &'s [Work],
    /// Their states, with what their rows are to show.
    pub copies: &'s mut [Record],
    /// What is written besides.
    pub watch: &'s mut Watch,
    /// The log's end before.
    pub mark: i64,
    /// The places of those that were refused: why.
    pub refused: BTreeMap<usize, String>,
}

impl Showing<'_, '_> {
    /// Shows the records at these places, one after the other.
    pub fn round(&mut self, places: &[usize], first: bool) -> Result<()> {
        match self.watch.strangers.is_empty() {
            true => self.show_each(places, first),
            false => self.show_guarded(places, first),
        }
    }

    fn show_each(&mut self, places: &[usize], first: bool) -> Result<()> {
        let (store, quiet) = (self.store, self.watch.quiet());
        for i in places {
            let (Some(work), Some(copy)) = (self.work.get(*i), self.copies.get_mut(*i)) else { continue };
            let form = work.table.form(store.conn)?;
            self.watch.intend(form, work.table.id, &work.pk, copy);
            let known = Known { absent: quiet && first && work.before.is_none(), quiet };
            match apply(store.conn, form, &work.pk, copy, known)? {
                Shown::Yes => self.refused.remove(i),
                Shown::Pending(reason) | Shown::Claimed(reason) => self.refused.insert(*i, reason),
            };
            self.watch.notice(store, &work.pk, work.table.id, self.mark)?;
        }
        Ok(())
    }

    /// The same, where that may break keys of tables that are not enabled: if it does, it is undone, and each half is shown by itself, so
    /// that one alone is refused in the end. Nothing more is asked while nothing is broken.
    fn show_guarded(&mut self, places: &[usize], first: bool) -> Result<()> {
        let conn = self.store.conn;
        let copies: Vec<_> = places.iter().map(|i| self.copies.get(*i).cloned()).collect();
        let (watch, refused) = (self.watch.clone(), self.refused.clone());
        conn.run("SAVEPOINT crdt_guard", &[])?;
        self.show_each(places, first)?;
        let Some(reason) = self.watch.strangers.broken(conn)? else {
            return conn.run("RELEASE crdt_guard", &[]).map(|_| ());
        };
        conn.run("ROLLBACK TO crdt_guard", &[])?;
        conn.run("RELEASE crdt_guard", &[])?;
        (*self.watch, self.refused) = (watch, refused);
        for (i, copy) in places.iter().zip(copies) {
            if let (Some(place), Some(copy)) = (self.copies.get_mut(*i), copy) {
                *place = copy;
            }
        }
        let learnt = self.watch.strangers.learn(conn)?;
        match places {
            [one] if !learnt => {
                self.refused.insert(*one, reason);
                Ok(())
            }
            [_] => self.show_guarded(places, first),
            _ => {
                let (left, right) = places.split_at(places.len() / 2);
                self.show_guarded(left, first)?;
                self.show_guarded(right, first)
            }
        }
    }
}
