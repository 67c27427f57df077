//! Functions that exchange changes: out, in, and both in Grove's request forms.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::args::Args;
use crate::change::{Body, Change, Names};
use crate::clock::Hlc;
use crate::conn::Conn;
use crate::cursor::{self, Since};
use crate::error::{Error, Result};
use crate::ffi::{Call, Out};
use crate::inbound::{merge_changes, Report};
use crate::limits::Limits;
use crate::outbound::{Export, Item, Json, Scope};
use crate::store::Store;
use crate::value::write_text;
use crate::{import, peers, pragma, session};

/// `crdt_now()`
pub fn now(call: &Call<'_, Conn>) -> Result<Out> {
    let args = Args::new(call, "crdt_now", "", 0, 0)?;
    session::refuse_after_writes(args.conn(), "crdt_now")?;
    let in_transaction = !args.conn().db.autocommit();
    args.named(|| {
        session::write(args.conn(), |store| {
            let mut tick = store.clock.observe(store.conn.issued.get()).advance(store.wall);
            if in_transaction {
                // A rollback would let another connection issue the same: this one lies where no counting comes to.
                let random = store.conn.int("SELECT abs(random() % 2147483647)", &[])?.unwrap_or(0);
                tick = tick.aside(u32::try_from(random).unwrap_or(0));
            }
            store.clock = tick;
            store.save_clock()?;
            store.conn.issued.set(tick);
            Ok(Out::Text(tick.by(&store.me).to_json()))
        })
    })
}

/// `crdt_cursor()`
pub fn cursor(call: &Call<'_, Conn>) -> Result<Out> {
    let args = Args::new(call, "crdt_cursor", "", 0, 0)?;
    session::refuse_after_writes(args.conn(), "crdt_cursor")?;
    args.named(|| {
        let end = |store: &Store<'_>| {
            let scope = Scope::new(store, None)?;
            cursor::write(store.conn, &store.me, (store.last_seq()?, store.clock), &scope, &[])
        };
        read_or_install(args.conn(), &end).map(Out::Text)
    })
}

/// `crdt_changes_since(cursor [, tables [, limit [, options]]])`
pub fn changes_since(call: &Call<'_, Conn>) -> Result<Out> {
    let args = Args::new(call, "crdt_changes_since", "cursor [, tables [, limit [, options]]]", 1, 4)?;
    session::refuse_after_writes(args.conn(), "crdt_changes_since")?;
    args.named(|| {
        let since = args.optional(0, "cursor")?;
        let tables = args.optional(1, "tables")?.map(table_names).transpose()?;
        let limit = match args.value(2) {
            crate::ffi::ValueRef::Null => None,
            value => match value.as_i64() {
                Some(n) if n > 0 => Some(n),
                _ => return Err(args.wrong(2, "limit", "an INTEGER above 0, or NULL")),
            },
        };
        if let Some(options) = args.optional(3, "options")? {
            check_options(options)?;
        }
        let conn = args.conn();
        read_or_install(conn, &|store| page(store, since, tables.as_deref(), limit)).map(Out::Text)
    })
}

/// Runs `work` on the state; on that of new tables of ours when there are none yet.
fn read_or_install<T>(conn: &Conn, work: &dyn Fn(&Store<'_>) -> Result<T>) -> Result<T> {
    match session::read(conn, |store| work(store))? {
        Some(answer) => Ok(answer),
        None => session::write(conn, |store| work(store)),
    }
}

/// A name, or a JSON array of names.
pub fn table_names(text: &str) -> Result<Vec<String>> {
    if !text.trim_start().starts_with('[') {
        return Ok(vec![text.to_owned()]);
    }
    serde_json::from_str(text).map_err(|e| Error::caller(format!("tables is a name or a JSON array of names: {e}")))
}

fn check_options(text: &str) -> Result<()> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Options {
        #[serde(default)]
        format: Option<String>,
    }
    let options: Options = crate::json::object(text)
        .map_err(|e| Error::caller(format!("options is a JSON object such as {{\"format\":\"grove\"}}: {e}")))?;
    match options.format.as_deref() {
        None | Some("grove") => Ok(()),
        Some(other) => Err(Error::caller(format!("format '{}' is not one of: grove", crate::error::excerpt(other)))),
    }
}

/// One answer: the changes after a cursor, as many as fit.
fn page(store: &Store<'_>, since: Option<&str>, tables: Option<&[String]>, limit: Option<i64>) -> Result<String> {
    Ok(page_of(store, since, &Scope::new(store, tables)?, limit, None)?.0)
}

