//! Connections to read with, each used by one blocking thread at a time.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::errors::{Refusal, Result};
use super::inside::Question;
use super::leash::leash;
use crate::db::{self, Use};

/// A few connections, opened when they are needed.
#[derive(Clone)]
pub struct Readers {
    pool: Arc<Pool>,
}

struct Pool {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    /// At most `many` connections to a database.
    pub fn new(path: &Path, many: usize) -> Readers {
        let permits = Arc::new(Semaphore::new(many.max(1)));
        Readers { pool: Arc::new(Pool { path: path.to_owned(), idle: Mutex::default(), permits }) }
    }

    /// Does `work` on a connection, as soon as one is free. It is interrupted when nobody waits for it any more.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let pool = Arc::clone(&self.pool);
        let Ok(permit) = Arc::clone(&pool.permits).acquire_owned().await else {
            return Err(Refusal::busy("the hub is stopping"));
        };
        let (_leash, collar) = leash();
        let done = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let conn = pool.take()?;
            let done = collar.work(&conn, work);
            if conn.is_autocommit() {
                pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(conn);
            }
            done.unwrap_or_else(|| Err(Refusal::busy("nobody waits for this")))
        });
        done.await.unwrap_or_else(|e| {
            tracing::error!("a reader failed: {e}");
            Err(Refusal::internal("the hub failed; its log tells how"))
        })
    }
}

impl Pool {
    fn take(&self) -> Result<Connection> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| db::open(&self.path, Use::Read).map_err(Refusal::internal), Ok)
    }
}

/// Tells in the log which filters of tokens fit no table: where they matter, requests fail.
pub fn check_filters(conn: &Connection, filters: &[(String, String)]) {
    for (table, expr) in filters {
        match Question::new(conn, table, expr) {
            Ok(Some(_)) => {}
            Ok(None) => tracing::warn!("the token file has a filter for the table '{table}', which is not enabled"),
            Err(e) => tracing::error!("the filter of a token for the table '{table}' does not fit: {}", e.message),
        }
    }
}

/// The tables that are enabled, by their present names.
pub fn enabled_tables(conn: &Connection) -> Result<Vec<String>> {
    // Each has a trigger of that name, which SQLite takes along when the table is renamed.
    let mut tables = conn.prepare_cached(
        "SELECT DISTINCT tbl_name FROM main.sqlite_schema WHERE type = 'trigger' AND name GLOB '_crdt_[0-9]*_insert' ORDER BY 1",
    )?;
    let names = tables.query_map([], |row| row.get(0))?;
    Ok(names.collect::<rusqlite::Result<_>>()?)
}
