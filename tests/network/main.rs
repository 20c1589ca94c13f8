//! Two hosts: a server and its proxies on one, clients on the other. The recipes of docs/DEPLOYING.md run
//! as they are written there, except for paths.
//!
//! The hosts are network namespaces that a cable joins, so these tests need Linux, root and `ip`.

#![allow(clippy::unwrap_used, reason = "a test fails at the first unexpected error")]

mod compose;
mod hosts;
#[path = "../kit/mod.rs"]
mod kit;
mod proxies;
mod recipe;
mod server;
mod tls;
