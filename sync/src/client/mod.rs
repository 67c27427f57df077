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
    /// How long a request may take, such as 500ms, 30s, 5m
    #[arg(long, default_value = "30s")]
    timeout: String,
}

impl Target {
    /// The peers, each with its token.
    fn peers(&self) -> Result<Vec<Peer>, String> {
        peers::peers(&self.peer, &self.token)
    }
}
