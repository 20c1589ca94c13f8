//! `longshore cancel`: cancels jobs.

use clap::Args;

use crate::cli::error::CliError;
use crate::cli::jobs::bulk_report::BulkReport;
use crate::cli::jobs::id::parse_id;
use crate::cli::output::Output;
use crate::cli::target::Target;
use crate::job::{Job, JobId};

/// Arguments of `longshore cancel`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
A job that waits is cancelled at once. A running job is asked to stop, and its connection is
closed or its processes are ended. A job that has already ended is refused; the other jobs are
still cancelled.

Examples:
  longshore cancel 17
  longshore list --queue mail --state queued --all --json | jq .id | xargs -r longshore cancel")]
pub(crate) struct CancelArgs {
    /// IDs of the jobs to cancel
    #[arg(value_name = "ID", value_parser = parse_id::<JobId>, required = true)]
    ids: Vec<JobId>,
    #[command(flatten)]
    pub(crate) target: Target,
}

/// Cancels the jobs one after another.
pub(crate) async fn run(args: CancelArgs) -> Result<(), CliError> {
    let (client, output) = args.target.open()?;
    let mut report = BulkReport::default();
    for id in args.ids {
        report.add(&output, id, client.cancel(id).await, print_job)?;
    }
    report.finish()
}

fn print_job(output: &Output, job: &Job) -> Result<(), CliError> {
    let suffix = if job.state.is_final() { "" } else { "\tcancel requested" };
    output.line(format_args!("{}\t{}{suffix}", job.id, output.state(job.state)))
}
