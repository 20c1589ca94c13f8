//! Longshore: a durable background-job server for web applications that call slow services.
//!
//! An application submits a job, over HTTP or in process, and gets an id at once. The job is on
//! disk before the answer is sent. A bounded pool of workers runs it and retries failed attempts.
//! The application polls for the result, waits for it, or subscribes to events. All state is in one
//! SQLite file; no other service is needed. This crate is both the program `longshore` and the
//! library that an application embeds.
//!
//! # Where to start
//!
//! An application that embeds the server uses three types:
//!
//! - [`Server`](server::Server): a running server in this process. [`Server::builder`] takes a
//!   [`Config`](config::Config) and the application's handlers, and starts it.
//! - [`Handle`](server::Handle): the client of that server. It submits, reads, waits for, cancels
//!   and retries jobs. The HTTP API and the web pages use the same handle.
//! - [`Submission`](job::Submission): a job as the application submits it: a kind, a payload, and
//!   options such as queue, delay, timeout and number of attempts.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use longshore::config::Config;
//! use longshore::executor::{Context, HandlerError};
//! use longshore::job::Submission;
//! use longshore::server::Server;
//!
//! async fn greet(_: Context, name: String) -> Result<String, HandlerError> {
//!     Ok(format!("Hello {name}"))
//! }
//!
//! #[actix_web::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let server = Server::builder(Config::default()).handler("greet", greet).start()?;
//!     let handle = server.handle();
//!     let job = handle.submit(Submission::new("greet", &"world")?).await?;
//!     let job = handle.wait(job.id, Duration::from_secs(10)).await?;
//!     println!("job {} is {}", job.id, job.state);
//!     server.shutdown().await;
//!     Ok(())
//! }
//! ```
//!
//! An application usually needs more than a function for a name:
//!
//! - [`JobKind`](job::JobKind): a kind as a type. [`Builder::job_handler`] registers its handler,
//!   [`Handle::submit_job`] submits a job of it, and [`JobHandle::wait`] returns its typed result.
//! - [`Builder::state`] and [`Context::state`]: values that handlers use, such as a database pool.
//! - [`Builder::kind_defaults`]: queue, timeout, attempts and backoff of a kind. The operator
//!   overrides them with `[kinds.NAME]` in the configuration.
//! - [`http::scope`] and [`pages::routes`]: the API and the pages inside the application's own
//!   actix-web server. [`http::start`] serves them on an address of their own.
//! - `longshore::testing`, with the feature `testing`: a server on a temporary file with a clock that
//!   the test moves, and one handler without a server.
//!
//! For readers who know River or Oban: a *kind* names the code that runs a job, as a worker does
//! there (a registered handler, or one of the built-in executors `http`, `chat`, `command`,
//! `sleep` and `echo`); a *queue* has its own limits; a *lane* is the pool of workers that runs a
//! kind. A job runs at least once, so its handler should be idempotent, unless the job is
//! submitted with `at_most_once`.
//!
//! `examples/embedded.rs` is a complete application, `examples/typed.rs` has a kind as a type with state
//! and defaults, `examples/mounted.rs` the pages in an application's own server, `examples/tested.rs`
//! the tests of a handler, and `examples/worker.py` a remote worker. The README describes configuration, the HTTP API and operation; `docs/ARCHITECTURE.md` describes how
//! the code works, and `docs/RELIABILITY.md` which failures it is tested against.
//!
//! [`Server::builder`]: server::Server::builder
//! [`Builder::job_handler`]: server::Builder::job_handler
//! [`Builder::state`]: server::Builder::state
//! [`Builder::kind_defaults`]: server::Builder::kind_defaults
//! [`Context::state`]: executor::Context::state
//! [`Handle::submit_job`]: server::Handle::submit_job
//! [`JobHandle::wait`]: server::JobHandle::wait
//!
//! # Features
//!
//! - `sqlite`: the storage backend. Required today.
//! - `pages`: the web pages, to mount beside the API (`http::scope`).
//! - `cli`: the program `longshore`, with its command line and live view.
//! - `testing`: a server for the tests of an application.
//!
//! All but `testing` are on by default. An application that embeds the server needs
//! `default-features = false, features = ["sqlite"]`, and `pages` if it shows the pages.
//!
//! SQLite is built from source with the options in `.cargo/config.toml` of this repository, which do
//! not apply to other packages. Set `LIBSQLITE3_FLAGS` to the same value in the `[env]` section of your own
//! `.cargo/config.toml`: without it everything works, but with an `fsync` instead of an `fdatasync` per
//! commit (docs/ARCHITECTURE.md, "How SQLite is built", has the measured difference).
//!
//! # Modules
//!
//! In reading order. A module uses only modules above it:
//!
//! - [`job`]: the job and its rules, as pure functions.
//! - [`auth`]: API keys, their scopes, and the queues that they may use.
//! - `roster`: from which queues idle workers take their next jobs. [`metrics`]: counters and charts.
//! - [`api`]: the wire forms of the HTTP API and the table of its routes.
//! - [`config`]: the configuration. [`clock`]: the time.
//! - `store`: jobs in database tables; the only module that uses Diesel.
//! - [`executor`]: how a kind of job runs; the only module, besides the command line, that uses awc.
//! - `actor`: Writer, Readers, Dispatcher, Workers, Keeper and Announcer. Its documentation has a
//!   diagram.
//! - [`server`]: starts and connects the actors; the library's API.
//! - [`http`]: the HTTP API. [`pages`]: the web pages. Both call the handle. `testing`, behind the
//!   feature of that name: a server for the tests of an application.
//! - [`cli`]: the command line, one file per command.

// Without the feature `testing`, modules that only the tests of this package call are private, and some of
// their items are unused.
#![cfg_attr(
    not(feature = "testing"),
    allow(dead_code, unreachable_pub, reason = "the tests of this package use these items")
)]

#[cfg(not(feature = "sqlite"))]
compile_error!("enable the feature `sqlite`: it is the only storage backend");

/// Declares modules that are public with the feature `testing`, and private to this crate without it.
macro_rules! internal_modules {
    ($($(#[$attribute:meta])* $name:ident),+ $(,)?) => {
        $(
            #[cfg(feature = "testing")]
            $(#[$attribute])*
            pub mod $name;
            #[cfg(not(feature = "testing"))]
            $(#[$attribute])*
            pub(crate) mod $name;
        )+
    };
}

pub mod job;

pub mod metrics;

pub mod auth;

pub mod api;

pub mod clock;
pub mod config;

pub mod executor;

pub(crate) mod actor;

internal_modules!(roster, store);

pub mod server;

pub mod http;
#[cfg(feature = "pages")]
pub mod pages;
#[cfg(feature = "testing")]
pub mod testing;

#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;

/// Compiles and runs the Rust examples of the README as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
