//! `longshore batch`: submits many jobs as one batch and waits until they have ended, and acts on a batch.

mod add;
mod bar;
mod close;
mod lines;
mod results;
mod retry;

use clap::{Args, Subcommand};

use crate::cli::client::{Client, Reply};
use crate::cli::error::CliError;
use crate::cli::jobs::input;
use crate::cli::jobs::submit::on_end::EndOptions;
use crate::cli::output::Output;
use crate::cli::output::show;
use crate::cli::target::Target;
use crate::job::batch::{Batch, BatchOptions};
use crate::job::{BatchId, IdempotencyKey};
use add::AddArgs;
use bar::BatchBar;
use close::CloseArgs;
use lines::BatchLines;
use results::ResultsArgs;
use retry::RetryArgs;

const HELP: &str = "\
FILE contains one submission per line, such as {\"kind\": \"echo\", \"payload\": 1, \"queue\": \"bulk\"}.
Either all submissions are accepted or none. A batch may contain at most 10000 jobs, unless the
server sets max_jobs_per_request to another value. On a terminal, a progress bar is shown on
stderr. Ctrl-C ends the command, but the jobs continue to run. If the server becomes unreachable,
the command waits for up to 5 minutes until it is back. At the end the counts are printed. The
exit code is 5 if any job failed or was cancelled. A FILE with the name of a command, such as
retry, is given as ./retry. Options of a command follow its name: longshore batch results 7 --json.

Examples:
  longshore batch jobs.ndjson
  longshore batch jobs.ndjson --name nightly --idempotency-key nightly-2030-01-31
  longshore batch jobs.ndjson --no-wait
  longshore batch results 7 | jq .result
  longshore batch retry 7
  longshore batch jobs.ndjson --no-wait --callback https://shop.example/hooks
  seq 100 | jq -c '{kind: \"echo\", payload: .}' | longshore batch - --json | jq .counts";

/// Arguments of `longshore batch`.
#[derive(Debug, Clone, Args)]
#[command(after_help = HELP, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct BatchArgs {
    #[command(subcommand)]
    command: Option<BatchCommand>,
    #[command(flatten)]
    submission: SubmissionArgs,
}

/// Arguments of a submission.
#[derive(Debug, Clone, Args)]
struct SubmissionArgs {
    /// File with one submission per line, or - for stdin
    #[arg(value_name = "FILE", required = true)]
    file: Option<String>,
    /// Name of the batch
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Idempotency key: submitting again with the same key returns the first batch
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<IdempotencyKey>,
    #[command(flatten)]
    on_end: EndOptions,
    /// Do not wait until the jobs have ended
    #[arg(long)]
    no_wait: bool,
    /// Keep the batch open for more jobs, and do not wait
    #[arg(long)]
    open: bool,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Clone, Subcommand)]
enum BatchCommand {
    /// Print the results of a batch, one a line in the order of submission
    Results(ResultsArgs),
    /// Run the failed jobs of a batch again
    Retry(RetryArgs),
    /// Add the jobs of a file to an open batch
    Add(AddArgs),
    /// Close an open batch: it ends with its last job
    Close(CloseArgs),
}

impl BatchArgs {
    /// Returns the server and output options.
    pub(crate) fn target(&mut self) -> &mut Target {
        match &mut self.command {
            Some(BatchCommand::Results(args)) => &mut args.target,
            Some(BatchCommand::Retry(args)) => &mut args.target,
            Some(BatchCommand::Add(args)) => &mut args.target,
            Some(BatchCommand::Close(args)) => &mut args.target,
            None => &mut self.submission.target,
        }
    }
}

/// Runs a command about batches.
pub(crate) async fn run(args: BatchArgs) -> Result<(), CliError> {
    match args.command {
        Some(BatchCommand::Results(args)) => results::run(args).await,
        Some(BatchCommand::Retry(args)) => retry::run(args).await,
        Some(BatchCommand::Add(args)) => add::run(args).await,
        Some(BatchCommand::Close(args)) => close::run(args).await,
        None => submit(args.submission).await,
    }
}

/// Submits a batch and, unless `--no-wait` or `--open` is given, waits until it has ended.
async fn submit(args: SubmissionArgs) -> Result<(), CliError> {
    let (client, output) = args.target.open()?;
    let file = args.file.as_deref().unwrap_or_default();
    let lines = BatchLines::read(&input::read(file)?)?;
    if lines.jobs.is_empty() && !args.open {
        return Err(CliError::Usage(format!("{file} contains no submission")));
    }
    let key = args.idempotency_key.as_ref();
    let (name, callback) = (args.name.clone(), args.on_end.callback());
    let options = BatchOptions { name, callback, then: args.on_end.then()?, open: args.open };
    let submitted = client.submit_batch(options, &lines.jobs, key).await;
    let batch = submitted.map_err(|error| lines.locate_errors(error))?;
    let (id, total) = (batch.value.id, batch.value.total);
    let summary = format!("batch {id}\t{total} jobs\t{}", client.batch_url(id));
    match (args.no_wait || args.open, output.json) {
        (true, true) => return output.json(&batch.json),
        (true, false) => return output.line(summary),
        (false, true) => {}
        // The URL lets the user find the batch again after interrupting the wait.
        (false, false) => output.note(summary),
    }
    let ended = wait_until_ended(&client, &output, batch.value).await?;
    print_summary(&output, &ended)?;
    check_all_completed(&ended.value)
}

/// Waits until a batch has ended. On a terminal, a bar shows its progress meanwhile.
async fn wait_until_ended(
    client: &Client,
    output: &Output,
    batch: Batch,
) -> Result<Reply<Batch>, CliError> {
    let Some(bar) = BatchBar::start(&batch) else {
        return client.wait_for_batch(batch.id, &|error| output.note_outage(error)).await;
    };
    let on_outage = |error: &CliError| bar.suspend(|| output.note_outage(error));
    // The event stream only drives the bar. The result is read from the server in any case.
    let _ = watch(client, batch.id, &bar, &on_outage).await;
    client.wait_for_batch(batch.id, &on_outage).await
}

/// Updates the bar from the events of a batch until it has ended.
async fn watch(
    client: &Client,
    id: BatchId,
    bar: &BatchBar,
    on_outage: &dyn Fn(&CliError),
) -> Result<(), CliError> {
    let mut events = client.batch_events(id);
    while let Some(event) = events.next_despite_outage(on_outage).await? {
        let Ok(batch) = serde_json::from_str::<Batch>(&event.data) else { continue };
        bar.show(&batch);
        if batch.finished_at.is_some() {
            break;
        }
    }
    Ok(())
}

fn print_summary(
    output: &Output,
    Reply { value: batch, json }: &Reply<Batch>,
) -> Result<(), CliError> {
    if output.json {
        return output.json(json);
    }
    let took = batch.finished_at.map(|finished_at| finished_at.since(batch.created_at));
    let took = took.map(|took| format!(", took {}", show::duration(took))).unwrap_or_default();
    let counts = &batch.counts;
    output.line(format_args!(
        "batch {}: {} of {} completed, {} failed, {} cancelled{took}",
        batch.id, counts.completed, batch.total, counts.failed, counts.cancelled
    ))
}

/// Returns an error if any job of the batch failed or was cancelled.
fn check_all_completed(batch: &Batch) -> Result<(), CliError> {
    let (failed, cancelled) = (batch.counts.failed, batch.counts.cancelled);
    if failed + cancelled == 0 {
        return Ok(());
    }
    Err(CliError::BatchFailed { batch: batch.id, failed, cancelled })
}
