//! What there is a certain amount of: requests at work, streams, bytes. One token has at most half of it, so that it cannot keep
//! everything from the others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::auth::{Access, Fingerprint};
use super::errors::{Refusal, Result};

/// An amount.
pub struct Budget {
    /// What it is of, in the plural.
    what: &'static str,
    most: usize,
    left: Arc<Semaphore>,
    left_by_token: Mutex<HashMap<Fingerprint, Arc<Semaphore>>>,
}

/// A part of a budget, until it is dropped.
#[derive(Debug)]
pub struct Held {
    of_all: OwnedSemaphorePermit,
    of_token: Option<OwnedSemaphorePermit>,
}

impl Budget {
    /// So much of something; more than can be counted is no limit.
    pub fn new(what: &'static str, most: usize) -> Budget {
        let most = most.min(Semaphore::MAX_PERMITS);
        Budget { what, most, left: Arc::new(Semaphore::new(most)), left_by_token: Mutex::default() }
    }

    /// What a token may have.
    fn share(&self) -> usize {
        self.most.div_ceil(2)
    }

    /// How much of it is held.
    pub fn held(&self) -> usize {
        self.most.saturating_sub(self.left.available_permits())
    }

    /// Takes `n`, at once or not at all; no more than a share, so that what is larger can be had when little else is.
    pub fn take(&self, access: &Access, n: usize) -> Result<Held> {
        let n = u32::try_from(n.min(self.share().max(1))).unwrap_or(u32::MAX);
        let of_token = match access.token() {
            Some(token) => Some(self.of_token(token).try_acquire_many_owned(n).map_err(|_| {
                Refusal::share(format!("this token has half of all {} that there may be; try again", self.what))
            })?),
            None => None,
        };
        let of_all = Arc::clone(&self.left).try_acquire_many_owned(n);
        let of_all = of_all.map_err(|_| Refusal::busy(format!("there are too many {}; try again", self.what)))?;
        Ok(Held { of_all, of_token })
    }

    fn of_token(&self, token: &Fingerprint) -> Arc<Semaphore> {
        let mut left = self.left_by_token.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(left.entry(*token).or_insert_with(|| Arc::new(Semaphore::new(self.share()))))
    }
}

impl Held {
    /// Both as one; they are of one budget and token.
    pub fn add(&mut self, more: Held) {
        self.of_all.merge(more.of_all);
        match (&mut self.of_token, more.of_token) {
            (Some(of_token), Some(more)) => of_token.merge(more),
            (of_token, more) => *of_token = of_token.take().or(more),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_token_has_half() {
        let budget = Budget::new("things", 5);
        let (ann, bob, anyone) = (Access::of([1; 32]), Access::of([2; 32]), Access::anyone());
        let mut held = budget.take(&ann, 2).unwrap();
        held.add(budget.take(&ann, 1).unwrap());
        assert_eq!(budget.take(&ann, 1).unwrap_err().status, 429);
        let other = budget.take(&bob, 2).unwrap();
        assert_eq!((budget.held(), budget.take(&bob, 1).unwrap_err().status.as_u16()), (5, 503));
        drop(held);
        assert_eq!(budget.held(), 2);
        assert!(budget.take(&ann, 3).is_ok() && budget.take(&anyone, 3).is_ok());
        drop(other);
        assert!(budget.take(&ann, 1_000).is_ok(), "as much as there is");
        assert_eq!(budget.held(), 0);
    }

    #[test]
    fn of_nothing_nothing() {
        assert_eq!(Budget::new("things", 0).take(&Access::anyone(), 1).unwrap_err().status, 503);
    }
}
