//! States of records that are stored already, given new ones in one pass through the range of their keys.

use std::cell::{Cell, RefCell};
use std::cmp::Ordering;
use std::rc::Rc;

use crate::batch::Rows;
use crate::conn::Conn;
use crate::error::Result;
use crate::ffi::{Call, Out, ValueRef};
use crate::pass::{is_near, Pass};
use crate::walk::order;

// The key's columns stay, and so does `dead`.
const SQL: &str = "UPDATE OR FAIL main._crdt_clock
                   SET g = _crdt_give(2), ts = _crdt_give(3), c = _crdt_give(4), n = _crdt_give(5), x = _crdt_give(7)
                   WHERE t = ?1 AND pk >= ?2 AND pk <= ?3 AND _crdt_meet(pk)";

/// Rows of `_crdt_clock` with their table and key first, in the order of keys.
struct Over {
    rows: Rc<Rows>,
    /// The next one to be met.
    next: Cell<usize>,
    /// Those that were passed over.
    left: RefCell<Vec<usize>>,
}

/// Gives the records of one table whose states are `rows`, in the order of their keys, these states where they are alive and stored;
/// the places of the others.
pub fn write(conn: &Conn, rows: &Rc<Rows>) -> Result<Vec<usize>> {
    let Some(last) = rows.len().checked_sub(1) else { return Ok(Vec::new()) };
    let range = [rows.get(0, 0), rows.get(0, 1), rows.get(last, 1)];
    let [ValueRef::Integer(t), ..] = range else { return Ok((0..=last).collect()) };
    if !is_near(conn, t, rows.len(), |i| (i <= last).then(|| rows.get(i, 1)))? {
        return Ok((0..=last).collect());
    }
    let over = Rc::new(Over { rows: Rc::clone(rows), next: Cell::new(0), left: RefCell::default() });
    let pass = Rc::<Over>::clone(&over);
    conn.run_pass(SQL, &range, pass)?;
    let mut left = over.left.take();
    left.extend(over.next.get()..=last);
    Ok(left)
}

impl Pass for Over {
    fn meet(&self, row: &Call<'_, Conn>) -> bool {
        let pk = row.arg(0);
        while self.next.get() < self.rows.len() {
            let at = self.next.get();
            let order = order(pk, self.rows.get(at, 1));
            if order == Ordering::Less {
                return false;
            }
            self.next.set(at + 1);
            if order == Ordering::Equal {
                return true;
            }
            self.left.borrow_mut().push(at);
        }
        false
    }

    fn give(&self, i: i64) -> Out {
        let value = match (self.next.get().checked_sub(1), usize::try_from(i)) {
            (Some(met), Ok(i)) => self.rows.get(met, i),
            _ => ValueRef::Null,
        };
        Out::Value(value.to_value())
    }
}
