//! Two hosts: a server and its proxies on one, clients on the other. The recipes of docs/DEPLOYING.md run
//! as they are written there, except for paths.
//!
//! The hosts are network namespaces that a cable joins, so these tests need Linux, root and `ip`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a failing test panics and prints what it has seen"
)]

mod access;
#[path = "../browser/chromium/mod.rs"]
mod chromium;
mod client;
mod compose;
mod hosts;
#[path = "../kit/mod.rs"]
mod kit;
mod outbound;
mod pages;
mod proxies;
mod recipe;
#[path = "../browser/terminal.rs"]
#[allow(dead_code, reason = "only a part of it is used here")]
mod terminal;
mod tls;
