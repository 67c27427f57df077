//! `GET /status`: what `crdt_status()` tells, of the tables that the token may read.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::response::Response;
use serde_json::{json, Value};
use tokio::sync::Mutex;

use super::auth::Access;
use super::catalog::Catalog;
use super::errors::{Refusal, Result};
use super::limits::AtWork;
use super::scope::Scope;
use super::{answer, Hub, Shared};

/// Counting the records takes a while in large databases: for so long the last answer is good.
const FRESH: Duration = Duration::from_secs(1);

/// The last answer.
#[derive(Default)]
pub struct Cache(Mutex<Option<(Instant, Arc<Value>)>>);

/// Tells how the database is doing.
pub async fn overview(State(hub): State<Shared>, access: Access, _at_work: AtWork) -> Result<Response> {
    let whole = whole(&hub).await?;
    let catalog = hub.catalog().await?;
    answer::long(&seen(&whole, &access.scope, &catalog), &hub, &access)
}

async fn whole(hub: &Hub) -> Result<Arc<Value>> {
    let mut cache = hub.overview.0.lock().await;
    if let Some((at, status)) = &*cache {
        if at.elapsed() < FRESH {
            return Ok(Arc::clone(status));
        }
    }
    let status = hub.readers.run(|conn| {
        let json: String = conn.query_row("SELECT crdt_status()", [], |row| row.get(0))?;
        serde_json::from_str::<Value>(&json).map_err(|e| Refusal::internal(format!("crdt_status: {e}")))
    });
    let mut status = status.await?;
    status["hub"] = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "streams": hub.limits.streams.held(),
        "present": hub.presence.count(),
    });
    let status = Arc::new(status);
    *cache = Some((Instant::now(), Arc::clone(&status)));
    Ok(status)
}

/// Of the status what a scope may see: numbers tell of rows too, and the clock of when somebody wrote last.
fn seen(status: &Value, scope: &Scope, catalog: &Catalog) -> Value {
    if scope.reads_all() {
        return status.clone();
    }
    let tables = status["tables"].as_array().map(Vec::as_slice).unwrap_or_default();
    let seen = tables.iter().filter_map(|table| {
        let name = table["table"].as_str().filter(|name| scope.read.have(name))?;
        let counted = scope.filter_of(name).is_none() && scope.reaches(name, catalog).is_ok();
        Some(if counted { table.clone() } else { json!({ "table": name, "enabled": table["enabled"] }) })
    });
    json!({
        "node": status["node"], "version": status["version"], "wall": status["wall"],
        "tables": seen.collect::<Vec<_>>(), "hub": { "version": env!("CARGO_PKG_VERSION") },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_sees_its_tables_and_no_numbers_of_filtered_ones() {
        let status = json!({
            "node": "n", "version": "1", "clock": {}, "wall": 1, "log": {"rows": 9}, "warnings": ["of a row"],
            "peers": [{"node": "p"}],
            "tables": [
                {"table": "tasks", "enabled": true, "records": 5}, {"table": "notes", "enabled": true, "records": 6},
                {"table": "secrets", "enabled": true, "records": 7},
            ],
        });
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let filter = [("tasks".to_owned(), "1".to_owned())].into();
        let catalog = Catalog::of(&[(1, "tasks"), (2, "notes"), (3, "secrets")]);
        let seen = seen(&status, &Scope::new(names(&["tasks", "notes"]), Vec::new(), filter), &catalog);
        assert_eq!(
            seen["tables"],
            json!([{"table": "tasks", "enabled": true}, {"table": "notes", "enabled": true, "records": 6}])
        );
        let keys: Vec<&String> = seen.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["hub", "node", "tables", "version", "wall"]);
        assert_eq!(super::seen(&status, &Scope::all(), &catalog), status);
    }
}
