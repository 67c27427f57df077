//! The compact form of a payload: names once, and one entry for all that one write did to a record. Pure.
//!
//! ```json
//! {"format":"compact","changes":[
//!   ["node","a"],
//!   ["shape","tasks","title",["votes","counter"],["tags","set"]],
//!   [0,"t1",0,1700000000000000000,0,"Milk",[1,0],["home"]],
//!   [0,"t2",0,0,1,"Tea",[0,0],["work"]],
//!   ["change",{"table":"tasks","pk":"t3","field":"n","crdt_type":"list",…}]
//! ]}
//! ```
//! `docs/design.md` says what each place of an entry holds. What is written is read back as the same changes in the same order.

mod convert;
mod items;
mod nodes;
mod read;
mod write;
mod written;

pub use convert::{convert, Format};
pub use read::{leads, read, read_changes, Entry, Take};
pub use write::{Draft, Of, Writer};

use crate::clock::{push_int, Tick};

/// The word that names the form.
pub const NAME: &str = "compact";
/// First word of an item that gives the next number to a node id.
const NODE: &str = "node";
/// First word of an item that gives the next number to a table and fields of it.
const SHAPE: &str = "shape";
/// First word of an item that holds one change in the Grove form.
const CHANGE: &str = "change";
/// In place of a key: that of the entry before.
const SAME_KEY: u64 = 0;
/// Most fields of an entry that has `seen`, which each of its changes holds: a short text must not ask for much memory.
const MAX_SHARED_SEEN: usize = 16;

/// Appends how far `to` lies from `from`: the difference of `ts`, then `c`, of which the difference too where `ts` is the same.
fn write_delta(out: &mut String, from: Tick, to: Tick) {
    // Both are at least 0, so no difference overflows.
    push_int(out, to.ts.wrapping_sub(from.ts));
    out.push(',');
    let c = if to.ts == from.ts { i64::from(from.c) } else { 0 };
    push_int(out, i64::from(to.c) - c);
}

/// The tick that lies so far from `from`; None for one that cannot be.
fn read_delta(from: Tick, ts: i64, c: i64) -> Option<Tick> {
    let base = if ts == 0 { i64::from(from.c) } else { 0 };
    let c = u32::try_from(base.checked_add(c)?).ok()?;
    let ts = from.ts.checked_add(ts).filter(|ts| *ts >= 0)?;
    Some(Tick { ts, c })
}

#[cfg(test)]
mod tests;
