//! `longshore wait`: hold on until a job has ended.

use clap::Args;

use crate::cli::client::{Client, Reply};
use crate::cli::error::CliError;
use crate::cli::id::parse_id;
use crate::cli::output::Output;
use crate::cli::target::Target;
use crate::job::{Job, JobId, Json, Span, State};

/// Which job to wait for.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Prints the result as JSON on stdout; a failure goes to stderr. Ends with 5 if the job failed or was
cancelled, with 6 if it was still running when the time was over.

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
    let reply = client.wait_for_job(id, timeout.map(Span::duration)).await?;
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

fn verdict(Reply { value: job, .. }: Reply<Job>) -> Result<(), CliError> {
    match job.state {
        State::Completed => Ok(()),
        State::Failed | State::Cancelled => {
            Err(CliError::JobFailed { job: job.id, state: job.state, error: job.error })
        }
        state => Err(CliError::StillRunning { job: job.id, state }),
    }
}
