//! grove-crdt: conflict-free replicated tables, as an SQLite extension.
#![deny(unsafe_code)]
#![deny(unsafe_op_in_unsafe_fn)]

// The modules that use all of it come next; until then some of it looks dead.
#[allow(dead_code)]
mod error;
#[allow(unsafe_code, dead_code, unused_imports)]
mod ffi;

#[cfg(feature = "extension-init")]
pub use ffi::sqlite3_extension_init;
pub use ffi::sqlite3_grovecrdt_init;

use error::Result;
use ffi::{Attachment, Flags, Out, Registrar};
use std::rc::Rc;

/// What a connection keeps.
struct State {
    _attachment: Attachment,
}

/// Registers everything on a connection.
fn register(registrar: &mut Registrar, attachment: Attachment) -> Result<()> {
    let state = Rc::new(State {
        _attachment: attachment,
    });
    let pure = Flags::INNOCUOUS | Flags::DETERMINISTIC;
    registrar.function(c"crdt_version", 0, pure, &state, |_| {
        Ok(Out::Text(env!("CARGO_PKG_VERSION").to_owned()))
    })
}
