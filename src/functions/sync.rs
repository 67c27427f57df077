//! Functions that exchange changes: out and in.

use std::rc::Rc;

use serde::Deserialize;

use super::args::Args;
use crate::change::{Body, ROW};
use crate::clock::Hlc;
use crate::compact::{self, Format};
use crate::conn::Conn;
use crate::cursor::{self, Since};
use crate::error::{Error, Result};
use crate::ffi::{Call, Out};
use crate::inbound::{merge_changes, Report};
use crate::limits::Limits;
use crate::outbound::{Ahead, Compact, Export, Item, Items, Json, Paged, Scope};
use crate::store::Store;
use crate::{import, pragma, session, stream};

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
        let end = |store: &Store<'_>| cursor::at_end(store, &Scope::new(store, None)?);
        light(args.conn(), &end).map(Out::Text)
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
        let format = format_option(args.optional(3, "options")?)?;
        let page = |store: &Store<'_>| {
            let scope = Scope::new(store, tables.as_deref())?;
            Ok(page_of(store, since, &scope, &Page { limit, format, ..Page::default() })?.0)
        };
        match since.is_some_and(cursor::is_place) {
            true => light(args.conn(), &page),
            // From the beginning all is told, and the log pruned before.
            false => read_or_install(args.conn(), &page),
        }
        .map(Out::Text)
    })
}

/// As [`read_or_install`], for work that tells records one by one.
fn light<T>(conn: &Conn, work: &dyn Fn(&Store<'_>) -> Result<T>) -> Result<T> {
    or_install(conn, session::read_lightly(conn, |store| work(store))?, work)
}

/// Runs `work` on the state; on that of new tables of ours when there are none yet.
pub fn read_or_install<T>(conn: &Conn, work: &dyn Fn(&Store<'_>) -> Result<T>) -> Result<T> {
    or_install(conn, session::read(conn, |store| work(store))?, work)
}

fn or_install<T>(conn: &Conn, answer: Option<T>, work: &dyn Fn(&Store<'_>) -> Result<T>) -> Result<T> {
    answer.map_or_else(|| session::write(conn, |store| work(store)), Ok)
}

/// A name, or a JSON array of names.
pub fn table_names(text: &str) -> Result<Vec<String>> {
    if !text.trim_start().starts_with('[') {
        return Ok(vec![text.to_owned()]);
    }
    serde_json::from_str(text).map_err(|e| Error::caller(format!("tables is a name or a JSON array of names: {e}")))
}

/// The form that the options of `crdt_changes_since` ask for.
fn format_option(text: Option<&str>) -> Result<Format> {
    #[derive(Deserialize, Default)]
    #[serde(deny_unknown_fields)]
    struct Options {
        #[serde(default)]
        format: Option<String>,
    }
    let options: Options = text
        .map_or(Ok(Options::default()), crate::json::object)
        .map_err(|e| Error::caller(format!("options is a JSON object such as {{\"format\":\"compact\"}}: {e}")))?;
    options.format.as_deref().map_or(Ok(Format::Grove), Format::named)
}

#[cfg(feature = "http")]
/// A page in Grove's form: what of it is wanted of what lies after a cursor, up to about `limit` changes or `bytes`.
pub fn page(
    store: &Store<'_>,
    since: Option<&str>,
    scope: &Scope,
    (limit, bytes): (i64, usize),
    wanted: &dyn Fn(&Item) -> bool,
) -> Result<String> {
    // Without filters nothing leaves them, and pages are made faster where nothing is looked at.
    let wanted = (!scope.filters.is_empty()).then_some(wanted);
    let page = Page { limit: Some(limit), bytes: Some(bytes), wanted, ..Page::default() };
    Ok(page_of(store, since, scope, &page)?.0)
}

/// How a page is made.
#[derive(Default)]
pub struct Page<'p> {
    /// Changes after which no further record begins.
    pub limit: Option<i64>,
    /// Bytes after which none does, where that is less than `page_bytes`.
    pub bytes: Option<usize>,
    /// The form of its changes.
    pub format: Format,
    /// Which changes are sent.
    pub wanted: Option<&'p dyn Fn(&Item) -> bool>,
    /// Whether they are told by their fields: deletes are sent then, and not all that brings a row back.
    pub by_field: bool,
}

impl Page<'_> {
    /// The limit, as a number of changes.
    fn most(&self) -> usize {
        self.limit.and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX)
    }

    /// Bytes that a record is likely to take: how many are gathered for a page, and the room for it, go by that at first.
    fn record_bytes(&self) -> usize {
        match self.format {
            Format::Grove => 1_024,
            Format::Compact => 128,
        }
    }
}

