//! `longshore deliveries`: shows the deliveries of a job's or batch's webhook, and sends one again.

use clap::Args;

use crate::cli::client::Client;
use crate::cli::error::CliError;
use crate::cli::jobs::id::parse_id;
use crate::cli::output::show;
use crate::cli::output::table::{Cell, Table};
use crate::cli::output::{Colour, Output};
use crate::cli::target::Target;
use crate::job::submission::on_end::Owner;
use crate::job::submission::on_end::callback::CallbackEvent;
use crate::job::submission::on_end::delivery_status::DeliveryStatus;
use crate::job::{BatchId, JobId};

/// Maximum length of an error in the table.
const MAX_ERROR_CHARS: usize = 60;

/// Arguments of `longshore deliveries`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
A delivery is a job of the queue 'callbacks'; ID is the ID of that job. STATUS is the HTTP status
of the receiver's latest answer. NEXT is the time of the next attempt. At most the latest 50
deliveries are shown.

Examples:
  longshore deliveries 17
  longshore deliveries --batch 3 --json | jq '.deliveries[] | select(.state == \"failed\")'
  longshore deliveries 17 --retry 21")]
pub(crate) struct DeliveriesArgs {
    /// ID of the job
    #[arg(value_name = "JOB", value_parser = parse_id::<JobId>, required_unless_present = "batch")]
    job: Option<JobId>,
    /// Show the deliveries of a batch
    #[arg(long, value_name = "BATCH", value_parser = parse_id::<BatchId>, conflicts_with = "job")]
    batch: Option<BatchId>,
    /// Send a webhook again, with the same body and the same webhook-id
    #[arg(long, value_name = "DELIVERY", value_parser = parse_id::<JobId>)]
    retry: Option<JobId>,
    #[command(flatten)]
    pub(crate) target: Target,
}

/// Names of the columns.
const COLUMNS: [&str; 8] =
    ["ID", "EVENT", "RECEIVER", "STATE", "ATTEMPT", "STATUS", "NEXT", "ERROR"];

/// Prints the deliveries, or sends one of them again.
pub(crate) async fn run(args: DeliveriesArgs) -> Result<(), CliError> {
    let (client, output) = args.target.open()?;
    let owner = match (args.job, args.batch) {
        (Some(job), _) => Owner::Job(job),
        (None, Some(batch)) => Owner::Batch(batch),
        (None, None) => return Err(CliError::Usage("give the ID of a job, or --batch".into())),
    };
    match args.retry {
        Some(delivery) => retry(&client, &output, owner, delivery).await,
        None => list(&client, &output, owner).await,
    }
}

async fn retry(
    client: &Client,
    output: &Output,
    owner: Owner,
    delivery: JobId,
) -> Result<(), CliError> {
    let reply = client.retry_delivery(owner, delivery).await?;
    if output.json {
        return output.json(&reply.json);
    }
    output.line(format_args!("{}\t{}", reply.value.id, output.state(reply.value.state)))
}

async fn list(client: &Client, output: &Output, owner: Owner) -> Result<(), CliError> {
    let reply = client.deliveries(owner).await?;
    if output.json {
        return output.json(&reply.json);
    }
    let rows = reply.value.deliveries.iter().map(row).collect();
    Table::new(COLUMNS).print(output, rows)
}

fn row(delivery: &DeliveryStatus) -> [Cell; 8] {
    let error = delivery.error.as_ref().map(|error| show::error(error, MAX_ERROR_CHARS));
    let status = delivery.status.map(|status| status.to_string());
    let next = delivery.next_attempt_at.map(|at| at.to_string());
    [
        Cell::number(&delivery.id),
        Cell::text(event(delivery)),
        Cell::text(&show::plain(delivery.receiver().unwrap_or(show::NONE))),
        Cell::text(&delivery.state).in_colour(Colour::of_state(delivery.state)),
        Cell::text(&format!("{} of {}", delivery.attempt, delivery.max_attempts)),
        Cell::number(status.as_deref().unwrap_or(show::NONE)),
        Cell::text(next.as_deref().unwrap_or(show::NONE)),
        Cell::text(error.as_deref().unwrap_or(show::NONE)),
    ]
}

fn event(delivery: &DeliveryStatus) -> &'static str {
    delivery.event.map_or(show::NONE, CallbackEvent::as_str)
}

/// Returns a delivery as one line, for `longshore status`.
pub(super) fn line(output: &Output, delivery: &DeliveryStatus) -> String {
    let mut line = format!(
        "{} {}, {}, attempt {} of {}",
        delivery.id,
        event(delivery),
        output.state(delivery.state),
        delivery.attempt,
        delivery.max_attempts
    );
    if let Some(status) = delivery.status {
        line.push_str(&format!(", status {status}"));
    }
    if let Some(at) = delivery.next_attempt_at {
        line.push_str(&format!(", next attempt at {at}"));
    }
    line
}
