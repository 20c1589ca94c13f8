//! `longshore wait`: waits until a job has ended.

mod line;

use std::convert::Infallible;
use std::pin::pin;
use std::time::{Duration, Instant};

use clap::Args;
use futures_util::future::{self, Either};

use crate::api::events::EventName;
use crate::cli::client::{Client, Reply};
use crate::cli::error::CliError;
use crate::cli::jobs::id::parse_id;
use crate::cli::output::Output;
use crate::cli::target::Target;
use crate::job::{Job, JobId, Json, Span, State};
use line::JobLine;

/// Interval at which the job is read when the server sends no events.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Arguments of `longshore wait`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Prints the result as JSON on stdout; a failure is printed on stderr. On a terminal, a line on
stderr shows the progress of the job. If the server becomes unreachable, the command waits for up
to 5 minutes until it is back. The exit code is 5 if the job failed or was cancelled, and 6 if it
had not ended when the wait timed out.

Examples:
  longshore wait 17
  longshore wait 17 --timeout 5m
  longshore wait 17 --timeout 0s || echo not yet")]
pub(crate) struct WaitArgs {
    /// ID of the job
    #[arg(value_name = "ID", value_parser = parse_id::<JobId>)]
    id: JobId,
    /// Maximum time to wait, such as 30s or 5m; if omitted, there is no limit
    #[arg(long, value_name = "SPAN")]
    timeout: Option<Span>,
    #[command(flatten)]
    pub(crate) target: Target,
}

/// Waits for a job and prints its result.
pub(crate) async fn run(args: WaitArgs) -> Result<(), CliError> {
    let (client, output) = args.target.open()?;
    wait_and_print(&client, &output, args.id, args.timeout).await
}

/// Waits for a job and prints its result. With `--json` it prints the whole job, even if it failed.
pub(crate) async fn wait_and_print(
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
        output.json(reply.value.result_json().unwrap_or(&null))?;
        if reply.value.result_truncated {
            output
                .note(format_args!("the result of job {id} was too large and has been truncated"));
        }
    }
    check_completed(reply)
}

/// Waits for a job. On a terminal, a line shows its progress meanwhile.
async fn wait_for(
    client: &Client,
    output: &Output,
    id: JobId,
    timeout: Option<Duration>,
) -> Result<Reply<Job>, CliError> {
    let is_long = timeout.is_none_or(|timeout| !timeout.is_zero());
    let Some(line) = is_long.then(|| JobLine::start(id)).flatten() else {
        return client.wait_for_job(id, timeout, &|error| output.note_outage(error)).await;
    };
    let on_outage = |error: &CliError| line.suspend(|| output.note_outage(error));
    let started = Instant::now();
    let watched = watch(client, id, &line, &on_outage);
    // The event stream only drives the line. The result is read from the server in any case.
    let _ = tokio::time::timeout(timeout.unwrap_or(Span::MAX), watched).await;
    let left = timeout.map(|timeout| timeout.saturating_sub(started.elapsed()));
    let ended = pin!(client.wait_for_job(id, left, &on_outage));
    match future::select(ended, pin!(poll(client, id, &line))).await {
        Either::Left((reply, _)) => reply,
        Either::Right((never, _)) => match never {},
    }
}

/// Updates the line from the events of a job until it is final.
async fn watch(
    client: &Client,
    id: JobId,
    line: &JobLine,
    on_outage: &dyn Fn(&CliError),
) -> Result<(), CliError> {
    let mut events = client.job_events(id);
    let mut shown: Option<Job> = None;
    while let Some(event) = events.next_despite_outage(on_outage).await? {
        match EventName::find(&event.name) {
            Some(EventName::State) => shown = serde_json::from_str(&event.data).ok(),
            Some(EventName::Progress) => {
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

/// Updates the line by reading the job at intervals, in case the server sends no events.
async fn poll(client: &Client, id: JobId, line: &JobLine) -> Infallible {
    loop {
        actix_web::rt::time::sleep(POLL_INTERVAL).await;
        if let Ok(reply) = client.job(id).await {
            line.show(&reply.value);
        }
    }
}

/// Returns an error if the job failed, was cancelled, or has not ended.
fn check_completed(Reply { value: job, .. }: Reply<Job>) -> Result<(), CliError> {
    match job.state {
        State::Completed => Ok(()),
        State::Failed | State::Cancelled => {
            Err(CliError::JobFailed { job: job.id, state: job.state, error: job.error })
        }
        state => Err(CliError::StillRunning { job: job.id, state }),
    }
}
