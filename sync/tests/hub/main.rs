//! The hub as its clients see it: real processes, real sockets.

mod arguments;
mod browser;
mod cli;
mod clients;
mod common;
mod dialects;
mod durable;
mod edge;
mod ending;
mod follow;
mod leaks;
mod limits;
mod listening;
mod locks;
mod page;
mod pages;
mod proxy;
mod routes;
mod scopes;
mod sse;
mod streams;
mod swarm;
mod takers;
mod tls;
mod tokens;
