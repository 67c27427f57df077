//! The `sqlite3` shell, an older SQLite in a process of its own.

use std::path::Path;
use std::process::Command;

use crate::common::library;

/// Whether there is a shell here; says so when there is none.
pub fn exists() -> bool {
    let found = Command::new("sqlite3").arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("no sqlite3 shell here: skipped");
    }
    found
}

/// A shell on a database file, with the extension or bare.
pub fn command(path: &Path, loaded: bool) -> Command {
    let mut command = Command::new("sqlite3");
    command.args(["-batch", "-bail", "-cmd", ".timeout 20000"]);
    if loaded {
        command.arg("-cmd").arg(format!(".load {}", library().with_extension("").display()));
    }
    command.arg(path);
    command
}

/// Runs SQL in a shell; what it prints.
#[track_caller]
pub fn run(path: &Path, loaded: bool, sql: &str) -> String {
    let output = command(path, loaded).arg(sql).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{errors}: {sql}");
    String::from_utf8_lossy(&output.stdout).trim_end().to_string()
}
