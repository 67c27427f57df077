//! The record that a merge is asking hooks about: what all changes at hand would make of it.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use crate::change::Change;
use crate::conn::Conn;
use crate::error::{Error, Result};
use crate::key::Pk;
use crate::merge::merge;
use crate::record::{FieldId, Record};
use crate::schema::Table;

/// A record and the changes of it in one call.
pub struct Incoming {
    /// The table's number.
    pub t: i64,
    /// The key.
    pub pk: Pk,
    /// The changes in the order of their stamps, as they came.
    pub changes: Vec<(FieldId, Change)>,
    /// What the record is shown as with all of them, once a hook has asked: each change asks the same.
    pub shown: OnceCell<String>,
}

/// Where a connection keeps the record at hand while hooks are asked about it.
pub type Place = RefCell<Option<Rc<Incoming>>>;

/// Keeps a record in its place until this is dropped.
pub struct AtHand<'a>(&'a Place);

impl<'a> AtHand<'a> {
    /// Puts a record there.
    pub fn keep(conn: &'a Conn, incoming: &Rc<Incoming>) -> AtHand<'a> {
        conn.incoming.replace(Some(Rc::clone(incoming)));
        AtHand(&conn.incoming)
    }
}

impl Drop for AtHand<'_> {
    fn drop(&mut self) {
        self.0.replace(None);
    }
}

/// What `show` makes of a record as it would be if all changes at hand were taken; of another record as it is. `record` reads it, with its
/// values.
///
/// # Errors
/// No `before_inbound` hook is running.
pub fn shown(
    conn: &Conn,
    table: &Table,
    pk: &Pk,
    record: impl FnOnce() -> Result<Option<Record>>,
    show: impl FnOnce(&Record) -> String,
) -> Result<Option<String>> {
    let at_hand = conn.incoming.borrow().clone();
    let incoming = at_hand.ok_or_else(|| Error::caller("'incoming' means something in a before_inbound hook only"))?;
    if incoming.t != table.id || incoming.pk != *pk {
        return Ok(record()?.as_ref().map(show));
    }
    if let Some(shown) = incoming.shown.get() {
        return Ok(Some(shown.clone()));
    }
    let mut now = record()?.unwrap_or_default();
    now.epitaph &= !incoming.changes.iter().any(|(_, change)| now.is_born_by(change));
    for (field, change) in &incoming.changes {
        merge(&mut now, *field, &change.hlc, &change.body, change.seen.as_deref(), &mut |_| Ok(None))?;
    }
    Ok(Some(incoming.shown.get_or_init(|| show(&now)).clone()))
}
