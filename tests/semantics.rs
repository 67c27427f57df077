//! What the contract promises, one promise a test.

mod common;
mod support;

#[path = "semantics/ahead.rs"]
mod ahead;
#[path = "semantics/backfill.rs"]
mod backfill;
#[path = "semantics/check.rs"]
mod check;
#[path = "semantics/clock.rs"]
mod clock;
#[path = "semantics/counter.rs"]
mod counter;
#[path = "semantics/cursor.rs"]
mod cursor;
#[path = "semantics/defaults.rs"]
mod defaults;
#[path = "semantics/digest.rs"]
mod digest;
#[path = "semantics/edges.rs"]
mod edges;
#[path = "semantics/forget.rs"]
mod forget;
#[path = "semantics/lww.rs"]
mod lww;
#[path = "semantics/node_id.rs"]
mod node_id;
#[path = "semantics/operations.rs"]
mod operations;
#[path = "semantics/pull_push.rs"]
mod pull_push;
#[path = "semantics/relay.rs"]
mod relay;
#[path = "semantics/rows.rs"]
mod rows;
#[path = "semantics/schemas.rs"]
mod schemas;
#[path = "semantics/set.rs"]
mod set;
#[path = "semantics/settings.rs"]
mod settings;
#[path = "semantics/stream.rs"]
mod stream;
#[path = "semantics/surface.rs"]
mod surface;
#[path = "semantics/views.rs"]
mod views;
#[path = "semantics/zero.rs"]
mod zero;
