//! `grove-sync serve`: a hub.

use std::io::IsTerminal;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use tracing_subscriber::EnvFilter;

use crate::db::{self, Use};
use crate::hub::{self, Config, Tls, Tokens};

/// Seconds that options take.
const SECONDS: RangeInclusive<f64> = 0.1..=86_400.0;

/// What `serve` is called with.
#[derive(clap::Args)]
pub struct Args {
    /// The database
    database: PathBuf,
    /// Where to listen: an address or a name of this machine, and a port, 0 for a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080", value_parser = address)]
    listen: SocketAddr,
    /// The path of the sync routes
    #[arg(long, default_value = "/sync")]
    base: String,
    /// SQL to run first, with the extension loaded; makes the database when it is not there
    #[arg(long, value_name = "FILE")]
    init: Option<PathBuf>,
    /// Bearer tokens and what they allow, JSON; without it everyone may do everything
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Certificate chain for HTTPS, PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's key, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Origin whose pages may ask, such as https://app.example; may be given several times, * for all
    #[arg(long, value_name = "ORIGIN")]
    cors: Vec<String>,
    /// Seconds after which a node that is not heard of is no longer present
    #[arg(long, value_name = "SECONDS", default_value_t = 30.0)]
    presence_ttl: f64,
    /// Longest request body, bytes, after decompression
    #[arg(long, value_name = "BYTES", default_value_t = 64 << 20)]
    max_body: usize,
    /// Most bytes of request bodies at a time, and of answers that clients have not taken yet; twice --max-body at least
    #[arg(long, value_name = "BYTES", default_value_t = 256 << 20)]
    max_bodies: usize,
    /// Seconds without a byte after which a client that sends or is sent something is given up
    #[arg(long, value_name = "SECONDS", default_value_t = 30.0)]
    silence: f64,
    /// Most requests at work at a time, besides streams
    #[arg(long, value_name = "N", default_value_t = 256)]
    max_requests: usize,
    /// Most streams
    #[arg(long, value_name = "N", default_value_t = 4096)]
    max_streams: usize,
    /// Most connections; fewer where the process may have fewer files open
    #[arg(long, value_name = "N", default_value_t = 8192)]
    max_connections: usize,
    /// Most pushes that wait for their commit
    #[arg(long, value_name = "N", default_value_t = 256)]
    max_waiting: usize,
    /// Connections to the database that read
    #[arg(long, value_name = "N", default_value_t = 4)]
    readers: usize,
}

/// Has what happens written to stderr, as much as RUST_LOG says.
pub fn log() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let colours = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours);
    // Where nobody reads it any more, telling so would panic.
    lines.log_internal_errors(false).init();
}

/// Serves until it is told to stop.
pub fn run(args: Args) -> Result<ExitCode, String> {
    log();
    if let Some(script) = &args.init {
        init(&args.database, script)?;
    }
    let config = Config {
        database: args.database,
        listen: args.listen,
        base: base(&args.base)?,
        tokens: args.token_file.as_deref().map(Tokens::read).transpose()?,
        tls: args.tls_cert.zip(args.tls_key).map(|(cert, key)| Tls { cert, key }),
        cors: args.cors,
        presence_ttl: seconds("--presence-ttl", args.presence_ttl)?,
        silence: seconds("--silence", args.silence)?,
        max_body: args.max_body,
        max_bodies: args.max_bodies,
        max_requests: args.max_requests,
        max_streams: args.max_streams,
        max_connections: args.max_connections,
        max_waiting: args.max_waiting,
        readers: args.readers,
    };
    if config.tokens.is_none() && !config.listen.ip().is_loopback() {
        tracing::warn!("without --token-file everyone who reaches {} may read and write", config.listen);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|e| e.to_string())?;
    let served = runtime.block_on(hub::serve(config));
    // An export whose client has gone need not come to its end.
    runtime.shutdown_timeout(Duration::from_secs(1));
    served.map(|()| ExitCode::SUCCESS)
}

/// The address that is meant by `host:port`. Of several that a name has, the first that can be listened at.
fn address(given: &str) -> Result<SocketAddr, String> {
    let found = given.to_socket_addrs();
    let found: Vec<SocketAddr> =
        found.map_err(|e| format!("{e}; such as 127.0.0.1:8080 or localhost:8080 is needed"))?.collect();
    let usable = found.iter().find(|address| TcpListener::bind(address).is_ok());
    usable.or(found.first()).copied().ok_or_else(|| "the name has no address".to_owned())
}

fn seconds(option: &str, given: f64) -> Result<Duration, String> {
    match SECONDS.contains(&given) {
        true => Ok(Duration::from_secs_f64(given)),
        false => Err(format!("{option} {given}: {} to {} seconds", SECONDS.start(), SECONDS.end())),
    }
}

/// Runs the script on the database.
fn init(database: &Path, script: &Path) -> Result<(), String> {
    let about = |what: String| format!("{}: {what}", script.display());
    let sql = std::fs::read_to_string(script).map_err(|e| about(e.to_string()))?;
    if sql.contains('\0') {
        return Err(about("holds U+0000, where SQLite would end it".to_owned()));
    }
    let conn = db::open(database, Use::Create)?;
    conn.execute_batch(&sql).map_err(|e| about(e.to_string()))?;
    match conn.is_autocommit() {
        true => Ok(()),
        false => Err(about("leaves a transaction open, and so none of it would stay: end it with COMMIT".to_owned())),
    }
}

/// The path of the routes, with a slash in front and none behind.
fn base(given: &str) -> Result<String, String> {
    let path = given.trim_matches('/');
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~/".contains(c);
    match path.chars().all(plain) && !path.split('/').any(|part| part.is_empty() && !path.is_empty()) {
        true if path.is_empty() => Ok(String::new()),
        true => Ok(format!("/{path}")),
        false => Err(format!("--base {given}: a path of letters, digits and -._~ is needed")),
    }
}

#[cfg(test)]
mod tests {
    use super::{address, base};

    #[test]
    fn addresses() {
        assert_eq!(address("127.0.0.1:0"), Ok(([127, 0, 0, 1], 0).into()));
        assert!(address("localhost:0").is_ok_and(|address| address.ip().is_loopback()));
        assert!(address("nowhere").is_err_and(|e| e.contains("localhost:8080")));
    }

    #[test]
    fn bases() {
        assert_eq!(base("/sync/"), Ok("/sync".to_owned()));
        assert_eq!(base("a/b"), Ok("/a/b".to_owned()));
        assert_eq!(base("/"), Ok(String::new()));
        assert!(base("/a//b").is_err() && base("/{x}").is_err());
    }
}
