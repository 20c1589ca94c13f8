//! Longshore: a durable background-job server.

pub mod clock;
pub mod config;
pub mod executor;
pub mod job;
pub mod store;
