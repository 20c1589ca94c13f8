//! `longshore queues`: the queues, their jobs and their limits.

use clap::Args;

use crate::cli::error::CliError;
use crate::cli::output::Colour;
use crate::cli::show;
use crate::cli::table::{Cell, Table};
use crate::cli::target::Target;
use crate::job::queue::{Queue, Rate};

/// How to show the queues.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
OLDEST is how long the queued job that was due first waits; MAX is how many jobs of the queue may
run at once; RATE is how many may start in a time.

Examples:
  longshore queues
  longshore queues --json | jq '.queues[] | select(.paused) | .name'")]
pub(super) struct QueuesArgs {
    #[command(flatten)]
    pub(super) target: Target,
}

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

/// Shows the queues.
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
    let most = queue.settings.max_running.map(|most| most.to_string());
    [
        Cell::text(&queue.name),
        paused,
        Cell::number(&queue.jobs.queued),
        Cell::number(&queue.jobs.running),
        Cell::number(&queue.jobs.scheduled),
        Cell::number(&queue.jobs.retrying),
        Cell::number(&queue.jobs.failed),
        Cell::number(oldest.as_deref().unwrap_or(show::NONE)),
        Cell::number(most.as_deref().unwrap_or(show::NONE)),
        Cell::number(&queue.settings.rate.map_or(show::NONE.into(), rate)),
    ]
}

pub(super) fn rate(rate: Rate) -> String {
    format!("{}/{}", rate.limit, rate.period)
}
