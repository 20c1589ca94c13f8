//! Tests of the real server process, seen from outside: over HTTP, its files and its signals.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking and prints what it has measured"
)]

mod backup;
mod batches;
mod bulk;
mod cancel;
mod chat;
mod cli;
mod cli_live;
mod demo;
mod drain;
mod embedded;
mod events;
mod health;
mod idempotency;
mod impossible;
mod kinds;
#[path = "../kit/mod.rs"]
mod kit;
mod lease_waiting;
mod leases;
mod list;
mod load;
mod many;
mod pages;
mod queues;
mod refused;
mod restart;
mod retry;
mod shell_worker;
mod stats;
mod submit;
mod timing;
mod wait;
mod wire;
