//! A record's clocks as bytes: one base stamp for the row, and exceptions.
//!
//! ```text
//! x        = flags, [tombstone stamp, [seen]], [row stamp], [forgotten stamp], [shed], count, exception*, [parts]
//! flags    = 1 tombstone | 2 epitaph | 4 row stamp differs from the base | 8 parts follow | 16 parts are in _crdt_parts
//!          | 32 what the delete had seen | 64 forgotten | 128 stamps of dropped columns
//! exception= field, mark, [stamp], [prev stamp], [length, value JSON], [seen, missed]
//! mark     = 1 no state | 2 stamp differs from the base | 4 prev | 8 altered | 16 value kept here | 32 seen, missed
//! seen, missed, shed = count, stamp*
//! parts    = count, counter*, count, set*
//! counter  = field, count, (marks, [author], [name length, name], inc, [dec], [ts, c], [born stamp])*
//!            marks = 1 author differs from the base | 2 name | 4 dec | 8 ts, c differ from the base | 16 born
//! set      = field, count, (element length, element, marks, [node], [add ts, c], [operation ts, c], [gone stamp])*
//!            marks = 1 add | 2 gone | 4 operation | 8 node differs from the base | 16 add differs from the base
//! stamp    = zigzag(ts − base ts), c, node number          (base ts is 0 when there is no base)
//! ```
//! All numbers are LEB128. A field that the base covers (the last-writer-wins columns of the base's generation) and that is
//! no exception carries the base stamp. Pure.

mod bytes;
mod cells;
mod edit;
mod parts;

use std::rc::Rc;

use crate::clock::Hlc;
use crate::error::Result;
use crate::record::{FieldId, Record};
use crate::types::lww::{Lww, Past};
use bytes::{corrupt, put, put_seen, put_stamp, put_text, Reader};
pub use cells::{pack_cells, unpack_cells, Cells};
pub use edit::write_cells;
use parts::inline_parts;
pub use parts::{pack_mark, pack_part, unpack_mark, unpack_part};

/// Gives node ids their numbers.
pub trait Nodes {
    /// The number of a node, new if need be.
    fn number(&self, node: &Rc<str>) -> Result<u32>;
    /// The node of a number.
    fn node(&self, number: u32) -> Result<Rc<str>>;
}

/// A packed record: what the clock table stores.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Packed {
    /// The base stamp; None for records without one.
    pub base: Option<Hlc>,
    /// The exceptions; empty when there are none.
    pub x: Vec<u8>,
    /// The parts are to be kept in rows of their own.
    pub apart: bool,
}

/// Packs the clocks of `record`; `covered` are the fields that a base stamp covers, in rising order.
pub fn pack(record: &Record, covered: &[FieldId], nodes: &impl Nodes) -> Result<Packed> {
    let base = choose_base(record, covered);
    let mut flags = 0u64;
    let mut out = Vec::new();
    let origin = base.as_ref().map_or(0, |b| b.ts);
    if let Some(tomb) = &record.tomb {
        flags |= 1;
        put_stamp(&mut out, tomb, origin, nodes)?;
        if let Some(seen) = &record.tomb_seen {
            flags |= 32;
            put_seen(&mut out, seen, origin, nodes)?;
        }
    }
    if record.epitaph {
        flags |= 2;
    }
    let row = record.visible_row();
    if let Some(row) = row.filter(|row| base.as_ref() != Some(row)) {
        flags |= 4;
        put_stamp(&mut out, row, origin, nodes)?;
    }
    if let Some(until) = &record.forgotten {
        flags |= 64;
        put_stamp(&mut out, until, origin, nodes)?;
    }
    if !record.shed.is_empty() {
        flags |= 128;
        put(&mut out, record.shed.len() as u128);
        record.shed.iter().try_for_each(|(node, tick)| put_stamp(&mut out, &tick.by(node), origin, nodes))?;
    }
    let (count, list) = exceptions(record, covered, base.as_ref(), nodes)?;
    let (parts, apart) = inline_parts(record, base.as_ref(), nodes)?;
    if apart {
        flags |= 16;
    } else if !parts.is_empty() {
        flags |= 8;
    }
    if flags == 0 && count == 0 {
        return Ok(Packed { base, x: Vec::new(), apart });
    }
    let mut x = Vec::with_capacity(out.len() + list.len() + parts.len() + 4);
    put(&mut x, flags.into());
    x.extend_from_slice(&out);
    put(&mut x, count);
    x.extend_from_slice(&list);
    x.extend_from_slice(&parts);
    Ok(Packed { base, x, apart })
}

/// The stamp that most covered fields carry; for a record that shows only its row's stamp, that one.
fn choose_base(record: &Record, covered: &[FieldId]) -> Option<Hlc> {
    let stamps = covered.iter().filter_map(|f| record.lww.get(f)).map(|l| &l.hlc);
    let only_row = covered.is_empty() && record.lww.is_empty();
    base_of(stamps, covered.len()).or_else(|| record.visible_row().filter(|_| only_row)).cloned()
}

/// The stamp that most of so many fields carry.
fn base_of<'h>(stamps: impl Iterator<Item = &'h Hlc> + Clone, fields: usize) -> Option<&'h Hlc> {
    let mut best: Option<(&Hlc, usize)> = None;
    for stamp in stamps.clone() {
        if best.is_some_and(|(b, _)| b == stamp) {
            continue;
        }
        let n = stamps.clone().filter(|s| *s == stamp).count();
        if best.is_none_or(|(_, most)| n > most) {
            best = Some((stamp, n));
        }
        if n * 2 > fields {
            break;
        }
    }
    best.map(|(base, _)| base)
}

