//! The defects of Grove's implementation, each as a test that ours does not have it, named by its number.
//!
//! These do not apply to the extension:
//! - W22, P1 to P8: streams, presence, rooms and hooks are the sync service's.
//! - W4, H7, M3 to M6: lists and documents are later types; what of W4 and D6 applies already (an unknown type is kept and
//!   relayed, and never deletes the row) is tested here.
//! - W10, W11, W16 in part: the loop that pulls and pushes is the service's; the cursors it relies on are tested here.
//! - H1, H2 in part: there is no driver and no adapter; that nothing but `crdt_enable` is needed is tested here.
//! - J1 to J15, K1 to K6, P9: the TypeScript client, the key-value store and time travel are not this library.

mod common;
mod support;

#[path = "grove_defects/clock.rs"]
mod clock;
#[path = "grove_defects/deletes.rs"]
mod deletes;
#[path = "grove_defects/local.rs"]
mod local;
#[path = "grove_defects/merging.rs"]
mod merging;
#[path = "grove_defects/protocol.rs"]
mod protocol;
#[path = "grove_defects/wire.rs"]
mod wire;
