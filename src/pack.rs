//! A record's clocks as bytes: one base stamp for the row, and exceptions.
//!
//! ```text
//! x        = flags, [tombstone stamp], [row stamp], count, exception*, [parts]
//! flags    = 1 tombstone | 2 epitaph | 4 row stamp differs from the base | 8 parts follow | 16 parts are in _crdt_parts
//! exception= field, mark, [stamp], [prev stamp], [length, value JSON]
//! mark     = 1 no state | 2 stamp differs from the base | 4 prev | 8 altered | 16 value kept here
//! parts    = count, counter*, count, set*
//! counter  = field, count, (marks, [author], [name length, name], inc, [dec], [ts, c], [born stamp])*
//!            marks = 1 author differs from the base | 2 name | 4 dec | 8 ts, c differ from the base | 16 born
//! set      = field, count, (element length, element, marks, [node], [add ts, c], [operation ts, c])*
//!            marks = 1 add | 2 dead | 4 operation | 8 node differs from the base | 16 add differs from the base
//! stamp    = zigzag(ts − base ts), c, node number          (base ts is 0 when there is no base)
//! ```
//! All numbers are LEB128. A field that the base covers (the last-writer-wins columns of the base's generation) and that is
//! no exception carries the base stamp. Pure.

use std::rc::Rc;

use crate::clock::{Hlc, Tick};
use crate::error::{Error, Result};
use crate::record::{FieldId, Marks, Parts, Record};
use crate::types::counter::Part;
use crate::types::lww::Lww;
use crate::types::set::Mark;

