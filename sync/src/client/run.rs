//! `grove-sync run`: stays with the peers, until it is told to stop.

use std::process::ExitCode;
use std::sync::atomic::AtomicU32;
use std::sync::mpsc::channel;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::listen::{self, Listener};
use super::peer::Follower;
use super::stop::Stop;
use super::Target;
use crate::db::{self, Use};

/// What `run` is called with.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    target: Target,
    /// Seconds between rounds both ways, besides those that commits and the peers' news ask for
    #[arg(long, value_name = "SECONDS", default_value_t = 30.0)]
    interval: f64,
    /// Do not listen to the peers' streams
    #[arg(long)]
    no_stream: bool,
    /// Seconds between clean-ups of tombstones, 0 for none
    #[arg(long, value_name = "SECONDS", default_value_t = 3600.0)]
    cleanup: f64,
}

/// Longer than anybody waits, and still a time that can be added to any other.
const LONGEST: Duration = Duration::from_secs(1 << 32);

fn seconds(name: &str, value: f64) -> Result<Duration, String> {
    let given = Duration::try_from_secs_f64(value).map_err(|e| format!("--{name} {value}: {e}"))?;
    Ok(given.min(LONGEST))
}

/// Runs until SIGINT or SIGTERM.
pub fn run(args: &Args) -> Result<ExitCode, String> {
    let (interval, cleanup) = (seconds("interval", args.interval)?, seconds("cleanup", args.cleanup)?);
    if interval.is_zero() {
        return Err("--interval 0: a number of seconds above 0 is needed".to_owned());
    }
    // Wrong arguments are told before anything runs.
    let (conn, peers) = args.target.open()?;
    drop(conn);
    let agent = listen::agent(&args.target)?;
    crate::serve::log();
    let stop = Arc::new(Stop::default());
    let mut threads = Vec::new();
    for mut peer in peers {
        peer.url.truncate(peer.url.trim_end_matches('/').len());
        let (tell, words) = channel();
        let recoveries = Arc::new(AtomicU32::new(0));
        if !args.no_stream {
            let listener = Listener {
                agent: agent.clone(),
                target: args.target.clone(),
                peer: peer.clone(),
                words: tell,
                recoveries: Arc::clone(&recoveries),
                stop: Arc::clone(&stop),
            };
            threads.push(thread::spawn(move || listener.listen()));
        }
        let follower =
            Follower { target: args.target.clone(), peer, interval, words, recoveries, stop: Arc::clone(&stop) };
        threads.push(thread::spawn(move || follower.follow()));
    }
    if !cleanup.is_zero() {
        let (target, stop) = (args.target.clone(), Arc::clone(&stop));
        threads.push(thread::spawn(move || clean(&target, cleanup, &stop)));
    }
    let _second = crate::signals::wait()?;
    tracing::info!("stopping");
    stop.set();
    agent.shutdown();
    stop.wait(threads)?;
    Ok(ExitCode::SUCCESS)
}

/// Forgets old tombstones now and then.
fn clean(target: &Target, every: Duration, stop: &Stop) {
    let once = || {
        let conn = db::open(&target.database, Use::Write)?;
        stop.interrupts(&conn);
        let forgotten = conn.query_row("SELECT crdt_cleanup_tombstones()", [], |row| row.get::<_, i64>(0));
        forgotten.map_err(|e| e.to_string())
    };
    while !stop.sleep(every) {
        match once() {
            Ok(0) => {}
            Err(_) if stop.is_set() => {}
            Ok(forgotten) => tracing::info!(forgotten, "tombstones cleaned up"),
            Err(error) => tracing::warn!("clean-up: {error}"),
        }
    }
}
