//! `crdt_push`: changes of a peer, each taken or refused by itself.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::args::Args;
use super::pull::counters_are_operations;
use super::sync::told;
use crate::change::{Body, Change, Names};
use crate::compact::{self, Format};
use crate::confirmed::Confirmed;
use crate::conn::Conn;
use crate::error::{Error, Result};
use crate::ffi::{Call, Out};
use crate::import::{self, Unknown};
use crate::inbound::merge_changes;
use crate::limits::Limits;
use crate::store::Store;
use crate::value::write_text;
use crate::{peers, session};

#[derive(Deserialize)]
struct PushRequest<'a> {
    #[serde(default)]
    node_id: Option<String>,
    #[serde(default)]
    format: Option<String>,
    #[serde(borrow, default)]
    changes: Option<&'a RawValue>,
    #[serde(default)]
    counters: Option<String>,
    /// The cursor up to which the peer has pulled these tables.
    #[serde(borrow, default)]
    since: Option<&'a RawValue>,
    #[serde(default)]
    tables: Option<Vec<String>>,
}

/// The options of `crdt_push`.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct PushOptions {
    #[serde(default)]
    counters: Option<String>,
    /// Whether the answer may carry a cursor. It is one for all rows of the tables that the peer names: not for peers that may
    /// not see them all.
    #[serde(default)]
    cursor: Option<bool>,
    /// Whether to note who pushed.
    #[serde(default)]
    remember: Option<bool>,
}

/// `crdt_push(request [, options])`
pub fn push(call: &Call<'_, Conn>) -> Result<Out> {
    let args = Args::new(call, "crdt_push", "request [, options]", 1, 2)?;
    args.named(|| {
        let request: PushRequest<'_> = crate::json::object(args.json(0, "request")?)
            .map_err(|e| Error::peer(format!("not a push request {{\"node_id\",\"changes\"}}: {e}")))?;
        let options: PushOptions =
            args.optional(1, "options")?.map_or(Ok(PushOptions::default()), crate::json::object).map_err(|e| {
                Error::caller(format!("options is a JSON object such as {{\"counters\":\"operations\"}}: {e}"))
            })?;
        let operations = counters_are_operations(options.counters.as_deref(), request.counters.as_deref())?;
        let mut pushed = Some(Pushed::read(&request)?);
        session::write(args.conn(), |store| {
            let limits = Limits::read(store.conn)?;
            // The work may be done a second time.
            let pushed = pushed.take().map_or_else(|| Pushed::read(&request), Ok)?;
            let (good, rejected) = sift(store, &limits, pushed, operations)?;
            let confirmed = match (request.since, &request.tables) {
                (Some(since), Some(tables)) if options.cursor.unwrap_or(true) => {
                    Confirmed::before(store, tables, Some(since.get()))?
                }
                _ => None,
            };
            let report = merge_changes(store, &good)?;
            let cursor = confirmed.map_or(Ok(None), |confirmed| confirmed.after(store))?;
            if let Some(node) = request.node_id.as_ref().filter(|_| options.remember.unwrap_or(true)) {
                peers::seen(store.conn, node, store.wall)?;
            }
            let latest = store.clock.by(&store.me).to_json();
            Ok(Out::Text(format!(
                "{{{},\"latest_hlc\":{latest},\"rejected\":[{}]{}}}",
                told(&report),
                rejected.json,
                cursor.map_or(String::new(), |cursor| format!(",\"cursor\":{cursor}"))
            )))
        })
    })
}

/// A peer tells what left its filter to those that pull from it. It must not take rows away from those that it pushes to.
fn refuse_left(change: &Change) -> Result<()> {
    match change.body {
        Body::Left(_) => Err(Error::peer(
            "a row that left the sender's filter stays here; only what was pulled from a peer takes rows away (crdt_merge)",
        )),
        _ => Ok(()),
    }
}

/// The changes of a push: those of the compact form cannot be read one by one.
enum Pushed<'a> {
    Grove(Vec<&'a RawValue>),
    Compact(Vec<Result<Change>>),
}

impl<'a> Pushed<'a> {
    fn read(request: &PushRequest<'a>) -> Result<Pushed<'a>> {
        let json = request.changes.map_or("[]", RawValue::get);
        match request.format.as_deref().map_or(Ok(Format::Grove), Format::named)? {
            Format::Grove => serde_json::from_str(json)
                .map(Pushed::Grove)
                .map_err(|e| Error::peer(format!("not a push request {{\"node_id\",\"changes\"}}: {e}"))),
            Format::Compact => {
                let mut all: Vec<Result<Change>> = Vec::new();
                compact::read_changes(json, &mut all)?;
                Ok(Pushed::Compact(all))
            }
        }
    }
}

/// Bytes of the entries for bad changes: a few bytes can be a change that is none, and each is answered with a sentence.
const MOST_REJECTED: usize = 16 << 20;

/// A JSON entry for each bad change of a push, with commas between.
#[derive(Default)]
struct Rejected {
    json: String,
}

impl Rejected {
    /// Adds the change at place `i`.
    fn add(&mut self, i: usize, why: &Error) -> Result<()> {
        if self.json.len() > MOST_REJECTED {
            return Err(Error::peer(format!(
                "too many changes of this push are bad to name each, so nothing of it was taken; send it in smaller parts (change {i}: {})",
                why.message()
            )));
        }
        let comma = if self.json.is_empty() { "" } else { "," };
        self.json.push_str(&format!("{comma}{{\"index\":{i},\"reason\":"));
        write_text(&mut self.json, why.message());
        self.json.push('}');
        Ok(())
    }
}

/// The good changes of a push, and the others.
fn sift(store: &Store<'_>, limits: &Limits, pushed: Pushed<'_>, operations: bool) -> Result<(Vec<Change>, Rejected)> {
    let mut names = Names::default();
    match pushed {
        Pushed::Grove(raw) => {
            sift_each(store, limits, raw.into_iter(), operations, |raw| import::one(raw.get(), &mut names))
        }
        Pushed::Compact(all) => sift_each(store, limits, all.into_iter(), operations, |read| read),
    }
}

fn sift_each<P>(
    store: &Store<'_>,
    limits: &Limits,
    pushed: impl ExactSizeIterator<Item = P>,
    operations: bool,
    mut read: impl FnMut(P) -> Result<Change>,
) -> Result<(Vec<Change>, Rejected)> {
    let (mut good, mut rejected) = (Vec::new(), Rejected::default());
    // The merge counts the fields; here only so that those there is no room for are refused alone.
    let mut unknown = Unknown::may_be_too_many(&store.catalog, pushed.len()).then(|| Unknown::new(&store.catalog));
    for (i, pushed) in pushed.enumerate() {
        let read = limits.check_place(i).and_then(|()| read(pushed)).and_then(|change| {
            limits.check(store, &change)?;
            store.catalog.listed(&change.table)?;
            if let Some(unknown) = &mut unknown {
                unknown.meet(&change)?;
            }
            refuse_left(&change)?;
            Ok(change)
        });
        match read {
            Ok(mut change) => {
                if let Body::Counter { operation, .. } = &mut change.body {
                    *operation |= operations;
                }
                good.push(change);
            }
            Err(e) => rejected.add(i, &e)?,
        }
    }
    Ok((good, rejected))
}
