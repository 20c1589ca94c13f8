//! `longshore queues`: lists the queues with their jobs and limits.

pub(super) mod pause;
pub(super) mod providers;
pub(super) mod resume;

use clap::Args;

use crate::cli::error::CliError;
use crate::cli::output::Colour;
use crate::cli::output::show;
use crate::cli::output::table::{Cell, Table};
use crate::cli::target::Target;
use crate::job::queue::{Queue, Rate};

/// Arguments of `longshore queues`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
OLDEST is the time for which the queued job with the earliest due time has waited. MAX is the
maximum number of jobs of the queue that run at once. RATE is the maximum number of jobs that
start per period.

Examples:
  longshore queues
  longshore queues --json | jq '.queues[] | select(.paused) | .name'")]
pub(super) struct QueuesArgs {
    #[command(flatten)]
    pub(super) target: Target,
}

/// Names of the columns.
const COLUMNS: [&str; 10] = [
    "NAME",
    "PAUSED",
    "QUEUED",
    "RUNNING",
    "SCHEDULED",
    "RETRYING",
    "FAILED",
    "OLDEST",
    "MAX",
    "RATE",
];

/// Prints the queues.
pub(super) async fn run(args: QueuesArgs) -> Result<(), CliError> {
    let (client, output) = args.target.open()?;
    let reply = client.queues().await?;
    if output.json {
        return output.json(&reply.json);
    }
    Table::new(COLUMNS).print(&output, reply.value.queues.iter().map(row).collect())
}

fn row(queue: &Queue) -> [Cell; 10] {
    let paused = if queue.settings.paused {
        Cell::text("yes").in_colour(Colour::Yellow)
    } else {
        Cell::text("no")
    };
    let oldest = queue.oldest_queued_age.map(|span| show::age(span.duration()));
    let max_running = queue.settings.max_running.map(|max| max.to_string());
    [
        Cell::text(&queue.name),
        paused,
        Cell::number(&queue.jobs.queued),
        Cell::number(&queue.jobs.running),
        Cell::number(&queue.jobs.scheduled),
        Cell::number(&queue.jobs.retrying),
        Cell::number(&queue.jobs.failed),
        Cell::number(oldest.as_deref().unwrap_or(show::NONE)),
        Cell::number(max_running.as_deref().unwrap_or(show::NONE)),
        Cell::number(&queue.settings.rate.map_or(show::NONE.into(), rate)),
    ]
}

/// Formats a rate limit, such as `100/1m`.
pub(super) fn rate(rate: Rate) -> String {
    format!("{}/{}", rate.limit, rate.period)
}
