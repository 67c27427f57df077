//! Functions that register sync hooks.

use super::args::Args;
use crate::conn::Conn;
use crate::error::Result;
use crate::ffi::{Call, Out};
use crate::hooks::{self, Hook};
use crate::session;

/// `crdt_hook(name, event, sql [, table_glob])`
pub fn hook(call: &Call<'_, Conn>) -> Result<Out> {
    let args = Args::new(call, "crdt_hook", "name, event, sql [, table_glob]", 3, 4)?;
    args.named(|| {
        let (name, event, sql) = (args.text(0, "name")?, args.text(1, "event")?, args.text(2, "sql")?);
        let table_glob = args.optional(3, "table_glob")?.unwrap_or("*");
        let hook = Hook::new(name, event, sql, table_glob)?;
        session::write(args.conn(), |store| hooks::add(store, &hook).map(Out::Text))
    })
}

/// `crdt_unhook(name)`
pub fn unhook(call: &Call<'_, Conn>) -> Result<Out> {
    let args = Args::new(call, "crdt_unhook", "name", 1, 1)?;
    args.named(|| {
        let name = args.text(0, "name")?;
        session::write(args.conn(), |store| hooks::remove(store, name).map(Out::Text))
    })
}
