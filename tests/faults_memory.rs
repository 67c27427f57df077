//! The n-th allocation of SQLite's fails, for n = 1, 2, 3 … until none does, over every function and over plain writes to an
//! enabled table: an error or the right answer, all or nothing, and nothing leaks.
//!
//! `FAULTS=all` tries every place; without it, beyond the first dozen places, ever fewer of them. `FAULTS_PART=1/2` does the first
//! half of the works: leaks are counted for a whole process, so that threads cannot share them. `FAULTS_AT=merge` tries that
//! work alone, `FAULTS_AT='merge at 300'`, as a failure names it, that place.

mod common;
mod support;

#[path = "faults/originals.rs"]
mod originals;
#[path = "faults/vfs.rs"]
mod vfs;
#[path = "faults/work.rs"]
mod work;

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::sync::OnceLock;

use originals::{contents, copy, originals, undisturbed, whole};
use rusqlite::ffi::{self, sqlite3_mem_methods};
use work::WORK;

thread_local! {
    /// Allocations still to succeed; none fails at 0.
    static LEFT: Cell<u64> = const { Cell::new(0) };
    static FIRED: Cell<bool> = const { Cell::new(false) };
    /// All later ones fail too.
    static ALWAYS: Cell<bool> = const { Cell::new(false) };
}

/// SQLite's own allocator.
struct Real {
    malloc: unsafe extern "C" fn(c_int) -> *mut c_void,
    realloc: unsafe extern "C" fn(*mut c_void, c_int) -> *mut c_void,
}

static REAL: OnceLock<Real> = OnceLock::new();

fn fails() -> bool {
    match LEFT.get() {
        0 => FIRED.get() && ALWAYS.get(),
        1 => {
            LEFT.set(0);
            FIRED.set(true);
            true
        }
        n => {
            LEFT.set(n - 1);
            false
        }
    }
}

unsafe extern "C" fn malloc(n: c_int) -> *mut c_void {
    match (fails(), REAL.get()) {
        // SAFETY: SQLite's own allocator, as SQLite calls it.
        (false, Some(real)) => unsafe { (real.malloc)(n) },
        _ => std::ptr::null_mut(),
    }
}

unsafe extern "C" fn realloc(p: *mut c_void, n: c_int) -> *mut c_void {
    match (fails(), REAL.get()) {
        // SAFETY: as above.
        (false, Some(real)) => unsafe { (real.realloc)(p, n) },
        _ => std::ptr::null_mut(),
    }
}

/// Puts our allocator before SQLite's. Before anything else is done with SQLite.
fn install() {
    // SAFETY: SQLite is not initialised yet, this test being the only one of its process.
    unsafe {
        let mut methods: sqlite3_mem_methods = std::mem::zeroed();
        assert_eq!(ffi::sqlite3_config(ffi::SQLITE_CONFIG_GETMALLOC, &mut methods), ffi::SQLITE_OK);
        let real = Real { malloc: methods.xMalloc.unwrap(), realloc: methods.xRealloc.unwrap() };
        assert!(REAL.set(real).is_ok());
        methods.xMalloc = Some(malloc);
        methods.xRealloc = Some(realloc);
        assert_eq!(ffi::sqlite3_config(ffi::SQLITE_CONFIG_MALLOC, &methods), ffi::SQLITE_OK);
    }
}

/// Which of how many parts of the works this process does.
fn part() -> (usize, usize) {
    let Ok(text) = std::env::var("FAULTS_PART") else { return (1, 1) };
    let part = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
    part.filter(|(i, n)| (1..=*n).contains(i)).unwrap_or_else(|| panic!("FAULTS_PART is such as 1/2, not {text}"))
}

/// The one work to try, and the one place in it.
fn at() -> Option<(String, Option<u64>)> {
    let text = std::env::var("FAULTS_AT").ok()?;
    let place = text.rsplit_once(" at ").and_then(|(name, n)| Some((name.to_owned(), Some(n.parse().ok()?))));
    let (name, place) = place.unwrap_or((text, None));
    assert!(WORK.iter().any(|work| work.name == name), "FAULTS_AT names no work: {name}");
    Some((name, place))
}

fn used() -> i64 {
    // SAFETY: reads a counter.
    unsafe { ffi::sqlite3_memory_used() }
}

#[test]
fn when_memory_runs_out() {
    install();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("work.db");
    let originals = originals(folder.path(), "WAL");
    let every = std::env::var("FAULTS").is_ok_and(|v| v == "all");
    let ((part, parts), only) = (part(), at());
    let place = only.as_ref().and_then(|(_, place)| *place);
    let mut tried = 0;
    for (turn, work) in WORK.iter().enumerate().filter(|(turn, _)| turn % parts == part - 1) {
        let (name, original) = (work.name, &originals[&work.on]);
        if only.as_ref().is_some_and(|(only, _)| only != name) {
            continue;
        }
        let states = undisturbed(original, &path, work);
        let start = used();
        let mut n = place.unwrap_or(1);
        loop {
            copy(original, &path);
            let conn = vfs::open(&path);
            ALWAYS.set(n as usize % 2 == turn % 2);
            FIRED.set(false);
            LEFT.set(n);
            let outcome = originals::work(&conn, work.steps);
            LEFT.set(0);
            let fired = FIRED.replace(false);
            drop(conn);
            whole(&outcome, &contents(&path), &states, &format!("{name} at {n}"));
            drop(outcome);
            assert!(used() <= start, "{name} at {n}: {} bytes leaked", used() - start);
            tried += usize::from(fired);
            if !fired || place.is_some() {
                break;
            }
            n += if every || n < 12 { 1 } else { 1 + n / 8 };
        }
        if every {
            println!("{name}: {n} places");
        }
    }
    println!("{tried} faults");
    assert!(tried > if only.is_some() { 0 } else { 1_000 / parts }, "{tried} faults");
}
