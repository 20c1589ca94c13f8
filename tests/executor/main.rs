//! The executors against real servers and real child processes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::needless_pass_by_value,
    reason = "a test fails by panicking, and may pass values that it does not need afterwards"
)]

mod attempts;
mod chat;
mod command;
mod command_group;
mod details;
mod handlers;
mod harness;
mod http_calls;
mod http_faults;
mod http_framing;
#[path = "../kit/mod.rs"]
mod kit;
mod registry;
mod server;
mod tls;
