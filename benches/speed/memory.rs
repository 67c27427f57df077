//! Peak memory of an export and of a merge: each in a process of its own, this program called again.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

use rusqlite::{ffi, Connection};

use crate::common;
use crate::database::{Ground, State};
use crate::measure::Spent;
use crate::subject::{Payload, Subject};
use crate::workload::{Goal, Unit, Work, Workload};
use crate::writes;

/// Rows of which the first page of an export is full: 64 MiB.
const ROWS: usize = 300_000;
const FEW: usize = 10_000;
/// Tells a child what to do; its arguments are the database and the payload's file.
const CHILD: &str = "BENCH_CHILD";

pub fn all() -> Vec<Workload> {
    if !cfg!(target_os = "linux") {
        return Vec::new();
    }
    let streamed = |n| -> Work { Rc::new(move |ground, _| child(ground, "stream", State::Sized(n), Path::new(""))) };
    let page: Work = Rc::new(|ground, _| child(ground, "page", State::Sized(ROWS), Path::new("")));
    let merged: Work = Rc::new(|ground, _| child(ground, "merge", State::EmptyPeer, &page_file(ground)));
    let size: Work = Rc::new(|ground, _| Spent::amount(page_file(ground).metadata().unwrap().len() as f64));
    let line = |name: &str, work| Workload::new(name, 1, work).unit(Unit::Mega).once();
    vec![
        line("memory of streaming 300k rows, to 10k", streamed(ROWS)).against(streamed(FEW)).goal(Goal::More(1.0)),
        line("memory of a page, to its size", page).against(size.clone()),
        line("memory of merging 64 MiB, to its size", merged).against(size).ratio(2.0),
    ]
}

/// A file with the first page of an export.
fn page_file(ground: &Ground) -> PathBuf {
    let path = ground.folder().join("page.json");
    if !path.exists() {
        let Payload::Json(pages) = &*ground.payload(Subject::Lww, State::Sized(ROWS)) else { unreachable!() };
        std::fs::write(&path, &pages[0]).unwrap();
    }
    path
}

/// The peak in bytes of a child that does this in a database in that state.
fn child(ground: &Ground, what: &str, state: State, payload: &Path) -> Spent {
    let database = ground.database(Subject::Lww, state);
    let mut command = Command::new(std::env::current_exe().unwrap());
    let output = command.env(CHILD, what).arg(&database.path).arg(payload).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let peak = text.trim().parse();
    Spent::amount(peak.unwrap_or_else(|_| panic!("{text}{}", String::from_utf8_lossy(&output.stderr))))
}

/// Does what a parent asked for, if this is a child.
pub fn is_child() -> bool {
    let Ok(what) = std::env::var(CHILD) else { return false };
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let conn = Connection::open(&arguments[0]).unwrap();
    common::load(&conn).unwrap();
    // Everything is there that the first call makes.
    common::text(&conn, "SELECT crdt_changes_since(crdt_cursor())", []);
    let before = resident("VmRSS");
    match what.as_str() {
        "merge" => merge(&conn, Path::new(&arguments[1])),
        "page" => drop(common::text(&conn, "SELECT length(crdt_changes_since(NULL))", [])),
        _ => assert!(writes::read_all(&conn, "SELECT change FROM crdt_changes(NULL)") > 0),
    }
    println!("{}", resident("VmHWM") - before);
    true
}

/// Merges a file. Its text is there once, as a host's own that SQLite does not copy, and counts.
fn merge(conn: &Connection, path: &Path) {
    let text = std::fs::read(path).unwrap();
    let sql = c"SELECT crdt_merge(?1)";
    // SAFETY: the statement ends before the connection and the text do, and its text before it is bound anew.
    unsafe {
        let mut stmt = std::ptr::null_mut();
        assert_eq!(ffi::sqlite3_prepare_v2(conn.handle(), sql.as_ptr(), -1, &mut stmt, std::ptr::null_mut()), 0);
        let length = i32::try_from(text.len()).unwrap();
        assert_eq!(ffi::sqlite3_bind_text(stmt, 1, text.as_ptr().cast(), length, ffi::SQLITE_STATIC()), 0);
        assert_eq!(ffi::sqlite3_step(stmt), ffi::SQLITE_ROW);
        ffi::sqlite3_finalize(stmt);
    }
}

/// A line of /proc/self/status, in bytes.
fn resident(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}