/// The answer's JSON, and the place in the log that it reaches to.
fn page_of(
    store: &Store<'_>,
    since: Option<&str>,
    scope: &Scope,
    limit: Option<i64>,
    wanted: Option<&dyn Fn(&Item) -> bool>,
) -> Result<(String, i64)> {
    let bytes = usize::try_from(pragma::number(store.conn, "page_bytes")?).unwrap_or(usize::MAX);
    let limit = limit.and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX);
    let mut export = Export::new(store, since, scope)?.by(limit);
    let (mut out, mut items) = (String::from("{\"changes\":["), Vec::new());
    let (mut json, frame) = (Json::new(&mut out), "{\"changes\":[".len());
    while json.count < limit && (json.count == 0 || json.len() - frame < bytes) {
        let more = match wanted {
            None => export.write_next(store, scope, &mut json)?,
            Some(_) => export.next(store, scope, &mut items)?,
        };
        if !more {
            break;
        }
        items.drain(..).filter(|item| wanted.is_none_or(|wanted| wanted(item))).for_each(|item| json.item(&item));
    }
    out.push_str("],\"latest_hlc\":");
    let unmoved = matches!(export.since, Since::Place(seq, _) if seq == export.at);
    match since {
        // Nothing new: the cursor as it was, also one that only names an instant.
        Some(json) if unmoved => out.push_str(json.trim()),
        _ => out.push_str(&export.cursor(store, scope)?),
    }
    out.push_str(if export.has_more() { ",\"has_more\":true" } else { ",\"has_more\":false" });
    if export.since == Since::Start && since.is_some_and(cursor::is_place) {
        out.push_str(",\"resync\":true"); // the cursor fits no more: this is the beginning
    }
    out.push('}');
    Ok((out, cursor::place(store.conn, export.at)?))
}

/// `crdt_merge(json)`
pub fn merge(call: &Call<'_, Conn>) -> Result<Out> {
    let args = Args::new(call, "crdt_merge", "json", 1, 1)?;
    args.named(|| {
        let changes = import::parse(args.json(0, "json")?)?;
        session::write(args.conn(), |store| {
            import::check_tables(&store.catalog, changes.iter())?;
            Limits::read(store.conn)?.check_all(store, &changes)?;
            let report = merge_changes(store, &changes)?;
            Ok(Out::Text(format!("{{{},\"latest_hlc\":{}}}", told(&report), store.clock.by(&store.me).to_json())))
        })
    })
}

fn told(report: &Report) -> String {
    let Report { merged, unchanged, conflicts, pending, skipped } = report;
    let skipped = if *skipped > 0 { format!(",\"skipped\":{skipped}") } else { String::new() };
    format!("\"merged\":{merged},\"unchanged\":{unchanged},\"conflicts\":{conflicts},\"pending\":{pending}{skipped}")
}

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
}

#[derive(Deserialize, Default)]
struct Filter {
    #[serde(default)]
    pk_filter: Option<Vec<String>>,
    #[serde(default)]
    field_filter: Option<Vec<String>>,
}

impl Filter {
    /// Names the selection: a cursor made for another does not fit.
    fn name(&self) -> String {
        let sorted = |list: &Option<Vec<String>>| {
            let mut list = list.clone().unwrap_or_default();
            list.sort_unstable();
            super::json_strings(&list)
        };
        match (&self.pk_filter, &self.field_filter) {
            (None, None) => String::new(),
            (keys, fields) => format!("|{}|{}", sorted(keys), sorted(fields)),
        }
    }

    /// Deletes, and records that leave a filter, pass a filter of fields: who has the record must learn of them. None passes
    /// a filter of keys that does not name the record: who has only others need not, and must not, learn of it.
    fn wants(&self, item: &Item) -> bool {
        let listed = |list: &Option<Vec<String>>, name: &str| {
            list.as_ref().is_none_or(|list| list.is_empty() || list.iter().any(|l| l == name))
        };
        listed(&self.pk_filter, &item.pk)
            && (matches!(item.body, Body::Tombstone { .. } | Body::Left(_) | Body::Row)
                || listed(&self.field_filter, &item.field))
    }
}

/// Whose counter parts stay out of a pull's answer: the caller's own, when it reads `counter_delta` as operations. It has added
/// them when it made them, and would add them again.
fn own_counters<'r>(request: &'r PullRequest<'_>, options: &PullOptions) -> Result<Option<&'r str>> {
    match (counters_are_operations(options.counters.as_deref(), request.counters.as_deref())?, &request.node_id) {
        (false, _) => Ok(None),
        (true, Some(node)) => Ok(Some(node)),
        (true, None) => Err(Error::peer(
            "\"counters\":\"operations\" leaves out the caller's own counter parts: the request needs its \"node_id\"",
        )),
    }
}

