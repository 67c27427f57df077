//! Cells of counters and sets whose text is not what their state shows: given the canonical one after a fold.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::ffi::{Value, ValueRef};
use crate::record::FieldId;
use crate::sql::ident;
use crate::store::{RecordKey, Store};

/// Such cells by record and field, with the raw value last written.
pub type Cells = BTreeMap<(RecordKey, FieldId), Value>;

/// Gives counter and set cells the text that their state shows, unless they were written again since.
pub fn rewrite(store: &mut Store<'_>, cells: Cells) -> Result<()> {
    for (((t, pk), field), raw) in cells {
        let Some(table) = store.table(t) else { continue };
        let Some(form) = table.form_if_usable(store.conn)? else { continue };
        let (Some(tracked), Some(record)) = (form.tracked(field), store.load(&table, &pk)?) else { continue };
        let Some(shown) = crate::row::shown(&record, tracked) else { continue };
        let Some(key) = pk.decode(&form.shape.classes) else { continue };
        let column = ident(&tracked.column.name);
        let n = key.len();
        let sql = format!(
            "UPDATE{} main.{} SET {column} = ?{} WHERE {} AND {column} IS ?{} COLLATE BINARY",
            if form.shape.own_conflict_rule { " OR ABORT" } else { "" },
            ident(&form.shape.name),
            n + 1,
            crate::row::key_condition(form),
            n + 2
        );
        let mut values: Vec<ValueRef<'_>> = key.iter().map(Value::as_ref).collect();
        values.extend([shown.as_ref(), raw.as_ref()]);
        let cell = (form, key.as_slice(), field);
        if let Err(e) = store.conn.rollbacks.watch_cell(store, cell, || store.conn.run(&sql, &values)) {
            // A trigger or a constraint of the application's may refuse: then the cell stays as it was written.
            crate::apply::refused(store.conn, e)?;
        }
    }
    Ok(())
}
