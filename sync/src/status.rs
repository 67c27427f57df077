//! `grove-sync status`: what `crdt_status()` tells, for people or as it is.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Deserialize;

use crate::db::{self, Use};

/// What `status` is called with.
#[derive(clap::Args)]
pub struct Args {
    /// The database
    database: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Deserialize)]
struct Status {
    node: String,
    version: String,
    drift_ms: i64,
    tables: Vec<Table>,
    log: Log,
    future: i64,
    conflicts: i64,
    warnings: Vec<String>,
    peers: Vec<Peer>,
    #[serde(default)]
    remotes: Vec<Remote>,
}

/// A peer that this database goes to.
#[derive(Deserialize)]
struct Remote {
    url: String,
    tables: Vec<String>,
    lag: i64,
    seen: i64,
    refused: i64,
    reason: Option<String>,
}

#[derive(Deserialize)]
struct Table {
    table: String,
    enabled: bool,
    records: i64,
    tombstones: i64,
    pending: i64,
}

#[derive(Deserialize)]
struct Log {
    rows: i64,
    last: i64,
}

#[derive(Deserialize)]
struct Peer {
    node: String,
    lag: i64,
    seen: i64,
}

/// Prints the status.
pub fn run(args: &Args) -> Result<ExitCode, String> {
    let conn = db::open(&args.database, Use::Look)?;
    let json: String =
        conn.query_row("SELECT crdt_status()", [], |row| row.get(0)).map_err(|e| match e.sqlite_error_code() {
            Some(rusqlite::ErrorCode::ReadOnly) => format!("{}: no table is enabled here", args.database.display()),
            _ => e.to_string(),
        })?;
    if args.json {
        return crate::print(&json);
    }
    let status: Status = serde_json::from_str(&json).map_err(|e| format!("crdt_status: {e}"))?;
    crate::print(&text(&status).map_err(|e| e.to_string())?)
}

/// The status for people.
fn text(status: &Status) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
    let ahead = status.drift_ms.max(0);
    writeln!(out, "node {} (grove-crdt {}), clock {ahead} ms ahead", status.node, status.version)?;
    writeln!(out, "log: {} rows, the last is {}", status.log.rows, status.log.last)?;
    writeln!(out, "conflicts listed: {}, changes from the future: {}", status.conflicts, status.future)?;
    writeln!(out, "\n{:<30} {:>10} {:>10} {:>10}", "table", "records", "tombstones", "pending")?;
    for table in &status.tables {
        let Table { table, enabled, records, tombstones, pending } = table;
        let off = if *enabled { "" } else { "  (disabled)" };
        writeln!(out, "{table:<30} {records:>10} {tombstones:>10} {pending:>10}{off}")?;
    }
    if !status.peers.is_empty() {
        writeln!(out, "\n{:<30} {:>10} {:>15}", "peer", "lag", "seen")?;
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(0));
    let ago = |seen: i64| (now - seen / 1_000_000_000).max(0);
    for peer in &status.peers {
        writeln!(out, "{:<30} {:>10} {:>9} s ago", peer.node, peer.lag, ago(peer.seen))?;
    }
    if !status.remotes.is_empty() {
        writeln!(out, "\n{:<30} {:>10} {:>15} {:>10}", "goes to", "lag", "moved", "refused")?;
    }
    for Remote { url, tables, lag, seen, refused, reason } in &status.remotes {
        writeln!(out, "{url:<30} {lag:>10} {:>9} s ago {refused:>10}  {}", ago(*seen), tables.join(","))?;
        if let Some(reason) = reason {
            writeln!(out, "  refused: {reason}")?;
        }
    }
    for warning in &status.warnings {
        writeln!(out, "\nwarning: {warning}")?;
    }
    Ok(out)
}
