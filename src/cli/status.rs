//! `longshore status`: a job as it stands.

use clap::Args;

use crate::cli::error::CliError;
use crate::cli::id::parse_id;
use crate::cli::output::Output;
use crate::cli::show;
use crate::cli::target::Target;
use crate::clock::Clock;
use crate::job::{Job, JobId, State, Timestamp};

/// Which job to show.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  longshore status 17
  longshore status 17 --json | jq .result")]
pub(super) struct StatusArgs {
    /// The id of the job
    #[arg(value_name = "ID", value_parser = parse_id::<JobId>)]
    id: JobId,
    #[command(flatten)]
    pub(super) target: Target,
}

/// Shows a job.
pub(super) async fn run(args: StatusArgs) -> Result<(), CliError> {
    let (client, output) = args.target.open()?;
    let reply = client.job(args.id).await?;
    if output.json {
        return output.json(&reply.json);
    }
    print(&output, &reply.value, Clock::system().now())
}

/// Prints all that is known of a job, a line each.
fn print(output: &Output, job: &Job, now: Timestamp) -> Result<(), CliError> {
    let lines = [said_always(output, job, now), said_of_times(job), said_of_the_end(job)].concat();
    lines.iter().try_for_each(|(name, text)| output.line(format_args!("{name:<9} {text}")))
}

type Line = (&'static str, String);

fn said_always(output: &Output, job: &Job, now: Timestamp) -> Vec<Line> {
    let stops = if job.cancel_requested { " (asked to stop)" } else { "" };
    let once = if job.at_most_once { ", at most once" } else { "" };
    let mut lines = vec![
        ("job", job.id.to_string()),
        ("state", format!("{}{stops}", show::state(output, job.state))),
        ("kind", job.kind.clone()),
        ("queue", format!("{}, {} lane, priority {}", job.queue, job.lane, job.priority)),
        ("attempt", format!("{} of {}{once}", job.attempt, job.max_attempts)),
        ("created", format!("{} ({} ago)", job.created_at, show::age(now.since(job.created_at)))),
    ];
    if let Some(batch) = job.batch {
        lines.push(("batch", batch.to_string()));
    }
    if !job.tags.is_empty() {
        lines.push(("tags", show::plain(&job.tags.join(", "))));
    }
    lines
}

fn said_of_times(job: &Job) -> Vec<Line> {
    let mut lines = Vec::new();
    if matches!(job.state, State::Scheduled | State::Retrying) {
        lines.push(("runs at", job.run_at.to_string()));
    }
    if let Some(expires_at) = job.expires_at {
        lines.push(("expires", expires_at.to_string()));
    }
    if let Some(started_at) = job.started_at {
        lines.push(("started", started_at.to_string()));
    }
    if let Some(worker) = &job.worker {
        lines.push(("worker", show::plain(worker)));
    }
    if let Some(lease_expires_at) = job.lease_expires_at {
        lines.push(("leased", format!("until {lease_expires_at}")));
    }
    if let Some(finished_at) = job.finished_at {
        let took = job.started_at.map(|started_at| finished_at.since(started_at));
        let took = took.map(|took| format!(" (took {})", show::took(took))).unwrap_or_default();
        lines.push(("finished", format!("{finished_at}{took}")));
    }
    if let Some(progress) = &job.progress {
        let message = progress.message.as_deref().unwrap_or_default();
        lines.push(("progress", format!("{:.0} % {}", progress.percent, show::plain(message))));
    }
    lines
}

fn said_of_the_end(job: &Job) -> Vec<Line> {
    let mut lines = Vec::new();
    for failure in job.failures.iter().flatten() {
        let error = show::error(&failure.error, usize::MAX);
        lines.push(("failure", format!("attempt {} at {}: {error}", failure.attempt, failure.at)));
    }
    if let Some(error) = &job.error {
        lines.push(("error", show::error(error, usize::MAX)));
    }
    if let Some(payload) = &job.payload {
        lines.push(("payload", show::plain(payload.as_str())));
    }
    if let Some(result) = job.given() {
        let cut = if job.result_truncated { " (cut)" } else { "" };
        lines.push(("result", format!("{}{cut}", show::plain(result.as_str()))));
    }
    lines
}
