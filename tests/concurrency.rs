//! Many at once on one file: processes, threads, connections of every kind.
//!
//! `PROCESSES` (4) and `TRANSACTIONS` (500) say how many write how often.

mod common;
mod support;

#[path = "concurrency/child.rs"]
mod child;
#[path = "concurrency/processes.rs"]
mod processes;
#[path = "concurrency/threads.rs"]
mod threads;
