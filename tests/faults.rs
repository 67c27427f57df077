//! The n-th I/O fails, for n = 1, 2, 3 … until none does, over every function and over plain writes to an enabled table:
//! an error or the right answer, all or nothing, and a file that is sound.
//!
//! `FAULTS=all` tries every kind of fault at every place; without it the kinds take turns.

mod common;

#[path = "faults/vfs.rs"]
mod vfs;
#[path = "faults/work.rs"]
mod work;

use vfs::Fault;
use work::{contents, copy, original, undisturbed, whole, work, WORK};

fn under_faults(mode: &str) {
    let folder = tempfile::tempdir().unwrap();
    let (original, path) = (original(folder.path(), mode), folder.path().join("work.db"));
    let before = contents(&original);
    let every = std::env::var("FAULTS").is_ok_and(|v| v == "all");
    let mut tried = 0;
    for (turn, (name, sql)) in WORK.iter().enumerate() {
        let after = undisturbed(&original, &path, sql);
        let kinds = [Fault::Once, Fault::Always, Fault::Full];
        for fault in kinds.into_iter().enumerate().filter(|(i, _)| every || *i == turn % 3).map(|(_, fault)| fault) {
            for n in 1.. {
                copy(&original, &path);
                let conn = vfs::open(&path);
                vfs::arm(n, fault);
                let outcome = work(&conn, sql);
                let fired = vfs::disarm();
                drop(conn);
                whole(&outcome, &contents(&path), [&before, &after], &format!("{mode}, {name}, {fault:?} at {n}"));
                if !fired {
                    break;
                }
                tried += 1;
            }
        }
    }
    println!("{mode}: {tried} faults");
    assert!(tried > 500, "{tried} faults");
}

#[test]
fn with_a_write_ahead_log() {
    under_faults("WAL");
}

#[test]
fn with_a_rollback_journal() {
    under_faults("DELETE");
}
