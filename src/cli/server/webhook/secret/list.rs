//! `longshore webhook secret list`: lists the webhook secrets.

use clap::Args;

use crate::api::webhooks::secrets::WebhookSecretList;
use crate::auth::access::QueuePattern;
use crate::auth::webhook::WebhookSecretInfo;
use crate::cli::error::CliError;
use crate::cli::output::table::{Cell, Table};
use crate::cli::server::database::place::Place;
use crate::clock::Clock;
use crate::job::Timestamp;

/// Arguments of `longshore webhook secret list`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
QUEUES are the patterns of the queues whose webhooks the secret signs. PREVIOUS UNTIL is the time until which the value before the last rotation signs as well. The values
themselves are not shown.

Examples:
  longshore webhook secret list
  longshore webhook secret list --json | jq -r '.webhook_secrets[].name'")]
pub(super) struct ListArgs {
    #[command(flatten)]
    pub(super) place: Place,
}

/// Names of the columns.
const COLUMNS: [&str; 5] = ["NAME", "QUEUES", "CREATED", "ROTATED", "PREVIOUS UNTIL"];

/// Prints all secrets without their values.
pub(super) async fn run(args: ListArgs) -> Result<(), CliError> {
    let output = args.place.target.output();
    let list = args
        .place
        .act(
            false,
            async |client| Ok(client.webhook_secrets().await?.value),
            |database| Ok(WebhookSecretList { webhook_secrets: database.webhook_secrets()? }),
        )
        .await?;
    if output.json {
        return output.json(&list);
    }
    let now = Clock::system().now();
    let rows = list.webhook_secrets.iter().map(|secret| row(secret, now)).collect();
    Table::new(COLUMNS).print(&output, rows)
}

fn row(secret: &WebhookSecretInfo, now: Timestamp) -> [Cell; 5] {
    let queues: Vec<&str> = secret.queues.iter().map(QueuePattern::as_str).collect();
    let rotated = secret.rotated_at.map_or("never".into(), |at| at.to_string());
    let previous = secret.previous_until.filter(|until| now < *until);
    let previous = previous.map_or("-".into(), |until| until.to_string());
    [
        Cell::text(&secret.name),
        Cell::text(if queues.is_empty() { "all".into() } else { queues.join(", ") }.as_str()),
        Cell::text(&secret.created_at),
        Cell::text(&rotated),
        Cell::text(&previous),
    ]
}
