//! Long payloads, merged while they are read: their changes never stand in memory all at once.
//!
//! Only where no row has to do with another, so that it makes no difference what is merged together; and of payloads as we
//! write them. All of it is done in one savepoint: what turns out not to be readable so is undone, and goes the usual road.

use crate::change::payload::Parts;
use crate::change::{Change, Names, Part};
use crate::compact;
use crate::conn::Conn;
use crate::error::{Error, Kind, Result};
use crate::import;
use crate::inbound::{Merging, Report};
use crate::limits::Limits;
use crate::putback::Watch;
use crate::session;
use crate::store::Store;

/// Bytes of a payload that is worth it, and of one in the compact form.
const LONG: [usize; 2] = if cfg!(debug_assertions) { [1_000; 2] } else { [1 << 20, 1 << 17] };
/// Changes that are read and merged at a time, about.
const PART: usize = if cfg!(debug_assertions) { 17 } else { 65_536 };

/// Merges a payload; None when it is for the usual road, and nothing was done. `answer` is asked at the end.
pub fn merge<T>(conn: &Conn, json: &str, answer: impl Fn(&Store<'_>, &Report) -> T) -> Result<Option<T>> {
    let [long, compact] = LONG;
    if json.len() < compact || !(compact::leads(json) || (json.len() >= long && Parts::new(json).is_some())) {
        return Ok(None);
    }
    let outcome = session::write(conn, |store| {
        let Some(mut stream) = Stream::new(store)? else { return Ok(None) };
        match compact::leads(json) {
            true => stream.read_compact(json)?,
            false => stream.read(json)?,
        }
        let report = stream.merging.finish(store)?;
        Ok(Some(answer(store, &report)))
    });
    match outcome {
        // The usual road finds out what is wrong, if anything is.
        Err(e) if !matches!(e.kind(), Kind::Sqlite(_)) => Ok(None),
        outcome => outcome,
    }
}

/// A payload is to be read otherwise.
fn otherwise() -> Error {
    Error::internal("the payload is to be read otherwise")
}

/// A merge under way.
struct Stream<'s, 'a> {
    store: &'s mut Store<'a>,
    merging: Merging,
    limits: Limits,
}

impl<'s, 'a> Stream<'s, 'a> {
    /// None where rows may have to do with one another.
    fn new(store: &'s mut Store<'a>) -> Result<Option<Stream<'s, 'a>>> {
        let apart = !crate::stays::any(store)?
            && !store.any_pending.get()
            && store.catalog.hooks.all().is_empty()
            && Watch::new(store)?.is_lone(store);
        let (merging, limits) = (Merging::default(), Limits::read(store.conn)?);
        Ok(apart.then_some(Stream { store, merging, limits }))
    }

    fn read(&mut self, json: &str) -> Result<()> {
        let (mut parts, mut names, mut part) =
            (Parts::new(json).ok_or_else(otherwise)?, Names::default(), Part::default());
        while parts.read(&mut names, PART, &mut part).ok_or_else(otherwise)? {
            self.take(&mut part)?;
        }
        self.take(&mut part)
    }

    fn read_compact(&mut self, json: &str) -> Result<()> {
        let mut entries = Entries { stream: self, part: Part::default(), failed: None };
        let read = compact::read(json, &mut entries);
        let Entries { mut part, failed, .. } = entries;
        match failed {
            Some(e) => Err(e),
            None => read.and_then(|()| self.take(&mut part)),
        }
    }

    /// Merges a part, and lets it go.
    fn take(&mut self, part: &mut Part<'_>) -> Result<()> {
        let Stream { store, merging, limits } = self;
        let is_own = |change: &Change| change.hlc.node == store.me || change.is_left();
        if part.changes.iter().any(is_own) || part.drafts.authors().any(|author| *author == store.me) {
            return Err(otherwise()); // what is this node's own is judged by all that comes
        }
        part.changes.extend(merging.take_drafts(store, &mut part.drafts, limits)?);
        import::check_tables(&store.catalog, part.changes.iter())?;
        limits.check_all(store, &part.changes)?;
        if !part.changes.is_empty() {
            merging.take(store, &part.changes)?;
        }
        part.clear();
        Ok(())
    }
}

/// The entries of a payload in the compact form.
struct Entries<'t, 's, 'a, 'de> {
    stream: &'t mut Stream<'s, 'a>,
    part: Part<'de>,
    /// Why no more are taken.
    failed: Option<Error>,
}

impl Entries<'_, '_, '_, '_> {
    /// Merges what there is, once it is enough; the next change is of another record.
    fn make_room(&mut self) -> Result<()> {
        if self.part.size() < PART {
            return Ok(());
        }
        self.stream.take(&mut self.part).map_err(|e| {
            self.failed = Some(e);
            otherwise()
        })
    }

    fn other(&mut self, change: Change) -> Result<()> {
        let same = self.part.is_of_last(&change);
        if !same {
            self.make_room()?;
        }
        self.part.add_other(change, same);
        Ok(())
    }
}

impl<'de> compact::Take<'de> for Entries<'_, '_, '_, 'de> {
    fn cells(&mut self, entry: &compact::Entry<'_, 'de>, names: &mut Names) -> Result<bool> {
        let same = self.part.is_at(entry.table, entry.pk);
        if !same {
            self.make_room()?;
        }
        Ok(self.part.add_entry(entry, same, names))
    }

    fn change(&mut self, read: Result<Change>) -> Result<()> {
        self.other(read?)
    }

    fn whole(&mut self, json: &str, names: &mut Names) -> Result<()> {
        self.other(import::one(json, names)?)
    }

    fn count(&self) -> usize {
        0 // the usual road says which it was
    }
}
