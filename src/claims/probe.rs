//! Rows that stand in the way of one, found by trying.

use crate::error::Result;
use crate::ffi::Value;
use crate::key::Pk;
use crate::log::{Event, Reader};
use crate::record::Record;
use crate::schema::Form;
use crate::store::Store;
use crate::{apply, row};

/// The keys of the rows that stand in the way of a record, as our own triggers note them before a write that is ignored:
/// for claims that the definitions of the indexes do not tell.
pub(super) fn probe(store: &Store<'_>, form: &Form, pk: &Pk, record: &Record) -> Result<Vec<Pk>> {
    let Some(key) = pk.decode(&form.shape.classes) else { return Ok(Vec::new()) };
    let whole = apply::complete(store.conn, form, pk, record)?;
    let cells: Vec<(usize, Value)> =
        form.tracked.iter().enumerate().filter_map(|(i, t)| Some((i, row::shown(&whole, t)?))).collect();
    let mark = store.last_seq()?;
    store.conn.run("SAVEPOINT crdt_probe", &[])?;
    let probe = || -> Result<Vec<Pk>> {
        if let Err(e) = row::probe(store.conn, form, &key, &cells) {
            apply::refused(store.conn, e)?;
        }
        let mut found = Vec::new();
        let mut rows = Reader::new(store.conn, mark, i64::MAX)?;
        while rows.step()? {
            if rows.event() == Event::Suspect {
                found.push(rows.key(&form.shape.classes));
            }
        }
        // One row may stand in the way by several of its values.
        found.sort_unstable();
        found.dedup();
        Ok(found)
    };
    let found = probe();
    store.conn.run("ROLLBACK TO crdt_probe", &[])?;
    store.conn.run("RELEASE crdt_probe", &[])?;
    Ok(found?.into_iter().filter(|found| found != pk).collect())
}
