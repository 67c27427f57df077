//! A peer's request for changes, in Grove's form, and the options that the server gives for it.

use std::collections::{BTreeMap, HashSet};
use std::num::NonZeroU32;

use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::args::Args;
use super::sync::{page_of, read_or_install, Page};
use crate::change::Body;
use crate::compact::Format;
use crate::conn::Conn;
use crate::cursor;
use crate::error::{Error, Result};
use crate::ffi::{Call, Out};
use crate::key::one_zero;
use crate::outbound::{Item, Scope};
use crate::{peers, session};

#[derive(Deserialize)]
struct PullRequest<'a> {
    #[serde(default)]
    tables: Option<Vec<String>>,
    #[serde(borrow, default)]
    since: Option<&'a RawValue>,
    #[serde(default)]
    node_id: Option<String>,
    #[serde(default)]
    filter: Option<Filter>,
    #[serde(default)]
    counters: Option<String>,
    #[serde(default)]
    format: Option<String>,
    /// Changes after which no further record begins.
    #[serde(default)]
    limit: Option<NonZeroU32>,
}

#[derive(Deserialize, Default)]
struct Filter {
    #[serde(default, deserialize_with = "keys")]
    pk_filter: Option<HashSet<String>>,
    #[serde(default)]
    field_filter: Option<HashSet<String>>,
}

/// Keys as records have them.
fn keys<'de, D: serde::Deserializer<'de>>(from: D) -> std::result::Result<Option<HashSet<String>>, D::Error> {
    let keys = Option::<HashSet<String>>::deserialize(from)?;
    let both = |key: String| [one_zero(&key).into_owned(), key]; // as a text it is another key
    Ok(keys.map(|keys| keys.into_iter().flat_map(both).collect()))
}

impl Filter {
    /// Names the selection, in few bytes: a cursor made for another does not fit.
    fn name(&self) -> String {
        let hashed = |list: &Option<HashSet<String>>| {
            let mut list: Vec<&String> = list.iter().flatten().collect();
            list.sort_unstable();
            let mut hash = Sha256::new();
            for name in list {
                hash.update((name.len() as u64).to_le_bytes());
                hash.update(name);
            }
            hex::encode(&hash.finalize()[..8])
        };
        match (&self.pk_filter, &self.field_filter) {
            (None, None) => String::new(),
            (keys, fields) => format!("|{}|{}", hashed(keys), hashed(fields)),
        }
    }

    /// Deletes, rows that come back, and records that leave a filter, pass a filter of fields: who has the record must learn of
    /// them. None passes a filter of keys that does not name the record: who has only others need not, and must not, learn of it.
    fn wants(&self, item: &Item) -> bool {
        let listed = |list: &Option<HashSet<String>>, name: &str| {
            list.as_ref().is_none_or(|list| list.is_empty() || list.contains(name))
        };
        listed(&self.pk_filter, &item.pk)
            && (matches!(item.body, Body::Tombstone { .. } | Body::Left(_) | Body::Row)
                || listed(&self.field_filter, &item.field))
    }
}

/// Which counter changes stay out of a pull's answer.
enum Without<'r> {
    /// None does.
    Nothing,
    /// The caller's own, as it reads `counter_delta` as operations: it has added them when it made them, and would add them
    /// again.
    OwnOf(&'r str),
    /// All.
    Counters,
}

impl<'r> Without<'r> {
    fn read(request: &'r PullRequest<'_>, options: &PullOptions) -> Result<Without<'r>> {
        if options.counters.as_deref() == Some("none") {
            return Ok(Without::Counters);
        }
        match (counters_are_operations(options.counters.as_deref(), request.counters.as_deref())?, &request.node_id) {
            (false, _) => Ok(Without::Nothing),
            (true, Some(node)) => Ok(Without::OwnOf(node)),
            (true, None) => Err(Error::peer(
                "\"counters\":\"operations\" leaves out the caller's own counter parts: the request needs its \"node_id\"",
            )),
        }
    }

    /// Names the selection, as [`Filter::name`] does.
    fn name(&self) -> String {
        match self {
            Without::Nothing => String::new(),
            Without::OwnOf(node) => format!("|operations|{node}"),
            Without::Counters => "|no counters".to_owned(),
        }
    }

    fn has(&self, item: &Item) -> bool {
        match self {
            Without::Nothing => false,
            Without::OwnOf(node) => matches!(item.body, Body::Counter { .. }) && *item.hlc.node == **node,
            Without::Counters => matches!(item.body, Body::Counter { .. }),
        }
    }
}

