//! How long to wait after failures: in proportion to how long it has failed, so ever longer, and never all at once. Whoever was away
//! for a while is found again after half of that while at most, however often it failed meanwhile.

use std::time::{Duration, Instant};

/// At least.
const FIRST: Duration = Duration::from_millis(500);
/// At most.
const MOST: Duration = Duration::from_secs(30);

/// Waits that grow.
#[derive(Default, Debug)]
pub struct Backoff {
    /// The first of the failures in a row.
    failing_since: Option<Instant>,
}

impl Backoff {
    /// It worked: the next wait is the shortest again.
    pub fn reset(&mut self) {
        self.failing_since = None;
    }

    /// How long to wait after one more failure: between half of the bound and all of it, at random, so that peers of a hub
    /// that comes back do not come together.
    pub fn next(&mut self) -> Duration {
        let failing = self.failing_since.get_or_insert_with(Instant::now).elapsed();
        bound(failing).mul_f64(0.5 + fastrand::f64() / 2.0)
    }
}

fn bound(failing: Duration) -> Duration {
    (failing / 2).clamp(FIRST, MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_with_the_time_to_a_bound() {
        let mut now = Duration::ZERO;
        let mut waits = Vec::new();
        while now < Duration::from_secs(600) {
            waits.push(bound(now));
            now += bound(now);
        }
        assert_eq!((waits[0], waits.last()), (FIRST, Some(&MOST)));
        assert!(
            waits.windows(2).all(|two| two[0] <= two[1] && two[1].as_millis() <= two[0].as_millis() * 3 / 2 + 1),
            "{waits:?}"
        );
        assert!(waits.len() < 40, "{waits:?}");
    }

    #[test]
    fn waits_differ_and_start_over() {
        let mut backoff = Backoff::default();
        let waits: Vec<Duration> = (0..20).map(|_| backoff.next()).collect();
        assert!(waits.iter().all(|wait| (FIRST / 2..=FIRST).contains(wait)), "{waits:?}");
        assert!(waits.windows(2).any(|two| two[0] != two[1]));
        let since = backoff.failing_since;
        backoff.reset();
        backoff.next();
        assert!(backoff.failing_since > since);
    }
}
