//! `grove-sync inspect`: one record's state.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::db::{self, Use};

/// What `inspect` is called with.
#[derive(clap::Args)]
pub struct Args {
    /// The database
    database: PathBuf,
    /// The record's table
    table: String,
    /// Its key, as change records spell it
    pk: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Prints the state; the exit code is 1 when nothing is known of the record.
pub fn run(args: &Args) -> Result<ExitCode, String> {
    let conn = db::open(&args.database, Use::Look)?;
    let function = if args.json { "crdt_state" } else { "crdt_inspect" };
    let shown: Option<String> = conn
        .query_row(&format!("SELECT {function}(?1, ?2)"), [&args.table, &args.pk], |row| row.get(0))
        .map_err(|e| e.to_string())?;
    match shown {
        Some(text) => crate::print(&text),
        None => Err(format!("nothing is known of {}[{}]", args.table, args.pk)),
    }
}
