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

    /// How much somebody could have now.
    pub fn left(&self, access: &Access) -> usize {
        let of_token = access.token().map_or(self.most, |token| self.of_token(token).available_permits());
        self.left.available_permits().min(of_token).min(self.share())
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

    /// Has what is held become `n` in all, or stay as it is.
    pub fn grow(&self, held: &mut Held, access: &Access, n: usize) -> Result<()> {
        let more = held.lacks(self, n);
        if more > 0 {
            held.add(self.take(access, more)?);
        }
        Ok(())
    }

    fn of_token(&self, token: &Fingerprint) -> Arc<Semaphore> {
        let mut left = self.left_by_token.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(left.entry(*token).or_insert_with(|| Arc::new(Semaphore::new(self.share()))))
    }
}

impl Held {
    /// How much it is.
    pub fn size(&self) -> usize {
        self.of_all.num_permits()
    }

    /// Gives back what is beyond `n`.
    pub fn shrink(&mut self, n: usize) {
        let beyond = self.size().saturating_sub(n);
        drop(self.of_all.split(beyond));
        drop(self.of_token.as_mut().and_then(|of_token| of_token.split(beyond)));
    }

    /// How much more it must be for `n`: a share at most, as of all that is taken.
    fn lacks(&self, budget: &Budget, n: usize) -> usize {
        n.min(budget.share()).saturating_sub(self.size())
    }

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
    fn what_is_held_grows_and_shrinks() {
        let budget = Budget::new("things", 20);
        let ann = Access::of([1; 32]);
        let mut held = budget.take(&ann, 2).unwrap();
        assert_eq!(budget.left(&ann), 8);
        budget.grow(&mut held, &ann, 1_000).unwrap();
        assert_eq!(
            (held.size(), budget.left(&ann), budget.left(&Access::of([2; 32]))),
            (10, 0, 10),
            "as much as there is"
        );
        assert_eq!(budget.grow(&mut held, &ann, 10).map_err(|e| e.status), Ok(()));
        let mut other = budget.take(&Access::of([2; 32]), 3).unwrap();
        held.shrink(4);
        assert_eq!((held.size(), budget.left(&ann), budget.held()), (4, 6, 7));
        assert_eq!(budget.grow(&mut other, &Access::of([2; 32]), 20).map_err(|e| e.status), Ok(()));
        let _third = budget.take(&Access::of([3; 32]), 3).unwrap();
        assert_eq!(budget.grow(&mut held, &ann, 9).unwrap_err().status, 503);
        assert_eq!(held.size(), 4);
    }

    #[test]
    fn of_nothing_nothing() {
        assert_eq!(Budget::new("things", 0).take(&Access::anyone(), 1).unwrap_err().status, 503);
    }
}
