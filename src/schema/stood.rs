//! How the rows of records that wait stood when their table was disabled. Such a row shows what the record was before it had to wait: only
//! what was written to it meanwhile is the application's. In `_crdt_pragma`, by table and key.

use std::collections::BTreeMap;

use crate::conn::Conn;
use crate::error::{Error, Result};
use crate::ffi::Value;
use crate::key::Pk;
use crate::record::FieldId;
use crate::schema::Form;

/// A name in `_crdt_pragma`. The key is its wire text.
const STOOD: &str = "'stood/' || ?1 || '/' || ?2";

/// The cells of a row, as JSON, by field.
pub struct Stood(BTreeMap<FieldId, String>);

impl Stood {
    fn of(form: &Form, cells: &[Value]) -> Stood {
        let cells = form.tracked.iter().zip(cells);
        Stood(cells.map(|(t, cell)| (t.field, crate::value::to_json(cell.as_ref(), t.column.form))).collect())
    }

    /// The row of a record that waits in a table, if it stood there when that was disabled.
    pub fn read(conn: &Conn, t: i64, pk: &Pk) -> Result<Option<Stood>> {
        let sql = format!("SELECT value FROM main._crdt_pragma WHERE name = {STOOD}");
        let text = conn.first(&sql, &[t.into(), (&*pk.wire()).into()], |row| row.text(0).map(str::to_owned))?;
        let damaged = |_| Error::data("_crdt_pragma holds a row that cannot be read; delete what begins with 'stood/'");
        text.flatten().map(|text| serde_json::from_str(&text).map(Stood).map_err(damaged)).transpose()
    }

    /// Notes how a row stands.
    pub fn note(conn: &Conn, (t, pk): (i64, &Pk), form: &Form, cells: &[Value]) -> Result<()> {
        let text = serde_json::json!(Stood::of(form, cells).0).to_string();
        let sql = format!("INSERT OR REPLACE INTO main._crdt_pragma(name, value) VALUES ({STOOD}, ?3)");
        conn.run(&sql, &[t.into(), (&*pk.wire()).into(), text.as_str().into()]).map(drop)
    }

    /// Whether a row stands as it did.
    pub fn stands(&self, form: &Form, cells: &[Value]) -> bool {
        self.0 == Stood::of(form, cells).0
    }

    /// What a cell held, if it was there.
    pub fn cell(&self, field: FieldId) -> Option<Value> {
        crate::value::decode(self.0.get(&field)?).ok()
    }

    /// Whether a cell holds what it did.
    pub fn holds(&self, field: FieldId, json: &str) -> bool {
        self.0.get(&field).is_some_and(|stood| stood == json)
    }
}

/// Forgets how rows of a table stood.
pub fn forget(conn: &Conn, t: i64) -> Result<()> {
    conn.run("DELETE FROM main._crdt_pragma WHERE name GLOB 'stood/' || ?1 || '/*'", &[t.into()]).map(drop)
}