/// One answer: the changes after a cursor, as many as fit. Its JSON, and the place in the log that it reaches to.
pub fn page_of(store: &Store<'_>, since: Option<&str>, scope: &Scope, page: &Page<'_>) -> Result<(String, i64)> {
    let bytes = usize::try_from(pragma::number(store.conn, "page_bytes")?).unwrap_or(usize::MAX);
    let bytes = page.bytes.map_or(bytes, |most| bytes.min(most));
    let mut export = Export::new(store, since, scope)?.by(bytes / page.record_bytes(), page.most());
    let mut out = String::with_capacity(bytes.min(export.rows().saturating_mul(page.record_bytes())).max(64));
    out.push('{');
    if page.format == Format::Compact {
        out.push_str("\"format\":\"compact\",");
    }
    out.push_str("\"changes\":[");
    match page.format {
        Format::Grove => fill(store, scope, page, bytes, &mut export, &mut Json::new(&mut out))?,
        Format::Compact => fill(store, scope, page, bytes, &mut export, &mut Compact::new(&mut out))?,
    }
    out.push_str("],\"latest_hlc\":");
    let unmoved = matches!(export.since, Since::Place(seq, _) if seq == export.at);
    match since {
        // Nothing new: the cursor as it was, also one that only names an instant.
        Some(json) if unmoved => out.push_str(json.trim()),
        _ => out.push_str(&export.cursor(store, scope)?),
    }
    let reached = cursor::place(store.conn, export.at)?;
    // Who asks for more at once, at the same place, would get the same.
    let more = export.has_more() || export.waits() && reached > export.began();
    out.push_str(if more { ",\"has_more\":true" } else { ",\"has_more\":false" });
    if export.starts_over() {
        out.push_str(",\"resync\":true");
        if since.map_or(Ok(false), |json| cursor::is_before_resync(store, json, scope))? {
            out.push_str(",\"deletes_lost\":true");
        }
    }
    out.push_str(if export.waits() { ",\"waits\":true}" } else { "}" });
    Ok((out, reached))
}

/// Writes records until the page is full.
fn fill<A: Paged>(
    store: &Store<'_>,
    scope: &Scope,
    page: &Page<'_>,
    bytes: usize,
    export: &mut Export,
    out: &mut A,
) -> Result<()> {
    let limit = page.most();
    let (mut ahead, frame, mut records) = (Ahead::new(), out.len(), 0);
    let mut looked_at = (Ahead::new(), Items::default());
    while out.count() < limit && (out.count() == 0 || out.len() - frame < bytes) {
        let is_told = match page.wanted {
            None => export.is_told(&ahead),
            Some(_) => export.is_told(&looked_at.0),
        };
        if records > 0 && !is_told {
            let left = left(records, out.len() - frame, bytes).min(left(records, out.count(), limit));
            ahead.expect(left);
            looked_at.0.expect(left);
            if export.is_between_windows() {
                export.expect(left);
            }
        }
        records += 1;
        let more = match page.wanted {
            None => export.write_next(store, scope, &mut ahead, out)?,
            Some(wanted) => {
                let (ahead, items) = &mut looked_at;
                let more = export.write_next(store, scope, ahead, items)?;
                out.items(wanted_of(std::mem::take(&mut items.told), wanted, page.by_field));
                more
            }
        };
        if !more {
            break;
        }
    }
    export.finds_more(store, scope)?;
    Ok(())
}

