//! The whole server from outside: its process, its sockets, its files.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it has measured"
)]

mod batches;
mod cancel;
mod crash;
mod health;
mod idempotency;
mod kit;
mod list;
mod many;
mod queues;
mod refused;
mod retry;
mod submit;
mod wait;
mod wire;
