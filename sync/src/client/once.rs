//! `grove-sync sync`: one round with every peer.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::peers::Peer;
use super::round::{round, Report, Round, Ways};
use super::Target;

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
struct Outcome {
    peer: String,
    #[serde(flatten)]
    report: Report,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Serialize)]
struct Answer<'p> {
    #[serde(flatten)]
    total: Report,
    peers: &'p [Outcome],
    /// Why no peer was visited.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'p str>,
}

/// Goes to each peer in turn; the exit code is 1 when one of them failed or refused anything.
pub fn run(args: &Args) -> Result<ExitCode, String> {
    let outcomes = visit(&args.target);
    if args.json {
        let (peers, error) = match &outcomes {
            Ok(outcomes) => (outcomes.as_slice(), None),
            Err(error) => (&[][..], Some(error.as_str())),
        };
        let answer = Answer { total: total(peers), peers, error };
        crate::print(&serde_json::to_string(&answer).map_err(|e| e.to_string())?)?;
    }
    let peers = outcomes?;
    if !args.json {
        show(&peers)?;
    }
    let failed = peers.iter().any(|peer| peer.error.is_some() || !peer.report.is_whole());
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// A round with each peer.
fn visit(target: &Target) -> Result<Vec<Outcome>, String> {
    let (conn, peers) = target.open()?;
    let one = |peer: Peer| {
        let watch = Watch::new(&peer.name);
        let how = Round { ways: Ways::Both, retry: true };
        let (report, error) = match round(&conn, target, &peer, how, |so_far| watch.show(so_far)) {
            Ok(report) => (report, None),
            Err(error) => (Report::default(), Some(error)),
        };
        watch.end();
        Outcome { peer: peer.name, report, error }
    };
    Ok(peers.into_iter().map(one).collect())
}

fn total(peers: &[Outcome]) -> Report {
    let mut total = Report::default();
    peers.iter().for_each(|peer| total.add(&peer.report));
    total
}

/// Prints what became of the rounds, for people.
fn show(peers: &[Outcome]) -> Result<(), String> {
    for Outcome { peer, report, error } in peers {
        match error {
            Some(error) => crate::complain(&format!("{peer}: {error}")),
            None if peers.len() > 1 => crate::complain(&format!("{peer}: {report}")),
            None => {}
        }
    }
    if peers.iter().any(|peer| peer.error.is_none()) {
        crate::print(&total(peers).to_string())?;
    }
    Ok(())
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
