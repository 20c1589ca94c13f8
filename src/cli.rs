//! The command line: one file a command.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line prints")]

mod descriptors;
pub mod error;
pub mod mock_llm;
pub mod output;
pub mod refusal;
mod signal;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use error::{CliError, EXIT_CODES};
use output::Output;

/// A durable background-job server for web applications that call slow things
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_CODES, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run an OpenAI-style model server for trying, tests and measuring
    MockLlm(mock_llm::MockArgs),
}

/// Runs a command and tells how it ended.
pub fn run(cli: Cli) -> ExitCode {
    descriptors::raise_limit();
    let mut output = Output::new(false);
    match actix_web::rt::System::new().block_on(dispatch(cli, &mut output)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !matches!(error, CliError::OutputClosed) {
                output.note(format_args!("error: {error}"));
            }
            ExitCode::from(&error)
        }
    }
}

async fn dispatch(cli: Cli, output: &mut Output) -> Result<(), CliError> {
    match cli.command {
        Command::MockLlm(args) => mock_llm::run(args, output).await,
    }
}
