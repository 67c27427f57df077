//! The hub as its clients see it: real processes, real sockets.

mod cli;
mod common;
mod dialects;
mod durable;
mod routes;
mod sse;
mod streams;
mod tls;
mod tokens;
