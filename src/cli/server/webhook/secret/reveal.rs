//! Prints a webhook secret that was just created or rotated.

use crate::api::webhooks::secrets::RevealedWebhookSecret;
use crate::cli::error::CliError;
use crate::cli::output::Output;
use crate::job::Json;

/// Prints only the value, or everything as JSON: as the server has sent it, if it did.
pub(super) fn print(
    output: &Output,
    revealed: &RevealedWebhookSecret,
    json: Option<&Json>,
) -> Result<(), CliError> {
    match (output.json, json) {
        (true, Some(json)) => output.json(json),
        (true, None) => output.json(revealed),
        (false, _) => output.line(&revealed.secret),
    }
}
