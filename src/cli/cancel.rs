//! `longshore cancel`: call jobs off.

use clap::Args;

use crate::cli::error::CliError;
use crate::cli::id::parse_id;
use crate::cli::output::Output;
use crate::cli::show;
use crate::cli::target::Target;
use crate::cli::verdicts::Verdicts;
use crate::job::{Job, JobId};

/// Which jobs to cancel.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
A job that waits is cancelled at once; one that runs is asked to stop, and its connection or its
processes are ended. A job that has ended is refused, and the others are cancelled all the same.

Examples:
  longshore cancel 17
  longshore list --queue mail --state queued --all --json | jq .id | xargs -r longshore cancel")]
pub(super) struct CancelArgs {
    /// The ids of the jobs
    #[arg(value_name = "ID", value_parser = parse_id::<JobId>, required = true)]
    ids: Vec<JobId>,
    #[command(flatten)]
    pub(super) target: Target,
}

/// Cancels jobs one after another.
pub(super) async fn run(args: CancelArgs) -> Result<(), CliError> {
    let (client, output) = args.target.open()?;
    let mut verdicts = Verdicts::default();
    for id in args.ids {
        verdicts.take(&output, id, client.cancel(id).await, tell)?;
    }
    verdicts.end()
}

fn tell(output: &Output, job: &Job) -> Result<(), CliError> {
    let stops = if job.state.is_final() { "" } else { "\tasked to stop" };
    output.line(format_args!("{}\t{}{stops}", job.id, show::state(output, job.state)))
}
