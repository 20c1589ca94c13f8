//! `longshore update`: changes jobs that wait.

use clap::{ArgGroup, Args};

use crate::cli::error::CliError;
use crate::cli::jobs::bulk_report::BulkReport;
use crate::cli::output::Output;
use crate::cli::target::Target;
use crate::job::{Job, JobPatch, Span, Timestamp};

/// Arguments of `longshore update`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "\
A job that is running or has ended is refused; the other jobs are still changed. An argument that is
not an ID is refused by itself.

Examples:
  longshore update 17 --now
  longshore update 17 18 --delay 10m --priority 5
  longshore list --state scheduled --all --json | jq .id | xargs -r longshore update --queue slow",
    group = ArgGroup::new("change").required(true).multiple(true)
)]
pub(crate) struct UpdateArgs {
    /// IDs of the jobs to change
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
    /// Start the jobs as soon as a worker is free
    #[arg(long, group = "change", conflicts_with_all = ["run_at", "delay"])]
    now: bool,
    /// Start the jobs at this time, such as 2030-01-31T12:00:00Z
    #[arg(long, value_name = "TIME", group = "change", conflicts_with = "delay")]
    run_at: Option<Timestamp>,
    /// Start the jobs after this delay from now, such as 10m
    #[arg(long, value_name = "SPAN", group = "change")]
    delay: Option<Span>,
    /// Priority from -100 to 100; jobs with a higher priority run first
    #[arg(long, value_name = "N", group = "change", allow_negative_numbers = true)]
    priority: Option<i64>,
    /// Cancel the jobs if they have not started by this time
    #[arg(long, value_name = "TIME", group = "change", conflicts_with = "no_expiry")]
    expires_at: Option<Timestamp>,
    /// Cancel the jobs if they have not started within this time from now, such as 1h
    #[arg(long, value_name = "SPAN", group = "change", conflicts_with_all = ["expires_at", "no_expiry"])]
    expires_in: Option<Span>,
    /// Never cancel the jobs because of their age
    #[arg(long, group = "change")]
    no_expiry: bool,
    /// Move the jobs to this queue
    #[arg(long, value_name = "QUEUE", group = "change")]
    queue: Option<String>,
    #[command(flatten)]
    pub(crate) target: Target,
}

/// Changes the jobs, one after another.
pub(crate) async fn run(args: UpdateArgs) -> Result<(), CliError> {
    let (client, output) = args.target.open()?;
    let patch = patch(&args);
    let mut report = BulkReport::new(&output, print_job);
    for id in report.read_ids(&args.ids) {
        if !report.repeat(id)? {
            report.add(id, client.update(id, &patch).await)?;
        }
    }
    report.finish()
}

fn patch(args: &UpdateArgs) -> JobPatch {
    let start = if args.now { JobPatch::run_now() } else { JobPatch::default() };
    JobPatch {
        run_at: args.run_at,
        delay: args.delay.or(start.delay),
        priority: args.priority,
        expires_at: args.expires_at.map(Some).or(args.no_expiry.then_some(None)),
        expires_in: args.expires_in,
        queue: args.queue.clone(),
    }
}

fn print_job(output: &Output, job: &Job) -> Result<(), CliError> {
    let state = output.state(job.state);
    output.line(format_args!("{}\t{state}\t{}\t{}", job.id, job.queue, job.run_at))
}
