//! `longshore list`: lists jobs, newest first.

use clap::Args;
use serde::de::DeserializeOwned;

use crate::api::jobs::JobListQuery;
use crate::cli::client::Client;
use crate::cli::error::CliError;
use crate::cli::jobs::id::parse_id;
use crate::cli::output::Colour;
use crate::cli::output::show;
use crate::cli::output::table::{Cell, Table};
use crate::cli::target::Target;
use crate::clock::Clock;
use crate::job::{BatchId, Job, Json, QueueName, State, Timestamp};

/// Maximum number of jobs that the server returns in one page.
const PAGE_SIZE: u64 = 200;
/// Maximum length of an error in a row of the table.
const MAX_ERROR_CHARS: usize = 60;

/// Arguments of `longshore list`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Lists the newest jobs first. With --json it prints one job per line, as the server sends it.

Examples:
  longshore list
  longshore list --state failed --queue mail
  longshore list --batch 3 --all --json | jq -r .id
  longshore list --state failed --all --json | jq .id | xargs -r longshore retry")]
pub(crate) struct ListArgs {
    /// List only jobs in this state: scheduled, queued, running, retrying, completed, failed,
    /// cancelled
    #[arg(long, value_name = "STATE")]
    state: Option<State>,
    /// List only jobs in this queue
    #[arg(long, value_name = "QUEUE")]
    queue: Option<QueueName>,
    /// List only jobs of this kind
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// List only jobs with this tag
    #[arg(long, value_name = "WORD")]
    tag: Option<String>,
    /// List only jobs of this batch
    #[arg(long, value_name = "ID", value_parser = parse_id::<BatchId>)]
    batch: Option<BatchId>,
    /// List at most this many jobs
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
    /// List all matching jobs, without a limit
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    #[command(flatten)]
    pub(crate) target: Target,
}

/// Lists jobs.
pub(crate) async fn run(args: ListArgs) -> Result<(), CliError> {
    let (client, output) = args.target.open()?;
    let max_jobs = if args.all { u64::MAX } else { args.limit };
    let filter = JobListQuery {
        state: args.state.map(State::as_str),
        queue: args.queue,
        kind: args.kind,
        tag: args.tag,
        batch: args.batch,
        ..JobListQuery::default()
    };
    if output.json {
        return each_page(&client, filter, max_jobs, |jobs: Vec<Json>| {
            jobs.iter().try_for_each(|job| output.json(job))
        })
        .await;
    }
    let now = Clock::system().now();
    let mut table = Table::new(["ID", "STATE", "KIND", "QUEUE", "ATTEMPT", "AGE", "ERROR"]);
    each_page(&client, filter, max_jobs, |jobs: Vec<Job>| {
        table.print(&output, jobs.iter().map(|job| row(job, now)).collect())
    })
    .await
}

/// Reads pages and passes their jobs to `show`, until `max_jobs` were read or no more exist.
async fn each_page<T: DeserializeOwned>(
    client: &Client,
    mut filter: JobListQuery,
    max_jobs: u64,
    mut show: impl FnMut(Vec<T>) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let mut left = max_jobs;
    while left > 0 {
        filter.limit = left.min(PAGE_SIZE);
        let page = client.list::<T>(&filter).await?;
        left = left.saturating_sub(page.jobs.len() as u64);
        show(page.jobs)?;
        match page.next_cursor {
            Some(cursor) => filter.cursor = Some(cursor),
            None => break,
        }
    }
    Ok(())
}

fn row(job: &Job, now: Timestamp) -> [Cell; 7] {
    let error = job.error.as_ref().map(|error| show::error(error, MAX_ERROR_CHARS));
    [
        Cell::number(&job.id),
        Cell::text(&job.state).in_colour(Colour::of_state(job.state)),
        Cell::text(&job.kind),
        Cell::text(&job.queue),
        Cell::number(&format_args!("{}/{}", job.attempt, job.max_attempts)),
        Cell::number(&show::age(now.since(job.created_at))),
        Cell::text(error.as_deref().unwrap_or_default()),
    ]
}
