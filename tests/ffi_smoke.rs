//! The library loads into different hosts, once or several times, and goes away cleanly.

mod common;

use common::{error, library, load, open, open_file, text};
use rusqlite::ffi;
use rusqlite::Connection;
use std::ffi::{c_char, c_int, CStr};
use std::process::Command;

const VERSION: &str = env!("CARGO_PKG_VERSION");

#[test]
fn loads() {
    let conn = open();
    assert_eq!(text(&conn, "SELECT crdt_version()", []), VERSION);
    conn.close().unwrap();
}

#[test]
fn loads_twice_even_while_a_statement_runs() {
    let conn = open();
    load(&conn).unwrap();
    // SAFETY: our own library.
    unsafe { conn.load_extension_enable().unwrap() };
    let path = library();
    let path = path.to_str().unwrap();
    assert_eq!(text(&conn, "SELECT load_extension(?1)", [path]), "");
    assert_eq!(text(&conn, "SELECT crdt_version()", []), VERSION);
    conn.close().unwrap();
    // Connections come back at the same address: they must not count as attached already.
    for _ in 0..20 {
        let conn = open();
        assert_eq!(text(&conn, "SELECT crdt_version()", []), VERSION);
    }
}

#[test]
fn both_entry_points() {
    for entry in ["sqlite3_grovecrdt_init", "sqlite3_extension_init"] {
        let conn = Connection::open_in_memory().unwrap();
        // SAFETY: our own library.
        unsafe {
            conn.load_extension_enable().unwrap();
            conn.load_extension(library(), Some(entry)).unwrap();
        }
        assert_eq!(text(&conn, "SELECT crdt_version()", []), VERSION);
    }
}

#[test]
fn many_threads() {
    let folder = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for i in 0..4 {
            let path = folder.path().join(format!("{}.db", i % 2));
            scope.spawn(move || {
                for _ in 0..10 {
                    let conn = open_file(&path);
                    assert_eq!(text(&conn, "SELECT crdt_version()", []), VERSION);
                }
            });
        }
    });
}

#[test]
fn refuses_arguments_it_does_not_know() {
    let conn = open();
    assert!(error(&conn, "SELECT crdt_version(1)", []).contains("crdt_version is called as crdt_version()"));
}

/// A Rust program that links the crate attaches it to every connection it opens.
#[test]
fn links_statically() {
    type Entry = unsafe extern "C" fn(*mut ffi::sqlite3, *mut *mut c_char, *const ffi::sqlite3_api_routines) -> c_int;
    // SAFETY: the same C signature, the structures under the names of two binding crates. The
    // other tests of this process then load the library into connections that have it already.
    unsafe {
        let entry = std::mem::transmute::<*const (), Entry>(grove_crdt::sqlite3_grovecrdt_init as *const ());
        rusqlite::auto_extension::register_auto_extension(entry).unwrap();
    }
    let conn = Connection::open_in_memory().unwrap();
    assert_eq!(text(&conn, "SELECT crdt_version()", []), VERSION);
    // The library is another copy of the same code: it takes over, without harm.
    load(&conn).unwrap();
    assert_eq!(text(&conn, "SELECT crdt_version()", []), VERSION);
    conn.close().unwrap();
}

/// Hosts that this extension cannot run on get a sentence, not a crash.
#[test]
fn refuses_old_hosts() {
    unsafe extern "C" fn old_version() -> c_int {
        3_034_000
    }
    type Routines = sqlite3ext_sys::sqlite3_api_routines;
    let conn = Connection::open_in_memory().unwrap();
    // SAFETY: a table with only a version and an allocator; an old host has no more than that
    // to look at.
    unsafe {
        let mut table: Box<Routines> = Box::new(std::mem::zeroed());
        let mut message: *mut c_char = std::ptr::null_mut();
        let mut attach = |table: *mut Routines| {
            let db = conn.handle().cast();
            let code = grove_crdt::sqlite3_grovecrdt_init(db, &mut message, table);
            let text = match message.is_null() {
                true => String::new(),
                false => CStr::from_ptr(message).to_string_lossy().into_owned(),
            };
            ffi::sqlite3_free(message.cast());
            message = std::ptr::null_mut();
            (code, text)
        };
        assert_eq!(attach(std::ptr::null_mut()), (1, String::new()));
        assert_eq!(attach(&mut *table), (1, String::new()));
        table.malloc = Some(ffi::sqlite3_malloc);
        table.libversion_number = Some(old_version);
        let (code, text) = attach(&mut *table);
        assert_eq!(code, 1);
        assert!(text.contains("3.34.1 or newer, this is 3.34.0"), "{text}");
    }
}

#[test]
fn loads_into_the_shell() {
    let shell = match Command::new("sqlite3").arg("--version").output() {
        Ok(output) if output.status.success() => "sqlite3",
        _ => return eprintln!("no sqlite3 shell here: skipped"),
    };
    let output = Command::new(shell)
        .arg(":memory:")
        .arg(format!(".load {}", library().with_extension("").display()))
        .arg("SELECT crdt_version();")
        .output()
        .unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), VERSION);
}
