//! States of records that are stored already, given new ones in one pass through the range of their keys.

use std::cell::{Cell, RefCell};
use std::cmp::Ordering;
use std::ops::Range;
use std::rc::Rc;

use crate::batch::Rows;
use crate::conn::Conn;
use crate::error::Result;
use crate::ffi::{Call, Out, ValueRef};
use crate::pass::{between, Between, Pass, TOGETHER};
use crate::walk::order;

// The key's columns stay, and so does `dead`.
const SQL: &str = "UPDATE OR FAIL main._crdt_clock
                   SET g = _crdt_give(2), ts = _crdt_give(3), c = _crdt_give(4), n = _crdt_give(5), x = _crdt_give(7)
                   WHERE t = ?1 AND pk >= ?2 AND pk <= ?3 AND _crdt_meet(pk)";

/// Rows of `_crdt_clock` with their table and key first, in the order of keys.
struct Over {
    rows: Rc<Rows>,
    /// The next one to be met, and where they end.
    next: Cell<usize>,
    end: usize,
    /// Those that were passed over.
    left: RefCell<Vec<usize>>,
}

/// Gives the records of one table whose states are `rows`, in the order of their keys, these states where they are alive and stored;
/// the places of the others.
pub fn write(conn: &Conn, rows: &Rc<Rows>) -> Result<Vec<usize>> {
    let mut left = Vec::new();
    for from in (0..rows.len()).step_by(TOGETHER) {
        write_some(conn, rows, from..rows.len().min(from + TOGETHER), &mut left)?;
    }
    Ok(left)
}

fn write_some(conn: &Conn, rows: &Rc<Rows>, some: Range<usize>, left: &mut Vec<usize>) -> Result<()> {
    let Some(last) = some.clone().last() else { return Ok(()) };
    let range = [rows.get(some.start, 0), rows.get(some.start, 1), rows.get(last, 1)];
    let key = |i| Some(some.start + i).filter(|row| some.contains(row)).map(|row| rows.get(row, 1));
    let near = match range {
        [ValueRef::Integer(t), ..] => between(conn, t, some.len(), key)? != Between::Far,
        _ => false,
    };
    if !near {
        left.extend(some);
        return Ok(());
    }
    let over = Over { rows: Rc::clone(rows), next: Cell::new(some.start), end: some.end, left: RefCell::default() };
    let over = Rc::new(over);
    conn.run_pass(SQL, &range, Rc::<Over>::clone(&over))?;
    left.append(&mut over.left.take());
    left.extend(over.next.get()..some.end);
    Ok(())
}

impl Pass for Over {
    fn meet(&self, row: &Call<'_, Conn>) -> bool {
        let pk = row.arg(0);
        while self.next.get() < self.end {
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
