//! `longshore batch results`: prints how the jobs of a batch have ended.

use clap::Args;

use crate::cli::error::CliError;
use crate::cli::jobs::id::parse_id;
use crate::cli::target::Target;
use crate::job::{BatchId, JobId};

/// Arguments of `longshore batch results`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Each line is a JSON object with the id, kind, state, result, error, tags and metadata of a job, in
the order of submission. A job that has not completed has the result null.

Examples:
  longshore batch results 7 | jq .result
  longshore batch results 7 --wait | jq -r 'select(.state == \"failed\") | .error.message'")]
pub(crate) struct ResultsArgs {
    /// ID of the batch
    #[arg(value_name = "ID", value_parser = parse_id::<BatchId>)]
    id: BatchId,
    /// Wait until the batch has ended
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    pub(crate) target: Target,
}

/// Prints the results, one a line.
pub(crate) async fn run(args: ResultsArgs) -> Result<(), CliError> {
    let (client, output) = args.target.open()?;
    if args.wait {
        client.wait_for_batch(args.id, &|error| output.note_outage(error)).await?;
    }
    let mut after = Some(JobId(0));
    while let Some(start) = after {
        let page = client.batch_results(args.id, start).await?;
        for result in &page.results {
            output.json(result)?;
        }
        after = page.next_after;
    }
    Ok(())
}
