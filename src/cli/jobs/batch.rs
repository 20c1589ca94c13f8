//! `longshore batch`: submits many jobs as one batch and waits until they have ended.

mod bar;
mod lines;

use clap::Args;

use crate::cli::client::{Client, Reply};
use crate::cli::error::CliError;
use crate::cli::jobs::input;
use crate::cli::jobs::submit::on_end::EndOptions;
use crate::cli::output::Output;
use crate::cli::output::show;
use crate::cli::target::Target;
use crate::job::batch::{Batch, BatchOptions};
use crate::job::{BatchId, IdempotencyKey};
use bar::BatchBar;
use lines::BatchLines;

const HELP: &str = "\
FILE contains one submission per line, such as {\"kind\": \"echo\", \"payload\": 1, \"queue\": \"bulk\"}.
Either all submissions are accepted or none. A batch may contain at most 10000 jobs, unless the
server sets max_jobs_per_request to another value. On a terminal, a progress bar is shown on
stderr. Ctrl-C ends the command, but the jobs continue to run. If the server becomes unreachable,
the command waits for up to 5 minutes until it is back. At the end the counts are printed. The
exit code is 5 if any job failed or was cancelled.

Examples:
  longshore batch jobs.ndjson
  longshore batch jobs.ndjson --name nightly --idempotency-key nightly-2030-01-31
  longshore batch jobs.ndjson --no-wait
  longshore batch jobs.ndjson --no-wait --callback https://shop.example/hooks
  seq 100 | jq -c '{kind: \"echo\", payload: .}' | longshore batch - --json | jq .counts";

/// Arguments of `longshore batch`.
#[derive(Debug, Clone, Args)]
#[command(after_help = HELP)]
pub(crate) struct BatchArgs {
    /// File with one submission per line, or - for stdin
    #[arg(value_name = "FILE")]
    file: String,
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
    #[command(flatten)]
    pub(crate) target: Target,
}

/// Submits a batch and, unless `--no-wait` is given, waits until it has ended.
pub(crate) async fn run(args: BatchArgs) -> Result<(), CliError> {
    let (client, output) = args.target.open()?;
    let lines = BatchLines::read(&input::read(&args.file)?)?;
    if lines.jobs.is_empty() {
        return Err(CliError::Usage(format!("{} contains no submission", args.file)));
    }
    let key = args.idempotency_key.as_ref();
    let (name, callback) = (args.name.clone(), args.on_end.callback());
    let options = BatchOptions { name, callback, then: args.on_end.then()?, open: false };
    let submitted = client.submit_batch(options, &lines.jobs, key).await;
    let batch = submitted.map_err(|error| lines.locate_errors(error))?;
    let (id, total) = (batch.value.id, batch.value.total);
    let summary = format!("batch {id}\t{total} jobs\t{}", client.batch_url(id));
    match (args.no_wait, output.json) {
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
