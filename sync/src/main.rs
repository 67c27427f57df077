//! `grove-sync`: SQLite databases that grove-crdt tracks, over HTTP. One module a subcommand.
#![deny(unsafe_op_in_unsafe_fn)]

mod client;
mod db;
mod file;
mod hub;
mod inspect;
mod serve;
mod signals;
mod status;

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "grove-sync", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves a database to its peers over HTTP
    Serve(serve::Args),
    /// Exchanges changes with each peer, once
    Sync(client::once::Args),
    /// Stays with its peers: exchanges changes as they come
    Run(client::run::Args),
    /// Tells how a database is doing
    Status(status::Args),
    /// Shows the state of one record
    Inspect(inspect::Args),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve(args) => serve::run(args),
        Command::Sync(args) => client::once::run(&args),
        Command::Run(args) => client::run::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Inspect(args) => inspect::run(&args),
    };
    match done {
        Ok(code) => code,
        Err(message) => {
            complain(&format!("grove-sync: {message}"));
            ExitCode::FAILURE
        }
    }
}

/// Prints what a command found. Who reads may have enough before the end.
fn print(text: &str) -> Result<ExitCode, String> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{}", text.trim_end()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(e.to_string()),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// Tells of a failure on stderr. Nobody may be there to read it.
fn complain(text: &str) {
    drop(writeln!(std::io::stderr(), "{text}"));
}
