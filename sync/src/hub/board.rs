//! Who is at which topic, and how much of it one token may have.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Instant, SystemTime};

use serde_json::value::RawValue;

use super::auth::Fingerprint;
use super::errors::{Refusal, Result};

/// Most entries, and bytes of them; one token has half of each.
pub const ENTRIES: usize = 10_000;
const BYTES: usize = 32 << 20;
/// What an entry takes besides its texts, about.
const EACH: usize = 256;

/// Who made an entry; None where no tokens are needed.
pub type Owner = Option<Fingerprint>;
/// Topic and node.
pub type Key = (String, String);

/// A node at a topic, or one that has left it.
pub struct Entry {
    /// The versions of its join and of its last change.
    pub joined: u64,
    pub changed: u64,
    /// None when it has left.
    pub data: Option<Box<RawValue>>,
    /// When that was, to be told; and by a clock that nobody sets.
    pub updated: SystemTime,
    pub heard: Instant,
    pub owner: Owner,
}

/// What entries take.
#[derive(Default, Clone, Copy)]
struct Sum {
    entries: usize,
    bytes: usize,
}

impl Sum {
    fn of(key: &Key, data: Option<&RawValue>) -> Sum {
        // The key is there twice.
        Sum { entries: 1, bytes: EACH + 2 * (key.0.len() + key.1.len()) + data.map_or(0, |data| data.get().len()) }
    }

    fn add(&mut self, other: Sum) {
        self.entries += other.entries;
        self.bytes += other.bytes;
    }

    fn subtract(&mut self, other: Sum) {
        self.entries = self.entries.saturating_sub(other.entries);
        self.bytes = self.bytes.saturating_sub(other.bytes);
    }

    /// Whether there is room for another beside it, in the whole or a part of it.
    fn has_room(mut self, other: Sum, part: usize) -> bool {
        self.add(other);
        self.entries <= ENTRIES / part && self.bytes <= BYTES / part
    }
}

/// Entries that are counted together.
#[derive(Default)]
struct Tally {
    sum: Sum,
    /// Those of them that have left, by the version of that.
    left: BTreeSet<u64>,
}

impl Tally {
    fn add(&mut self, sum: Sum, entry: &Entry) {
        self.sum.add(sum);
        if entry.data.is_none() {
            self.left.insert(entry.changed);
        }
    }

    fn subtract(&mut self, sum: Sum, entry: &Entry) {
        self.sum.subtract(sum);
        self.left.remove(&entry.changed);
    }
}

/// All entries.
#[derive(Default)]
pub struct Board {
    pub entries: BTreeMap<Key, Entry>,
    /// The entries by the version of their last change.
    pub changes: BTreeMap<u64, Key>,
    pub version: u64,
    all: Tally,
    by_owner: HashMap<Owner, Tally>,
}

impl Board {
    /// Sets what a node tells, None for nothing; the kind of event that it is. Refused where another token's node is there, or
    /// there is no room.
    pub fn set(&mut self, owner: Owner, key: Key, data: Option<Box<RawValue>>) -> Result<&'static str> {
        let before = self.entries.get(&key).filter(|entry| entry.data.is_some());
        if before.is_some_and(|entry| entry.owner != owner) {
            return Err(Refusal::forbidden(format!("another token's node '{}' is at this topic", key.1)));
        }
        let joined = before.map(|entry| entry.joined);
        if data.is_none() {
            if before.is_some() {
                self.leave(key);
            }
            return Ok("leave");
        }
        let before = self.remove(&key);
        if let Err(refusal) = self.make_room(owner, Sum::of(&key, data.as_deref())) {
            if let Some(before) = before {
                self.insert(key, before);
            }
            return Err(refusal);
        }
        self.version += 1;
        let kind = if joined.is_some() { "update" } else { "join" };
        let (joined, changed) = (joined.unwrap_or(self.version), self.version);
        let (updated, heard) = (SystemTime::now(), Instant::now());
        self.insert(key, Entry { joined, changed, data, updated, heard, owner });
        Ok(kind)
    }

    /// Has a node leave, whose node it ever is.
    pub fn leave(&mut self, key: Key) {
        if let Some(before) = self.remove(&key) {
            self.version += 1;
            let (updated, heard) = (SystemTime::now(), Instant::now());
            self.insert(key, Entry { changed: self.version, data: None, updated, heard, ..before });
        }
    }

    /// Forgets who left longest ago, until there is room for one more.
    fn make_room(&mut self, owner: Owner, more: Sum) -> Result<()> {
        loop {
            let own = self.by_owner.get(&owner).filter(|own| owner.is_some() && !own.sum.has_room(more, 2));
            let full = match own {
                Some(own) => own,
                None if self.all.sum.has_room(more, 1) => return Ok(()),
                None => &self.all,
            };
            let Some(key) = full.left.first().and_then(|version| self.changes.get(version)).cloned() else {
                return Err(Refusal::too_many("too many nodes are present, or tell too much"));
            };
            self.remove(&key);
        }
    }

    fn insert(&mut self, key: Key, entry: Entry) {
        let sum = Sum::of(&key, entry.data.as_deref());
        self.all.add(sum, &entry);
        self.by_owner.entry(entry.owner).or_default().add(sum, &entry);
        self.changes.insert(entry.changed, key.clone());
        self.entries.insert(key, entry);
    }

    /// Takes an entry away, and tells nobody.
    pub fn remove(&mut self, key: &Key) -> Option<Entry> {
        let entry = self.entries.remove(key)?;
        let sum = Sum::of(key, entry.data.as_deref());
        self.changes.remove(&entry.changed);
        self.all.subtract(sum, &entry);
        if let Some(own) = self.by_owner.get_mut(&entry.owner) {
            own.subtract(sum, &entry);
            if own.sum.entries == 0 {
                self.by_owner.remove(&entry.owner);
            }
        }
        Some(entry)
    }
}
