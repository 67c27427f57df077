//! The other half of a hub: a database that goes to its peers.

mod backoff;
mod listen;
pub mod once;
mod peer;
mod peers;
mod round;
pub mod run;
mod stop;

use std::path::PathBuf;
use std::time::Duration;

use rusqlite::Connection;

use crate::db::{self, Use};
use peers::Peer;

/// Which database goes to whom, and how.
#[derive(clap::Args, Clone)]
pub struct Target {
    /// The database
    database: PathBuf,
    /// Address of a peer's sync endpoint, such as https://hub.example/sync; may be given several times
    #[arg(long, value_name = "URL", required = true)]
    peer: Vec<String>,
    /// Only these tables, with commas; all that are enabled otherwise
    #[arg(long, value_delimiter = ',', value_name = "TABLES")]
    tables: Option<Vec<String>>,
    /// Bearer token: one for all peers, if they have one origin, or one for each in the same order, '' for none
    #[arg(long, env = "GROVE_SYNC_TOKEN", hide_env_values = true, value_delimiter = ' ')]
    token: Vec<String>,
    /// PEM file of certificates to trust instead of the usual ones
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// How long a peer may be silent, such as 500ms, 30s, 5m; a request takes at most 120 times as long
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    timeout: Duration,
}

impl Target {
    /// The database, and the peers, each with its token. What is wrong is told, and changes nothing.
    fn open(&self) -> Result<(Connection, Vec<Peer>), String> {
        let peers = peers::peers(&self.peer, &self.token)?;
        if !db::is_tracked(&self.database)? {
            let database = self.database.display();
            return Err(format!(
                "{database}: no table is enabled here; enable what is to be exchanged with crdt_enable"
            ));
        }
        let conn = db::open(&self.database, Use::Write)?;
        if let Some(tables) = &self.tables {
            check_tables(&conn, tables).map_err(|e| format!("--tables: {e}"))?;
        }
        Ok((conn, peers))
    }
}

/// Whether the tables are enabled.
fn check_tables(conn: &Connection, tables: &[String]) -> rusqlite::Result<()> {
    let tables = serde_json::json!(tables).to_string();
    let end: String = conn.query_row("SELECT crdt_cursor()", [], |row| row.get(0))?;
    conn.query_row("SELECT crdt_changes_since(?1, ?2, 1)", [end, tables], |_| Ok(()))
}

/// A duration as `crdt_sync` takes it, above 0.
fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len());
    let milliseconds = match unit {
        "ms" => Some(1_u64),
        "" | "s" => Some(1_000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        "d" => Some(86_400_000),
        _ => None,
    };
    // No more than a century.
    let given = milliseconds.zip(number.parse::<u64>().ok()).and_then(|(unit, number)| unit.checked_mul(number));
    match given.filter(|ms| (1..=3_153_600_000_000).contains(ms)) {
        Some(ms) => Ok(Duration::from_millis(ms)),
        None => Err("a duration such as 500ms, 30s, 5m is needed".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("2d"), Ok(Duration::from_secs(172_800)));
        for wrong in ["", "abc", "0s", "-1s", "1.5s", "1 s", "5w", "é", "99999999d", "99999999999999999999s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
