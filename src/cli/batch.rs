//! `longshore batch`: submit many jobs as one batch and see it through.

mod bar;
mod lines;

use clap::Args;

use crate::cli::client::{Client, Reply};
use crate::cli::error::CliError;
use crate::cli::output::Output;
use crate::cli::submit::parse_key;
use crate::cli::target::Target;
use crate::cli::{show, source};
use crate::job::BatchId;
use crate::job::batch::Batch;
use bar::BatchBar;
use lines::Lines;

const HELP: &str = "\
FILE holds one submission a line: {\"kind\": \"echo\", \"payload\": 1, \"queue\": \"bulk\"}. All of them are
taken or none, and no more than 10000 unless the server's max_jobs_per_request says otherwise.
On a terminal a bar on stderr tells how far they are; Ctrl-C leaves it, and the jobs run on. A server
that goes away is waited for, up to 5 minutes. At the end the counts are told, and the exit code is 5
if any job failed or was cancelled.

Examples:
  longshore batch jobs.ndjson
  longshore batch jobs.ndjson --name nightly --idempotency-key nightly-2030-01-31
  longshore batch jobs.ndjson --no-wait
  seq 100 | jq -c '{kind: \"echo\", payload: .}' | longshore batch - --json | jq .counts";

/// What to submit.
#[derive(Debug, Clone, Args)]
#[command(after_help = HELP)]
pub(super) struct BatchArgs {
    /// A file with one submission a line, or - for stdin
    #[arg(value_name = "FILE")]
    file: String,
    /// What the batch is called
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Submitting again with the same key gives the first batch
    #[arg(long, value_name = "KEY", value_parser = parse_key)]
    idempotency_key: Option<String>,
    /// Do not wait until the jobs have ended
    #[arg(long)]
    no_wait: bool,
    #[command(flatten)]
    pub(super) target: Target,
}

/// Submits a batch, and waits for its end unless that is not wanted.
pub(super) async fn run(args: BatchArgs) -> Result<(), CliError> {
    let (client, output) = args.target.open()?;
    let lines = Lines::read(&source::read(&args.file)?)?;
    if lines.jobs.is_empty() {
        return Err(CliError::Usage(format!("there is no submission in {}", args.file)));
    }
    let key = args.idempotency_key.as_deref();
    let submitted = client.submit_batch(args.name.as_deref(), &lines.jobs, key).await;
    let batch = submitted.map_err(|error| lines.name_in(error))?;
    let (id, total) = (batch.value.id, batch.value.total);
    let told = format!("batch {id}\t{total} jobs\t{}", client.batch_url(id));
    match (args.no_wait, output.json) {
        (true, true) => return output.json(&batch.json),
        (true, false) => return output.line(told),
        (false, true) => {}
        // Who breaks off finds it again by this.
        (false, false) => output.note(told),
    }
    let ended = see_through(&client, &output, batch.value).await?;
    tell(&output, &ended)?;
    verdict(&ended.value)
}

/// Waits until a batch has ended, and shows on a terminal how far it is.
async fn see_through(
    client: &Client,
    output: &Output,
    batch: Batch,
) -> Result<Reply<Batch>, CliError> {
    let Some(bar) = BatchBar::begin(&batch) else {
        return client.wait_for_batch(batch.id, &|error| output.note_away(error)).await;
    };
    let tell = |error: &CliError| bar.aside(|| output.note_away(error));
    // However that goes, the answer is what the server says when it is asked.
    let _ = watch(client, batch.id, &bar, &tell).await;
    client.wait_for_batch(batch.id, &tell).await
}

/// Shows what the server tells of a batch, until that has ended.
async fn watch(
    client: &Client,
    id: BatchId,
    bar: &BatchBar,
    tell: &dyn Fn(&CliError),
) -> Result<(), CliError> {
    let mut events = client.batch_events(id);
    while let Some(event) = events.next_even_late(tell).await? {
        let Ok(batch) = serde_json::from_str::<Batch>(&event.data) else { continue };
        bar.show(&batch);
        if batch.finished_at.is_some() {
            break;
        }
    }
    Ok(())
}

fn tell(output: &Output, Reply { value: batch, json }: &Reply<Batch>) -> Result<(), CliError> {
    if output.json {
        return output.json(json);
    }
    let took = batch.finished_at.map(|finished_at| finished_at.since(batch.created_at));
    let took = took.map(|took| format!(", took {}", show::took(took))).unwrap_or_default();
    let counts = &batch.counts;
    output.line(format_args!(
        "batch {}: {} of {} completed, {} failed, {} cancelled{took}",
        batch.id, counts.completed, batch.total, counts.failed, counts.cancelled
    ))
}

fn verdict(batch: &Batch) -> Result<(), CliError> {
    let (failed, cancelled) = (batch.counts.failed, batch.counts.cancelled);
    if failed + cancelled == 0 {
        return Ok(());
    }
    Err(CliError::BatchFailed { batch: batch.id, failed, cancelled })
}