/// The options of `crdt_pull`.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct PullOptions {
    #[serde(default)]
    counters: Option<String>,
    #[serde(default)]
    format: Option<String>,
    /// Expressions by table. They are SQL: only the caller gives them, never the peer.
    #[serde(default)]
    filter: BTreeMap<String, String>,
    /// Changes after which no further record begins.
    #[serde(default)]
    limit: Option<NonZeroU32>,
    /// Bytes after which none does, where that is less than `page_bytes`.
    #[serde(default)]
    bytes: Option<NonZeroU32>,
    /// Whether to note who asked, and with which cursor. Not where the cursor is the server's own, as in a stream: what was
    /// sent need not have arrived.
    #[serde(default)]
    remember: Option<bool>,
    /// Only the cursor at the end, for who wants what comes from here on. Nothing was sent up to there, so nothing is noted.
    #[serde(default)]
    end: bool,
}

impl PullOptions {
    fn read(text: Option<&str>) -> Result<PullOptions> {
        text.map_or(Ok(PullOptions::default()), crate::json::object).map_err(|e| {
            Error::caller(format!(
                "options is a JSON object such as {{\"filter\":{{\"tasks\":\"owner = 'ann'\"}}}} or {{\"counters\":\"operations\"}}: {e}"
            ))
        })
    }
}

/// `crdt_pull(request [, options])`
pub fn pull(call: &Call<'_, Conn>) -> Result<Out> {
    let args = Args::new(call, "crdt_pull", "request [, options]", 1, 2)?;
    session::refuse_after_writes(args.conn(), "crdt_pull")?;
    args.named(|| {
        let request: PullRequest<'_> = crate::json::object(args.json(0, "request")?)
            .map_err(|e| Error::peer(format!("not a pull request {{\"tables\",\"since\",\"node_id\"}}: {e}")))?;
        let since = request.since.map(RawValue::get).filter(|json| *json != "null");
        let options = PullOptions::read(args.optional(1, "options")?)?;
        if options.end && since.is_some() {
            return Err(Error::caller("end is for who has no since yet; leave one of them out"));
        }
        let without = Without::read(&request, &options)?;
        let format = asked_format(options.format.as_deref(), request.format.as_deref())?;
        if let Some(node) = &request.node_id {
            peers::check(node)?;
        }
        let none = Filter::default();
        let filter = request.filter.as_ref().unwrap_or(&none);
        let (answer, scope, sent) = read_or_install(args.conn(), &|store| {
            let tables = request.tables.as_deref();
            let scope = Scope::for_peer(store, tables, &options.filter)?.filtered(&filter.name());
            let scope = scope.filtered(&without.name());
            let wanted = |item: &Item| filter.wants(item) && !without.has(item);
            let sifted = request.filter.is_some() || !matches!(without, Without::Nothing);
            let limit = options.limit.into_iter().chain(request.limit).min().map(|n| i64::from(n.get()));
            let bytes = options.bytes.and_then(|n| usize::try_from(n.get()).ok());
            let by_field = filter.field_filter.is_some();
            let page = Page { limit, bytes, format, wanted: sifted.then_some(&wanted), by_field };
            let end = if options.end { Some(cursor::at_end(store, &scope)?) } else { None };
            let (answer, sent) = page_of(store, end.as_deref().or(since), &scope, &page)?;
            Ok((answer, scope, sent))
        })?;
        if let Some(node) = request.node_id.as_ref().filter(|_| options.remember.unwrap_or(true) && !options.end) {
            peers::pulled(args.conn(), node, since, &scope, sent)?;
        }
        Ok(Out::Text(answer))
    })
}

/// The form of a pull's answer: as the options ask, or the request.
fn asked_format(options: Option<&str>, key: Option<&str>) -> Result<Format> {
    match (options.map(Format::named).transpose()?, key.map(Format::named).transpose()?) {
        (Some(options), Some(key)) if options != key => {
            Err(Error::caller("format is one thing in the options and another in the request; give it once"))
        }
        (options, key) => Ok(options.or(key).unwrap_or_default()),
    }
}

/// Whether the peer means operations by `counter_delta`: by the options, or by the request's key `counters`.
pub fn counters_are_operations(options: Option<&str>, key: Option<&str>) -> Result<bool> {
    let wanted = |counters: Option<&str>| match counters {
        None => Ok(None),
        Some("totals") => Ok(Some(false)),
        Some("operations") => Ok(Some(true)),
        Some(other) => {
            let other = crate::error::excerpt(other);
            let known = "'totals', 'operations', or as an option of crdt_pull 'none'";
            Err(Error::caller(format!("counters is {known}, not '{other}'")))
        }
    };
    match (wanted(options)?, wanted(key)?) {
        (Some(options), Some(key)) if options != key => {
            Err(Error::caller("counters is one thing in the options and another in the request; give it once"))
        }
        (options, key) => Ok(options.or(key).unwrap_or(false)),
    }
}
