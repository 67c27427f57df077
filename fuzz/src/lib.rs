//! What the fuzz targets share: databases to throw input at, and what must hold afterwards.

pub mod common;
pub mod functions;
pub mod node;
pub mod oracle;
pub mod schema;
pub mod tamper;
pub mod words;

#[path = "../../tests/support/mod.rs"]
pub mod support;
