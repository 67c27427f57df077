//! One open stream. Its events are made when the client takes them: a slow client holds a page, and nobody else.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::{sleep_until, Instant};

use super::again::Again;
use super::answer;
use super::auth::Access;
use super::board::Owner;
use super::budget::Held;
use super::dialect::Counters;
use super::errors::{Refusal, Result};
use super::export::Pull;
use super::place::Place;
use super::presence::Event;
use super::sse::{self, Next, Sending};
use super::stream::Asked;
use super::{topics, Shared};

/// A stream that is idle for that long sends a comment.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Bytes of presence after which no further event begins: with the last one it is less than its place in the budget.
const PIECE: usize = answer::LEAST / 2;

/// A stream on its way.
pub struct Subscriber {
    hub: Shared,
    access: Access,
    asked: Asked,
    /// Where it stands: what is before this is sent, or is in `sending`.
    place: Option<Place>,
    sending: Option<Sending>,
    /// The database may have more.
    behind: bool,
    /// When it may be asked again, and there may be room for presence.
    ask: Again,
    tell: Again,
    /// When the next comment is due.
    quiet_until: Instant,
    ended: bool,
    presence_seen: u64,
    /// The last event was presence: it is the turn of changes.
    has_told: bool,
    changed: watch::Receiver<u64>,
    presence: watch::Receiver<u64>,
    tokens: Option<watch::Receiver<u64>>,
    stop: watch::Receiver<bool>,
    _open: Open,
}

/// Counts an open stream, and its node, until it is dropped.
struct Open {
    hub: Shared,
    owner: Owner,
    node: Option<String>,
    _place: Held,
}

impl Drop for Open {
    fn drop(&mut self) {
        metrics::gauge!("grove_streams_open").decrement(1);
        if let Some(node) = &self.node {
            self.hub.presence.closed(self.owner, node);
        }
    }
}

impl Subscriber {
    /// Opens a stream, with its first page.
    pub async fn open(hub: Shared, access: Access, asked: Asked, place: Held) -> Result<Subscriber> {
        metrics::gauge!("grove_streams_open").increment(1);
        if let Some(node) = &asked.node {
            hub.presence.opened(access.token().copied(), node);
        }
        let open =
            Open { hub: Arc::clone(&hub), owner: access.token().copied(), node: asked.node.clone(), _place: place };
        let mut subscriber = Subscriber {
            place: asked.since.clone(),
            sending: None,
            behind: true,
            ask: Again::default(),
            tell: Again::default(),
            quiet_until: Instant::now() + KEEP_ALIVE,
            ended: false,
            presence_seen: hub.presence.version(),
            has_told: false,
            changed: hub.changed.rises(),
            presence: hub.presence.versions(),
            tokens: hub.tokens.as_ref().map(|tokens| tokens.changes()),
            stop: hub.stop.clone(),
            _open: open,
            hub,
            access,
            asked,
        };
        // The place that the client comes back with is what it has: the database notes that.
        subscriber.load(true).await?;
        Ok(subscriber)
    }

    /// Gets the next page; the database notes how far the client has come if this is `confirmed`.
    async fn load(&mut self, confirmed: bool) -> Result<()> {
        let generation = *self.changed.borrow_and_update();
        let since = self.place.as_ref().map(Place::json);
        // Pages without a name are shared; whose own counter parts stay out must be told.
        let named = confirmed || self.asked.counters == Counters::Operations;
        let node = self.asked.node.as_deref().filter(|_| named);
        let mut pull = Pull::new(self.asked.tables(), since.as_deref(), node)?;
        if self.asked.news && since.is_none() {
            pull = pull.at_end();
        }
        if !confirmed || node.is_some_and(|node| !self.hub.peers.may_note(&self.access, node)) {
            pull = pull.unremembered();
        }
        let catalog = self.hub.catalog().await?;
        let question = pull.within(&self.access.scope, self.asked.counters, &catalog)?;
        let page = self.hub.pages.get(&self.hub, &self.access, question, generation).await?;
        self.behind = page.more || page.waits;
        // What ends before something that cannot be judged is no step forward.
        match page.waits && !page.more {
            true => self.ask.later(),
            false => self.ask.done(),
        }
        self.place = Some(page.latest.clone());
        self.sending = Some(if self.asked.news { Sending::news(page) } else { Sending::new(page) });
        Ok(())
    }

