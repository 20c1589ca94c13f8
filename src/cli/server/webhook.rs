//! `longshore webhook`: what signs the webhooks of the server.

mod secret;

use clap::{Args, Subcommand};

use crate::cli::error::CliError;
use crate::cli::target::Target;
use secret::SecretArgs;

/// Arguments of `longshore webhook`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  longshore webhook secret create shop > shop.secret
  longshore webhook secret rotate shop --overlap 24h > shop.secret")]
pub(crate) struct WebhookArgs {
    #[command(subcommand)]
    command: WebhookCommand,
}

#[derive(Debug, Clone, Subcommand)]
enum WebhookCommand {
    /// Create, list, rotate and delete the secrets that sign webhooks
    Secret(SecretArgs),
}

impl WebhookArgs {
    /// Returns the server and output options.
    pub(crate) fn target(&mut self) -> &mut Target {
        match &mut self.command {
            WebhookCommand::Secret(args) => args.target(),
        }
    }
}

/// Runs a command about webhooks.
pub(crate) async fn run(args: WebhookArgs) -> Result<(), CliError> {
    match args.command {
        WebhookCommand::Secret(args) => secret::run(args).await,
    }
}
