//! `longshore retry`: runs jobs again that have ended, and starts waiting retries at once.

use clap::Args;

use crate::cli::error::CliError;
use crate::cli::jobs::bulk_report::BulkReport;
use crate::cli::output::Output;
use crate::cli::target::Target;
use crate::job::Job;

/// Arguments of `longshore retry`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
A job that waits for its next attempt is run at once. A job that has not started yet, that is
running, or that has run and must not run twice (at_most_once) is refused; the other jobs are
still run again. An argument that is not an ID is refused by itself, and an ID that is given more
than once is run again once.

Examples:
  longshore retry 17
  longshore list --state failed --all --json | jq .id | xargs -r longshore retry")]
pub(crate) struct RetryArgs {
    /// IDs of the jobs to run again
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
    #[command(flatten)]
    pub(crate) target: Target,
}

/// Runs the jobs again, one after another.
pub(crate) async fn run(args: RetryArgs) -> Result<(), CliError> {
    let (client, output) = args.target.open()?;
    let mut report = BulkReport::new(&output, print_job);
    for id in report.read_ids(&args.ids) {
        if !report.repeat(id)? {
            report.add(id, client.retry(id).await)?;
        }
    }
    report.finish()
}

fn print_job(output: &Output, job: &Job) -> Result<(), CliError> {
    output.line(format_args!("{}\t{}", job.id, output.state(job.state)))
}
