//! `longshore webhook secret create`: creates a webhook secret and prints it.

use clap::Args;

use crate::api::webhooks::secrets::WebhookSecretRequest;
use crate::auth::access::QueuePattern;
use crate::cli::error::CliError;
use crate::cli::server::database::place::Place;
use crate::cli::server::webhook::secret::{name, reveal};

/// Arguments of `longshore webhook secret create`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Only the value is printed, once. A server that runs is asked to create the secret. If none answers,
and no URL is given, it is created in the database.

Examples:
  longshore webhook secret create shop > shop.secret
  longshore webhook secret create shop --queue 'shop.*' --json
  longshore webhook secret create shop --database /var/lib/longshore/jobs.db")]
pub(super) struct CreateArgs {
    /// Name of the secret, in the form of a queue name
    #[arg(value_name = "NAME")]
    name: String,
    /// Queue whose webhooks may be signed with the secret, in which '*' is any characters; if omitted, all
    /// queues. May be given more than once
    #[arg(long = "queue", value_name = "PATTERN")]
    queues: Vec<QueuePattern>,
    #[command(flatten)]
    pub(super) place: Place,
}

/// Creates a secret and prints it.
pub(super) async fn run(args: CreateArgs) -> Result<(), CliError> {
    let output = args.place.target.output();
    let request = WebhookSecretRequest { name: name::parse(&args.name)?, queues: args.queues };
    let wanted = request.clone();
    let (created, json) = args
        .place
        .act(
            true,
            async |client| {
                let reply = client.create_webhook_secret(&request).await?;
                Ok((reply.value, Some(reply.json)))
            },
            |database| Ok((database.create_webhook_secret(wanted)?, None)),
        )
        .await?;
    reveal::print(&output, &created, json.as_ref())
}
