//! The executors against real servers and real child processes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::needless_pass_by_value,
    reason = "a test fails by panicking, and gives away what it made on the spot"
)]

mod chat;
mod command;
mod command_group;
mod handlers;
mod http_calls;
mod http_faults;
mod http_framing;
mod kit;
mod registry;
mod server;
mod tls;
mod waiting;
