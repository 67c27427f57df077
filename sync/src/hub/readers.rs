//! Connections to read with, each used by one blocking thread at a time.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::catalog::Catalog;
use super::errors::{Refusal, Result};
use super::inside::Question;
use super::leash::leash;
use super::scope::Scope;
use crate::db::{self, Use};
use crate::file::Opened;

/// A few connections, opened when they are needed.
#[derive(Clone)]
pub struct Readers {
    pool: Arc<Pool>,
}

struct Pool {
    opened: Opened,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    /// At most `many` connections to a database.
    pub fn new(opened: Opened, many: usize) -> Readers {
        let permits = Arc::new(Semaphore::new(many.max(1)));
        Readers { pool: Arc::new(Pool { opened, idle: Mutex::default(), permits }) }
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
        self.opened.check().map_err(Refusal::lost)?;
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| db::open(self.opened.path(), Use::Read).map_err(Refusal::internal), Ok)
    }
}

/// Has filters of tokens remember which tables they are for, and tells in the log which fit none: where they matter, requests fail.
pub fn bind_filters(conn: &Connection, scopes: &[Arc<Scope>]) -> Result<()> {
    let catalog = Catalog::read(conn)?;
    for scope in scopes {
        scope.bind(&catalog);
        for (table, expr) in scope.all_filters() {
            // What does not fit is told of there.
            if let Ok(None) = Question::new(conn, table, expr) {
                tracing::warn!("the token file has a filter for the table '{table}', which is not enabled");
            }
        }
    }
    Ok(())
}
