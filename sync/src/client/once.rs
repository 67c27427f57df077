//! `grove-sync sync`: one round with every peer.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::round::{round, Report, Round, Ways};
use super::Target;
use crate::db::{self, Use};

/// A round that takes longer than this shows how far it is, on a terminal.
const LONG: Duration = Duration::from_secs(1);
/// And moves on that often, also while a page is on its way.
const TICK: Duration = Duration::from_millis(200);

/// What `sync` is called with.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    target: Target,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What became of the round with one peer.
#[derive(Serialize)]
struct Outcome<'p> {
    peer: &'p str,
    #[serde(flatten)]
    report: Report,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Serialize)]
struct Answer<'p> {
    #[serde(flatten)]
    total: Report,
    peers: Vec<Outcome<'p>>,
}

/// Goes to each peer in turn; the exit code is 1 when one of them failed or refused anything.
pub fn run(args: &Args) -> Result<ExitCode, String> {
    let targets = args.target.peers()?;
    let conn = db::open(&args.target.database, Use::Write)?;
    let mut total = Report::default();
    let mut peers = Vec::new();
    for peer in &targets {
        let watch = Watch::new(&peer.url);
        let how = Round { ways: Ways::Both, retry: true };
        let (report, error) = match round(&conn, &args.target, peer, how, |so_far| watch.show(so_far)) {
            Ok(report) => (report, None),
            Err(error) => (Report::default(), Some(error)),
        };
        watch.end();
        total.add(&report);
        peers.push(Outcome { peer: &peer.url, report, error });
    }
    let failed = peers.iter().any(|peer| peer.error.is_some() || !peer.report.is_whole());
    if args.json {
        println!("{}", serde_json::to_string(&Answer { total, peers }).map_err(|e| e.to_string())?);
    } else {
        for Outcome { peer, report, error } in &peers {
            match error {
                Some(error) => eprintln!("{peer}: {error}"),
                None if peers.len() > 1 => eprintln!("{peer}: {report}"),
                None => {}
            }
        }
        if peers.iter().any(|peer| peer.error.is_none()) {
            println!("{total}");
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Shows how far a round is, once it takes long.
struct Watch {
    bar: ProgressBar,
}

impl Watch {
    fn new(peer: &str) -> Watch {
        let bar = if std::io::stderr().is_terminal() { ProgressBar::no_length() } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} {msg} [{elapsed}]") {
            bar.set_style(style);
        }
        bar.set_prefix(peer.to_owned());
        let late = bar.clone();
        thread::spawn(move || {
            thread::sleep(LONG);
            if !late.is_finished() {
                late.enable_steady_tick(TICK);
            }
        });
        Watch { bar }
    }

    fn show(&self, so_far: &Report) {
        self.bar.set_message(so_far.to_string());
    }

    fn end(self) {
        self.bar.finish_and_clear();
    }
}
