//! `longshore key generate`: prints a new key without storing it.

use clap::Args;

use crate::cli::error::CliError;
use crate::cli::output::Output;
use crate::server::random_secret;

/// Arguments of `longshore key generate`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Give the key to a new server as the variable LONGSHORE_FIRST_KEY, or in a file whose path is the
setting first_key_file. The server stores it with the scope admin and the name first, at the first
start only: if a key was ever created, it is ignored.

Examples:
  longshore key generate
  (umask 077; longshore key generate > first.key)
  LONGSHORE_FIRST_KEY=$(cat first.key) longshore serve")]
pub(super) struct GenerateArgs {}

/// Prints a new key.
pub(super) fn run(_: &GenerateArgs) -> Result<(), CliError> {
    let secret = random_secret().map_err(|error| CliError::Usage(error.to_string()))?;
    Output::new(false).line(secret.reveal())
}
