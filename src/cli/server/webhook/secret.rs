//! `longshore webhook secret`: creates, lists, rotates and deletes the secrets that sign webhooks.

mod create;
mod database;
mod delete;
mod list;
mod name;
mod reveal;
mod rotate;

use clap::{Args, Subcommand};

use crate::cli::error::CliError;
use crate::cli::target::Target;
use create::CreateArgs;
use delete::DeleteArgs;
use list::ListArgs;
use rotate::RotateArgs;

/// Arguments of `longshore webhook secret`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
A callback names the secret that signs it. Give the value to the receiver, which verifies the webhooks
with it.

Examples:
  longshore webhook secret create shop > shop.secret
  longshore webhook secret list
  longshore webhook secret rotate shop --overlap 24h > shop.secret
  longshore webhook secret delete shop")]
pub(super) struct SecretArgs {
    #[command(subcommand)]
    command: SecretCommand,
}

#[derive(Debug, Clone, Subcommand)]
enum SecretCommand {
    /// Create a secret and print it. It is shown only this once
    Create(CreateArgs),
    /// List the secrets, without their values
    List(ListArgs),
    /// Replace the value of a secret and print the new one. The previous one signs as well for a while
    Rotate(RotateArgs),
    /// Delete a secret. Callbacks that name it can no longer be sent
    Delete(DeleteArgs),
}

impl SecretArgs {
    /// Returns the server and output options.
    pub(super) fn target(&mut self) -> &mut Target {
        match &mut self.command {
            SecretCommand::Create(args) => &mut args.place.target,
            SecretCommand::List(args) => &mut args.place.target,
            SecretCommand::Rotate(args) => &mut args.place.target,
            SecretCommand::Delete(args) => &mut args.place.target,
        }
    }
}

/// Runs a command about webhook secrets.
pub(super) async fn run(args: SecretArgs) -> Result<(), CliError> {
    match args.command {
        SecretCommand::Create(args) => create::run(args).await,
        SecretCommand::List(args) => list::run(args).await,
        SecretCommand::Rotate(args) => rotate::run(args).await,
        SecretCommand::Delete(args) => delete::run(args).await,
    }
}