    /// The next event; None when the stream ends.
    pub async fn next(&mut self) -> Option<Bytes> {
        let event = self.find().await?;
        self.quiet_until = Instant::now() + KEEP_ALIVE;
        Some(event)
    }

    async fn find(&mut self) -> Option<Bytes> {
        loop {
            if self.ended || *self.stop.borrow() || !self.access.still_holds(self.hub.tokens.as_ref()) {
                return None;
            }
            self.behind |= self.changed.has_changed().unwrap_or(false);
            // In turns: there may be more presence than the line takes.
            let has_told = std::mem::take(&mut self.has_told);
            if !has_told {
                if let Some(event) = self.presence().await {
                    self.has_told = true;
                    return Some(event);
                }
            }
            match self.sending.as_mut().map_or(Next::End, |sending| sending.next(self.asked.strict)) {
                Next::Event(event) => return Some(event),
                // The client reads it by a pull; if this stream went on, the client's place would pass it.
                Next::TooLong => {
                    tracing::warn!(node = self.asked.node, "a change is too long for this client's stream, which ends");
                    return None;
                }
                Next::End => self.sending = None,
            }
            if !(self.behind && self.ask.is_due()) {
                if has_told {
                    continue;
                }
                if let Some(event) = self.wait().await {
                    return Some(event);
                }
            } else if let Err(refusal) = self.load(false).await {
                if !refusal.is_busy() {
                    return Some(self.end(&refusal));
                }
                self.ask.later();
            }
        }
    }

    /// Waits until something happens, a comment is due, or it is time to try again what could not be done.
    async fn wait(&mut self) -> Option<Bytes> {
        let tokens = async {
            match &mut self.tokens {
                Some(tokens) => drop(tokens.changed().await),
                None => std::future::pending().await,
            }
        };
        let until = self.ask.or(self.tell.or(self.quiet_until));
        tokio::select! {
            changed = self.changed.changed() => {
                self.behind = true;
                self.ended |= changed.is_err();
            }
            told = self.presence.changed() => self.ended |= told.is_err(),
            stopped = self.stop.changed() => self.ended |= stopped.is_err(),
            () = tokens => {}
            () = sleep_until(until) => return (Instant::now() >= self.quiet_until).then_some(sse::KEEP_ALIVE),
        }
        None
    }

    /// What others told of themselves since, of what this stream may see and asked for: a piece of it, as soon as there is room.
    async fn presence(&mut self) -> Option<Bytes> {
        while *self.presence.borrow_and_update() > self.presence_seen && self.tell.is_due() {
            let Ok(place) = answer::place(&self.hub, &self.access) else {
                self.tell.later();
                return None;
            };
            self.tell.done();
            let (events, seen) = self.hub.presence.after(self.presence_seen, PIECE);
            self.presence_seen = seen;
            let mut out = Vec::new();
            for event in events {
                if self.wants(&event).await.unwrap_or(false) {
                    let json = serde_json::to_string(&event).unwrap_or_default();
                    out.extend_from_slice(&sse::event("presence", json));
                }
            }
            if !out.is_empty() {
                out.shrink_to_fit();
                return Some(answer::counted(out, place));
            }
        }
        None
    }

    async fn wants(&self, event: &Event) -> Result<bool> {
        if !self.asked.wants_topic(&event.topic) {
            return Ok(false);
        }
        if self.asked.tables.is_some() {
            let catalog = self.hub.catalog().await?;
            if topics::table_of(&event.topic, &catalog).is_some_and(|table| !self.asked.wants_table(table)) {
                return Ok(false);
            }
        }
        topics::may_see(&self.hub, &self.access.scope, &event.topic).await
    }

    fn end(&mut self, refusal: &Refusal) -> Bytes {
        self.ended = true;
        sse::error(refusal.message.clone())
    }
}
