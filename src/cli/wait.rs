//! `longshore wait`: hold on until a job has ended.

mod line;

use std::convert::Infallible;
use std::pin::pin;
use std::time::{Duration, Instant};

use clap::Args;
use futures_util::future::{self, Either};

use crate::cli::client::{Client, Reply};
use crate::cli::error::CliError;
use crate::cli::id::parse_id;
use crate::cli::output::Output;
use crate::cli::target::Target;
use crate::job::{Job, JobId, Json, Span, State};
use line::JobLine;

/// How often a job is asked for whose server tells nothing by itself.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Which job to wait for.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Prints the result as JSON on stdout; a failure goes to stderr. On a terminal a line on stderr tells
meanwhile how far the job is. A server that goes away is waited for, up to 5 minutes. Ends with 5 if
the job failed or was cancelled, with 6 if it was still running when the time was over.

Examples:
  longshore wait 17
  longshore wait 17 --timeout 5m
  longshore wait 17 --timeout 0s || echo not yet")]
pub(super) struct WaitArgs {
    /// The id of the job
    #[arg(value_name = "ID", value_parser = parse_id::<JobId>)]
    id: JobId,
    /// How long to wait at most, such as 30s or 5m; without end if left out
    #[arg(long, value_name = "SPAN")]
    timeout: Option<Span>,
    #[command(flatten)]
    pub(super) target: Target,
}

/// Waits for a job and prints its result.
pub(super) async fn run(args: WaitArgs) -> Result<(), CliError> {
    let (client, output) = args.target.open()?;
    wait_and_print(&client, &output, args.id, args.timeout).await
}

/// Waits for a job and prints its result, or with `--json` the whole job, however it ended.
pub(super) async fn wait_and_print(
    client: &Client,
    output: &Output,
    id: JobId,
    timeout: Option<Span>,
) -> Result<(), CliError> {
    let reply = wait_for(client, output, id, timeout.map(Span::duration)).await?;
    if output.json {
        output.json(&reply.json)?;
    } else if reply.value.state == State::Completed {
        let null = Json::null();
        output.json(reply.value.given().unwrap_or(&null))?;
        if reply.value.result_truncated {
            output.note(format_args!("the result of job {id} is too large and was cut"));
        }
    }
    verdict(reply)
}

/// Waits for a job, and shows on a terminal how far it is.
async fn wait_for(
    client: &Client,
    output: &Output,
    id: JobId,
    timeout: Option<Duration>,
) -> Result<Reply<Job>, CliError> {
    let is_long = timeout.is_none_or(|timeout| !timeout.is_zero());
    let Some(line) = is_long.then(|| JobLine::begin(id)).flatten() else {
        return client.wait_for_job(id, timeout, &|error| output.note_away(error)).await;
    };
    let tell = |error: &CliError| line.aside(|| output.note_away(error));
    let began = Instant::now();
    let watched = watch(client, id, &line, &tell);
    // However that went, the answer is what the server says when it is asked.
    let _ = tokio::time::timeout(timeout.unwrap_or(Span::MAX), watched).await;
    let left = timeout.map(|timeout| timeout.saturating_sub(began.elapsed()));
    let ended = pin!(client.wait_for_job(id, left, &tell));
    match future::select(ended, pin!(look(client, id, &line))).await {
        Either::Left((reply, _)) => reply,
        Either::Right((never, _)) => match never {},
    }
}

/// Shows what the server tells of a job, until that is final.
async fn watch(
    client: &Client,
    id: JobId,
    line: &JobLine,
    tell: &dyn Fn(&CliError),
) -> Result<(), CliError> {
    let mut events = client.job_events(id);
    let mut shown: Option<Job> = None;
    while let Some(event) = events.next_even_late(tell).await? {
        match event.name.as_str() {
            "state" => shown = serde_json::from_str(&event.data).ok(),
            "progress" => {
                if let Some(job) = &mut shown {
                    job.progress = serde_json::from_str(&event.data).ok();
                }
            }
            _ => continue,
        }
        let Some(job) = &shown else { continue };
        if job.state.is_final() {
            break;
        }
        line.show(job);
    }
    Ok(())
}

/// Shows a job whose server tells nothing by itself.
async fn look(client: &Client, id: JobId, line: &JobLine) -> Infallible {
    loop {
        actix_web::rt::time::sleep(LOOK_EVERY).await;
        if let Ok(reply) = client.job(id).await {
            line.show(&reply.value);
        }
    }
}

fn verdict(Reply { value: job, .. }: Reply<Job>) -> Result<(), CliError> {
    match job.state {
        State::Completed => Ok(()),
        State::Failed | State::Cancelled => {
            Err(CliError::JobFailed { job: job.id, state: job.state, error: job.error })
        }
        state => Err(CliError::StillRunning { job: job.id, state }),
    }
}
