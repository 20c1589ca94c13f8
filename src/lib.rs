//! Longshore: a durable background-job server.

pub(crate) mod actor;
pub mod clock;
pub mod config;
pub mod executor;
pub mod http;
pub mod job;
pub mod server;
pub mod store;