/// The options of `crdt_pull`.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct PullOptions {
    #[serde(default)]
    counters: Option<String>,
    /// Expressions by table. They are SQL: only the caller gives them, never the peer.
    #[serde(default)]
    filter: BTreeMap<String, String>,
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
        let own = own_counters(&request, &options)?;
        if let Some(node) = &request.node_id {
            peers::check(node)?;
        }
        let none = Filter::default();
        let filter = request.filter.as_ref().unwrap_or(&none);
        let is_own =
            |item: &Item| own.is_some_and(|own| matches!(item.body, Body::Counter { .. }) && *item.hlc.node == *own);
        let (answer, scope, sent) = read_or_install(args.conn(), &|store| {
            let tables = request.tables.as_deref();
            let mut scope = Scope::for_peer(store, tables, &options.filter)?.filtered(&filter.name());
            if let Some(own) = own {
                scope = scope.filtered(&format!("|operations|{own}"));
            }
            let wanted = |item: &Item| filter.wants(item) && !is_own(item);
            let sifted = own.is_some() || request.filter.is_some();
            let (answer, sent) = page_of(store, since, &scope, None, sifted.then_some(&wanted))?;
            Ok((answer, scope, sent))
        })?;
        if let Some(node) = &request.node_id {
            peers::pulled(args.conn(), node, since, &scope, sent)?;
        }
        Ok(Out::Text(answer))
    })
}

#[derive(Deserialize)]
struct PushRequest<'a> {
    #[serde(default)]
    node_id: Option<String>,
    #[serde(borrow, default)]
    changes: Option<Vec<&'a RawValue>>,
    #[serde(default)]
    counters: Option<String>,
}

/// The options of `crdt_push`.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct PushOptions {
    #[serde(default)]
    counters: Option<String>,
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
        session::write(args.conn(), |store| {
            let limits = Limits::read(store.conn)?;
            let (good, rejected) = sift(store, &limits, request.changes.as_deref().unwrap_or_default(), operations);
            let report = merge_changes(store, &good)?;
            if let Some(node) = &request.node_id {
                peers::seen(store.conn, node, store.wall)?;
            }
            let latest = store.clock.by(&store.me).to_json();
            Ok(Out::Text(format!(
                "{{{},\"latest_hlc\":{latest},\"rejected\":[{}]}}",
                told(&report),
                rejected.join(",")
            )))
        })
    })
}

/// Whether the peer means operations by `counter_delta`: by the options, or by the request's key `counters`.
fn counters_are_operations(options: Option<&str>, key: Option<&str>) -> Result<bool> {
    let wanted = |counters: Option<&str>| match counters {
        None => Ok(None),
        Some("totals") => Ok(Some(false)),
        Some("operations") => Ok(Some(true)),
        Some(other) => {
            Err(Error::caller(format!("counters is 'totals' or 'operations', not '{}'", crate::error::excerpt(other))))
        }
    };
    match (wanted(options)?, wanted(key)?) {
        (Some(options), Some(key)) if options != key => {
            Err(Error::caller("counters is one thing in the options and another in the request; give it once"))
        }
        (options, key) => Ok(options.or(key).unwrap_or(false)),
    }
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

/// The good changes of a push, and a JSON entry for each bad one.
fn sift(store: &Store<'_>, limits: &Limits, raw: &[&RawValue], operations: bool) -> (Vec<Change>, Vec<String>) {
    let (mut good, mut rejected, mut names) = (Vec::new(), Vec::new(), Names::default());
    for (i, raw) in raw.iter().enumerate() {
        let read = limits.check_place(i).and_then(|()| import::one(raw.get(), &mut names)).and_then(|change| {
            limits.check(store, &change)?;
            store.catalog.enabled(&change.table)?;
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
            Err(e) => {
                let mut entry = format!("{{\"index\":{i},\"reason\":");
                write_text(&mut entry, e.message());
                entry.push('}');
                rejected.push(entry);
            }
        }
    }
    (good, rejected)
}

/// The stamp for "none", where Grove's JSON always has one.
pub fn stamp_or_zero(hlc: Option<&Hlc>) -> Hlc {
    hlc.cloned().unwrap_or_else(Hlc::zero)
}
