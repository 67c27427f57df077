//! grove-crdt: ordinary SQLite tables that several databases write apart and merge without conflict.
//!
//! Two straight roads run through the crate:
//!
//! ```text
//! local write → trigger (sql/triggers.sql) → log → fold → records → outbound → change JSON
//! change JSON → import → inbound → merge → show → apply → rows, and records → log (for relay)
//! ```
//!
//! `clock`, `value`, `key`, `change`, `compact`, `record`, `merge`, `local`, `pack` and `types` are pure: they need no database and
//! carry the laws, as property tests. `ffi` is the only unsafe code. `docs/design.md` says how things are stored and why.
#![deny(unsafe_code)]
#![deny(unsafe_op_in_unsafe_fn)]

mod error;
#[allow(unsafe_code)]
mod ffi;

// Pure: values, stamps, changes, and how they merge.
mod change;
mod clock;
mod compact;
mod json;
mod key;
mod local;
mod meet;
mod merge;
mod pack;
mod record;
mod types;
mod value;

// Their laws, for the fuzz targets.
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;

// What is stored, and what is added to the application's tables.
mod conn;
mod log;
mod node;
mod nodes;
mod pragma;
mod row;
mod schema;
mod sql;
mod store;
mod strangers;

// Out.
mod cells;
mod cursor;
mod filter;
mod fold;
mod outbound;
mod overwrite;
mod pass;
mod places;
mod prune;
mod scope;

// In.
mod apply;
mod aside;
mod batch;
mod claims;
mod coming;
mod conflicts;
mod drafted;
mod foreign;
mod found;
mod gather;
mod held;
mod import;
mod inbound;
mod left;
mod limits;
mod order;
mod pending;
mod putback;
mod rollback;
mod show;
mod showing;
mod spare;
mod stays;
mod stream;
mod unique;
mod walk;
mod whole;

// Around it.
mod check;
mod cleanup;
mod confirmed;
mod digest;
mod hooks;
mod inspect;
mod peers;
#[cfg(feature = "http")]
mod remote;
mod restamp;
mod session;
mod status;
mod tail;

// The edge to SQL.
mod functions;
mod tables;

use std::rc::Rc;

use error::Result;
#[cfg(feature = "extension-init")]
pub use ffi::sqlite3_extension_init;
pub use ffi::sqlite3_grovecrdt_init;

/// Registers everything on a connection.
fn register(to: &mut ffi::Registrar, attachment: ffi::Attachment) -> Result<()> {
    to.db().widen_lookaside();
    let conn = Rc::new(conn::Conn::new(to.db(), attachment));
    functions::register(to, &conn)?;
    tables::register(to, &conn)
}
