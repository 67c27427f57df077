//! The other half of a hub: a database that goes to its peers.

mod backoff;
mod listen;
pub mod once;
mod peer;
mod round;
pub mod run;
mod stop;

use std::path::PathBuf;

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
    /// Bearer token for the peers
    #[arg(long, env = "GROVE_SYNC_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// PEM file of certificates to trust instead of the usual ones
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// How long a request may take, such as 500ms, 30s, 5m
    #[arg(long, default_value = "30s")]
    timeout: String,
}
