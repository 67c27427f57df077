//! What a disk may hold when the power is gone, by what SQLite assumes of disks (<https://sqlite.org/atomiccommit.html>).
//!
//! What was synced is there. Of what was written since, any part may be: each write, or each 512 bytes of it, or none. A write
//! leaves the bytes beside it alone (powersafe overwrite). A file that has grown may hold anything where it grew. A name that
//! was made or removed may come back as it was, until its folder is synced; names change in order.

use std::collections::BTreeMap;
use std::path::Path;

use crate::random::Random;
use crate::vfs::{End, Op, ENDS};

const SECTOR: usize = 512;

#[derive(Default)]
struct File {
    synced: Vec<u8>,
    since: Vec<Op>,
}

/// The files of one database, as the disk has them and as they will be.
pub struct Disk {
    files: Vec<File>,
    /// Names whose folder was synced.
    names: BTreeMap<End, usize>,
    /// Changes of names since, in order; None: removed.
    renames: Vec<(End, Option<usize>)>,
}

/// How much of what was not synced gets lost.
#[derive(Clone, Copy, Debug)]
pub struct Loss {
    pub kind: Kind,
    /// Journals are written in order: SQLite says that without a second sync (synchronous = NORMAL) it must rely on that.
    pub ordered_journal: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Nothing,
    Everything,
    /// All after some write.
    Tail,
    /// Any writes.
    Some,
    /// Any sectors of any writes.
    Sectors,
}

const KINDS: [Kind; 5] = [Kind::Sectors, Kind::Some, Kind::Tail, Kind::Everything, Kind::Nothing];

impl Loss {
    pub fn pick(random: &mut Random, ordered_journal: bool) -> Loss {
        Loss { kind: KINDS[random.below(KINDS.len())], ordered_journal }
    }
}

/// What came through.
pub struct Image {
    files: BTreeMap<End, Vec<u8>>,
    /// A journal that was removed is there again.
    pub undeleted: bool,
}

impl Disk {
    /// A disk that holds a database file and nothing else.
    pub fn new(main: &[u8]) -> Disk {
        let file = File { synced: main.to_vec(), since: Vec::new() };
        Disk { files: vec![file], names: BTreeMap::from([("", 0)]), renames: Vec::new() }
    }

    fn current(&self, end: End) -> Option<usize> {
        let renamed = self.renames.iter().rev().find(|(name, _)| *name == end);
        renamed.map_or_else(|| self.names.get(end).copied(), |(_, file)| *file)
    }

    fn settle_names(&mut self, upto: usize) {
        for (end, file) in self.renames.drain(..upto) {
            match file {
                Some(file) => self.names.insert(end, file),
                None => self.names.remove(end),
            };
        }
    }

    /// Does what SQLite did.
    pub fn apply(&mut self, (end, op): &(End, Op)) {
        match op {
            Op::Create => {
                self.files.push(File::default());
                self.renames.push((end, Some(self.files.len() - 1)));
            }
            Op::Delete { durable } => {
                self.renames.push((end, None));
                if *durable {
                    self.settle_names(self.renames.len());
                }
            }
            Op::Sync => {
                let Some(at) = self.current(end) else { return };
                let file = &mut self.files[at];
                for op in std::mem::take(&mut file.since) {
                    write(&mut file.synced, &op, |_| true, &mut None);
                }
                // The first sync of a journal syncs its folder too.
                if self.renames.iter().any(|(_, file)| *file == Some(at)) {
                    self.settle_names(self.renames.len());
                }
            }
            Op::Write { .. } | Op::Truncate(_) => {
                let at = self.current(end).expect("a file that is open");
                self.files[at].since.push(op.clone());
            }
        }
    }

    /// What is there after a loss.
    pub fn lose(&self, loss: Loss, random: &mut Random) -> Image {
        let kept = match loss.kind {
            Kind::Nothing => self.renames.len(),
            Kind::Everything => 0,
            _ => random.below(self.renames.len() + 1),
        };
        let mut names = self.names.clone();
        for (end, file) in &self.renames[..kept] {
            match file {
                Some(file) => names.insert(end, *file),
                None => names.remove(end),
            };
        }
        let undeleted = self.renames[kept..].iter().any(|(_, file)| file.is_none());
        let files = names.into_iter().map(|(end, at)| (end, self.files[at].lose(end, loss, random))).collect();
        Image { files, undeleted }
    }

    /// As it is while the power is on.
    pub fn whole(&self) -> Image {
        self.lose(Loss { kind: Kind::Nothing, ordered_journal: false }, &mut Random::new(0))
    }
}

impl File {
    fn lose(&self, end: End, loss: Loss, random: &mut Random) -> Vec<u8> {
        let kind = match loss.kind {
            Kind::Some | Kind::Sectors if loss.ordered_journal && end == "-journal" => Kind::Tail,
            kind => kind,
        };
        let cut = random.below(self.since.len() + 1);
        let share = 1 + random.below(9);
        let mut garbage = (random.below(2) == 0).then(|| Random::new(random.below(usize::MAX) as u64));
        if kind == Kind::Tail {
            garbage = None;
        }
        let mut bytes = self.synced.clone();
        for (i, op) in self.since.iter().enumerate() {
            let whole = match kind {
                Kind::Nothing | Kind::Sectors => true,
                Kind::Everything => false,
                Kind::Tail => i < cut,
                Kind::Some => random.below(10) < share,
            };
            if kind == Kind::Sectors {
                write(&mut bytes, op, |_| random.below(10) < share, &mut garbage);
            } else if whole {
                write(&mut bytes, op, |_| true, &mut garbage);
            }
        }
        bytes
    }
}

/// Does those sectors of a write that `keeps` says; where the file grows and nothing is written, zeros or garbage.
fn write(to: &mut Vec<u8>, op: &Op, mut keeps: impl FnMut(usize) -> bool, garbage: &mut Option<Random>) {
    match op {
        Op::Truncate(size) if keeps(0) => to.resize(*size, 0),
        Op::Write { at, bytes } => {
            let mut from = 0;
            while from < bytes.len() {
                let start = at + from;
                let till = (from + SECTOR - start % SECTOR).min(bytes.len());
                if keeps(start) {
                    let end = at + till;
                    while to.len() < end {
                        to.push(garbage.as_mut().map_or(0, |random| random.below(256) as u8));
                    }
                    to[start..end].copy_from_slice(&bytes[from..till]);
                }
                from = till;
            }
        }
        _ => {}
    }
}

impl Image {
    /// Writes it out as the database at `path`.
    pub fn put(&self, path: &Path) {
        for end in ENDS.into_iter().chain(["-shm"]) {
            let name = format!("{}{end}", path.display());
            let _ = std::fs::remove_file(&name);
            if let Some(bytes) = self.files.get(end) {
                std::fs::write(name, bytes).unwrap();
            }
        }
    }
}
