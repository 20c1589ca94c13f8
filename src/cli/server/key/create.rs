//! `longshore key create`: creates an API key and prints it.

use clap::Args;

use crate::api::keys::{CreatedKey, KeyRequest};
use crate::auth::access::QueuePattern;
use crate::auth::api_key::KeyName;
use crate::auth::scope::{Scope, Scopes};
use crate::cli::error::CliError;
use crate::cli::output::Output;
use crate::cli::server::database::place::Place;
use crate::job::{Json, Span};

/// Arguments of `longshore key create`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Only the key is printed, once; the server stores a hash of it. A server that runs is asked to
create it. If none answers, and no URL is given, the key is created in the database.

The first key must have the scope admin, no queue pattern and no expiry: from then on every request
needs a key.

Examples:
  longshore key create shop --scope submit --scope read --queue 'shop.*'
  (umask 077; longshore key create ops --scope admin > ops.key)
  longshore key create worker --scope work --queue render --expires 90d --json
  longshore key create ops --scope admin --database /var/lib/longshore/jobs.db")]
pub(super) struct CreateArgs {
    /// Name of the key, 1 to 64 characters
    #[arg(value_name = "NAME")]
    name: KeyName,
    /// What the key may do: submit, read, work or admin. May be given more than once
    #[arg(long = "scope", value_name = "SCOPE", required = true)]
    scopes: Vec<Scope>,
    /// Queue that the key may use, in which '*' is any characters; if omitted, all queues. May be given
    /// more than once
    #[arg(long = "queue", value_name = "PATTERN")]
    queues: Vec<QueuePattern>,
    /// Time after which the key is refused, such as 90d; if omitted, it never expires
    #[arg(long, value_name = "DURATION", value_parser = parse_expires)]
    expires: Option<Span>,
    #[command(flatten)]
    pub(super) place: Place,
}

/// Reads a duration that is longer than 0.
fn parse_expires(text: &str) -> Result<Span, String> {
    let span: Span = text.parse::<Span>().map_err(|error| error.to_string())?;
    if span.duration().is_zero() {
        return Err("must be longer than 0s: the key would have expired already".into());
    }
    Ok(span)
}

/// Creates a key and prints it.
pub(super) async fn run(args: CreateArgs) -> Result<(), CliError> {
    let output = args.place.target.output();
    let request = KeyRequest {
        name: args.name,
        scopes: Scopes::of(&args.scopes),
        queues: args.queues,
        expires_in: args.expires,
    };
    let wanted = request.clone();
    let (created, json) = args
        .place
        .act(
            true,
            async |client| {
                let reply = client.create_key(&request).await?;
                Ok((reply.value, Some(reply.json)))
            },
            |database| {
                let (key, secret) = database.create_key(wanted.new_key(database.now()))?;
                Ok((CreatedKey { key, secret: secret.reveal().to_owned() }, None))
            },
        )
        .await?;
    print(&output, &created, json.as_ref())
}

fn print(output: &Output, created: &CreatedKey, json: Option<&Json>) -> Result<(), CliError> {
    match (output.json, json) {
        (true, Some(json)) => output.json(json),
        (true, None) => output.json(created),
        (false, _) => output.line(&created.secret),
    }
}
