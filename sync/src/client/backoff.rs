//! How long to wait after failures: twice as long each time, to a bound, and never all at once.

use std::time::Duration;

/// After the first failure.
const FIRST: Duration = Duration::from_millis(500);
/// At most.
const MOST: Duration = Duration::from_secs(30);

/// Waits that grow.
#[derive(Default, Debug)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// It worked: the next wait is the shortest again.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// How long to wait after one more failure: between half of the bound and all of it, at random, so that peers of a hub
    /// that comes back do not come together.
    pub fn next(&mut self) -> Duration {
        let bound = FIRST.saturating_mul(1 << self.failures.min(16)).min(MOST);
        self.failures = self.failures.saturating_add(1);
        bound.mul_f64(0.5 + fastrand::f64() / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_start_over() {
        let mut backoff = Backoff::default();
        let waits: Vec<Duration> = (0..40).map(|_| backoff.next()).collect();
        assert!(waits[0] >= FIRST / 2 && waits[0] <= FIRST);
        assert!(waits.iter().all(|wait| *wait <= MOST));
        assert!(waits[10..].iter().all(|wait| *wait >= MOST / 2));
        assert!(waits[10..].windows(2).any(|two| two[0] != two[1]));
        backoff.reset();
        assert!(backoff.next() <= FIRST);
    }
}
