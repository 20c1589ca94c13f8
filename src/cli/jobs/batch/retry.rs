//! `longshore batch retry`: runs the failed jobs of a batch again.

use clap::Args;

use crate::cli::error::CliError;
use crate::cli::jobs::id::parse_id;
use crate::cli::target::Target;
use crate::job::{BatchId, JobId};

/// Arguments of `longshore batch retry`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Jobs that must not run again, as by at_most_once, stay as they are.

Examples:
  longshore batch retry 7
  longshore batch retry 7 --cancelled")]
pub(crate) struct RetryArgs {
    /// ID of the batch
    #[arg(value_name = "ID", value_parser = parse_id::<BatchId>)]
    id: BatchId,
    /// Run the cancelled jobs again as well
    #[arg(long)]
    cancelled: bool,
    #[command(flatten)]
    pub(crate) target: Target,
}

/// Queues the jobs again and prints their number.
pub(crate) async fn run(args: RetryArgs) -> Result<(), CliError> {
    let (client, output) = args.target.open()?;
    let (mut retried, mut after) = (0, Some(JobId(0)));
    while let Some(last) = after {
        let reply = client.retry_batch(args.id, args.cancelled, last).await?;
        retried += reply.value.retried;
        after = reply.value.next_after;
        if output.json {
            output.json(&reply.json)?;
        }
    }
    if output.json {
        return Ok(());
    }
    output.line(format_args!("batch {}\t{retried} jobs retried", args.id))
}
