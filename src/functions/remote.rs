//! `crdt_sync`: a round with a peer, from SQL.

use super::args::Args;
use crate::conn::Conn;
use crate::error::{Error, Result};
use crate::ffi::{Call, Out};

/// `crdt_sync(url [, options])`
#[cfg(not(feature = "http"))]
pub fn sync(call: &Call<'_, Conn>) -> Result<Out> {
    Args::new(call, "crdt_sync", "url [, options]", 1, 2)?;
    Err(Error::caller(
        "crdt_sync: this build has no HTTP; build the extension with `cargo build --release --features http`, or use grove-sync",
    ))
}

#[cfg(feature = "http")]
pub use with_http::sync;

#[cfg(feature = "http")]
mod with_http {
    use serde::Deserialize;

    use super::*;
    use crate::remote::http::{Http, Target};
    use crate::remote::{round, Round, Wanted};
    use crate::value::write_text;

    /// The options of `crdt_sync`.
    #[derive(Deserialize, Default)]
    #[serde(deny_unknown_fields)]
    struct Options {
        #[serde(default)]
        tables: Option<Vec<String>>,
        #[serde(default)]
        token: Option<String>,
        /// A duration, for each request.
        #[serde(default)]
        timeout: Option<String>,
        /// A PEM file.
        #[serde(default)]
        ca: Option<String>,
        #[serde(default)]
        pull: Option<bool>,
        #[serde(default)]
        push: Option<bool>,
        /// Changes of a push.
        #[serde(default)]
        page: Option<u32>,
        /// Most pages each way.
        #[serde(default)]
        pages: Option<u64>,
        /// Whether what the peer has refused is sent again.
        #[serde(default)]
        retry: Option<bool>,
        /// The answer as JSON.
        #[serde(default)]
        json: bool,
    }

    /// `crdt_sync(url [, options])`
    pub fn sync(call: &Call<'_, Conn>) -> Result<Out> {
        let args = Args::new(call, "crdt_sync", "url [, options]", 1, 2)?;
        let conn = args.conn();
        if !conn.db.autocommit() {
            return Err(args
                .error("a transaction is open; commit first, for what a peer confirms must not be rolled back here"));
        }
        args.named(|| {
            let base = base(args.text(0, "url")?)?;
            let options: Options =
                args.optional(1, "options")?.map_or(Ok(Options::default()), crate::json::object).map_err(|e| {
                    Error::caller(format!(
                        "options is a JSON object such as {{\"tables\":[\"tasks\"],\"token\":\"…\",\"timeout\":\"30s\"}}: {e}"
                    ))
                })?;
            let timeout = options.timeout.as_deref().unwrap_or("30s");
            let timeout = crate::pragma::duration(timeout)
                .and_then(|ns| u64::try_from(ns).ok())
                .filter(|ns| *ns > 0)
                .map(std::time::Duration::from_nanos)
                .ok_or_else(|| Error::caller("timeout is a duration such as 500ms, 30s, 5m"))?;
            if options.page == Some(0) || options.pages == Some(0) {
                return Err(Error::caller("page and pages are whole numbers above 0"));
            }
            let name = without_password(&base);
            let target = Target { base: &base, name: &name, token: options.token.as_deref(), timeout, ca: options.ca.as_deref() };
            let mut http = Http::new(conn, &target)?;
            let wanted = Wanted {
                url: name.clone(),
                tables: options.tables,
                pull: options.pull.unwrap_or(true),
                push: options.push.unwrap_or(true),
                page: i64::from(options.page.unwrap_or(10_000)),
                pages: options.pages.unwrap_or(u64::MAX),
                retry: options.retry.unwrap_or(true),
            };
            let done = round(conn, &wanted, &mut http)?;
            Ok(Out::Text(if options.json { json(&done) } else { text(&done) }))
        })
    }

    /// The address that routes are put behind.
    fn base(url: &str) -> Result<String> {
        let base = url.trim_end_matches('/');
        let host = base.strip_prefix("http://").or_else(|| base.strip_prefix("https://")).unwrap_or_default();
        if host.is_empty() || host.starts_with('/') || base.contains(['?', '#', ' ']) {
            return Err(Error::caller(format!(
                "url is the address of a sync endpoint such as https://hub.example/sync, not '{}'",
                crate::error::excerpt(&without_password(url))
            )));
        }
        Ok(base.to_owned())
    }

    /// An address as it is told and kept: the password that it may carry is for requests only.
    fn without_password(url: &str) -> String {
        let parts = || {
            let (scheme, rest) = url.split_once("://")?;
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let (who, host) = authority.rsplit_once('@')?;
            Some(format!("{scheme}://{}@{host}{path}", who.split(':').next().unwrap_or_default()))
        };
        parts().unwrap_or_else(|| url.to_owned())
    }

    /// Grove's report.
    fn text(round: &Round) -> String {
        let Round { pulled, pushed, merged, conflicts, rejected, resync, .. } = round;
        let mut out = format!("pulled={pulled} pushed={pushed} merged={merged} conflicts={conflicts}");
        if *rejected > 0 {
            out.push_str(&format!(" rejected={rejected} ({})", round.reason.as_deref().unwrap_or("no reason given")));
        }
        if let [table, ..] = resync.as_slice() {
            let count = resync.len();
            out.push_str(&format!(
                " resync={count} ({table}: the peer does not know this database's place any more; everything is sent again)"
            ));
        }
        if let [(table, why), ..] = round.failed.as_slice() {
            out.push_str(&format!(" failed={} ({table}: {why})", round.failed.len()));
        }
        out
    }

    fn json(round: &Round) -> String {
        let Round { pulled, pushed, merged, conflicts, pending, rejected, reason, has_more, failed, resync } = round;
        let mut out = format!(
            "{{\"pulled\":{pulled},\"pushed\":{pushed},\"merged\":{merged},\"conflicts\":{conflicts},\"pending\":{pending},\
             \"rejected\":{rejected},\"has_more\":{has_more}"
        );
        if let Some(reason) = reason {
            out.push_str(",\"reason\":");
            write_text(&mut out, reason);
        }
        if !resync.is_empty() {
            out.push_str(&format!(",\"resync\":{}", crate::functions::json_strings(resync)));
        }
        out.push_str(",\"failed\":[");
        for (i, (table, why)) in failed.iter().enumerate() {
            out.push_str(if i > 0 { ",{\"table\":" } else { "{\"table\":" });
            write_text(&mut out, table);
            out.push_str(",\"reason\":");
            write_text(&mut out, why);
            out.push('}');
        }
        out.push_str("]}");
        out
    }
}
