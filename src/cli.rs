//! The command line. Each command has a file of its own.

internal_modules!(client, error, mock_llm, output, refusal, server);

mod demo;
mod help;
mod jobs;
mod open;
mod queues;
#[cfg(test)]
mod sample;
mod target;
mod top;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use error::{CliError, EXIT_CODES};
use help::{completions, man};
use jobs::{batch, cancel, deliveries, list, logs, retry, status, submit, tail, update, wait};
use output::Output;
use queues::{pause, providers, resume};
use server::{backup, guard, key, prune, serve, telemetry, verify, webhook};
use target::Target;

/// A durable background-job server for web applications that call slow services
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_CODES, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    Serve(serve::ServeArgs),
    /// Submit one job, or many jobs from a file
    Submit(submit::SubmitArgs),
    /// Submit many jobs as one batch and wait until all of them have ended, or act on a batch
    Batch(batch::BatchArgs),
    /// Show the current state of a job
    Status(status::StatusArgs),
    /// Wait until a job has ended and print its result
    Wait(wait::WaitArgs),
    /// Print the log of a job
    Logs(logs::LogsArgs),
    /// List jobs, newest first
    List(list::ListArgs),
    /// Cancel jobs
    Cancel(cancel::CancelArgs),
    /// Run jobs again that have ended, or that wait for their next attempt
    Retry(retry::RetryArgs),
    /// Show the deliveries of a job's or batch's webhook, and send one again
    Deliveries(deliveries::DeliveriesArgs),
    /// Change the start, priority, expiry or queue of jobs that wait
    Update(update::UpdateArgs),
    /// Show the queues, their jobs and their limits
    Queues(queues::QueuesArgs),
    /// Pause a queue: start none of its jobs until it is resumed
    Pause(pause::PauseArgs),
    /// Resume a paused queue
    Resume(resume::ResumeArgs),
    /// Show the providers of models, their limits and their pauses
    Providers(providers::ProvidersArgs),
    /// Show whether old jobs are deleted, and confirm it after a jump of the clock
    Prune(prune::PruneArgs),
    /// Create, list and revoke API keys
    Key(key::KeyArgs),
    /// Create, list, rotate and delete the secrets that sign webhooks
    Webhook(webhook::WebhookArgs),
    /// Show a live view of queues, lanes, rates and jobs, with keys to pause, cancel and retry
    Top(top::TopArgs),
    /// Print events as they happen, one per line
    Tail(tail::TailArgs),
    /// Print the URL of a page of the web interface
    Open(open::OpenArgs),
    /// Copy the database, whether or not a server is using it
    Backup(backup::BackupArgs),
    /// Check that a database is sound
    Verify(verify::VerifyArgs),
    /// Run a half-minute demonstration: ask a model ten questions, one by one and then as jobs
    Demo(demo::DemoArgs),
    /// Do the work of a demonstration job. The demonstration runs this command as a program
    #[command(hide = true)]
    DemoWork(demo::WorkArgs),
    /// Kill the programs of a server that died. The server runs this command
    #[command(hide = true)]
    GuardPrograms(guard::GuardArgs),
    /// Run a mock OpenAI-style model server for experiments, tests and benchmarks
    MockLlm(mock_llm::MockArgs),
    /// Print a shell script that completes commands and options
    Completions(completions::CompletionsArgs),
    /// Print the manual
    Man(man::ManArgs),
}

/// Runs a command and returns its exit code.
pub fn run(cli: Cli) -> ExitCode {
    server::descriptors::raise_limit();
    let result = actix_web::rt::System::new().block_on(dispatch(cli));
    let may_write = telemetry::flush();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if may_write && !matches!(error, CliError::OutputClosed | CliError::Reported(_)) {
                Output::new(false).note(format_args!("error: {error}"));
            }
            ExitCode::from(&error)
        }
    }
}

impl Command {
    /// Returns the server and output options, or `None` for a command that calls no server.
    fn target(&mut self) -> Option<&mut Target> {
        match self {
            Self::Submit(args) => Some(&mut args.target),
            Self::Batch(args) => Some(args.target()),
            Self::Status(args) => Some(&mut args.target),
            Self::Wait(args) => Some(&mut args.target),
            Self::Logs(args) => Some(&mut args.target),
            Self::List(args) => Some(&mut args.target),
            Self::Cancel(args) => Some(&mut args.target),
            Self::Retry(args) => Some(&mut args.target),
            Self::Deliveries(args) => Some(&mut args.target),
            Self::Update(args) => Some(&mut args.target),
            Self::Queues(args) => Some(&mut args.target),
            Self::Pause(args) => Some(&mut args.target),
            Self::Resume(args) => Some(&mut args.target),
            Self::Providers(args) => Some(&mut args.target),
            Self::Prune(args) => Some(&mut args.target),
            Self::Key(args) => args.target(),
            Self::Webhook(args) => Some(args.target()),
            Self::Top(args) => Some(&mut args.target),
            Self::Tail(args) => Some(&mut args.target),
            Self::Open(args) => Some(&mut args.target),
            Self::Serve(_) | Self::Demo(_) | Self::DemoWork(_) | Self::MockLlm(_) => None,
            Self::GuardPrograms(_) => None,
            Self::Backup(_) | Self::Verify(_) | Self::Completions(_) | Self::Man(_) => None,
        }
    }

    /// Returns the `--json` flag of a command that calls no server but can print JSON.
    fn json(&mut self) -> Option<&mut bool> {
        match self {
            Self::Backup(args) => Some(&mut args.json),
            Self::Verify(args) => Some(&mut args.json),
            _ => None,
        }
    }
}

async fn dispatch(Cli { mut target, mut command }: Cli) -> Result<(), CliError> {
    if let Some(json) = command.json() {
        *json |= target.take_json();
    }
    match command.target() {
        Some(own) => own.add(target),
        None if target.is_empty() => {}
        None => {
            return Err(CliError::Usage(
                "--url, --ca, --key and --json are only for commands that call a server".into(),
            ));
        }
    }
    match command {
        Command::Serve(args) => serve::run(args).await,
        Command::Submit(args) => submit::run(args).await,
        Command::Batch(args) => batch::run(args).await,
        Command::Status(args) => status::run(args).await,
        Command::Wait(args) => wait::run(args).await,
        Command::Logs(args) => logs::run(args).await,
        Command::List(args) => list::run(args).await,
        Command::Cancel(args) => cancel::run(args).await,
        Command::Retry(args) => retry::run(args).await,
        Command::Deliveries(args) => deliveries::run(args).await,
        Command::Update(args) => update::run(args).await,
        Command::Queues(args) => queues::run(args).await,
        Command::Pause(args) => pause::run(args).await,
        Command::Resume(args) => resume::run(args).await,
        Command::Providers(args) => providers::run(args).await,
        Command::Prune(args) => prune::run(args).await,
        Command::Key(args) => key::run(args).await,
        Command::Webhook(args) => webhook::run(args).await,
        Command::Top(args) => top::run(args).await,
        Command::Tail(args) => tail::run(args).await,
        Command::Open(args) => open::run(args).await,
        Command::Backup(args) => backup::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Demo(args) => demo::run(args).await,
        Command::DemoWork(args) => demo::work(&args),
        Command::GuardPrograms(args) => guard::run(args),
        Command::MockLlm(args) => mock_llm::run(args).await,
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    }
}
