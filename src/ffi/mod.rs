//! The boundary to the host's SQLite: a thin safe layer, and the only unsafe code of the crate.
//!
//! One thread at a time uses a connection: SQLite holds its mutex while it calls an extension (or
//! the host promised as much by building or opening without mutexes). So `Rc` and `RefCell` do
//! for the state of a connection.

mod api;
mod db;
mod entry;
mod function;
mod guard;
mod stmt;
mod table;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;
mod value;
mod vtab;

pub use db::Db;
#[cfg(feature = "extension-init")]
pub use entry::sqlite3_extension_init;
pub use entry::{sqlite3_grovecrdt_init, Attachment, Registrar};
pub use function::{Call, Context, Flags, Out};
pub use stmt::Stmt;
pub use table::{RowCursor, TableFunction};
pub use value::{Value, ValueRef};
