//! `longshore webhook secret rotate`: replaces the value of a webhook secret and prints the new one.

use clap::Args;

use crate::api::webhooks::secrets::{DEFAULT_OVERLAP, RotationRequest};
use crate::cli::error::CliError;
use crate::cli::server::database::place::Place;
use crate::cli::server::webhook::secret::{name, reveal};
use crate::job::Span;

/// Arguments of `longshore webhook secret rotate`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Only the new value is printed, once. Until the overlap has passed, each webhook has a signature with
the new value and one with the previous value, so give the new value to the receiver before that.
A value before the previous one no longer signs.

Examples:
  longshore webhook secret rotate shop > shop.secret
  longshore webhook secret rotate shop --overlap 7d --json
  longshore webhook secret rotate shop --overlap 0s")]
pub(super) struct RotateArgs {
    /// Name of the secret
    #[arg(value_name = "NAME")]
    name: String,
    /// Time for which the previous value signs as well, at most 30d; 0s if the previous value has leaked
    /// [default: 24h]
    #[arg(long, value_name = "DURATION")]
    overlap: Option<Span>,
    #[command(flatten)]
    pub(super) place: Place,
}

/// Rotates a secret and prints the new value.
pub(super) async fn run(args: RotateArgs) -> Result<(), CliError> {
    let output = args.place.target.output();
    let (name, overlap) = (name::parse(&args.name)?, args.overlap.unwrap_or(DEFAULT_OVERLAP));
    let request = RotationRequest { overlap: Some(overlap) };
    let (rotated, json) = args
        .place
        .act(
            false,
            async |client| {
                let reply = client.rotate_webhook_secret(&name, &request).await?;
                Ok((reply.value, Some(reply.json)))
            },
            |database| Ok((database.rotate_webhook_secret(name.clone(), overlap)?, None)),
        )
        .await?;
    reveal::print(&output, &rotated, json.as_ref())
}
