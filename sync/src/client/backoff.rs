//! How long to wait after failures: in proportion to how long it has failed, so ever longer, and never all at once. Whoever was away
//! for a while is found again after half of that while at most, however often it failed meanwhile. A sign that the peer is back ends a
//! wait before its time, but not each: it may be wrong, and come all the time.

use std::time::{Duration, Instant};

use super::stop::Stop;

/// At least.
const FIRST: Duration = Duration::from_millis(500);
/// At most.
const MOST: Duration = Duration::from_secs(30);
/// Between waits that signs end, at least; more where it has failed for long.
const APART: Duration = Duration::from_secs(2);
/// How often it is looked for signs.
const GLANCE: Duration = Duration::from_millis(20);

/// Waits that grow.
#[derive(Default, Debug)]
pub struct Backoff {
    /// The first of the failures in a row.
    failing_since: Option<Instant>,
    /// When a wait was last ended before its time, since then.
    hastened: Option<Instant>,
}

impl Backoff {
    /// It worked: the next wait is the shortest again.
    pub fn reset(&mut self) {
        *self = Backoff::default();
    }

    /// How long to wait after one more failure: between half of the bound and all of it, at random, so that peers of a hub
    /// that comes back do not come together.
    pub fn next(&mut self) -> Duration {
        let failing = self.failing_since.get_or_insert_with(Instant::now).elapsed();
        bound(failing).mul_f64(0.5 + fastrand::f64() / 2.0)
    }

    /// Waits, at most until it is time to end; less long where `is_back` tells that it may work again.
    pub fn rest(&mut self, wait: Duration, stop: &Stop, mut is_back: impl FnMut() -> bool) {
        let begun = Instant::now();
        let mut back = false;
        loop {
            back |= is_back();
            let rested = begun.elapsed();
            let left = wait.saturating_sub(rested);
            if left.is_zero() || (back && rested >= FIRST / 2 && self.may_hasten()) || stop.sleep(left.min(GLANCE)) {
                return;
            }
        }
    }

    /// Whether a wait may end before its time; then it is noted that it does.
    fn may_hasten(&mut self) -> bool {
        let failing = self.failing_since.map_or(Duration::ZERO, |since| since.elapsed());
        let may = self.hastened.is_none_or(|last| last.elapsed() >= (failing / 8).clamp(APART, MOST));
        if may {
            self.hastened = Some(Instant::now());
        }
        may
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

    #[test]
    fn a_sign_ends_a_wait_but_not_each() {
        let (stop, long) = (Stop::default(), Duration::from_millis(700));
        let mut backoff = Backoff::default();
        let waited = |backoff: &mut Backoff| {
            let begun = Instant::now();
            backoff.rest(long, &stop, || true);
            begun.elapsed()
        };
        assert!((FIRST / 2..long).contains(&waited(&mut backoff)));
        assert!(waited(&mut backoff) >= long, "it failed in spite of the sign");
        backoff.hastened = Instant::now().checked_sub(APART);
        assert!(waited(&mut backoff) < long);
        backoff.failing_since = Instant::now().checked_sub(APART * 16);
        backoff.hastened = Instant::now().checked_sub(APART);
        assert!(waited(&mut backoff) >= long, "it has failed for long");
    }
}