/// Longest parts that stay with the clocks, bytes; longer ones go to rows of their own.
const MAX_INLINE: usize = 1_000;

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
    }
    if record.epitaph {
        flags |= 2;
    }
    let row = record.visible_row();
    if let Some(row) = row.filter(|row| base.as_ref() != Some(row)) {
        flags |= 4;
        put_stamp(&mut out, row, origin, nodes)?;
    }
    let (count, list) = exceptions(record, covered, base.as_ref(), nodes)?;
    let mut parts = Vec::new();
    let has_parts = !record.counters.is_empty() || !record.sets.is_empty() || !record.kept.is_empty();
    let mut apart = record.apart || !record.kept.is_empty();
    if has_parts && !apart {
        put_parts(&mut parts, record, base.as_ref(), nodes)?;
        apart = parts.len() > MAX_INLINE;
    }
    if apart {
        flags |= 16;
        parts.clear();
    } else if has_parts {
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

fn put_parts(out: &mut Vec<u8>, record: &Record, base: Option<&Hlc>, nodes: &impl Nodes) -> Result<()> {
    put(out, record.counters.len() as u128);
    for (field, parts) in &record.counters {
        put(out, (*field).into());
        put(out, parts.len() as u128);
        for ((author, name), part) in parts {
            put_counter(out, author, name, part, base, nodes)?;
        }
    }
    put(out, record.sets.len() as u128);
    for (field, marks) in &record.sets {
        put(out, (*field).into());
        put(out, marks.len() as u128);
        for ((element, node), mark) in marks {
            put_text(out, element);
            put_inline_mark(out, node, mark, base, nodes)?;
        }
    }
    Ok(())
}

fn put_counter(
    out: &mut Vec<u8>,
    author: &Rc<str>,
    name: &str,
    part: &Part,
    base: Option<&Hlc>,
    nodes: &impl Nodes,
) -> Result<()> {
    let origin = base.map_or(0, |b| b.ts);
    let other_author = base.is_none_or(|b| b.node != *author);
    let other_tick = base.is_none_or(|b| b.tick() != part.hlc.tick());
    let marks = bits([other_author, !name.is_empty(), part.dec != 0, other_tick, part.born.is_some()]);
    out.push(marks);
    if other_author {
        put(out, nodes.number(author)?.into());
    }
    if !name.is_empty() {
        put_text(out, name);
    }
    put(out, part.inc);
    if part.dec != 0 {
        put(out, part.dec);
    }
    if other_tick {
        put_tick(out, part.hlc.tick(), origin);
    }
    if let Some(born) = &part.born {
        put_stamp(out, born, origin, nodes)?;
    }
    Ok(())
}

fn put_inline_mark(
    out: &mut Vec<u8>,
    node: &Rc<str>,
    mark: &Mark,
    base: Option<&Hlc>,
    nodes: &impl Nodes,
) -> Result<()> {
    let origin = base.map_or(0, |b| b.ts);
    let other_node = base.is_none_or(|b| b.node != *node);
    let other_add = mark.add.filter(|add| base.is_none_or(|b| b.tick() != *add));
    out.push(bits([mark.add.is_some(), mark.dead, mark.op.is_some(), other_node, other_add.is_some()]));
    if other_node {
        put(out, nodes.number(node)?.into());
    }
    for tick in [other_add, mark.op].into_iter().flatten() {
        put_tick(out, tick, origin);
    }
    Ok(())
}

fn bits(flags: [bool; 5]) -> u8 {
    flags.iter().rev().fold(0, |bits, flag| bits << 1 | u8::from(*flag))
}

/// The stamp that most covered fields carry; for a record that shows only its row's stamp, that one.
fn choose_base(record: &Record, covered: &[FieldId]) -> Option<Hlc> {
    let mut best: Option<(&Hlc, usize)> = None;
    let stamps = || covered.iter().filter_map(|f| record.lww.get(f)).map(|l| &l.hlc);
    for stamp in stamps() {
        if best.is_some_and(|(b, _)| b == stamp) {
            continue;
        }
        let n = stamps().filter(|s| *s == stamp).count();
        if best.is_none_or(|(_, most)| n > most) {
            best = Some((stamp, n));
        }
        if n * 2 > covered.len() {
            break;
        }
    }
    let only_row = covered.is_empty() && record.lww.is_empty();
    best.map(|(b, _)| b).or_else(|| record.visible_row().filter(|_| only_row)).cloned()
}

fn exceptions(record: &Record, covered: &[FieldId], base: Option<&Hlc>, nodes: &impl Nodes) -> Result<(u128, Vec<u8>)> {
    let (mut count, mut out) = (0u128, Vec::new());
    let origin = base.map_or(0, |b| b.ts);
    if base.is_some() {
        for field in covered.iter().filter(|f| !record.lww.contains_key(f)) {
            put(&mut out, (*field).into());
            put(&mut out, 1);
            count += 1;
        }
    }
    for (field, lww) in &record.lww {
        let as_base = base == Some(&lww.hlc) && covered.contains(field);
        let mark = if as_base { 0 } else { 2 }
            | if lww.prev.is_some() { 4 } else { 0 }
            | if lww.altered { 8 } else { 0 }
            | if lww.saved.is_some() { 16 } else { 0 };
        if mark == 0 {
            continue;
        }
        count += 1;
        put(&mut out, (*field).into());
        put(&mut out, mark);
        if mark & 2 != 0 {
            put_stamp(&mut out, &lww.hlc, origin, nodes)?;
        }
        if let Some(prev) = &lww.prev {
            put_stamp(&mut out, prev, origin, nodes)?;
        }
        if let Some(saved) = &lww.saved {
            put_text(&mut out, saved);
        }
    }
    Ok((count, out))
}

/// Reads back what [`pack`] wrote, into the clocks of a record without parts.
pub fn unpack(base: Option<Hlc>, x: &[u8], covered: &[FieldId], nodes: &impl Nodes) -> Result<Record> {
    let mut record = Record { row: base.clone(), ..Record::default() };
    if let Some(base) = &base {
        for field in covered {
            record.lww.insert(*field, Lww::live(base.clone(), None));
        }
    }
    if x.is_empty() {
        return Ok(record);
    }
    let origin = base.as_ref().map_or(0, |b| b.ts);
    let mut r = Reader(x);
    let flags = r.small()?;
    if flags & 1 != 0 {
        record.tomb = Some(r.stamp(origin, nodes)?);
    }
    record.epitaph = flags & 2 != 0;
    if flags & 4 != 0 {
        record.row = Some(r.stamp(origin, nodes)?);
    }
    for _ in 0..r.small()? {
        let field = r.small()?;
        let mark = r.small()?;
        if mark & 1 != 0 {
            record.lww.remove(&field);
            continue;
        }
        let hlc = match (mark & 2 != 0, &base) {
            (true, _) => r.stamp(origin, nodes)?,
            (false, Some(base)) => base.clone(),
            (false, None) => return Err(corrupt()),
        };
        let prev = if mark & 4 != 0 { Some(r.stamp(origin, nodes)?) } else { None };
        let saved = if mark & 16 != 0 { Some(r.text()?) } else { None };
        record.lww.insert(field, Lww { hlc, prev, altered: mark & 8 != 0, saved });
    }
    if flags & 8 != 0 {
        r.parts(base.as_ref(), nodes, &mut record)?;
    }
    record.apart = flags & 16 != 0;
    r.end()?;
    Ok(record)
}

/// A counter part as bytes, for a row of its own: inc, dec, ts, c, [born stamp].
pub fn pack_part(part: &Part, nodes: &impl Nodes) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(16);
    put(&mut out, part.inc);
    put(&mut out, part.dec);
    put_tick(&mut out, part.hlc.tick(), 0);
    if let Some(born) = &part.born {
        put_stamp(&mut out, born, 0, nodes)?;
    }
    Ok(out)
}