fn exceptions(record: &Record, covered: &[FieldId], base: Option<&Hlc>, nodes: &impl Nodes) -> Result<(u128, Vec<u8>)> {
    let (mut count, mut out) = (0u128, Vec::new());
    if base.is_some() {
        for field in covered.iter().filter(|f| !record.lww.contains_key(f)) {
            put(&mut out, (*field).into());
            put(&mut out, 1);
            count += 1;
        }
    }
    for (field, lww) in &record.lww {
        count += u128::from(put_cell(&mut out, *field, lww, (base, covered.contains(field)), nodes)?);
    }
    Ok((count, out))
}

/// The mark of a cell with state; 0 where it is no exception.
fn mark(lww: &Lww, (base, covered): (Option<&Hlc>, bool)) -> u32 {
    let as_base = base == Some(&lww.hlc) && covered;
    (if as_base { 0 } else { 2 })
        | if lww.prev.is_some() { 4 } else { 0 }
        | if lww.altered { 8 } else { 0 }
        | if lww.saved.is_some() { 16 } else { 0 }
        | if lww.past.is_some() { 32 } else { 0 }
}

/// Writes an exception, if the cell is one; `covered` where the base covers its field.
fn put_cell(
    out: &mut Vec<u8>,
    field: FieldId,
    lww: &Lww,
    (base, covered): (Option<&Hlc>, bool),
    nodes: &impl Nodes,
) -> Result<bool> {
    let (origin, mark) = (base.map_or(0, |b| b.ts), mark(lww, (base, covered)));
    if mark == 0 {
        return Ok(false);
    }
    put(out, field.into());
    put(out, mark.into());
    if mark & 2 != 0 {
        put_stamp(out, &lww.hlc, origin, nodes)?;
    }
    if let Some(prev) = &lww.prev {
        put_stamp(out, prev, origin, nodes)?;
    }
    if let Some(saved) = &lww.saved {
        put_text(out, saved);
    }
    if let Some(past) = &lww.past {
        put_seen(out, &past.seen, origin, nodes)?;
        put_seen(out, &past.missed, origin, nodes)?;
    }
    Ok(true)
}

/// Reads back what [`pack`] wrote; parts that are kept apart are not in the result.
pub fn unpack(base: Option<Hlc>, x: &[u8], covered: &[FieldId], nodes: &impl Nodes) -> Result<Record> {
    let mut record = base.as_ref().map_or_else(Record::default, |base| Record::new(base, covered));
    if x.is_empty() {
        return Ok(record);
    }
    let origin = base.as_ref().map_or(0, |b| b.ts);
    let mut r = Reader(x);
    let flags = r.small()?;
    if flags & 1 != 0 {
        record.tomb = Some(r.stamp(origin, nodes)?);
        record.tomb_seen = if flags & 32 != 0 { Some(r.seen(origin, nodes)?) } else { None };
    }
    record.epitaph = flags & 2 != 0;
    if flags & 4 != 0 {
        record.row = Some(r.stamp(origin, nodes)?);
    }
    if flags & 64 != 0 {
        record.forgotten = Some(r.stamp(origin, nodes)?);
    }
    if flags & 128 != 0 {
        for _ in 0..r.small()? {
            let stamp = r.stamp(origin, nodes)?;
            record.shed.insert(Rc::clone(&stamp.node), stamp.tick());
        }
    }
    read_exceptions(&mut r, &mut record, base.as_ref(), nodes)?;
    if flags & 8 != 0 {
        r.parts(base.as_ref(), nodes, &mut record)?;
    }
    record.apart = flags & 16 != 0;
    r.end()?;
    Ok(record)
}

fn read_exceptions(r: &mut Reader<'_>, record: &mut Record, base: Option<&Hlc>, nodes: &impl Nodes) -> Result<()> {
    for _ in 0..r.small()? {
        let (field, mark) = (r.small()?, r.small()?);
        match read_cell(r, mark, base, nodes)? {
            Some(cell) => drop(record.lww.insert(field, cell)),
            None => drop(record.lww.remove(&field)),
        }
    }
    Ok(())
}

/// Reads an exception behind its mark; None for one without state.
fn read_cell(r: &mut Reader<'_>, mark: u32, base: Option<&Hlc>, nodes: &impl Nodes) -> Result<Option<Lww>> {
    if mark & 1 != 0 {
        return Ok(None);
    }
    let origin = base.map_or(0, |b| b.ts);
    let hlc = match (mark & 2 != 0, base) {
        (true, _) => r.stamp(origin, nodes)?,
        (false, Some(base)) => base.clone(),
        (false, None) => return Err(corrupt()),
    };
    let prev = if mark & 4 != 0 { Some(r.stamp(origin, nodes)?) } else { None };
    let saved = if mark & 16 != 0 { Some(r.text()?) } else { None };
    let past = match mark & 32 {
        0 => None,
        _ => Past::of(r.seen(origin, nodes)?, r.seen(origin, nodes)?),
    };
    Ok(Some(Lww { hlc, prev, altered: mark & 8 != 0, saved, past }))
}

/// Field numbers as bytes: the fields that a relay entry of the log names.
pub fn pack_fields(fields: impl Iterator<Item = FieldId>) -> Vec<u8> {
    let mut out = Vec::new();
    fields.for_each(|field| put(&mut out, field.into()));
    out
}

/// Reads back what [`pack_fields`] wrote.
pub fn unpack_fields<C: FromIterator<FieldId>>(bytes: &[u8]) -> Result<C> {
    let mut r = Reader(bytes);
    std::iter::from_fn(|| (!r.0.is_empty()).then(|| r.small())).collect()
}

#[cfg(test)]
mod tests;
