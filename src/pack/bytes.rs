//! Numbers, text and stamps as bytes, and back. Pure.

use super::Nodes;
use crate::clock::{Hlc, Tick};
use crate::error::{Error, Result};
use crate::types::seen::Seen;

/// A number as LEB128.
#[inline]
pub(super) fn put(out: &mut Vec<u8>, n: u128) {
    match n {
        0..0x80 => out.push(n as u8),
        _ => put_long(out, n),
    }
}

fn put_long(out: &mut Vec<u8>, mut n: u128) {
    while n > u128::from(u64::MAX) {
        out.push((n as u8 & 0x7f) | 0x80);
        n >>= 7;
    }
    put_small(out, n as u64);
}

/// A number of 64 bits as LEB128.
#[inline]
fn put_small(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// A text behind its length in bytes.
pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    put(out, text.len() as u128);
    out.extend_from_slice(text.as_bytes());
}

/// A tick, its time as the distance from `origin`.
pub(super) fn put_tick(out: &mut Vec<u8>, tick: Tick, origin: i64) {
    match tick.ts.checked_sub(origin) {
        Some(delta) => put_small(out, ((delta << 1) ^ (delta >> 63)) as u64),
        None => {
            let delta = i128::from(tick.ts) - i128::from(origin);
            put(out, ((delta << 1) ^ (delta >> 127)) as u128);
        }
    }
    put_small(out, tick.c.into());
}

/// A stamp: its tick, and its node by number.
pub(super) fn put_stamp(out: &mut Vec<u8>, hlc: &Hlc, origin: i64, nodes: &impl Nodes) -> Result<()> {
    put_tick(out, hlc.tick(), origin);
    put(out, nodes.number(&hlc.node)?.into());
    Ok(())
}

/// Stamps behind their number.
pub(super) fn put_seen(out: &mut Vec<u8>, seen: &Seen, origin: i64, nodes: &impl Nodes) -> Result<()> {
    put(out, seen.stamps().len() as u128);
    seen.stamps().iter().try_for_each(|hlc| put_stamp(out, hlc, origin, nodes))
}

/// The error for bytes that nothing of ours wrote.
pub(super) fn corrupt() -> Error {
    Error::data("a packed record cannot be read: the database's _crdt tables were changed by hand or are damaged")
}

/// What is left to read; any bytes are read or refused.
pub(super) struct Reader<'a>(pub &'a [u8]);

impl Reader<'_> {
    /// A LEB128 number.
    pub fn number(&mut self) -> Result<u128> {
        if let Some((&byte @ ..0x80, rest)) = self.0.split_first() {
            self.0 = rest;
            return Ok(byte.into());
        }
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

    /// A number of 32 bits.
    pub fn small(&mut self) -> Result<u32> {
        u32::try_from(self.number()?).map_err(|_| corrupt())
    }

    /// What [`put_tick`] wrote.
    pub fn tick(&mut self, origin: i64) -> Result<Tick> {
        let zigzag = self.number()?;
        let delta = (zigzag >> 1) as i128 ^ -((zigzag & 1) as i128);
        let ts = delta.checked_add(origin.into()).and_then(|ts| i64::try_from(ts).ok()).ok_or_else(corrupt)?;
        Ok(Tick { ts, c: self.small()? })
    }

    /// What [`put_stamp`] wrote.
    pub fn stamp(&mut self, origin: i64, nodes: &impl Nodes) -> Result<Hlc> {
        let Tick { ts, c } = self.tick(origin)?;
        Ok(Hlc { ts, c, node: nodes.node(self.small()?)? })
    }

    /// The same, its node by number.
    pub fn stored_stamp(&mut self, origin: i64) -> Result<(Tick, u32)> {
        Ok((self.tick(origin)?, self.small()?))
    }

    /// What [`put_seen`] wrote.
    pub fn seen(&mut self, origin: i64, nodes: &impl Nodes) -> Result<Seen> {
        let mut seen = Seen::default();
        for _ in 0..self.small()? {
            seen.add(&self.stamp(origin, nodes)?);
        }
        Ok(seen)
    }

    /// What [`put_text`] wrote.
    pub fn text(&mut self) -> Result<String> {
        let n = self.small()? as usize;
        let (text, rest) = self.0.split_at_checked(n).ok_or_else(corrupt)?;
        self.0 = rest;
        String::from_utf8(text.to_vec()).map_err(|_| corrupt())
    }

    /// Refuses bytes that are left over.
    pub fn end(&self) -> Result<()> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(corrupt())
        }
    }
}
