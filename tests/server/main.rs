//! Tests of the real server process, seen from outside: over HTTP, its files and its signals.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking and prints what it has measured"
)]

mod backup;
mod cli;
mod database;
mod embedded;
mod jobs;
mod keys;
mod kinds;
#[path = "../kit/mod.rs"]
mod kit;
mod leases;
mod lifecycle;
mod limits;
mod pages;
mod providers;
mod queues;

/// Webhooks and follow-up jobs: what happens when a job or batch ends.
mod webhooks {
    mod commands;
    mod deliveries;
    mod follow_ups;
    mod receiver;
    pub(crate) mod secrets;
    mod signatures;
    mod status;
    mod verification;
}