/// Reads back what [`pack_part`] wrote.
pub fn unpack_part(bytes: &[u8], author: &Rc<str>, nodes: &impl Nodes) -> Result<Part> {
    let mut r = Reader(bytes);
    let (inc, dec) = (r.number()?, r.number()?);
    let hlc = r.tick(0)?.by(author);
    let born = if r.0.is_empty() { None } else { Some(r.stamp(0, nodes)?) };
    r.end()?;
    Ok(Part { inc, dec, hlc, born })
}

/// A set mark as bytes, for a row of its own.
pub fn pack_mark(mark: &Mark) -> Vec<u8> {
    let mut out = Vec::with_capacity(16);
    put_mark(&mut out, mark, 0);
    out
}

/// Reads back what [`pack_mark`] wrote.
pub fn unpack_mark(bytes: &[u8]) -> Result<Mark> {
    let mut r = Reader(bytes);
    let mark = r.mark(0)?;
    r.end()?;
    Ok(mark)
}

/// Field numbers as bytes: the fields that a relay entry of the log names.
pub fn pack_fields(fields: impl Iterator<Item = FieldId>) -> Vec<u8> {
    let mut out = Vec::new();
    fields.for_each(|field| put(&mut out, field.into()));
    out
}

/// Reads back what [`pack_fields`] wrote.
pub fn unpack_fields(bytes: &[u8]) -> Result<Vec<FieldId>> {
    let mut r = Reader(bytes);
    let mut fields = Vec::new();
    while !r.0.is_empty() {
        fields.push(r.small()?);
    }
    Ok(fields)
}

