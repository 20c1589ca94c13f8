//! `longshore tail`: prints events as they happen, one per line.

use clap::Args;

use crate::api::events::{EventName, EventQuery, Gone, Lost};
use crate::cli::client::Event;
use crate::cli::error::CliError;
use crate::cli::jobs::follow::Follower;
use crate::cli::output::show;
use crate::cli::output::{Colour, Output};
use crate::cli::target::Target;
use crate::clock::Clock;
use crate::job::{Job, Kind, QueueName, State, Timestamp};

/// Maximum length of an error in a line.
const MAX_ERROR_CHARS: usize = 100;

/// Arguments of `longshore tail`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Each line shows the time, the ID of the job, its kind, its queue, its state, and its progress or
its error. If a job changes several times in a short time, only its latest state is printed. The
command runs until Ctrl-C and reconnects when the server was unreachable. With --json it prints
the data of each event as the server sends it, one per line.

Examples:
  longshore tail
  longshore tail --queue mail
  longshore tail --json | jq -r 'select(.state == \"failed\") | .id'")]
pub(crate) struct TailArgs {
    /// Print only events about jobs in this queue
    #[arg(long, value_name = "QUEUE")]
    queue: Option<QueueName>,
    /// Print only events about jobs of this kind
    #[arg(long, value_name = "KIND")]
    kind: Option<Kind>,
    #[command(flatten)]
    pub(crate) target: Target,
}

/// Prints events as they arrive.
pub(crate) async fn run(args: TailArgs) -> Result<(), CliError> {
    let (client, output) = args.target.open()?;
    let query = EventQuery { queue: args.queue, kind: args.kind };
    let mut events = Follower::new(client.events(&query), output);
    while let Some(event) = events.next().await? {
        if output.json {
            output.line(event.data.replace('\n', " "))?;
        } else if let Some(line) = line(&output, &event, Clock::system().now()) {
            output.line(line)?;
        }
    }
    Ok(())
}

/// Returns the line for an event, or `None` for an event of an unknown type.
fn line(output: &Output, event: &Event, now: Timestamp) -> Option<String> {
    let time = show::time_of_day(now);
    match EventName::find(&event.name)? {
        EventName::Job => {
            serde_json::from_str(&event.data).ok().map(|job| job_line(output, &job, &time))
        }
        EventName::Gone => {
            let Gone { id } = serde_json::from_str(&event.data).ok()?;
            Some(format!("{time}  {id:>6}  {}", output.paint(Colour::Dim, "deleted")))
        }
        EventName::Lost => {
            let Lost { events } = serde_json::from_str(&event.data).ok()?;
            let lost = match events {
                // Events during a broken connection are not counted.
                0 => "(the connection was broken; events may be lost)".to_owned(),
                events => format!("({events} events were lost)"),
            };
            Some(format!("{time}  {}", output.paint(Colour::Yellow, lost)))
        }
        _ => None,
    }
}

/// Returns the line for a job that changed.
fn job_line(output: &Output, job: &Job, time: &str) -> String {
    let state = output.paint(Colour::of_state(job.state), format_args!("{:<9}", job.state));
    let (id, kind, queue) = (job.id, &job.kind, &job.queue);
    let line = format!("{time}  {id:>6}  {kind:<10}  {queue:<10}  {state}  {}", detail(job));
    line.trim_end().to_owned()
}

/// Returns the progress of a running job, or the error of another job.
fn detail(job: &Job) -> String {
    match (job.state, &job.progress, &job.error) {
        (State::Running, Some(progress), _) => show::progress(progress),
        // The error of a running job belongs to the previous attempt, so it is not printed.
        (State::Running, None, _) if job.attempt > 1 => {
            format!("attempt {} of {}", job.attempt, job.max_attempts)
        }
        (State::Running, ..) | (_, _, None) => String::new(),
        (_, _, Some(error)) => show::error(error, MAX_ERROR_CHARS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::sample;
    use crate::job::{JobError, Progress};

    fn line_for(name: &str, data: impl Into<String>) -> Option<String> {
        let now = "2030-01-31T12:00:00.250Z".parse().unwrap();
        let event = Event { name: name.into(), data: data.into() };
        line(&Output::new(true), &event, now)
    }

    fn line_for_job(job: &Job) -> String {
        line_for("job", serde_json::to_string(job).unwrap()).unwrap()
    }

    #[test]
    fn a_line_shows_the_progress_or_the_error_of_a_job() {
        let mut job = sample::job(17);
        job.progress = Some(Progress::new(41.6, "page 5\nof 12"));
        let expected =
            "12:00:00.250Z      17  chat        mail        running     42 %  page 5 of 12";
        assert_eq!(line_for_job(&job), expected);
        job.state = State::Failed;
        job.error = Some(JobError::new("timeout", "too slow"));
        let expected =
            "12:00:00.250Z      17  chat        mail        failed     timeout: too slow";
        assert_eq!(line_for_job(&job), expected);
    }

    #[test]
    fn a_job_that_runs_again_does_not_show_its_previous_error() {
        let error = Some(JobError::new("lost", "the server ended"));
        let job = Job { attempt: 2, error, ..sample::job(17) };
        assert!(
            line_for_job(&job).ends_with("running    attempt 2 of 5"),
            "{}",
            line_for_job(&job)
        );
    }

    #[test]
    fn deleted_jobs_and_lost_events_are_reported() {
        assert_eq!(line_for("gone", "{\"id\": 9}").unwrap(), "12:00:00.250Z       9  deleted");
        let lost = line_for("lost", "{\"events\": 12}").unwrap();
        assert_eq!(lost, "12:00:00.250Z  (12 events were lost)");
        assert!(line_for("lost", "{\"events\": 0}").unwrap().contains("connection was broken"));
        assert_eq!(line_for("weather", "{}"), None);
    }
}
