//! `longshore submit`: submits one job or many.

pub(super) mod on_end;

use clap::Args;

use crate::cli::client::Client;
use crate::cli::error::CliError;
use crate::cli::jobs::input;
use crate::cli::jobs::submit::on_end::EndOptions;
use crate::cli::jobs::wait;
use crate::cli::output::Output;
use crate::cli::target::Target;
use crate::job::{IdempotencyKey, Job, Json, Lane, Span, Submission, Timestamp};

const HELP: &str = "\
Prints the ID, the state and the URL of each job. With --wait it prints the result as JSON on
stdout instead. A failure is printed on stderr and sets the exit code: 5 if the job failed or was
cancelled, 6 if it had not ended when the wait timed out.

Examples:
  longshore submit echo '{\"hello\": \"world\"}' --wait
  longshore submit http '{\"url\": \"https://shop.example/hook\", \"method\": \"POST\"}' --queue mail
  longshore submit chat @question.json --max-attempts 3 --tag nightly --wait=2m
  echo '{\"duration\": \"1s\"}' | longshore submit sleep - --delay 10m
  longshore submit command '{\"name\": \"backup\"}' --at-most-once --idempotency-key backup-2030-01-31
  longshore submit --ndjson jobs.ndjson
  longshore submit chat @question.json --callback https://shop.example/hooks --callback-secret shop
  longshore submit http @fetch.json --then '{\"kind\": \"echo\", \"payload\": {\"$from\": \"job\"}}'

Each line of the --ndjson file is a complete submission:
  {\"kind\": \"echo\", \"payload\": 1, \"queue\": \"bulk\"}";

/// Arguments of `longshore submit`.
#[derive(Debug, Clone, Args)]
#[command(after_help = HELP)]
pub(crate) struct SubmitArgs {
    /// Kind of the job: http, chat, command, sleep, echo, or a kind of your own handlers or workers
    #[arg(value_name = "KIND", required_unless_present = "ndjson")]
    kind: Option<String>,
    /// Payload of the job: JSON, @FILE, or - for stdin; null if omitted
    #[arg(value_name = "PAYLOAD", allow_negative_numbers = true)]
    payload: Option<String>,
    /// Submit many jobs from a file, or - for stdin, with one submission per line. Either all or
    /// none are accepted
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["kind", "payload", "JobOptions", "EndOptions", "idempotency_key"]
    )]
    ndjson: Option<String>,
    /// Wait until the job has ended, or for at most SPAN if it is given
    #[arg(long, value_name = "SPAN", num_args = 0..=1, require_equals = true)]
    wait: Option<Option<Span>>,
    /// Idempotency key: submitting again with the same key returns the first job
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<IdempotencyKey>,
    #[command(flatten)]
    options: JobOptions,
    #[command(flatten)]
    on_end: EndOptions,
    #[command(flatten)]
    pub(crate) target: Target,
}

/// Options of the job.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Job")]
struct JobOptions {
    /// Queue of the job [default: default]
    #[arg(long, value_name = "QUEUE")]
    queue: Option<String>,
    /// Lane that runs the job; with remote, your own workers run it, whatever its kind [default:
    /// the lane of its kind]
    #[arg(long, value_name = "LANE")]
    lane: Option<Lane>,
    /// Priority from -100 to 100; jobs with a higher priority run first [default: 0]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    priority: Option<i64>,
    /// Start the job after this delay, such as 10m or 2d, or a number of seconds
    #[arg(long, value_name = "SPAN", conflicts_with = "run_at")]
    delay: Option<Span>,
    /// Start the job at this time, such as 2030-01-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
    run_at: Option<Timestamp>,
    /// Cancel the job if it has not started by this time
    #[arg(long, value_name = "TIME", conflicts_with = "expires_in")]
    expires_at: Option<Timestamp>,
    /// Cancel the job if it has not started within this time from now, such as 1h
    #[arg(long, value_name = "SPAN")]
    expires_in: Option<Span>,
    /// Maximum duration of an attempt [default: set by the server]
    #[arg(long, value_name = "SPAN")]
    timeout: Option<Span>,
    /// Maximum number of attempts [default: set by the server]
    #[arg(long, value_name = "N")]
    max_attempts: Option<u32>,
    /// Never run the job twice, even if it is unknown whether an attempt ran
    #[arg(long)]
    at_most_once: bool,
    /// Truncate a result that is too large, instead of failing the job
    #[arg(long)]
    truncate_result: bool,
    /// JSON object that is returned with the job: JSON, @FILE, or - for stdin
    #[arg(long, value_name = "JSON")]
    metadata: Option<String>,
    /// Tag by which the job can be listed; may be given up to ten times
    #[arg(long = "tag", value_name = "WORD")]
    tags: Vec<String>,
}

/// Submits one job or many and, with `--wait`, waits for them.
pub(crate) async fn run(args: SubmitArgs) -> Result<(), CliError> {
    let (client, output) = args.target.open()?;
    let jobs = match &args.ndjson {
        Some(name) => submit_lines(&client, &output, name, args.wait.is_some()).await?,
        None => vec![submit_one(&client, &output, &args).await?],
    };
    let Some(timeout) = args.wait else { return Ok(()) };
    let mut failed = Ok(());
    for job in jobs {
        match wait::wait_and_print(&client, &output, job.id, timeout).await {
            Err(error @ (CliError::JobFailed { .. } | CliError::StillRunning { .. })) => {
                // The last error is returned and printed when the command ends.
                if let Err(earlier) = std::mem::replace(&mut failed, Err(error)) {
                    output.note(format_args!("error: {earlier}"));
                }
            }
            other => other?,
        }
    }
    failed
}

