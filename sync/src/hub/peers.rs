//! Which node ids the database notes: each takes room there, and holds back forgetting for as long as it is remembered.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use super::auth::{Access, Fingerprint};

/// Most node ids of one token that are noted while the hub runs.
const IDS: usize = 10_000;
/// Longest node id: the database takes no longer one.
const LONGEST: usize = 255;

/// The node ids that tokens have come with.
#[derive(Default)]
pub struct Peers(Mutex<HashMap<Fingerprint, HashSet<String>>>);

impl Peers {
    /// Whether a node is to be noted.
    pub fn may_note(&self, access: &Access, node: &str) -> bool {
        let Some(token) = access.token() else { return true };
        let mut peers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = peers.entry(*token).or_default();
        if known.contains(node) {
            return true;
        }
        let has_room = known.len() < IDS && node.len() <= LONGEST;
        if has_room {
            known.insert(node.to_owned());
            if known.len() == IDS {
                tracing::warn!("a token has come with {IDS} node ids: from here on others of it are not noted");
            }
        }
        has_room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_so_many() {
        let peers = Peers::default();
        let (ann, bob) = (Access::of([1; 32]), Access::of([2; 32]));
        assert!((0..IDS).all(|i| peers.may_note(&ann, &i.to_string())));
        assert!(!peers.may_note(&ann, "one more") && peers.may_note(&ann, "7") && peers.may_note(&bob, "one more"));
        assert!(!peers.may_note(&bob, &"x".repeat(LONGEST + 1)) && peers.may_note(&Access::anyone(), "x"));
    }
}
