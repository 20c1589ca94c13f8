//! `longshore demo`: a half-minute demonstration.
//!
//! It runs a server and a model server in this process. It asks ten questions, first one after
//! another and then all at once as jobs, and prints how long each way took.

mod model;
mod program;
mod progress;
mod questions;
mod report;
mod work;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use clap::Args;
use futures_util::future::{self, Either};
use tempfile::TempDir;

use crate::api::jobs::JobListQuery;
use crate::cli::client::Client;
use crate::cli::error::CliError;
use crate::cli::output::{Output, use_colour};
use crate::cli::server::serve::start_server;
use crate::cli::server::settings::variables;
use crate::cli::server::signal::StopSignals;
use crate::cli::server::telemetry::{self, LogFormat};
use crate::cli::target::parse_url;
use crate::config::{self, Config, ConfigError, ListenAddress, Overrides};
use crate::job::batch::Batch;
use crate::job::{BatchId, Job, Span};
use crate::pages::demo::{
    BATCH_NAME, COMMAND, DEFAULT_MODEL, PROVIDER, QUESTIONS, chat_submission,
};
use model::ModelServer;
use progress::Progress;

pub(super) use work::{Work as WorkArgs, run as work};

/// Interval at which the progress bar reads the state of the batch.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

const HELP: &str = "\
Without --provider-url the demonstration asks its own mock model server, which takes one second for
each answer. After the report the server continues to run until Ctrl-C.

Examples:
  longshore demo
  longshore demo --once
  longshore demo --provider-url https://api.openai.com/v1 --model gpt-4o-mini \\
    --api-key-env OPENAI_API_KEY";

/// Arguments of `longshore demo`.
#[derive(Debug, Clone, Args)]
#[command(after_help = HELP)]
pub(super) struct DemoArgs {
    /// Base URL of a real model server, without /chat/completions at the end
    #[arg(long, value_name = "URL", requires = "model", value_parser = parse_url)]
    provider_url: Option<String>,
    /// Name of the model to ask
    #[arg(long, value_name = "NAME", default_value = DEFAULT_MODEL)]
    model: String,
    /// Name of the environment variable that holds the API key of the model server
    #[arg(long, value_name = "NAME", requires = "provider_url")]
    api_key_env: Option<String>,
    /// Time that the demonstration's own model server takes for each answer
    #[arg(long, value_name = "SPAN", default_value = "1s", conflicts_with = "provider_url")]
    delay: Span,
    /// Exit after the report instead of continuing to serve
    #[arg(long)]
    once: bool,
    /// Path of the database file; if omitted, a new file in a temporary directory
    #[arg(long, value_name = "FILE")]
    database: Option<PathBuf>,
    /// Address to listen on [default: 127.0.0.1:7373, or a free port if that one is in use]
    #[arg(long, value_name = "ADDR", value_parser = parse_tcp)]
    listen: Option<SocketAddr>,
    /// Filter for the log on stderr
    #[arg(
        long,
        env = "LONGSHORE_LOG",
        value_name = "FILTER",
        default_value = "warn,actix_http=off"
    )]
    log: String,
}

/// Runs the demonstration.
pub(super) async fn run(args: DemoArgs) -> Result<(), CliError> {
    telemetry::start(&args.log, LogFormat::Text, use_colour(&std::io::stderr()))
        .map_err(|error| CliError::Usage(format!("--log: {error}")))?;
    let signals = StopSignals::listen();
    let mut signals = signals.map_err(CliError::io("cannot listen for signals"))?;
    let directory =
        tempfile::tempdir().map_err(CliError::io("cannot create a temporary directory"))?;
    let model = ModelServer::open(&args).await?;
    let config = configure(&args, &model, &directory)?;
    let database = PathBuf::from(config.database.clone());
    let server = start_server(config, false, work::register).await?;
    let url = server.urls().first().cloned().unwrap_or_default();
    let demonstration = async {
        let output = Output::new(false);
        compare(&output, &Client::new(&url, None)?, &model).await?;
        if !args.once {
            let is_temporary = args.database.is_none();
            report::print_next_steps(&output, &url, &model.name, &database, is_temporary)?;
            future::pending::<()>().await;
        }
        Ok(())
    };
    let result = tokio::select! {
        result = demonstration => result,
        () = signals.next() => Ok(()),
        error = server.failed() => {
            server.stop().await;
            model.stop().await;
            return Err(error.into());
        }
    };
    // Draining may take a while. A second signal ends it.
    future::select(pin!(server.drain_and_stop()), pin!(signals.next())).await;
    model.stop().await;
    result
}

