//! Hostile input: payloads, requests, cursors, values, database files that were tampered with, schemas, and nodes that lie.
//!
//! `hostile/corpus` has the inputs, each with what comes of it; `fuzz/` begins with them. After adding lines without an
//! outcome, `HOSTILE_NOTE=1 cargo test --test hostile` notes what came of them: read it before it is committed.

mod common;
mod support;

#[path = "hostile/corpus.rs"]
mod corpus;
#[path = "hostile/crashers.rs"]
mod crashers;
#[path = "hostile/lies.rs"]
mod lies;
#[path = "hostile/requests.rs"]
mod requests;
#[path = "hostile/schemas.rs"]
mod schemas;
#[path = "hostile/sizes.rs"]
mod sizes;
#[path = "hostile/tampered.rs"]
mod tampered;
#[path = "hostile/world.rs"]
mod world;
