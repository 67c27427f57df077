//! Updates of cells, which most updated records have nothing else of, done to the clocks where they are: so a record is not looked
//! for twice, nor unpacked.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::rc::Rc;

use super::{Slot, What};
use crate::clock::Tick;
use crate::conn::Conn;
use crate::error::Result;
use crate::ffi::{Call, Out, Value, ValueRef};
use crate::pack::{write_cells, Nodes};
use crate::pass::{between, Between, Pass};
use crate::schema::Table;
use crate::store::{RecordKey, Store};
use crate::walk::order;

const ALL: &str =
    "UPDATE OR FAIL main._crdt_clock SET x = _crdt_edit(pk, g, ts, c, n, x) WHERE t = ?1 AND pk >= ?2 AND pk <= ?3";
const RANGE: &str = "UPDATE OR FAIL main._crdt_clock SET x = _crdt_give(0)
                     WHERE t = ?1 AND pk >= ?2 AND pk <= ?3 AND _crdt_meet(pk, g, ts, c, n, x)";
const ONE: &str = "UPDATE OR FAIL main._crdt_clock SET x = _crdt_give(0)
                   WHERE t = ?1 AND pk = ?2 AND _crdt_meet(pk, g, ts, c, n, x)";

type Keyed = (RecordKey, Slot);

/// Records to be edited, in the order of their keys.
struct Edits {
    table: Rc<Table>,
    /// This node's number.
    me: u32,
    all: Rc<Vec<Keyed>>,
    now: RefCell<Now>,
}

#[derive(Default)]
struct Now {
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

/// Edits the records that can be edited; gives the places of the others.
pub(super) fn write(store: &Store<'_>, table: &Rc<Table>, all: &Rc<Vec<Keyed>>) -> Result<Vec<usize>> {
    let conn = store.conn;
    let ([((_, first), _), ..], [.., ((_, last), _)]) = (all.as_slice(), all.as_slice()) else { return Ok(Vec::new()) };
    let range = [table.id.into(), first.as_ref(), last.as_ref()];
    let me = store.nodes.number(&store.me)?;
    let edits = Rc::new(Edits { table: Rc::clone(table), me, all: Rc::clone(all), now: RefCell::default() });
    let pass = || Rc::<Edits>::clone(&edits);
    let key = |i| all.get(i).map(|((_, pk), _): &Keyed| pk.as_ref());
    match between(conn, table.id, all.len(), key)? {
        Between::Dense => drop(conn.run_pass(ALL, &range, pass())?),
        Between::Near => drop(conn.run_pass(RANGE, &range, pass())?),
        // Each is looked for.
        Between::Far => {
            for ((t, pk), _) in all.iter() {
                conn.run_pass(ONE, &[(*t).into(), pk.as_ref()], pass())?;
            }
        }
    }
    let Now { at, mut left, .. } = edits.now.take();
    left.extend(at..all.len());
    Ok(left)
}

impl Pass for Edits {
    fn meet(&self, row: &Call<'_, Conn>) -> bool {
        let number = |i| row.arg(i).as_i64();
        let base = [number(1), number(2), number(3), number(4)];
        self.take(row.arg(0), base, row.arg(5).as_bytes().unwrap_or_default())
    }

    fn give(&self, _: i64) -> Out {
        Out::Value(Value::Blob(std::mem::take(&mut self.now.borrow_mut().x)))
    }
}

impl Edits {
    /// Takes in what was written of the record under the key `pk`, if anything was.
    fn take(&self, pk: ValueRef<'_>, base: [Option<i64>; 4], x: &[u8]) -> bool {
        let now = &mut *self.now.borrow_mut();
        while let Some(((_, key), slot)) = self.all.get(now.at) {
            let order = order(pk, key.as_ref());
            if order == Ordering::Less {
                return false;
            }
            now.at += 1;
            if order == Ordering::Equal {
                if let Some(x) = written(&self.table, self.me, slot, base, x) {
                    now.x = x;
                    return true;
                }
            }
            now.left.push(now.at - 1);
        }
        false
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
