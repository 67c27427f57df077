//! A local write of cells, done to the bytes of a record as they are stored. Most updates are of records that have nothing but
//! clocks of one author: those need not be unpacked. Pure.

use super::bytes::{put, put_tick, Reader};
use crate::clock::Tick;
use crate::record::FieldId;

/// A stamp as stored: its node by number.
type Stamp = (Tick, u32);

/// An exception of the base stamp, of which nothing is known but stamps.
struct Exception<'x> {
    field: FieldId,
    /// Its bytes behind field and mark.
    rest: &'x [u8],
    mark: u32,
    hlc: Stamp,
    prev: Option<Stamp>,
}

/// Does to `x`, the exceptions to `base`, what [`crate::local::update`] does to a record: `fields`, in rising order, were written
/// under `stamp`. `covered` are the fields that the base covers. None where there is more to it than stamps.
pub fn write_cells(x: &[u8], base: Stamp, covered: &[FieldId], fields: &[FieldId], stamp: Stamp) -> Option<Vec<u8>> {
    if stamp.0 <= base.0 || fields.is_empty() {
        return None;
    }
    let mut r = Reader(x);
    let flags = if x.is_empty() { 0 } else { r.small().ok()? };
    // Parts stand behind the exceptions, or apart: they stay as they are.
    if flags & !(8 | 16) != 0 {
        return None;
    }
    let have = exceptions(&mut r, x.is_empty(), base)?;
    let own = |field: &FieldId| fields.binary_search(field).is_ok();
    let prev = |field: FieldId| overwritten(&have, covered, field, base, stamp);
    let others = || have.iter().filter(|e| !own(&e.field));
    // Else another stamp may be the one that most fields carry.
    let differ = others().filter(|e| e.mark & 3 != 0 && covered.contains(&e.field)).count() + fields.len();
    if differ * 2 >= covered.len() {
        return None;
    }
    let mut out = Vec::with_capacity(x.len() + 24 * fields.len() + 2);
    put(&mut out, flags.into());
    put(&mut out, (others().count() + fields.len()) as u128);
    let mut written = fields.iter().copied().peekable();
    for e in others() {
        // Fields without state come first.
        while let Some(field) = written.next_if(|field| e.mark & 1 == 0 && *field < e.field) {
            put_written(&mut out, field, prev(field)?, base, stamp);
        }
        put(&mut out, e.field.into());
        put(&mut out, e.mark.into());
        out.extend_from_slice(e.rest);
    }
    for field in written {
        put_written(&mut out, field, prev(field)?, base, stamp);
    }
    out.extend_from_slice(r.0);
    Some(out)
}

fn exceptions<'x>(r: &mut Reader<'x>, none: bool, base: Stamp) -> Option<Vec<Exception<'x>>> {
    let count = if none { 0 } else { r.small().ok()? };
    let mut all = Vec::with_capacity(count.min(64) as usize);
    for _ in 0..count {
        let (field, mark) = (r.small().ok()?, r.small().ok()?);
        // Values, and what else was seen, are for the general road.
        if mark & (16 | 32) != 0 {
            return None;
        }
        let from = r.0;
        let hlc = if mark & 3 == 2 { r.stored_stamp(base.0.ts).ok()? } else { base };
        let prev = if mark & 5 == 4 { Some(r.stored_stamp(base.0.ts).ok()?) } else { None };
        let rest = from.get(..from.len() - r.0.len())?;
        all.push(Exception { field, rest, mark, hlc, prev });
    }
    Some(all)
}

/// The stamp that a write of the field overwrites, if it had one. None where it cannot be written here.
fn overwritten(
    have: &[Exception<'_>],
    covered: &[FieldId],
    field: FieldId,
    base: Stamp,
    stamp: Stamp,
) -> Option<Option<Stamp>> {
    if !covered.contains(&field) {
        return None;
    }
    let Some(old) = have.iter().find(|e| e.field == field) else { return Some(Some(base)) };
    if old.mark & 1 != 0 {
        return Some(None);
    }
    // What it overwrote itself is still told of where the two stamps do not imply it.
    let implied = |(tick, node): Stamp| node == stamp.1 || (node == old.hlc.1 && tick <= old.hlc.0);
    old.prev.is_none_or(implied).then_some(Some(old.hlc))
}

fn put_written(out: &mut Vec<u8>, field: FieldId, prev: Option<Stamp>, base: Stamp, stamp: Stamp) {
    put(out, field.into());
    put(out, if prev.is_some() { 2 | 4 } else { 2 });
    for (tick, node) in std::iter::once(stamp).chain(prev) {
        put_tick(out, tick, base.0.ts);
        put(out, node.into());
    }
}
