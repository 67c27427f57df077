//! The SQL functions: arguments checked here, the work done elsewhere.

mod admin;
mod args;
mod filter;
mod hooks;
mod inspect;
mod pull;
mod push;
mod remote;
mod shadow;
mod sync;

pub use admin::json_strings;
#[cfg(feature = "http")]
pub use sync::page;
pub use sync::{stamp_or_zero, table_names};

use std::rc::Rc;

use crate::conn::Conn;
use crate::error::Result;
use crate::ffi::{Flags, Registrar};

/// Registers every function.
pub fn register(to: &mut Registrar, conn: &Rc<Conn>) -> Result<()> {
    let (pure, writes, reads) = (Flags::INNOCUOUS | Flags::DETERMINISTIC, Flags::DIRECTONLY, Flags::INNOCUOUS);
    to.function(c"crdt_version", -1, pure, conn, admin::version)?;
    to.function(c"crdt_convert", -1, pure, conn, sync::convert)?;

    to.function(c"crdt_enable", -1, writes, conn, admin::enable)?;
    to.function(c"crdt_schema", -1, writes, conn, admin::schema)?;
    to.function(c"crdt_alter", -1, writes, conn, admin::alter)?;
    to.function(c"crdt_disable", -1, writes, conn, admin::disable)?;
    to.function(c"crdt_node_id", -1, writes, conn, admin::node_id)?;
    to.function(c"crdt_fork", -1, writes, conn, admin::fork)?;
    to.function(c"crdt_pragma", -1, writes, conn, admin::pragma)?;
    to.function(c"crdt_cleanup_tombstones", -1, writes, conn, admin::cleanup_tombstones)?;

    to.function(c"crdt_hook", -1, writes, conn, hooks::hook)?;
    to.function(c"crdt_unhook", -1, writes, conn, hooks::unhook)?;

    to.function(c"crdt_retry", -1, writes, conn, admin::retry)?;
    to.function(c"crdt_filter", -1, writes, conn, filter::filter)?;
    to.function(c"crdt_now", -1, writes, conn, sync::now)?;
    to.function(c"crdt_cursor", -1, writes, conn, sync::cursor)?;
    to.function(c"crdt_changes_since", -1, writes, conn, sync::changes_since)?;
    to.function(c"crdt_merge", -1, writes, conn, sync::merge)?;
    to.function(c"crdt_pull", -1, writes, conn, pull::pull)?;
    to.function(c"crdt_push", -1, writes, conn, push::push)?;
    to.function(c"crdt_sync", -1, writes, conn, remote::sync)?;

    to.function(c"crdt_inspect", -1, writes, conn, inspect::inspect)?;
    to.function(c"crdt_state", -1, writes, conn, inspect::state)?;
    to.function(c"crdt_digest", -1, writes, conn, inspect::digest)?;
    to.function(c"crdt_check", -1, writes, conn, inspect::check)?;
    to.function(c"crdt_status", -1, writes, conn, inspect::status)?;
    to.function(c"_crdt_meet", -1, writes, conn, crate::pass::meet)?;
    to.function(c"_crdt_give", 1, writes, conn, crate::pass::give)?;
    to.function(c"_crdt_edit", -1, writes, conn, crate::pass::edit)?;
    to.function(c"crdt_shadow", 1, reads, conn, shadow::shadow)?;
    to.function(c"crdt_shadow", 2, reads, conn, shadow::shadow_before)
}
