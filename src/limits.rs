//! Bounds on what a peer may send, as `crdt_pragma` sets them.

use crate::change::{Body, Change};
use crate::conn::Conn;
use crate::error::{excerpt, Error, Result};
use crate::hooks::is_news;
use crate::key::Pk;
use crate::outbound::with_values;
use crate::store::Store;
use crate::{import, pragma};

/// The bounds of one call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Most bytes of a change's value, as JSON.
    value_bytes: usize,
    /// Most bytes of a key's text.
    key_bytes: usize,
    /// Most changes of one push.
    push_changes: usize,
}

impl Limits {
    /// The bounds as they are set.
    pub fn read(conn: &Conn) -> Result<Limits> {
        let number = |name| Ok::<_, Error>(usize::try_from(pragma::number(conn, name)?).unwrap_or(usize::MAX));
        Ok(Limits {
            value_bytes: number("max_value_bytes")?,
            key_bytes: number("max_key_bytes")?,
            push_changes: number("max_push_changes")?,
        })
    }

    /// Refuses a change that is too long, unless it is known: what was written here comes back by way of others.
    pub fn check(&self, store: &Store<'_>, change: &Change) -> Result<()> {
        let (key, value) = (change.pk.len(), value_bytes(&change.body));
        if (key <= self.key_bytes && value <= self.value_bytes) || is_known(store, change)? {
            return Ok(());
        }
        let (what, has, limit, setting) = match key > self.key_bytes {
            true => ("key", key, self.key_bytes, "max_key_bytes"),
            false => ("value", value, self.value_bytes, "max_value_bytes"),
        };
        let (table, pk) = (excerpt(&change.table), excerpt(&change.pk));
        Err(Error::peer(format!("{table}[{pk}]: the {what} has {has} bytes; {setting} is {limit} here")))
    }

    /// Whether the key and the value of a cell are short enough.
    pub fn fit(&self, pk: &str, value: &str) -> bool {
        pk.len() <= self.key_bytes && value.len() <= self.value_bytes
    }

    /// Refuses changes of which one is too long: the error names it.
    pub fn check_all(&self, store: &Store<'_>, changes: &[Change]) -> Result<()> {
        let number = |(i, change)| self.check(store, change).map_err(|e| e.context(&format!("change {i}")));
        changes.iter().enumerate().try_for_each(number)
    }

    /// Refuses the change at place `i` (from 0) of a push that is too long.
    pub fn check_place(&self, i: usize) -> Result<()> {
        if i < self.push_changes {
            return Ok(());
        }
        Err(Error::peer(format!(
            "beyond the {} changes that one push may have here (max_push_changes); send it in another push",
            self.push_changes
        )))
    }
}

/// Whether the change would tell nothing new.
fn is_known(store: &Store<'_>, change: &Change) -> Result<bool> {
    let Ok(found) = import::resolve(&store.catalog, change) else { return Ok(false) };
    let pk = Pk::from_wire(&found.table.form(store.conn)?.shape.classes, &change.pk);
    let Some(record) = with_values(store, &found.table, &pk)? else { return Ok(false) };
    let mut held = |_| Ok(None);
    Ok(!is_news(&record, found.field, &change.hlc, &change.body, &mut held)?)
}

/// Bytes of what was written, as JSON: a cell's value, a set's elements, the whole of a change of an unknown type.
fn value_bytes(body: &Body) -> usize {
    match body {
        Body::Lww { value, .. } => value.len(),
        // The brackets, and a comma after each element but the last.
        Body::Add(elements) | Body::Remove { elements, .. } => {
            1 + elements.iter().map(|element| element.len() + 1).sum::<usize>().max(1)
        }
        Body::Other { json, .. } => json.len(),
        Body::Tombstone { .. } | Body::Left(_) | Body::Row | Body::Counter { .. } => 0,
    }
}
