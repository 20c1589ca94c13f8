//! `longshore mock-llm`: a mock OpenAI-style chat-completions server for experiments, tests and
//! benchmarks.
//!
//! It answers each call after a fixed delay, counts how many calls run at once, and fails on
//! demand. [`start`] runs it inside another program.

pub mod completion;
pub mod fault;
mod handlers;
pub mod script;
pub mod stats;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpServer, web};
use clap::Args;

use crate::cli::error::CliError;
use crate::cli::output::Output;
use crate::cli::server::signal::StopSignals;
use crate::clock::Clock;
use crate::job::Span;
use fault::FaultRule;
use handlers::MockState;
use script::KeyCounters;
use stats::{CallCounter, Stats};

/// Maximum size of a request body.
const MAX_BODY_BYTES: usize = 32 << 20;
/// Maximum number of connections that wait to be accepted. In tests 2,000 clients connect within
/// the same millisecond.
const BACKLOG: u32 = 4_096;
/// Maximum number of open connections of each worker.
const MAX_CONNECTIONS: usize = 50_000;
/// Time after which an idle connection is closed. It is longer than the pool timeout of clients, so
/// that the clients close first.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// Maximum time for a client to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// The text below the options of the help.
const HELP: &str = "\
The server answers POST /v1/chat/completions and GET /v1/models on 127.0.0.1. GET /stats returns
the number of calls, how they ended, the maximum number that ran at once, and for how many
milliseconds each number of calls ran at once (running_ms). POST /stats/reset sets the counters to
zero.

A fault is one of: a status from 400 to 599 (429 and 503 with Retry-After); hangup (the connection
is closed without a response); cut (the connection is closed halfway through the body); slow (the
body is sent in small parts); garbage (the body is not JSON); error (status 200
with an error object); empty (status 200 without choices); gzip (a good answer, compressed); quota
(429 with insufficient_quota). A call can request a fault with the
header 'x-mock-fault: 429', or with a field of its body. In this example the first two calls with
the key a fail and the third is answered:
  \"mock\": {\"fault\": \"429\", \"times\": 2, \"key\": \"a\", \"retry_after\": \"1\", \"delay\": \"50ms\"}

Examples:
  longshore mock-llm
  longshore mock-llm --port 0 --delay 200ms
  longshore mock-llm --fault 429:0.1 --fault hangup:0.01
  curl -s http://127.0.0.1:7374/v1/chat/completions \\
    -d '{\"model\": \"mock\", \"messages\": [{\"role\": \"user\", \"content\": \"Tell me a joke\"}]}'
  curl -s http://127.0.0.1:7374/stats";

/// Arguments of `longshore mock-llm`.
#[derive(Debug, Clone, Args)]
#[command(after_help = HELP)]
pub struct MockArgs {
    /// Port to listen on; 0 selects a free port
    #[arg(long, value_name = "PORT", default_value_t = 7374)]
    port: u16,
    /// Time that each answer takes
    #[arg(long, value_name = "SPAN", default_value = "1s")]
    delay: Span,
    /// A fault and the share of all calls that it affects, evenly spread; may be given more than
    /// once
    #[arg(long = "fault", value_name = "FAULT[:SHARE]")]
    faults: Vec<FaultRule>,
    /// Number of threads that answer calls
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    workers: u16,
}

/// The options of [`start`].
#[derive(Debug, Clone)]
pub struct Options {
    /// Port on 127.0.0.1; 0 selects a free port.
    pub port: u16,
    /// Time that each answer takes.
    pub delay: Duration,
    /// Faults that affect a share of all calls. The first one that affects a call applies.
    pub faults: Vec<FaultRule>,
    /// Number of threads that answer calls.
    pub workers: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { port: 0, delay: Duration::from_secs(1), faults: Vec::new(), workers: 1 }
    }
}

/// A model server that runs in this process, on threads of its own, until [`stop`](Self::stop).
#[derive(Debug)]
pub struct MockLlm {
    addr: SocketAddr,
    counter: CallCounter,
    server: ServerHandle,
}

impl MockLlm {
    /// Returns the address that the server listens on.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Returns the `base_url` of a provider for this server: the URL before `/chat/completions`.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.addr)
    }

    /// Returns the current counters.
    pub fn stats(&self) -> Stats {
        self.counter.snapshot()
    }

    /// Stops the server at once. Calls in progress are aborted.
    pub async fn stop(self) {
        self.server.stop(false).await;
    }
}

/// Starts a model server on 127.0.0.1. A running actix system is required.
///
/// # Errors
/// Returns an error if the port cannot be listened on.
pub async fn start(options: Options) -> io::Result<MockLlm> {
    let (port, workers) = (options.port, options.workers);
    let counter = CallCounter::default();
    let state = web::Data::new(MockState {
        options,
        counter: counter.clone(),
        keys: KeyCounters::default(),
        clock: Clock::system(),
    });
    let app = move || {
        let payload = web::PayloadConfig::new(MAX_BODY_BYTES);
        App::new().app_data(state.clone()).app_data(payload).configure(handlers::configure)
    };
    let server = HttpServer::new(app)
        .workers(workers)
        .backlog(BACKLOG)
        .max_connections(MAX_CONNECTIONS)
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(HEAD_TIMEOUT)
        // A call whose client disconnects ends at once and is counted as abandoned.
        .h1_allow_half_closed(false)
        .tcp_nodelay(true)
        .disable_signals()
        .bind((Ipv4Addr::LOCALHOST, port))?;
    let addr = server.addrs().first().copied();
    let addr = addr.ok_or_else(|| io::Error::from(io::ErrorKind::AddrNotAvailable))?;
    let running = server.run();
    let handle = running.handle();
    actix_web::rt::spawn(running);
    Ok(MockLlm { addr, counter, server: handle })
}

/// Runs the model server until a signal stops it.
pub(super) async fn run(args: MockArgs) -> Result<(), CliError> {
    let options = Options {
        port: args.port,
        delay: args.delay.duration(),
        faults: args.faults,
        workers: usize::from(args.workers),
    };
    let output = Output::new(false);
    let signals = StopSignals::listen();
    let mut signals = signals.map_err(CliError::io("cannot listen for signals"))?;
    let mock = start(options).await.map_err(CliError::io("cannot start the mock model server"))?;
    output.line(format_args!("listening on {}", mock.base_url()))?;
    signals.next().await;
    let stats = mock.stats();
    output.note(format_args!("{} calls, at most {} at once", stats.requests, stats.peak_running));
    mock.stop().await;
    Ok(())
}
