//! A round with one peer: `crdt_sync`, page by page so that somebody can watch.

use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Target;

/// What rounds did, in changes.
#[derive(Clone, Default, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Report {
    pub pulled: u64,
    pub pushed: u64,
    pub merged: u64,
    pub conflicts: u64,
    pub pending: u64,
    pub rejected: u64,
    #[serde(skip_serializing)]
    has_more: bool,
    /// Why a peer refused the first of what it rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Report {
    /// Adds what another round did.
    pub fn add(&mut self, other: &Report) {
        self.pulled += other.pulled;
        self.pushed += other.pushed;
        self.merged += other.merged;
        self.conflicts += other.conflicts;
        self.pending += other.pending;
        self.rejected += other.rejected;
        self.reason = self.reason.take().or_else(|| other.reason.clone());
    }

    /// Whether anything went either way.
    pub fn is_quiet(&self) -> bool {
        self.pulled + self.pushed + self.merged + self.rejected == 0
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Report { pulled, pushed, merged, conflicts, rejected, .. } = self;
        write!(f, "pulled={pulled} pushed={pushed} merged={merged} conflicts={conflicts}")?;
        match rejected {
            0 => Ok(()),
            _ => write!(f, " rejected={rejected} ({})", self.reason.as_deref().unwrap_or("no reason given")),
        }
    }
}

/// Which ways a round goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ways {
    Both,
    Push,
}

/// A round with `url`; `seen` is told of every page.
pub fn round(
    conn: &Connection,
    target: &Target,
    url: &str,
    ways: Ways,
    mut seen: impl FnMut(&Report),
) -> Result<Report, String> {
    let mut total = Report::default();
    loop {
        let page = page(conn, target, url, ways)?;
        total.add(&page);
        // What a peer refused is at the beginning of what is sent: page by page the same would be sent again.
        if !page.has_more || page.rejected > 0 {
            return Ok(total);
        }
        seen(&total);
    }
}

fn page(conn: &Connection, target: &Target, url: &str, ways: Ways) -> Result<Report, String> {
    let mut options = json!({"timeout": target.timeout, "pages": 1, "json": true});
    if let Some(map) = options.as_object_mut() {
        if ways == Ways::Push {
            map.insert("pull".to_owned(), json!(false));
        }
        if let Some(tables) = &target.tables {
            map.insert("tables".to_owned(), json!(tables));
        }
        if let Some(token) = &target.token {
            map.insert("token".to_owned(), json!(token));
        }
        if let Some(ca) = &target.ca {
            map.insert("ca".to_owned(), json!(ca));
        }
    }
    let answer: String = conn
        .query_row("SELECT crdt_sync(?1, ?2)", [url, &options.to_string()], |row| row.get(0))
        .map_err(|e| e.to_string())?;
    serde_json::from_str(&answer).map_err(|e| format!("crdt_sync: {e}"))
}
