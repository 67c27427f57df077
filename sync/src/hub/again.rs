//! When to try again what could not be done: ever later.

use std::time::Duration;

use tokio::time::Instant;

/// How long to wait the first time; it doubles.
const FIRST: Duration = Duration::from_millis(100);
/// How often it does.
const DOUBLES: u32 = 5;

/// What is tried.
#[derive(Default)]
pub struct Again {
    at: Option<Instant>,
    failed: u32,
}

impl Again {
    /// It could not be done.
    pub fn later(&mut self) {
        self.at = Some(Instant::now() + FIRST * 2_u32.pow(self.failed.min(DOUBLES)));
        self.failed = self.failed.saturating_add(1);
    }

    /// It was done.
    pub fn done(&mut self) {
        *self = Again::default();
    }

    /// Whether it is time.
    pub fn is_due(&self) -> bool {
        self.at.is_none_or(|at| at <= Instant::now())
    }

    /// That time or `until`, whichever comes first.
    pub fn or(&self, until: Instant) -> Instant {
        self.at.map_or(until, |at| at.min(until))
    }
}