/// Returns the configuration from the environment, with the model server and the program added.
fn configure(
    args: &DemoArgs,
    model: &ModelServer,
    directory: &TempDir,
) -> Result<Config, CliError> {
    let database = args.database.clone().unwrap_or_else(|| directory.path().join("longshore.db"));
    let listen = args.listen.map(ListenAddress::Tcp);
    let overrides = Overrides { listen: listen.into_iter().collect(), database: Some(database) };
    let mut config = config::load(None, variables(), &overrides)?;
    config.listen = vec![ListenAddress::Tcp(listen_addr(args, &config))];
    config.tls = None;
    config.providers.insert(PROVIDER.into(), model.provider.clone());
    if let Some(command) = std::env::current_exe().ok().and_then(work::command) {
        config.commands.insert(COMMAND.into(), command);
    }
    let problems = config.problems();
    if problems.is_empty() { Ok(config) } else { Err(ConfigError::Invalid(problems).into()) }
}

/// Returns the address to listen on: the first of the configuration that a browser can open, with a free
/// port if its own is in use.
fn listen_addr(args: &DemoArgs, config: &Config) -> SocketAddr {
    let configured = config.listen.iter().find_map(ListenAddress::tcp);
    let mut addr = configured.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, 0).into());
    if args.listen.is_none() && TcpListener::bind(addr).is_err() {
        addr.set_port(0);
    }
    addr
}

/// Parses an address with a port.
fn parse_tcp(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse()
        .map_err(|_error| "must be an address with a port, such as 127.0.0.1:7373 or [::1]:7373")
}

/// Asks all questions both ways and prints the answers and times.
async fn compare(output: &Output, client: &Client, model: &ModelServer) -> Result<(), CliError> {
    let one_by_one = ask_one_by_one(output, model).await?;
    let (at_once, jobs) = ask_at_once(output, client, model).await?;
    report::print_answers(output, &jobs)?;
    report::print_times(output, one_by_one, at_once)?;
    report::first_failure(jobs)
}

async fn ask_one_by_one(output: &Output, model: &ModelServer) -> Result<Duration, CliError> {
    let progress = Progress::start(*output, "one after another", QUESTIONS.len());
    for (index, question) in QUESTIONS.into_iter().enumerate() {
        model.ask(question).await?;
        progress.set(index + 1);
    }
    Ok(progress.finish())
}

async fn ask_at_once(
    output: &Output,
    client: &Client,
    model: &ModelServer,
) -> Result<(Duration, Vec<Job>), CliError> {
    let jobs: Result<Vec<_>, _> = QUESTIONS
        .into_iter()
        .map(|question| chat_submission(PROVIDER, &model.name, question))
        .collect();
    let jobs = jobs.map_err(|error| CliError::Usage(error.to_string()))?;
    let progress = Progress::start(*output, "all at once", QUESTIONS.len());
    let batch = client.submit_batch(Some(BATCH_NAME.to_owned()).into(), &jobs, None).await?.value;
    watch(client, batch.id, &progress).await?;
    let elapsed = progress.finish();
    let filter = JobListQuery {
        batch: Some(batch.id),
        limit: QUESTIONS.len() as u64,
        include: Some("payload,result"),
        ..JobListQuery::default()
    };
    let mut jobs = client.list::<Job>(&filter).await?.jobs;
    jobs.sort_by_key(|job| job.id);
    Ok((elapsed, jobs))
}

/// Waits until the batch has ended and updates the progress bar meanwhile.
async fn watch(client: &Client, id: BatchId, progress: &Progress) -> Result<Batch, CliError> {
    let mut ended = pin!(client.wait_for_batch(id, &|_| ()));
    loop {
        let pause = pin!(actix_web::rt::time::sleep(POLL_INTERVAL));
        let batch = match future::select(ended.as_mut(), pause).await {
            Either::Left((reply, _)) => return Ok(reply?.value),
            Either::Right(_) => client.batch(id).await?.value,
        };
        progress.set(usize::try_from(batch.done()).unwrap_or(0));
    }
}
