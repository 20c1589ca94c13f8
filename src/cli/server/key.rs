//! `longshore key`: creates, lists and revokes API keys.

mod create;
mod database;
mod generate;
mod list;
mod revoke;

use clap::{Args, Subcommand};

use crate::cli::error::CliError;
use crate::cli::target::Target;
use create::CreateArgs;
use generate::GenerateArgs;
use list::ListArgs;
use revoke::RevokeArgs;

/// Arguments of `longshore key`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Every request needs a key from the time at which the first one was created. Create a key with the
scope admin first.

Examples:
  longshore key create ops --scope admin
  longshore key create shop --scope submit --queue 'shop.*' --expires 90d
  longshore key list
  longshore key revoke shop")]
pub(crate) struct KeyArgs {
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Debug, Clone, Subcommand)]
enum KeyCommand {
    /// Create a key and print it. It is shown only this once
    Create(CreateArgs),
    /// List the keys, also expired and revoked ones
    List(ListArgs),
    /// Revoke keys: their requests are refused, and their streams and waits end within a second
    Revoke(RevokeArgs),
    /// Print a new key without storing it, for LONGSHORE_FIRST_KEY or first_key_file
    Generate(GenerateArgs),
}

impl KeyArgs {
    /// Returns the server and output options, or `None` for a command that calls no server.
    pub(crate) fn target(&mut self) -> Option<&mut Target> {
        match &mut self.command {
            KeyCommand::Create(args) => Some(&mut args.place.target),
            KeyCommand::List(args) => Some(&mut args.place.target),
            KeyCommand::Revoke(args) => Some(&mut args.place.target),
            KeyCommand::Generate(_) => None,
        }
    }
}

/// Runs a command about keys.
pub(crate) async fn run(args: KeyArgs) -> Result<(), CliError> {
    match args.command {
        KeyCommand::Create(args) => create::run(args).await,
        KeyCommand::List(args) => list::run(args).await,
        KeyCommand::Revoke(args) => revoke::run(args).await,
        KeyCommand::Generate(args) => generate::run(&args),
    }
}
