//! Longshore: a durable background-job server.

pub mod cli;
pub mod clock;
pub mod config;
pub mod job;
pub mod telemetry;
