//! `longshore retry`: run jobs again that have ended, or at once that wait for their next attempt.

use clap::Args;

use crate::cli::error::CliError;
use crate::cli::id::parse_id;
use crate::cli::output::Output;
use crate::cli::show;
use crate::cli::target::Target;
use crate::cli::verdicts::Verdicts;
use crate::job::{Job, JobId};

/// Which jobs to run again.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
A job that waits for its next attempt is run at once. One that was not begun yet, that runs, or
that has run and may not run twice (at_most_once) is refused; the others are run again all the same.

Examples:
  longshore retry 17
  longshore list --state failed --all --json | jq .id | xargs -r longshore retry")]
pub(super) struct RetryArgs {
    /// The ids of the jobs
    #[arg(value_name = "ID", value_parser = parse_id::<JobId>, required = true)]
    ids: Vec<JobId>,
    #[command(flatten)]
    pub(super) target: Target,
}

/// Runs jobs again, one after another.
pub(super) async fn run(args: RetryArgs) -> Result<(), CliError> {
    let (client, output) = args.target.open()?;
    let mut verdicts = Verdicts::default();
    for id in args.ids {
        verdicts.take(&output, id, client.retry(id).await, tell)?;
    }
    verdicts.end()
}

fn tell(output: &Output, job: &Job) -> Result<(), CliError> {
    output.line(format_args!("{}\t{}", job.id, show::state(output, job.state)))
}
