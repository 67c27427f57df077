//! Bindings of SQLite's `sqlite3ext.h`: the types, constants and table of routines that a
//! loadable extension sees. Links nothing: every SQLite routine is reached through the
//! `sqlite3_api_routines` table that the host hands to the extension.
#![allow(non_upper_case_globals, non_camel_case_types, non_snake_case)]
#![allow(clippy::all)]

#[rustfmt::skip]
mod bindings;
#[rustfmt::skip]
mod layout;

pub use bindings::*;
