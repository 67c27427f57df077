//! Answers that streams share: those that ask the same at the same place have one export.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::OnceCell;

use super::auth::Access;
use super::budget::Held;
use super::errors::{Refusal, Result};
use super::export::{Question, PAGE};
use super::place::Place;
use super::sse::one_line;
use super::{answer, settle, Shared};

/// Answers that are kept for who comes a little later.
const KEPT: usize = 64;
/// Answers longer than this are shared only by those that wait for them together.
const LONGEST_KEPT: usize = 256 << 10;

/// One answer of `crdt_pull`.
#[derive(Debug)]
pub struct Page {
    json: String,
    /// Where the changes are in it.
    changes: Vec<(usize, usize)>,
    /// The cursor to go on from.
    pub latest: Place,
    /// Whether there is more after it.
    pub more: bool,
    /// Whether it ends before what could not be judged, as somebody held the lock.
    pub waits: bool,
    _place: Option<Held>,
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    changes: Vec<&'a RawValue>,
    latest_hlc: Place,
    has_more: bool,
    #[serde(default)]
    waits: bool,
}

impl Page {
    /// Reads an answer.
    pub fn read(json: String) -> Result<Page> {
        let json = one_line(json);
        let answer: Answer<'_> =
            serde_json::from_str(&json).map_err(|e| Refusal::internal(format!("crdt_pull's answer: {e}")))?;
        let start = json.as_ptr() as usize;
        let place = |change: &&RawValue| {
            let from = change.get().as_ptr() as usize - start;
            (from, from + change.get().len())
        };
        let changes = answer.changes.iter().map(place).collect();
        let (latest, more, waits) = (answer.latest_hlc, answer.has_more, answer.waits);
        Ok(Page { changes, latest, more, waits, json, _place: None })
    }

    /// Change `i`, as JSON.
    pub fn change(&self, i: usize) -> Option<&str> {
        self.changes.get(i).and_then(|(from, to)| self.json.get(*from..*to))
    }

    /// How many changes there are.
    pub fn len(&self) -> usize {
        self.changes.len()
    }
}

/// Asks the database; the page has its place in the budget of answers as long as it waits for clients.
async fn export(hub: &Shared, access: &Access, question: Question) -> Result<Arc<Page>> {
    let mut place = answer::place(hub, access)?;
    let (shared, asks) = (Arc::clone(hub), access.clone());
    let asked = hub.readers.run(move |conn| {
        let bytes = answer::widen(&mut place, PAGE, &shared, &asks);
        metrics::counter!("grove_stream_exports_total").increment(1);
        Ok((question.ask(conn, bytes), question, bytes, place))
    });
    let (answer, question, bytes, mut place) = asked.await?;
    let answer = settle::ended(hub, answer, question, bytes).await?;
    let page = tokio::task::block_in_place(|| Page::read(answer))?;
    answer::fit(&mut place, page.json.len(), hub, access)?;
    Ok(Arc::new(Page { _place: Some(place), ..page }))
}

type Slot = Arc<OnceCell<Arc<Page>>>;

/// The answers of the last moments.
#[derive(Default)]
pub struct Pages {
    slots: Mutex<Slots>,
}

#[derive(Default)]
struct Slots {
    by_key: HashMap<String, Slot>,
    order: VecDeque<String>,
}

impl Pages {
    /// The answer to a question, when the database had changed for the `generation`th time.
    pub async fn get(&self, hub: &Shared, access: &Access, question: Question, generation: u64) -> Result<Arc<Page>> {
        let key = format!("{generation}\n{}", question.text());
        let slot = self.slot(&key);
        let page = Arc::clone(slot.get_or_try_init(|| export(hub, access, question)).await?);
        // Whoever finds that there may be more meanwhile asks anew.
        if page.json.len() > LONGEST_KEPT || page.waits {
            self.slots.lock().unwrap_or_else(PoisonError::into_inner).by_key.remove(&key);
        }
        Ok(page)
    }

    /// Lets go of what is only kept.
    pub fn give_back(&self) {
        let kept = std::mem::take(&mut *self.slots.lock().unwrap_or_else(PoisonError::into_inner));
        drop(kept);
    }

    fn slot(&self, key: &str) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.by_key.get(key) {
            return Arc::clone(slot);
        }
        while slots.order.len() >= KEPT {
            if let Some(oldest) = slots.order.pop_front() {
                slots.by_key.remove(&oldest);
            }
        }
        let slot = Slot::default();
        slots.order.push_back(key.to_owned());
        slots.by_key.insert(key.to_owned(), Arc::clone(&slot));
        slot
    }
}
