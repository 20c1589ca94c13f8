//! `longshore mock-llm`: an OpenAI-style chat-completions server for trying, tests and measuring.
//!
//! It answers each call after a fixed delay, counts how many were under way at once, and fails on
//! demand. [`start`] runs it inside another process.

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
use crate::cli::signal::StopSignals;
use crate::clock::Clock;
use crate::job::Span;
use fault::FaultRule;
use handlers::Model;
use script::Keys;
use stats::{Counter, Stats};

/// The largest request it reads.
const MAX_BODY_BYTES: usize = 32 << 20;
/// Connections that may wait to be taken: 2,000 callers may come in the same millisecond.
const BACKLOG: u32 = 4_096;
/// The most connections each worker holds.
const MAX_CONNECTIONS: usize = 50_000;
/// How long an idle connection is kept; longer than clients pool theirs, so that they close first.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// What to tell of it below its options.
const HELP: &str = "\
It answers POST /v1/chat/completions and GET /v1/models on 127.0.0.1. GET /stats tells how many
calls came, how they ended, the most that were under way at once, and for how many milliseconds
how many were (running_ms); POST /stats/reset begins anew.

Faults: a status from 400 to 599 (429 and 503 with Retry-After), hangup (closed without an
answer), cut (closed halfway through the body), slow (the body dribbles in), garbage (no JSON).
One call asks for a fault with the header 'x-mock-fault: 429', or in its body, here so that the
first two calls with this key fail and the third is answered:
  \"mock\": {\"fault\": \"429\", \"times\": 2, \"key\": \"a\", \"retry_after\": \"1\", \"delay\": \"50ms\"}

Examples:
  longshore mock-llm
  longshore mock-llm --port 0 --delay 200ms
  longshore mock-llm --fault 429:0.1 --fault hangup:0.01
  curl -s http://127.0.0.1:7374/v1/chat/completions \\
    -d '{\"model\": \"mock\", \"messages\": [{\"role\": \"user\", \"content\": \"Tell me a joke\"}]}'
  curl -s http://127.0.0.1:7374/stats";

/// How the model server is to behave.
#[derive(Debug, Clone, Args)]
#[command(after_help = HELP)]
pub struct MockArgs {
    /// The port to listen on; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 7374)]
    port: u16,
    /// How long each answer takes
    #[arg(long, value_name = "SPAN", default_value = "1s")]
    delay: Span,
    /// A fault and the share of all calls it strikes, evenly spread; may be given more than once
    #[arg(long = "fault", value_name = "FAULT[:SHARE]")]
    faults: Vec<FaultRule>,
    /// How many threads answer
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    workers: u16,
}

/// How the model server is to behave, for [`start`].
#[derive(Debug, Clone)]
pub struct Options {
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// How long each answer takes.
    pub delay: Duration,
    /// Faults that strike a share of all calls; of two that strike the same, the first.
    pub faults: Vec<FaultRule>,
    /// How many threads answer.
    pub workers: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { port: 0, delay: Duration::from_secs(1), faults: Vec::new(), workers: 1 }
    }
}

/// A model server that runs in this process, on threads of its own, until it is told to stop.
#[derive(Debug)]
pub struct MockLlm {
    addr: SocketAddr,
    counter: Counter,
    server: ServerHandle,
}

impl MockLlm {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What stands before `/chat/completions`, as a provider's `base_url` has it.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.addr)
    }

    /// The counts as they stand.
    pub fn stats(&self) -> Stats {
        self.counter.snapshot()
    }

    /// Stops at once; calls under way are cut off.
    pub async fn stop(self) {
        self.server.stop(false).await;
    }
}

/// Starts a model server on 127.0.0.1. It needs a running actix system.
///
/// # Errors
/// Where the port cannot be listened on.
pub async fn start(options: Options) -> io::Result<MockLlm> {
    let (port, workers) = (options.port, options.workers);
    let counter = Counter::default();
    let model = web::Data::new(Model {
        options,
        counter: counter.clone(),
        keys: Keys::default(),
        clock: Clock::system(),
    });
    let app = move || {
        let payload = web::PayloadConfig::new(MAX_BODY_BYTES);
        App::new().app_data(model.clone()).app_data(payload).configure(handlers::configure)
    };
    let server = HttpServer::new(app)
        .workers(workers)
        .backlog(BACKLOG)
        .max_connections(MAX_CONNECTIONS)
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(HEAD_TIMEOUT)
        // A client that goes away ends its call at once, and is counted.
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

/// Runs the model server until it is told to stop.
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
    let mock = start(options).await.map_err(CliError::io("cannot start the model server"))?;
    output.line(format_args!("listening on {}", mock.base_url()))?;
    signals.next().await;
    let stats = mock.stats();
    output.note(format_args!("{} calls, at most {} at once", stats.requests, stats.peak_running));
    mock.stop().await;
    Ok(())
}
