//! Who is where: topics, and what each node tells about itself there. In memory only.
//!
//! Each entry has the version of its last change, and readers ask for what has changed after the version that they saw: one that
//! is slow gets the latest of each, and holds nobody.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::watch;

use super::board::{Board, Entry, Key, Owner};
use super::errors::{Refusal, Result};

/// Longest topic, node id, and data, bytes.
const NAME: usize = 512;
const DATA: usize = 16 << 10;
/// What an event takes besides, about.
const EACH: usize = 80;

/// What happened.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    /// `join`, `update`, or `leave`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Who.
    pub node_id: String,
    /// Where.
    pub topic: String,
    /// What it tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Box<RawValue>>,
}

/// One node that is at a topic.
#[derive(Serialize)]
pub struct State {
    node_id: String,
    topic: String,
    data: Box<RawValue>,
    updated_at: String,
    expires_at: String,
}

/// All topics.
pub struct Presence {
    board: Mutex<Board>,
    /// How many streams each node has open.
    streams: Mutex<HashMap<(Owner, String), usize>>,
    version: watch::Sender<u64>,
    ttl: Duration,
}

impl Presence {
    /// Nobody anywhere; who is not heard of for `ttl` has left.
    pub fn new(ttl: Duration) -> Presence {
        Presence { board: Mutex::default(), streams: Mutex::default(), version: watch::channel(0).0, ttl }
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells all readers.
    fn tell(&self, version: u64) {
        self.version.send_if_modified(|seen| std::mem::replace(seen, version.max(*seen)) < version);
    }

    /// The version, to wait for.
    pub fn versions(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// The present version.
    pub fn version(&self) -> u64 {
        self.board().version
    }

    /// Sets what a node tells at a topic; without data it leaves.
    pub fn set(&self, owner: Owner, topic: &str, node: &str, data: Option<Box<RawValue>>) -> Result<Event> {
        if topic.len() > NAME || node.len() > NAME {
            return Err(Refusal::bad(format!("topic and node_id have at most {NAME} bytes")));
        }
        if data.as_ref().is_some_and(|data| data.get().len() > DATA) {
            return Err(Refusal::bad(format!("data has at most {DATA} bytes")));
        }
        let mut board = self.board();
        let kind = board.set(owner, (topic.to_owned(), node.to_owned()), data.clone())?;
        let version = board.version;
        drop(board);
        self.tell(version);
        Ok(Event { kind, node_id: node.to_owned(), topic: topic.to_owned(), data })
    }

    /// Who is at a topic.
    pub fn states(&self, topic: &str) -> Vec<State> {
        let board = self.board();
        let here = board.entries.range((topic.to_owned(), String::new())..).take_while(|((t, _), _)| t == topic);
        let state = |((topic, node), entry): (&Key, &Entry)| {
            Some(State {
                node_id: node.clone(),
                topic: topic.clone(),
                data: entry.data.clone()?,
                updated_at: rfc3339(entry.updated),
                expires_at: rfc3339(entry.updated + self.ttl),
            })
        };
        here.filter_map(state).collect()
    }

    /// How many are present.
    pub fn count(&self) -> usize {
        self.board().entries.values().filter(|entry| entry.data.is_some()).count()
    }

    /// What has changed after the version that a reader saw, and the version that it has seen then. After `most` bytes no further
    /// event begins.
    pub fn after(&self, seen: u64, most: usize) -> (Vec<Event>, u64) {
        let board = self.board();
        let (mut events, mut bytes) = (Vec::new(), 0);
        for (version, (topic, node)) in board.changes.range(seen + 1..) {
            if bytes >= most {
                return (events, version - 1);
            }
            let Some(entry) = board.entries.get(&(topic.clone(), node.clone())) else { continue };
            let kind = match &entry.data {
                None => "leave",
                Some(_) if entry.joined > seen => "join",
                Some(_) => "update",
            };
            bytes += EACH + topic.len() + node.len() + entry.data.as_ref().map_or(0, |data| data.get().len());
            events.push(Event { kind, node_id: node.clone(), topic: topic.clone(), data: entry.data.clone() });
        }
        (events, board.version)
    }

    fn streams(&self) -> MutexGuard<'_, HashMap<(Owner, String), usize>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A stream of a node begins.
    pub fn opened(&self, owner: Owner, node: &str) {
        *self.streams().entry((owner, node.to_owned())).or_default() += 1;
    }

    /// A stream of a node has ended: with its last one it leaves all topics that it came to with the same token.
    pub fn closed(&self, owner: Owner, node: &str) {
        let mut streams = self.streams();
        let name = (owner, node.to_owned());
        if let Some(open) = streams.get_mut(&name).filter(|open| **open > 1) {
            *open -= 1;
            return;
        }
        streams.remove(&name);
        let mut board = self.board();
        let is_its = |key: &Key, entry: &Entry| key.1 == node && entry.owner == owner && entry.data.is_some();
        let here = |(key, entry): (&Key, &Entry)| is_its(key, entry).then(|| key.clone());
        let left: Vec<Key> = board.entries.iter().filter_map(here).collect();
        for key in left {
            board.leave(key);
        }
        let version = board.version;
        drop((board, streams));
        self.tell(version);
    }

    /// Has those leave that were not heard of, and forgets those that left long ago.
    pub fn sweep(&self) {
        let mut board = self.board();
        let gone: Vec<(Key, bool)> = board
            .entries
            .iter()
            .filter(|(_, entry)| entry.heard.elapsed() > if entry.data.is_some() { self.ttl } else { 4 * self.ttl })
            .map(|(key, entry)| (key.clone(), entry.data.is_some()))
            .collect();
        for (key, is_here) in gone {
            if is_here {
                board.leave(key);
            } else {
                board.remove(&key);
            }
        }
        let version = board.version;
        drop(board);
        self.tell(version);
    }
}

/// A time as RFC 3339 writes it, in UTC with milliseconds.
fn rfc3339(time: SystemTime) -> String {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    // Days from 1 March of the year 0, in eras of 400 years.
    let day = days + 719_468;
    let (era, of_era) = (day / 146_097, day % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let (year, ms) = (era * 400 + year + later, since.subsec_millis());
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

#[cfg(test)]
mod tests {
    use super::super::board::ENTRIES;
    use super::*;

    fn data(text: &str) -> Option<Box<RawValue>> {
        Some(RawValue::from_string(text.to_owned()).unwrap())
    }

    fn told(presence: &Presence, seen: u64) -> Vec<(&'static str, String)> {
        presence.after(seen, usize::MAX).0.into_iter().map(|event| (event.kind, event.node_id)).collect()
    }

    #[test]
    fn join_update_leave() {
        let presence = Presence::new(Duration::from_secs(30));
        assert_eq!(presence.set(None, "tasks:1", "a", None).unwrap().kind, "leave");
        assert_eq!(told(&presence, 0), [], "nothing to leave");
        assert_eq!(presence.set(None, "tasks:1", "a", data("1")).unwrap().kind, "join");
        assert_eq!(presence.set(None, "tasks:1", "b", data("1")).unwrap().kind, "join");
        let seen = presence.version();
        assert_eq!(presence.set(None, "tasks:1", "a", data("2")).unwrap().kind, "update");
        assert_eq!(told(&presence, seen), [("update", "a".to_owned())]);
        assert_eq!(told(&presence, 0), [("join", "b".to_owned()), ("join", "a".to_owned())], "who saw neither");
        assert_eq!(presence.states("tasks:1").len(), 2);
        assert_eq!(presence.states("tasks:").len(), 0);
        presence.set(None, "tasks:1", "a", None).unwrap();
        assert_eq!(told(&presence, seen), [("leave", "a".to_owned())]);
        assert_eq!(presence.count(), 1);
    }

    #[test]
    fn piece_by_piece() {
        let presence = Presence::new(Duration::from_secs(30));
        for i in 0..20 {
            presence.set(None, "x", &i.to_string(), data(&format!("\"{}\"", "x".repeat(4_000)))).unwrap();
        }
        let (mut seen, mut pieces, mut nodes) = (0, 0, Vec::new());
        while seen < presence.version() {
            let (events, now) = presence.after(seen, 10_000);
            assert!(events.len() <= 3 && now > seen);
            if pieces == 1 {
                presence.set(None, "x", "0", data("1")).unwrap();
                presence.set(None, "x", "19", data("1")).unwrap();
            }
            nodes.extend(events.into_iter().map(|event| (event.kind, event.node_id)));
            (seen, pieces) = (now, pieces + 1);
        }
        let expected: Vec<_> = (0..19)
            .map(|i| ("join", i))
            .chain([("update", 0), ("join", 19)])
            .map(|(kind, i)| (kind, i.to_string()))
            .collect();
        assert_eq!(nodes, expected);
    }

    #[test]
    fn the_last_stream_of_a_node_takes_it_along() {
        let presence = Presence::new(Duration::from_secs(30));
        presence.opened(None, "a");
        presence.opened(None, "a");
        presence.set(None, "x", "a", data("1")).unwrap();
        presence.closed(None, "a");
        assert_eq!(presence.count(), 1);
        presence.closed(None, "a");
        assert_eq!(presence.count(), 0);
    }

    #[test]
    fn who_is_not_heard_of_leaves_and_is_forgotten() {
        let presence = Presence::new(Duration::from_millis(20));
        presence.set(None, "x", "a", data("1")).unwrap();
        std::thread::sleep(Duration::from_millis(30));
        presence.sweep();
        assert_eq!(told(&presence, 1), [("leave", "a".to_owned())]);
        std::thread::sleep(Duration::from_millis(100));
        presence.sweep();
        assert_eq!(told(&presence, 0), []);
    }

    #[test]
    fn a_clock_that_is_set_makes_nobody_stay_or_leave() {
        let presence = Presence::new(Duration::from_millis(100));
        presence.set(None, "x", "a", data("1")).unwrap();
        let hour = Duration::from_secs(3600);
        let set = |to: SystemTime| presence.board().entries.values_mut().for_each(|entry| entry.updated = to);
        set(SystemTime::now() - hour);
        presence.sweep();
        assert_eq!(presence.count(), 1);
        set(SystemTime::now() + hour);
        std::thread::sleep(Duration::from_millis(110));
        presence.sweep();
        assert_eq!(presence.count(), 0);
    }

    #[test]
    fn times() {
        let at = |seconds| rfc3339(SystemTime::UNIX_EPOCH + Duration::from_millis(seconds));
        assert_eq!(at(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(at(951_826_154_321), "2000-02-29T12:09:14.321Z");
        assert_eq!(at(4_102_444_799_999), "2099-12-31T23:59:59.999Z");
    }

    #[test]
    fn limits() {
        let presence = Presence::new(Duration::from_secs(30));
        let long = "x".repeat(NAME + 1);
        assert_eq!(presence.set(None, &long, "a", data("1")).unwrap_err().status, 400);
        assert_eq!(presence.set(None, "x", "a", data(&format!("\"{}\"", "x".repeat(DATA)))).unwrap_err().status, 400);
        for i in 0..ENTRIES {
            presence.set(None, "x", &i.to_string(), data("1")).unwrap();
        }
        assert_eq!(presence.set(None, "x", "one more", data("1")).unwrap_err().status, 429);
    }

    #[test]
    fn an_entry_is_of_the_token_that_made_it() {
        let presence = Presence::new(Duration::from_secs(30));
        let (ann, bob) = (Some([1; 32]), Some([2; 32]));
        presence.set(bob, "secrets:1", "bobs", data("1")).unwrap();
        presence.opened(ann, "bobs");
        presence.closed(ann, "bobs");
        assert_eq!(presence.count(), 1);
        for told in [data("2"), None] {
            assert_eq!(presence.set(ann, "secrets:1", "bobs", told).unwrap_err().status, 403);
        }
        presence.closed(bob, "bobs");
        assert_eq!(presence.count(), 0);
        assert_eq!(presence.set(ann, "secrets:1", "bobs", data("2")).unwrap().kind, "join", "who has left has left");
    }

    #[test]
    fn one_token_has_half_of_the_room() {
        let presence = Presence::new(Duration::from_secs(30));
        let (ann, bob) = (Some([1; 32]), Some([2; 32]));
        for i in 0..ENTRIES / 2 {
            presence.set(ann, "x", &i.to_string(), data("1")).unwrap();
        }
        assert_eq!(presence.set(ann, "x", "one more", data("1")).unwrap_err().status, 429);
        presence.set(ann, "x", "7", data("2")).unwrap();
        let long = || data(&format!("\"{}\"", "x".repeat(DATA - 2)));
        let fits = (0..ENTRIES).take_while(|i| presence.set(bob, "y", &i.to_string(), long()).is_ok()).count();
        assert!(fits > 900 && fits < 1100, "{fits}: bytes count too");
        presence.set(bob, "y", "3", None).unwrap();
        presence.set(bob, "y", "three", long()).unwrap();
        for i in 0..3 * ENTRIES {
            presence.set(ann, "x", "8", None).unwrap();
            presence.set(ann, "x", "8", data(&i.to_string())).unwrap();
            presence.set(ann, "x", "9", None).unwrap();
            presence.set(ann, "x", &format!("new {i}"), data("1")).unwrap();
            presence.set(ann, "x", &format!("new {i}"), None).unwrap();
            presence.set(ann, "x", "9", data("1")).unwrap();
        }
        assert_eq!(presence.count(), ENTRIES / 2 + fits, "those that left are not in the way");
        assert!(presence.board().entries.len() <= ENTRIES);
    }
}
