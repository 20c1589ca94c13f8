//! `longshore batch close`: closes an open batch.

use clap::Args;

use crate::cli::error::CliError;
use crate::cli::jobs::id::parse_id;
use crate::cli::target::Target;
use crate::job::BatchId;

/// Arguments of `longshore batch close`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
The batch ends with its last job, at once if none is left. A batch that is closed already stays as
it is.

Examples:
  longshore batch close 7")]
pub(crate) struct CloseArgs {
    /// ID of the batch
    #[arg(value_name = "ID", value_parser = parse_id::<BatchId>)]
    id: BatchId,
    #[command(flatten)]
    pub(crate) target: Target,
}

/// Closes the batch, which then ends with its last job.
pub(crate) async fn run(args: CloseArgs) -> Result<(), CliError> {
    let (client, output) = args.target.open()?;
    let reply = client.close_batch(args.id).await?;
    if output.json {
        return output.json(&reply.json);
    }
    let batch = reply.value;
    output.line(format_args!("batch {}\t{} of {} jobs done", batch.id, batch.done(), batch.total))
}