fn put(out: &mut Vec<u8>, mut n: u128) {
    while n >= 0x80 {
        out.push((n as u8 & 0x7f) | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put(out, text.len() as u128);
    out.extend_from_slice(text.as_bytes());
}

fn put_tick(out: &mut Vec<u8>, tick: Tick, origin: i64) {
    let delta = i128::from(tick.ts) - i128::from(origin);
    put(out, ((delta << 1) ^ (delta >> 127)) as u128);
    put(out, tick.c.into());
}

fn put_stamp(out: &mut Vec<u8>, hlc: &Hlc, origin: i64, nodes: &impl Nodes) -> Result<()> {
    put_tick(out, hlc.tick(), origin);
    put(out, nodes.number(&hlc.node)?.into());
    Ok(())
}

fn put_mark(out: &mut Vec<u8>, mark: &Mark, origin: i64) {
    out.push(u8::from(mark.add.is_some()) | u8::from(mark.dead) << 1 | u8::from(mark.op.is_some()) << 2);
    for tick in [mark.add, mark.op].into_iter().flatten() {
        put_tick(out, tick, origin);
    }
}

fn corrupt() -> Error {
    Error::data("a packed record cannot be read: the database's _crdt tables were changed by hand or are damaged")
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn number(&mut self) -> Result<u128> {
        let mut n = 0u128;
        for shift in (0..128).step_by(7) {
            let (&byte, rest) = self.0.split_first().ok_or_else(corrupt)?;
            self.0 = rest;
            n |= u128::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(n);
            }
        }
        Err(corrupt())
    }

    fn small(&mut self) -> Result<u32> {
        u32::try_from(self.number()?).map_err(|_| corrupt())
    }

    fn tick(&mut self, origin: i64) -> Result<Tick> {
        let zigzag = self.number()?;
        let delta = (zigzag >> 1) as i128 ^ -((zigzag & 1) as i128);
        let ts = delta.checked_add(origin.into()).and_then(|ts| i64::try_from(ts).ok()).ok_or_else(corrupt)?;
        Ok(Tick { ts, c: self.small()? })
    }

    fn stamp(&mut self, origin: i64, nodes: &impl Nodes) -> Result<Hlc> {
        let Tick { ts, c } = self.tick(origin)?;
        Ok(Hlc { ts, c, node: nodes.node(self.small()?)? })
    }

    fn mark(&mut self, origin: i64) -> Result<Mark> {
        let flags = self.small()?;
        let add = if flags & 1 != 0 { Some(self.tick(origin)?) } else { None };
        let op = if flags & 4 != 0 { Some(self.tick(origin)?) } else { None };
        Ok(Mark { add, dead: flags & 2 != 0, op })
    }

    fn parts(&mut self, base: Option<&Hlc>, nodes: &impl Nodes, record: &mut Record) -> Result<()> {
        for _ in 0..self.small()? {
            let (field, mut parts) = (self.small()?, Parts::new());
            for _ in 0..self.small()? {
                let (key, part) = self.counter(base, nodes)?;
                parts.insert(key, part);
            }
            record.counters.insert(field, parts);
        }
        for _ in 0..self.small()? {
            let (field, mut marks) = (self.small()?, Marks::new());
            for _ in 0..self.small()? {
                let element = self.text()?;
                let (node, mark) = self.inline_mark(base, nodes)?;
                marks.insert((element, node), mark);
            }
            record.sets.insert(field, marks);
        }
        Ok(())
    }

    fn counter(&mut self, base: Option<&Hlc>, nodes: &impl Nodes) -> Result<((Rc<str>, String), Part)> {
        let origin = base.map_or(0, |b| b.ts);
        let marks = self.small()?;
        let author = self.node_or_base(marks & 1 != 0, base, nodes)?;
        let name = if marks & 2 != 0 { self.text()? } else { String::new() };
        let inc = self.number()?;
        let dec = if marks & 4 != 0 { self.number()? } else { 0 };
        let tick = if marks & 8 != 0 { self.tick(origin)? } else { base.ok_or_else(corrupt)?.tick() };
        let born = if marks & 16 != 0 { Some(self.stamp(origin, nodes)?) } else { None };
        let hlc = tick.by(&author);
        Ok(((author, name), Part { inc, dec, hlc, born }))
    }

    fn inline_mark(&mut self, base: Option<&Hlc>, nodes: &impl Nodes) -> Result<(Rc<str>, Mark)> {
        let origin = base.map_or(0, |b| b.ts);
        let marks = self.small()?;
        let node = self.node_or_base(marks & 8 != 0, base, nodes)?;
        let add = match marks & 17 {
            0 => None,
            1 => Some(base.ok_or_else(corrupt)?.tick()),
            _ => Some(self.tick(origin)?),
        };
        let op = if marks & 4 != 0 { Some(self.tick(origin)?) } else { None };
        Ok((node, Mark { add, dead: marks & 2 != 0, op }))
    }

    fn node_or_base(&mut self, own: bool, base: Option<&Hlc>, nodes: &impl Nodes) -> Result<Rc<str>> {
        match base {
            Some(base) if !own => Ok(Rc::clone(&base.node)),
            _ => nodes.node(self.small()?),
        }
    }

    fn text(&mut self) -> Result<String> {
        let n = self.small()? as usize;
        let (text, rest) = self.0.split_at_checked(n).ok_or_else(corrupt)?;
        self.0 = rest;
        String::from_utf8(text.to_vec()).map_err(|_| corrupt())
    }

    fn end(&self) -> Result<()> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(corrupt())
        }
    }
}

#[cfg(test)]
#[path = "pack_tests.rs"]
mod tests;
