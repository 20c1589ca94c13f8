//! `longshore webhook secret delete`: deletes a webhook secret.

use clap::Args;
use serde_json::json;

use crate::cli::error::CliError;
use crate::cli::server::database::place::Place;
use crate::cli::server::webhook::secret::name;

/// Arguments of `longshore webhook secret delete`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Callbacks that name the secret can no longer be sent, also those of jobs that were submitted before.
If the value has leaked, rotate the secret instead.

Examples:
  longshore webhook secret delete shop")]
pub(super) struct DeleteArgs {
    /// Name of the secret
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    pub(super) place: Place,
}

/// Deletes a secret.
pub(super) async fn run(args: DeleteArgs) -> Result<(), CliError> {
    let output = args.place.target.output();
    let name = name::parse(&args.name)?;
    args.place
        .act(
            false,
            async |client| client.delete_webhook_secret(&name).await,
            |database| database.delete_webhook_secret(name.clone()),
        )
        .await?;
    if output.json {
        return output.json(&json!({"name": name, "deleted": true}));
    }
    output.line(format_args!("webhook secret {name} is deleted"))
}
