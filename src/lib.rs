//! Conflict-free replicated tables for SQLite.
pub mod error;
