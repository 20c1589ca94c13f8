//! What the demonstration tells.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::program;
use super::questions::{answer_of, question_of};
use crate::cli::error::CliError;
use crate::cli::output::{Colour, Output};
use crate::cli::show;
use crate::job::{Job, Json, State};
use crate::pages::demo::{QUESTIONS, address};

/// Prints each question with its answer, or with why it has none.
pub(super) fn print_answers(output: &Output, jobs: &[Job]) -> Result<(), CliError> {
    output.line("")?;
    for job in jobs {
        let read = |json: Option<&Json>| json.and_then(|json| json.read::<Value>().ok());
        let (payload, result) = (read(job.payload.as_ref()), read(job.given()));
        let question = payload.as_ref().map(question_of).unwrap_or_default();
        output.line(format_args!("{}", output.paint(Colour::Dim, show::plain(question))))?;
        let answer = match (result.as_ref().and_then(answer_of), &job.error) {
            (Some(answer), _) => show::plain(answer),
            (None, Some(error)) => output.paint(Colour::Red, show::error(error, usize::MAX)),
            (None, None) => job.state.to_string(),
        };
        output.line(format_args!("  {answer}"))?;
    }
    Ok(())
}

/// Prints both times and their ratio.
pub(super) fn print_times(
    output: &Output,
    one_by_one: Duration,
    at_once: Duration,
) -> Result<(), CliError> {
    let ratio = one_by_one.as_secs_f64() / at_once.as_secs_f64().max(0.001);
    let count = QUESTIONS.len();
    output.line("")?;
    let asked = "asked one after another";
    output
        .line(format_args!("{count} questions {asked:<25} {:>6.2} s", one_by_one.as_secs_f64()))?;
    let asked = "as jobs, all at once";
    output.line(format_args!("{count} questions {asked:<25} {:>6.2} s", at_once.as_secs_f64()))?;
    let ratio = format!("{ratio:.1} times as fast");
    output.line(output.paint(Colour::Green, ratio))
}

/// Prints where the server goes on serving, and what to try.
pub(super) fn print_farewell(
    output: &Output,
    url: &str,
    model: &str,
    database: &Path,
    is_fleeting: bool,
) -> Result<(), CliError> {
    let fate = if is_fleeting { ", removed at the end" } else { "" };
    output.line(format_args!(
        "
Longshore goes on serving at {url} (jobs in {}{fate}).
To see it at work, open {url}{}
Or try in another terminal:

  curl -s {url}/v1/jobs -H 'Content-Type: application/json' -d '{{\"kind\": \"chat\", \"payload\":
    {{\"model\": \"{model}\", \"messages\": [{{\"role\": \"user\", \"content\": \"Tell me a joke\"}}]}}}}'
  curl -s '{url}/v1/jobs/1?wait=30s'
  curl -s {url}/v1/queues
  {} list --url {url}

Ctrl-C ends it.",
        database.display(),
        address(model),
        program::name()
    ))
}

/// The first job that has not completed, as an error.
pub(super) fn first_failure(jobs: Vec<Job>) -> Result<(), CliError> {
    match jobs.into_iter().find(|job| job.state != State::Completed) {
        Some(Job { id: job, state, error, .. }) => Err(CliError::JobFailed { job, state, error }),
        None => Ok(()),
    }
}
