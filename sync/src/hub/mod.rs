//! The hub: a database served to its peers.
//!
//! ```text
//! POST /push → body → guarded (tokens that may not write all) → writer: one commit for all that wait → answer
//! POST /pull → body → export, within the token's scope → answer
//! GET /stream → subscriber ← pages (shared) ← export, when `changed` tells of a commit
//! ```

mod again;
mod answer;
mod aside;
mod auth;
mod board;
mod body;
mod budget;
mod catalog;
mod changed;
mod dialect;
mod drain;
mod errors;
mod export;
mod files;
mod guarded;
mod inside;
mod leash;
mod limits;
mod measures;
mod meet;
mod newly;
mod origin;
mod overview;
mod page;
mod pages;
mod patience;
mod peers;
mod place;
mod presence;
mod probes;
mod pull;
mod push;
mod readers;
mod request;
mod scope;
mod server;
mod settle;
mod sse;
mod stream;
mod subscriber;
mod tls;
mod topics;
mod wire;
mod writer;

use std::sync::{Arc, Mutex, PoisonError};

use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::watch;

use crate::file::Opened;
pub use auth::Tokens;
pub use server::{serve, Config};
pub use tls::Tls;

/// What all requests share.
pub struct Hub {
    opened: Opened,
    readers: readers::Readers,
    writer: writer::Writer,
    changed: changed::Changed,
    tokens: Option<Tokens>,
    presence: presence::Presence,
    pages: pages::Pages,
    peers: peers::Peers,
    limits: limits::Limits,
    measures: PrometheusHandle,
    stop: watch::Receiver<bool>,
    catalog: Mutex<Option<(u64, Arc<catalog::Catalog>)>>,
    overview: overview::Cache,
    readiness: probes::Readiness,
}

/// The hub, in requests.
type Shared = Arc<Hub>;

impl Hub {
    /// The tables.
    async fn catalog(&self) -> errors::Result<Arc<catalog::Catalog>> {
        let generation = *self.changed.rises().borrow();
        let known = self.catalog.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, catalog)) = known.filter(|(then, _)| *then == generation) {
            return Ok(catalog);
        }
        let catalog = Arc::new(self.readers.run(catalog::Catalog::read).await?);
        *self.catalog.lock().unwrap_or_else(PoisonError::into_inner) = Some((generation, Arc::clone(&catalog)));
        Ok(catalog)
    }
}