/// How many more records go into a page that holds `most`, if so many took what is `written` of it: and a few more.
fn left(records: usize, written: usize, most: usize) -> usize {
    let more = records.saturating_mul(most.saturating_sub(written)) / written.max(1);
    more.saturating_mul(17) / 16 + 1
}

/// Those of a record's changes that are wanted.
fn wanted_of(mut items: Vec<Item>, wanted: &dyn Fn(&Item) -> bool, by_field: bool) -> Vec<Item> {
    let back = if by_field { brought_back(&items, wanted) } else { None };
    items.retain(wanted);
    items.extend(back);
    items
}

/// That a row is there, where it was deleted and nothing that is wanted of it is later than that.
fn brought_back(items: &[Item], wanted: &dyn Fn(&Item) -> bool) -> Option<Item> {
    let deleted = items.iter().find(|item| matches!(item.body, Body::Tombstone { .. }))?;
    let later = || items.iter().filter(|item| item.hlc > deleted.hlc);
    if !wanted(deleted) || later().any(wanted) {
        return None;
    }
    let hlc = later().map(|item| &item.hlc).max()?.clone();
    let (table, pk) = (Rc::clone(&deleted.table), Rc::clone(&deleted.pk));
    Some(Item { table, pk, field: ROW.into(), hlc, body: Body::Row, seen: None })
}

/// `crdt_merge(json)`
pub fn merge(call: &Call<'_, Conn>) -> Result<Out> {
    let args = Args::new(call, "crdt_merge", "json", 1, 1)?;
    args.named(|| {
        let json = args.json(0, "json")?;
        let answer = |store: &Store<'_>, report: &Report| {
            Out::Text(format!("{{{},\"latest_hlc\":{}}}", told(report), store.clock.by(&store.me).to_json()))
        };
        if let Some(done) = stream::merge(args.conn(), json, answer)? {
            return Ok(done);
        }
        let changes = import::parse(json)?;
        session::write(args.conn(), |store| {
            import::check_tables(&store.catalog, changes.iter())?;
            Limits::read(store.conn)?.check_all(store, &changes)?;
            let report = merge_changes(store, &changes)?;
            Ok(answer(store, &report))
        })
    })
}

/// `crdt_convert(json, format [, bytes])`
pub fn convert(call: &Call<'_, Conn>) -> Result<Out> {
    let args = Args::new(call, "crdt_convert", "json, format [, bytes]", 2, 3)?;
    args.named(|| {
        let (json, to) = (args.json(0, "json")?, Format::named(args.text(1, "format")?)?);
        let most = match args.value(2) {
            crate::ffi::ValueRef::Null => usize::MAX,
            value => match value.as_i64().and_then(|n| usize::try_from(n).ok()) {
                Some(n) if n > 0 => n,
                _ => return Err(args.wrong(2, "bytes", "an INTEGER above 0, or NULL")),
            },
        };
        compact::convert(json, to, most).map(Out::Text)
    })
}

/// What a merge did, as keys of its answer.
pub fn told(report: &Report) -> String {
    let Report { merged, unchanged, conflicts, pending, skipped } = report;
    let skipped = if *skipped > 0 { format!(",\"skipped\":{skipped}") } else { String::new() };
    format!("\"merged\":{merged},\"unchanged\":{unchanged},\"conflicts\":{conflicts},\"pending\":{pending}{skipped}")
}

/// The stamp for "none", where Grove's JSON always has one.
pub fn stamp_or_zero(hlc: Option<&Hlc>) -> Hlc {
    hlc.cloned().unwrap_or_else(Hlc::zero)
}
