//! The report of the demonstration.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::program;
use super::questions::{answer_text, question_text};
use crate::cli::error::CliError;
use crate::cli::output::show;
use crate::cli::output::{Colour, Output};
use crate::job::{Job, Json, State};
use crate::pages::demo::{QUESTIONS, page_path};

/// Prints each question with its answer, or with the error of its job.
pub(super) fn print_answers(output: &Output, jobs: &[Job]) -> Result<(), CliError> {
    output.line("")?;
    for job in jobs {
        let read = |json: Option<&Json>| json.and_then(|json| json.read::<Value>().ok());
        let (payload, result) = (read(job.payload.as_ref()), read(job.result_json()));
        let question = payload.as_ref().map(question_text).unwrap_or_default();
        output.line(format_args!("{}", output.paint(Colour::Dim, show::plain(question))))?;
        let answer = match (result.as_ref().and_then(answer_text), &job.error) {
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
    let way = "asked one after another";
    output.line(format_args!("{count} questions {way:<25} {:>6.2} s", one_by_one.as_secs_f64()))?;
    let way = "as jobs, all at once";
    output.line(format_args!("{count} questions {way:<25} {:>6.2} s", at_once.as_secs_f64()))?;
    let ratio = format!("{ratio:.1} times as fast");
    output.line(output.paint(Colour::Green, ratio))
}

/// Prints the address of the running server and commands to try.
pub(super) fn print_next_steps(
    output: &Output,
    url: &str,
    model: &str,
    database: &Path,
    is_temporary: bool,
) -> Result<(), CliError> {
    let note = if is_temporary { ", which is deleted at exit" } else { "" };
    output.line(format_args!(
        "
Longshore is serving at {url} (the jobs are in {}{note}).
To try it in a browser, open {url}{}
To try it in another terminal, run:

  curl -s {url}/v1/jobs -H 'Content-Type: application/json' -d '{{\"kind\": \"chat\", \"payload\":
    {{\"model\": \"{model}\", \"messages\": [{{\"role\": \"user\", \"content\": \"{}\"}}]}}}}'
  curl -s '{url}/v1/jobs/1?wait=30s'
  curl -s {url}/v1/queues
  {} list --url {url}

Press Ctrl-C to stop.",
        database.display(),
        page_path(model),
        QUESTIONS[0],
        program::name()
    ))
}

/// Returns an error for the first job that has not completed.
pub(super) fn first_failure(jobs: Vec<Job>) -> Result<(), CliError> {
    match jobs.into_iter().find(|job| job.state != State::Completed) {
        Some(Job { id: job, state, error, .. }) => Err(CliError::JobFailed { job, state, error }),
        None => Ok(()),
    }
}
