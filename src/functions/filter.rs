//! `crdt_filter`: the database's own filters.

use super::args::Args;
use crate::conn::Conn;
use crate::error::Result;
use crate::ffi::{Call, Out};
use crate::filter::{self, registry, Filters};
use crate::session;
use crate::store::Store;

/// `crdt_filter(table)`, `crdt_filter(table, expression)`
pub fn filter(call: &Call<'_, Conn>) -> Result<Out> {
    let args = Args::new(call, "crdt_filter", "table [, expression]", 1, 2)?;
    args.named(|| {
        let name = args.text(0, "table")?;
        if args.len() == 1 {
            let told = session::read(args.conn(), |store| present(store, name))?;
            return match told {
                Some(expr) => Ok(out(expr)),
                None => Err(crate::schema::not_enabled(name, "")),
            };
        }
        let expr = args.optional(1, "expression")?;
        session::write(args.conn(), |store| {
            let table = std::rc::Rc::clone(store.catalog.enabled(name)?);
            if let Some(expr) = expr {
                filter::check(store, &table, expr)?;
            }
            registry::set_own(store, &table, expr)?;
            // Its members are looked up now, so that who cannot write knows them too.
            Filters::new(store, |t| t == table.id, &std::collections::BTreeMap::new())?;
            present(store, name).map(out)
        })
    })
}

/// The filter of a table.
fn present(store: &Store<'_>, name: &str) -> Result<Option<String>> {
    let t = store.catalog.enabled(name)?.id;
    Ok(registry::own(store.conn)?.into_iter().find(|(of, _)| *of == t).map(|(_, expr)| expr))
}

fn out(expr: Option<String>) -> Out {
    expr.map_or(Out::Null, Out::Text)
}
