//! The n-th I/O fails, for n = 1, 2, 3 … until none does, over every function and over plain writes to an enabled table:
//! an error or the right answer, all or nothing (every table is compared), and a file that is sound.
//!
//! `FAULTS=all` tries every kind of fault at every place; without it the kinds take turns, and beyond the first dozen places ever
//! fewer are tried.

mod common;
mod support;

#[path = "faults/originals.rs"]
mod originals;
#[path = "faults/unread.rs"]
mod unread;
#[path = "faults/vfs.rs"]
mod vfs;
#[path = "faults/work.rs"]
mod work;

use originals::{contents, copy, originals, undisturbed, whole};
use vfs::FAULTS;
use work::WORK;

fn under_faults(mode: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("work.db");
    let originals = originals(folder.path(), mode);
    let every = std::env::var("FAULTS").is_ok_and(|v| v == "all");
    let mut tried = 0;
    for (turn, work) in WORK.iter().enumerate() {
        let original = &originals[&work.on];
        let states = undisturbed(original, &path, work);
        for (_, fault) in FAULTS.into_iter().enumerate().filter(|(i, _)| every || *i == turn % FAULTS.len()) {
            let mut n = 1;
            loop {
                copy(original, &path);
                let conn = vfs::open(&path);
                vfs::arm(n, fault);
                let outcome = originals::work(&conn, work.steps);
                let fired = vfs::disarm();
                drop(conn);
                whole(&outcome, &contents(&path), &states, &format!("{mode}, {}, {fault:?} at {n}", work.name));
                if !fired {
                    break;
                }
                tried += 1;
                n += if every || n < 12 { 1 } else { 1 + n / 12 };
            }
        }
    }
    println!("{mode}: {tried} faults over {} works", WORK.len());
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

/// What is registered with SQLite, and not done under faults: nothing.
#[test]
fn every_function_is_among_the_works() {
    let conn = common::open();
    let names = "SELECT DISTINCT name FROM pragma_function_list WHERE name GLOB 'crdt_*'
        UNION SELECT name FROM pragma_module_list WHERE name GLOB 'crdt_*'";
    let all: String = WORK.iter().flat_map(|work| work.steps).copied().collect();
    for name in support::rows(&conn, names) {
        let name = name.trim_matches('\'');
        // The view calls crdt_shadow; crdt_sync is a network's, tests/remote/faults.rs.
        let elsewhere = ["crdt_shadow", "crdt_sync"].contains(&name);
        assert!(all.contains(&format!("{name}(")) || elsewhere, "{name} is not among the works");
    }
}
