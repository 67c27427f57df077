//! Updates of cells, which most updated records have nothing else of, done to the clocks where they are: one statement goes
//! through them, and `_crdt_edit` says which to change and how. So a record is not looked for twice, nor unpacked.

use std::cmp::Ordering;
use std::rc::Rc;

use super::{Slot, What};
use crate::clock::Tick;
use crate::conn::Conn;
use crate::error::Result;
use crate::ffi::{Call, Out, Value, ValueRef};
use crate::pack::{write_cells, Nodes};
use crate::schema::Table;
use crate::store::{RecordKey, Store};
use crate::walk::order;

/// The clocks between two keys are gone through when there are at most so many for each record to be edited; else each is looked for.
const NEAR: i64 = 4;

const RANGE: &str = "UPDATE OR FAIL main._crdt_clock SET x = _crdt_edit()
                     WHERE t = ?1 AND pk >= ?2 AND pk <= ?3 AND _crdt_edit(pk, g, ts, c, n, x)";
const ONE: &str = "UPDATE OR FAIL main._crdt_clock SET x = _crdt_edit()
                   WHERE t = ?1 AND pk = ?2 AND _crdt_edit(pk, g, ts, c, n, x)";

/// Records to be edited, in the order of their keys.
pub struct Edits {
    table: Rc<Table>,
    /// This node's number.
    me: u32,
    all: Vec<(RecordKey, Slot)>,
    /// How many are done with.
    at: usize,
    /// Those that nothing is known of, or that are more than an edit can do.
    left: Vec<usize>,
    /// The last one's new `x`.
    x: Vec<u8>,
}

/// Whether a record may be edited, by what was written of it.
pub(super) fn may_edit(table: &Table, slot: &Slot) -> bool {
    let is_cells = |what: &What| matches!(what, What::Cells(_));
    is_cells(&slot.first.what) && slot.more.iter().all(|write| is_cells(&write.what)) && table.ended().is_none()
}

/// Edits the records that can be edited; the others come back.
pub(super) fn write(
    store: &Store<'_>,
    table: &Rc<Table>,
    all: Vec<(RecordKey, Slot)>,
) -> Result<Vec<(RecordKey, Slot)>> {
    let conn = store.conn;
    let (Some(((_, first), _)), Some(((_, last), _))) = (all.first(), all.last()) else { return Ok(all) };
    let (first, last) = (first.clone(), last.clone());
    let count = all.len();
    let far = conn.int(
        "SELECT 1 FROM main._crdt_clock WHERE t = ?1 AND pk >= ?2 AND pk <= ?3 LIMIT 1 OFFSET ?4",
        &[table.id.into(), first.as_ref(), last.as_ref(), (NEAR * count as i64).into()],
    )?;
    let me = store.nodes.number(&store.me)?;
    let edits = Edits { table: Rc::clone(table), me, all, at: 0, left: Vec::new(), x: Vec::new() };
    conn.edits.replace(Some(edits));
    let outcome = if far.is_none() {
        conn.run(RANGE, &[table.id.into(), first.as_ref(), last.as_ref()]).map(drop)
    } else {
        one_by_one(conn, table.id, count)
    };
    let edits = conn.edits.take();
    outcome?;
    Ok(edits.map_or_else(Vec::new, Edits::left))
}

fn one_by_one(conn: &Conn, t: i64, count: usize) -> Result<()> {
    let mut stmt = conn.stmt(ONE)?;
    for i in 0..count {
        if let Some(((_, pk), _)) = conn.edits.borrow().as_ref().and_then(|edits| edits.all.get(i)) {
            stmt.bind_all(&[t.into(), pk.as_ref()])?;
        }
        while stmt.step()? {}
    }
    Ok(())
}

/// `_crdt_edit(pk, g, ts, c, n, x)`: whether a record is one to be edited. `_crdt_edit()`: its new `x`. NULL but while a statement of
/// ours runs.
pub fn edit(call: &Call<'_, Conn>) -> Result<Out> {
    let Ok(mut edits) = call.state().edits.try_borrow_mut() else { return Ok(Out::Null) };
    let Some(edits) = edits.as_mut() else { return Ok(Out::Null) };
    if call.len() == 0 {
        return Ok(Out::Value(Value::Blob(std::mem::take(&mut edits.x))));
    }
    let number = |i| call.arg(i).as_i64();
    let base = [number(1), number(2), number(3), number(4)];
    Ok(Out::Int(edits.take(call.arg(0), base, call.arg(5).as_bytes().unwrap_or_default()).into()))
}

impl Edits {
    /// Takes in what was written of the record under the key `pk`, if anything was.
    fn take(&mut self, pk: ValueRef<'_>, base: [Option<i64>; 4], x: &[u8]) -> bool {
        while let Some(((_, key), slot)) = self.all.get(self.at) {
            let order = order(pk, key);
            if order == Ordering::Less {
                return false;
            }
            self.at += 1;
            if order == Ordering::Equal {
                if let Some(x) = written(&self.table, self.me, slot, base, x) {
                    self.x = x;
                    return true;
                }
            }
            self.left.push(self.at - 1);
        }
        false
    }

    fn left(self) -> Vec<(RecordKey, Slot)> {
        let mut left = self.left.into_iter().chain(self.at..self.all.len()).peekable();
        let all = self.all.into_iter().enumerate();
        all.filter(|(i, _)| left.next_if_eq(i).is_some()).map(|(_, one)| one).collect()
    }
}

/// The `x` of a record after what was written of it.
fn written(table: &Table, me: u32, slot: &Slot, base: [Option<i64>; 4], x: &[u8]) -> Option<Vec<u8>> {
    let [Some(gen), Some(ts), Some(c), Some(n)] = base else { return None };
    if gen != i64::from(table.gen) {
        return None;
    }
    let base = (Tick { ts, c: u32::try_from(c).ok()? }, u32::try_from(n).ok()?);
    let mut now: Option<Vec<u8>> = None;
    for write in std::iter::once(&slot.first).chain(&slot.more) {
        let What::Cells(fields) = &write.what else { return None };
        let x = now.as_deref().unwrap_or(x);
        now = Some(write_cells(x, base, table.covered(), fields, (write.stamp.tick(), me))?);
    }
    now
}
