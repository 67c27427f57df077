//! Changes gathered by record, in the order of keys.

use std::rc::Rc;

use crate::change::Change;
use crate::coming;
use crate::error::{Error, Result};
use crate::import;
use crate::key::Pk;
use crate::left::{self, Leaving};
use crate::record::FieldId;
use crate::schema::Table;
use crate::store::Store;

/// A record that the changes touch.
pub struct Incoming<'c> {
    /// Its table.
    pub table: Rc<Table>,
    /// Its key.
    pub pk: Pk,
    /// The changes, the number of the field of each, and whether a column here shows it.
    pub changes: Vec<(&'c Change, FieldId, bool)>,
    /// That it left the sender's filter, and what came before that.
    pub leaving: Option<Leaving<'c, FieldId>>,
}

/// How many changes from the first on are of its record.
fn together(changes: &[&Change]) -> usize {
    let Some(first) = changes.first() else { return 0 };
    let same = |other: &&&Change| Rc::ptr_eq(&other.pk, &first.pk) && Rc::ptr_eq(&other.table, &first.table);
    changes.iter().take_while(same).count()
}

/// Changes by record, in key order.
pub fn group<'c>(store: &Store<'_>, changes: &[&'c Change]) -> Result<Vec<Incoming<'c>>> {
    let mut records: Vec<Incoming<'c>> = Vec::new();
    let mut finder = import::Finder::new(&store.catalog);
    let mut last: Option<&Rc<str>> = None;
    for (i, change) in changes.iter().enumerate() {
        let found = finder.find(change)?.ok_or_else(|| Error::internal("a field was not interned"))?;
        let same = last.is_some_and(|last| Rc::ptr_eq(last, &change.pk));
        match records.last_mut().filter(|record| same && record.table.id == found.table.id) {
            Some(record) => record.changes.push((*change, found.field, found.local)),
            None => {
                let pk = Pk::from_wire(&found.table.form(store.conn)?.shape.classes, &change.pk);
                let mut changes = Vec::with_capacity(together(changes.get(i..).unwrap_or_default()));
                changes.push((*change, found.field, found.local));
                records.push(Incoming { table: found.table, pk, changes, leaving: None });
                last = Some(&change.pk);
            }
        }
    }
    coming::sort(&mut records);
    records.dedup_by(|later, record| {
        let same = (record.table.id, &record.pk) == (later.table.id, &later.pk);
        if same {
            record.changes.append(&mut later.changes);
        }
        same
    });
    // In the order of their stamps: what an author deleted after writing it is no conflict.
    for record in &mut records {
        let (leaving, after) = left::split(std::mem::take(&mut record.changes));
        (record.leaving, record.changes) = (leaving, after);
        if let Some(leaving) = &mut record.leaving {
            leaving.before.sort_by(|a, b| a.0.hlc.cmp(&b.0.hlc));
        }
        record.changes.sort_by(|a, b| a.0.hlc.cmp(&b.0.hlc));
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_ends_where_the_table_changes() {
        let change = |table: &str, pk: &str| {
            format!(
                r#"{{"table":"{table}","pk":"{pk}","field":"v","crdt_type":"lww","hlc":{{"ts":1,"c":0,"node":"n"}},"node_id":"n","value":1}}"#
            )
        };
        let all = |records: &[(&str, &str)]| {
            let changes: Vec<String> = records.iter().map(|(table, pk)| change(table, pk)).collect();
            let changes = import::parse(&format!("[{}]", changes.join(","))).unwrap();
            let refs: Vec<&Change> = changes.iter().collect();
            (0..refs.len()).map(|i| together(&refs[i..])).collect::<Vec<_>>()
        };
        assert_eq!(all(&[("a", "k"), ("b", "k"), ("a", "k"), ("b", "k")]), [1, 1, 1, 1]);
        assert_eq!(all(&[("a", "k"), ("a", "k"), ("a", "l"), ("b", "l")]), [2, 1, 1, 1]);
    }
}
