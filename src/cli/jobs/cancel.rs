//! `longshore cancel`: cancels jobs.

use clap::Args;

use crate::cli::error::CliError;
use crate::cli::jobs::bulk_report::BulkReport;
use crate::cli::output::Output;
use crate::cli::target::Target;
use crate::job::Job;

/// Arguments of `longshore cancel`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
A job that waits is cancelled at once. A running job is asked to stop, and its connection is
closed or its processes are ended. A job that has already ended is refused; the other jobs are
still cancelled. An argument that is not an ID is refused by itself, and an ID that is given more
than once is cancelled once.

Examples:
  longshore cancel 17
  longshore list --queue mail --state queued --all --json | jq .id | xargs -r longshore cancel")]
pub(crate) struct CancelArgs {
    /// IDs of the jobs to cancel
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
    #[command(flatten)]
    pub(crate) target: Target,
}

/// Cancels the jobs one after another.
pub(crate) async fn run(args: CancelArgs) -> Result<(), CliError> {
    let (client, output) = args.target.open()?;
    let mut report = BulkReport::new(&output, print_job);
    for id in report.read_ids(&args.ids) {
        if !report.repeat(id)? {
            report.add(id, client.cancel(id).await)?;
        }
    }
    report.finish()
}

fn print_job(output: &Output, job: &Job) -> Result<(), CliError> {
    let suffix = if job.state.is_final() { "" } else { "\tcancel requested" };
    output.line(format_args!("{}\t{}{suffix}", job.id, output.state(job.state)))
}