async fn submit_one(client: &Client, output: &Output, args: &SubmitArgs) -> Result<Job, CliError> {
    let submission = submission(args)?;
    let reply = client.submit(&submission, args.idempotency_key.as_ref()).await?;
    match (output.json, args.wait.is_some()) {
        (true, false) => output.json(&reply.json)?,
        (true, true) => {}
        (false, is_waiting) => print_job(client, output, &reply.value, is_waiting)?,
    }
    Ok(reply.value)
}

async fn submit_lines(
    client: &Client,
    output: &Output,
    name: &str,
    is_waiting: bool,
) -> Result<Vec<Job>, CliError> {
    let reply = client.submit_lines(input::read(name)?).await?;
    match (output.json, is_waiting) {
        (true, false) => output.json(&reply.json)?,
        (true, true) => {}
        (false, _) => {
            let mut jobs = reply.value.jobs.iter();
            jobs.try_for_each(|job| print_job(client, output, job, is_waiting))?;
        }
    }
    Ok(reply.value.jobs)
}

/// Prints the ID, the state and the URL of a new job. With `--wait` they go to stderr, because
/// stdout is reserved for the result.
fn print_job(
    client: &Client,
    output: &Output,
    job: &Job,
    is_waiting: bool,
) -> Result<(), CliError> {
    let url = client.job_url(job.id);
    if is_waiting {
        output.note(format_args!("{}\t{}\t{url}", job.id, job.state));
        return Ok(());
    }
    output.line(format_args!("{}\t{}\t{url}", job.id, output.state(job.state)))
}

/// Builds the submission from the arguments.
fn submission(args: &SubmitArgs) -> Result<Submission, CliError> {
    let options = args.options.clone();
    Ok(Submission {
        kind: args.kind.clone().unwrap_or_default(),
        payload: args.payload.as_deref().map_or(Ok(Json::null()), |text| {
            json("payload", text).map_err(|error| with_hint(error, text, args.wait))
        })?,
        queue: options.queue,
        lane: options.lane,
        priority: options.priority,
        run_at: options.run_at,
        delay: options.delay,
        timeout: options.timeout,
        max_attempts: options.max_attempts,
        at_most_once: options.at_most_once,
        expires_at: options.expires_at,
        expires_in: options.expires_in,
        tags: options.tags,
        truncate_result: options.truncate_result,
        metadata: options.metadata.as_deref().map(|text| json("metadata", text)).transpose()?,
        callback: args.on_end.callback(),
        then: args.on_end.then()?,
        ..Submission::default()
    })
}

/// Reads an argument: JSON, `@file`, or `-` for stdin. `name` is what the argument is.
fn json(name: &str, argument: &str) -> Result<Json, CliError> {
    let text = match argument.strip_prefix('@') {
        Some(path) => decode(name, input::read(path)?)?,
        None if argument == "-" => decode(name, input::read(argument)?)?,
        None => argument.to_owned(),
    };
    let text = text.trim_start_matches('\u{feff}').trim();
    Json::checked(text).map_err(|problem| {
        let hint = "put a string in double quotes, or name a file with @";
        CliError::Usage(format!("the {name} is not JSON: {problem} ({hint})"))
    })
}

/// Adds a hint to the error of `--wait 5s`, where the shell passes `5s` as the payload: `--wait`
/// takes its value only after `=`.
fn with_hint(error: CliError, payload: &str, wait: Option<Option<Span>>) -> CliError {
    match error {
        CliError::Usage(why) if wait == Some(None) && payload.parse::<Span>().is_ok() => {
            CliError::Usage(format!("{why}; to wait that long, write --wait={payload}"))
        }
        error => error,
    }
}

/// Decodes an argument as UTF-8.
fn decode(name: &str, bytes: Vec<u8>) -> Result<String, CliError> {
    String::from_utf8(bytes)
        .map_err(|error| CliError::Usage(format!("the {name} is not UTF-8: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_json_or_a_file_with_json() {
        assert_eq!(json("payload", "{\"a\": 1}").unwrap().as_str(), "{\"a\": 1}");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "[1, 2]\n").unwrap();
        let argument = format!("@{}", file.path().display());
        assert_eq!(json("payload", &argument).unwrap().as_str(), "[1, 2]");
        std::fs::write(file.path(), "\u{feff}{\"b\": 1}").unwrap();
        assert_eq!(json("payload", &argument).unwrap().as_str(), "{\"b\": 1}");
        std::fs::write(file.path(), b"\xff\xfe1\0").unwrap();
        let error = json("payload", &argument).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().ends_with(" is UTF-16LE; it must be UTF-8"), "{error}");
        assert_eq!(json("payload", "\u{feff}1").unwrap().as_str(), "1");
        let error = json("payload", "hello").unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("in double quotes"), "{error}");
        assert_eq!(json("payload", "@/no/such/file").unwrap_err().exit_code(), 1);
    }
}
