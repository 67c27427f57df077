//! A round with one peer: `crdt_sync`, page by page so that somebody can watch.

use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::peers::Peer;
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
    /// Why a peer refuses one of those that it rejects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Tables that are exchanged from their beginning again, as the peer is not the one that it was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resync: Vec<String>,
    /// Tables that could not be exchanged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<Failed>,
}

/// A table that a peer does not have, or that may not be asked of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Failed {
    pub table: String,
    pub reason: String,
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
        for table in &other.resync {
            if !self.resync.contains(table) {
                self.resync.push(table.clone());
            }
        }
        for failed in &other.failed {
            // Every page tells the same.
            if !self.failed.contains(failed) {
                self.failed.push(failed.clone());
            }
        }
    }

    /// Whether everything was exchanged.
    pub fn is_whole(&self) -> bool {
        self.rejected == 0 && self.failed.is_empty()
    }

    /// Whether anything went either way.
    pub fn is_quiet(&self) -> bool {
        self.pulled + self.pushed + self.merged == 0 && self.resync.is_empty() && self.is_whole()
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Report { pulled, pushed, merged, conflicts, rejected, .. } = self;
        write!(f, "pulled={pulled} pushed={pushed} merged={merged} conflicts={conflicts}")?;
        if *rejected > 0 {
            write!(f, " rejected={rejected} ({})", self.reason.as_deref().unwrap_or("no reason given"))?;
        }
        if let [table, ..] = self.resync.as_slice() {
            write!(
                f,
                " resync={} ({table}: the peer is not what it was; everything is exchanged again)",
                self.resync.len()
            )?;
        }
        match self.failed.as_slice() {
            [] => Ok(()),
            [Failed { table, reason }, ..] => write!(f, " failed={} ({table}: {reason})", self.failed.len()),
        }
    }
}

/// Which ways a round goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ways {
    Both,
    Push,
}

/// How a round goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Round {
    pub ways: Ways,
    /// Whether what the peer has refused is sent again.
    pub retry: bool,
}

/// A round with `peer`; `seen` is told of every page.
pub fn round(
    conn: &Connection,
    target: &Target,
    peer: &Peer,
    mut how: Round,
    mut seen: impl FnMut(&Report),
) -> Result<Report, String> {
    let mut total = Report::default();
    loop {
        let page = page(conn, target, peer, how)?;
        total.add(&page);
        if !page.has_more {
            return Ok(total);
        }
        how.retry = false;
        seen(&total);
    }
}

fn page(conn: &Connection, target: &Target, peer: &Peer, how: Round) -> Result<Report, String> {
    let mut options =
        json!({"timeout": format!("{}ms", target.timeout.as_millis()), "pages": 1, "json": true, "retry": how.retry});
    if let Some(map) = options.as_object_mut() {
        if how.ways == Ways::Push {
            map.insert("pull".to_owned(), json!(false));
        }
        if let Some(tables) = &target.tables {
            map.insert("tables".to_owned(), json!(tables));
        }
        if let Some(token) = &peer.token {
            map.insert("token".to_owned(), json!(token));
        }
        if let Some(ca) = &target.ca {
            map.insert("ca".to_owned(), json!(ca));
        }
    }
    let answer: String = conn
        .query_row("SELECT crdt_sync(?1, ?2)", [&peer.url, &options.to_string()], |row| row.get(0))
        .map_err(|e| e.to_string())?;
    serde_json::from_str(&answer).map_err(|e| format!("crdt_sync: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_add_up() {
        let page = |resync: &str| -> Report {
            let counts = r#""pulled":1,"pushed":2,"merged":1,"conflicts":0,"pending":0,"rejected":0,"has_more":false"#;
            serde_json::from_str(&format!("{{{counts},{resync}\"failed\":[]}}")).unwrap()
        };
        let mut total = page("");
        assert_eq!(total.to_string(), "pulled=1 pushed=2 merged=1 conflicts=0");
        for _ in 0..2 {
            total.add(&page(r#""resync":["tasks","notes"],"#));
        }
        let text = total.to_string();
        assert!(text.starts_with("pulled=3 pushed=6 merged=3 conflicts=0 resync=2 (tasks: "), "{text}");
        assert_eq!(serde_json::json!(total)["resync"], serde_json::json!(["tasks", "notes"]));
        assert!(total.is_whole() && !total.is_quiet());
    }
}
