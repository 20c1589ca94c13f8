//! `longshore batch add`: adds the jobs of a file to an open batch.

use clap::Args;

use super::lines::BatchLines;
use crate::cli::error::CliError;
use crate::cli::jobs::id::parse_id;
use crate::cli::jobs::input;
use crate::cli::target::Target;
use crate::job::{BatchId, IdempotencyKey};

/// Arguments of `longshore batch add`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Either all submissions of the file are accepted or none. A batch that is closed takes no jobs.

Examples:
  longshore batch first.ndjson --open
  longshore batch add 7 second.ndjson --idempotency-key second
  longshore batch close 7")]
pub(crate) struct AddArgs {
    /// ID of the batch
    #[arg(value_name = "ID", value_parser = parse_id::<BatchId>)]
    id: BatchId,
    /// File with one submission per line, or - for stdin
    #[arg(value_name = "FILE")]
    file: String,
    /// Idempotency key: adding again with the same key adds nothing
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<IdempotencyKey>,
    #[command(flatten)]
    pub(crate) target: Target,
}

/// Adds the jobs and prints the number of jobs that the batch has now.
pub(crate) async fn run(args: AddArgs) -> Result<(), CliError> {
    let (client, output) = args.target.open()?;
    let lines = BatchLines::read(&input::read(&args.file)?)?;
    if lines.jobs.is_empty() {
        return Err(CliError::Usage(format!("{} contains no submission", args.file)));
    }
    let key = args.idempotency_key.as_ref();
    let added = client.add_jobs(args.id, &lines.jobs, key).await;
    let added = added.map_err(|error| lines.locate_errors(error))?;
    if output.json {
        return output.json(&added.json);
    }
    let (added, total) = (added.value.job_ids.len(), added.value.batch.total);
    output.line(format_args!("batch {}\t{added} jobs added\t{total} jobs", args.id))
}
