//! The kinds of schedules. The seed decides.

use std::time::Duration;

use crate::mixed;
use crate::sim::count::Counts;
use crate::sim::generate::Tables;
use crate::sim::run::{self, Failure};

/// What a schedule is about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// The simulation over tables of one family.
    Main(Tables),
    /// All features at once.
    Mixed,
}

impl Kind {
    const ALL: [(&'static str, Kind); 4] = [
        ("plain", Kind::Main(Tables::Plain)),
        ("constrained", Kind::Main(Tables::Constrained)),
        ("growing", Kind::Main(Tables::Growing)),
        ("mixed", Kind::Mixed),
    ];

    pub fn of(seed: u64) -> Kind {
        match seed % 16 {
            0..=8 => Kind::Main(Tables::Plain),
            9..=12 => Kind::Main(Tables::Constrained),
            13 | 14 => Kind::Main(Tables::Growing),
            _ => Kind::Mixed,
        }
    }

    /// The kind of that name.
    pub fn named(name: &str) -> Option<Kind> {
        Kind::ALL.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
    }

    pub fn name(self) -> &'static str {
        Kind::ALL.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    /// Runs the schedule of a seed; where it fails, spends `time` on a smaller one.
    pub fn run(self, seed: u64, time: Duration) -> Result<Counts, Failure> {
        match self {
            Kind::Main(tables) => run::schedule(seed, tables, time),
            Kind::Mixed => mixed::schedule(seed, time),
        }
    }
}
