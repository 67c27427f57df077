//! The parts of counters and the marks of sets as bytes: inline behind the clocks, or apart in rows of their own. Pure.

use std::rc::Rc;

use super::bytes::{corrupt, put, put_stamp, put_text, put_tick, Reader};
use super::Nodes;
use crate::clock::Hlc;
use crate::error::Result;
use crate::record::{Marks, Parts, Record};
use crate::types::counter::Part;
use crate::types::set::Mark;

/// Longest parts that stay with the clocks, bytes; longer ones go to rows of their own.
const MAX_INLINE: usize = 1_000;

/// The parts of `record` as they stand behind its clocks, and whether they go to rows of their own instead.
pub(super) fn inline_parts(record: &Record, base: Option<&Hlc>, nodes: &impl Nodes) -> Result<(Vec<u8>, bool)> {
    let mut out = Vec::new();
    if record.apart || !record.kept.is_empty() {
        return Ok((out, true));
    }
    if !record.counters.is_empty() || !record.sets.is_empty() {
        put_parts(&mut out, record, base, nodes)?;
    }
    let apart = out.len() > MAX_INLINE;
    if apart {
        out.clear();
    }
    Ok((out, apart))
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
    out.push(bits([mark.add.is_some(), mark.gone.is_some(), mark.op.is_some(), other_node, other_add.is_some()]));
    if other_node {
        put(out, nodes.number(node)?.into());
    }
    for tick in [other_add, mark.op].into_iter().flatten() {
        put_tick(out, tick, origin);
    }
    if let Some(gone) = &mark.gone {
        put_stamp(out, gone, origin, nodes)?;
    }
    Ok(())
}

fn bits(flags: [bool; 5]) -> u8 {
    flags.iter().rev().fold(0, |bits, flag| bits << 1 | u8::from(*flag))
}

impl Reader<'_> {
    /// What [`inline_parts`] wrote.
    pub fn parts(&mut self, base: Option<&Hlc>, nodes: &impl Nodes, record: &mut Record) -> Result<()> {
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
        let gone = if marks & 2 != 0 { Some(self.stamp(origin, nodes)?) } else { None };
        Ok((node, Mark { add, gone, op }))
    }

    fn node_or_base(&mut self, own: bool, base: Option<&Hlc>, nodes: &impl Nodes) -> Result<Rc<str>> {
        match base {
            Some(base) if !own => Ok(Rc::clone(&base.node)),
            _ => nodes.node(self.small()?),
        }
    }
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

/// A set mark as bytes, for a row of its own: as inline, to a base of nothing by the mark's node.
pub fn pack_mark(mark: &Mark, node: &Rc<str>, nodes: &impl Nodes) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(16);
    put_inline_mark(&mut out, node, mark, Some(&Hlc::new(0, 0, node)), nodes)?;
    Ok(out)
}

/// Reads back what [`pack_mark`] wrote.
pub fn unpack_mark(bytes: &[u8], node: &Rc<str>, nodes: &impl Nodes) -> Result<Mark> {
    let mut r = Reader(bytes);
    let (_, mark) = r.inline_mark(Some(&Hlc::new(0, 0, node)), nodes)?;
    r.end()?;
    Ok(mark)
}
