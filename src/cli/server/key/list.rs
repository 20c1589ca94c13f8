//! `longshore key list`: lists the API keys.

use clap::Args;

use crate::api::keys::KeyList;
use crate::auth::access::QueuePattern;
use crate::auth::api_key::ApiKey;
use crate::cli::error::CliError;
use crate::cli::output::show;
use crate::cli::output::table::{Cell, Table};
use crate::cli::server::database::place::Place;
use crate::clock::Clock;
use crate::job::Timestamp;

/// Arguments of `longshore key list`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
STATE is 'valid', 'expired' or 'revoked'. USED is the time since the last request, to the minute.
The keys themselves are not stored and cannot be shown.

Examples:
  longshore key list
  longshore key list --json | jq '.keys[] | select(.revoked_at == null) | .name'
  longshore key list --database /var/lib/longshore/jobs.db")]
pub(super) struct ListArgs {
    #[command(flatten)]
    pub(super) place: Place,
}

/// Names of the columns.
const COLUMNS: [&str; 7] = ["ID", "NAME", "STATE", "SCOPES", "QUEUES", "EXPIRES", "USED"];

/// Prints all keys.
pub(super) async fn run(args: ListArgs) -> Result<(), CliError> {
    let output = args.place.target.output();
    let list = args
        .place
        .act(
            false,
            async |client| Ok(client.keys().await?.value),
            |database| Ok(KeyList { keys: database.keys()? }),
        )
        .await?;
    if output.json {
        return output.json(&list);
    }
    let now = Clock::system().now();
    let rows = list.keys.iter().map(|key| row(key, now)).collect();
    Table::new(COLUMNS).print(&output, rows)
}

fn row(key: &ApiKey, now: Timestamp) -> [Cell; 7] {
    let queues: Vec<&str> = key.queues.iter().map(QueuePattern::as_str).collect();
    let state = match key.revoked_at {
        Some(_) => "revoked",
        None if key.is_valid_at(now) => "valid",
        None => "expired",
    };
    let used = key.last_used_at.map(|at| show::age(now.since(at)));
    let expires = key.expires_at.map(|at| at.to_string());
    [
        Cell::number(&key.id),
        Cell::text(&show::plain(key.name.as_str())),
        Cell::text(state),
        Cell::text(&key.scopes),
        Cell::text(if queues.is_empty() { "all".into() } else { queues.join(", ") }.as_str()),
        Cell::text(expires.as_deref().unwrap_or("never")),
        Cell::text(used.as_deref().unwrap_or("never")),
    ]
}
