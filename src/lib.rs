//! Longshore: a durable background-job server for web applications that call slow things.
//!
//! An application submits a job over HTTP, or in process through [`server::Handle`], and has an id
//! at once; the job is on disk before the answer leaves. A bounded pool of workers runs it; the
//! application polls, waits, or is told.
//!
//! In reading order, each module built only on those above it:
//!
//! - [`job`]: the job and its rules, pure.
//! - [`config`]: what an operator can set. [`clock`]: what time it is. [`telemetry`]: logs.
//! - [`store`]: jobs in tables; the only place that knows Diesel.
//! - [`executor`]: how a kind of job runs; the only place that knows awc, beside the command line.
//! - `actor`: Writer, Readers, Dispatcher, Workers, Keeper, Announcer. Its page has the map.
//! - [`server`]: joins everything; the library's API.
//! - [`http`]: the HTTP API on the handle. [`pages`]: the web pages, on it as well.
//! - [`cli`]: the command line, one file a command.

pub mod job;

pub mod clock;
pub mod config;
pub mod telemetry;

pub mod executor;
pub mod store;

pub(crate) mod actor;

pub mod server;

pub mod http;
pub mod pages;

pub mod cli;

/// Has the Rust of the README compiled and run as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
