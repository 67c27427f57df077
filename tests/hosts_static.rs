//! The crate linked into a Rust program, which gives it to every connection that the program opens.

mod common;
#[path = "hosts/story.rs"]
mod story;

use rusqlite::ffi;
use rusqlite::Connection;
use std::ffi::{c_char, c_int};
use std::path::Path;

type Entry = unsafe extern "C" fn(*mut ffi::sqlite3, *mut *mut c_char, *const ffi::sqlite3_api_routines) -> c_int;

/// The entry point under the types of rusqlite's own bindings.
fn entry() -> Entry {
    // SAFETY: one C signature; two binding crates name its structures.
    unsafe { std::mem::transmute::<*const (), Entry>(grove_crdt::sqlite3_grovecrdt_init as *const ()) }
}

/// In a program that links the extension, a connection without it is one that was opened before.
fn write_bare(path: &Path) {
    // Nothing else in this process opens connections meanwhile.
    assert!(rusqlite::auto_extension::cancel_auto_extension(entry()));
    let bare = Connection::open(path).unwrap();
    bare.execute_batch(include_str!("hosts/bare.sql")).unwrap();
    bare.close().unwrap();
    register();
}

fn register() {
    // SAFETY: our own entry point.
    unsafe { rusqlite::auto_extension::register_auto_extension(entry()).unwrap() };
}

#[test]
fn linked_into_a_rust_program() {
    register();
    story::run(|_| {});
}
