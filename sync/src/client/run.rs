//! `grove-sync run`: stays with the peers, until it is told to stop.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{channel, Receiver, RecvTimeoutError};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::listen::{self, Listener};
use super::peer::{Follower, Word};
use super::Target;
use crate::db::{self, Use};

/// What `run` is called with.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    target: Target,
    /// Seconds between rounds when nothing else asks for one
    #[arg(long, value_name = "SECONDS", default_value_t = 30.0)]
    interval: f64,
    /// Do not listen to the peers' streams
    #[arg(long)]
    no_stream: bool,
    /// Seconds between clean-ups of tombstones, 0 for none
    #[arg(long, value_name = "SECONDS", default_value_t = 3600.0)]
    cleanup: f64,
}

fn seconds(name: &str, value: f64) -> Result<Duration, String> {
    Duration::try_from_secs_f64(value).map_err(|e| format!("--{name} {value}: {e}"))
}

/// Runs until SIGINT or SIGTERM.
pub fn run(args: &Args) -> Result<ExitCode, String> {
    let (interval, cleanup) = (seconds("interval", args.interval)?, seconds("cleanup", args.cleanup)?);
    if interval.is_zero() {
        return Err("--interval 0: a number of seconds above 0 is needed".to_owned());
    }
    // Wrong arguments are told before anything runs.
    drop(db::open(&args.target.database, Use::Write)?);
    crate::serve::log();
    let agent = listen::agent(&args.target)?;
    let stop = Arc::new(AtomicBool::new(false));
    let mut words = Vec::new();
    let mut threads = Vec::new();
    for url in &args.target.peer {
        let url = url.trim_end_matches('/').to_owned();
        let (tell, told) = channel();
        words.push(tell.clone());
        let begun = Arc::new(AtomicBool::new(false));
        if !args.no_stream {
            let listener = Listener {
                agent: agent.clone(),
                target: args.target.clone(),
                url: url.clone(),
                words: tell,
                begun: Arc::clone(&begun),
                stop: Arc::clone(&stop),
            };
            threads.push(thread::spawn(move || listener.listen()));
        }
        let follower = Follower { target: args.target.clone(), url, interval, words: told, begun };
        threads.push(thread::spawn(move || follower.follow()));
    }
    let (tell, told) = channel();
    words.push(tell);
    if !cleanup.is_zero() {
        let target = args.target.clone();
        threads.push(thread::spawn(move || clean(&target, cleanup, &told)));
    }
    crate::signals::wait()?;
    tracing::info!("stopping");
    stop.store(true, Ordering::SeqCst);
    for words in &words {
        let _ = words.send(Word::Stop); // a thread that has ended needs no telling
    }
    agent.shutdown();
    for thread in threads {
        thread.join().map_err(|_| "a thread panicked".to_owned())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Forgets old tombstones now and then.
fn clean(target: &Target, every: Duration, words: &Receiver<Word>) {
    let once = || {
        let conn = db::open(&target.database, Use::Write)?;
        let forgotten = conn.query_row("SELECT crdt_cleanup_tombstones()", [], |row| row.get::<_, i64>(0));
        forgotten.map_err(|e| e.to_string())
    };
    while let Err(RecvTimeoutError::Timeout) = words.recv_timeout(every) {
        match once() {
            Ok(0) => {}
            Ok(forgotten) => tracing::info!(forgotten, "tombstones cleaned up"),
            Err(error) => tracing::warn!("clean-up: {error}"),
        }
    }
}
