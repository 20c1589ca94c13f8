//! `longshore tail`: what happens, a line an event.

use clap::Args;
use serde::Deserialize;

use crate::cli::client::{Event, EventFilter};
use crate::cli::error::CliError;
use crate::cli::follow::Follower;
use crate::cli::output::{Colour, Output};
use crate::cli::show;
use crate::cli::target::Target;
use crate::clock::Clock;
use crate::job::{Job, JobId, QueueName, State, Timestamp};

/// The longest error shown in a line.
const MAX_ERROR_CHARS: usize = 100;

/// Of which jobs.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Each line tells the time, the job, its kind, its queue, its state, and how far it is or why it
failed. Of a job that changes quickly only the latest is told. It goes on until Ctrl-C, also where the
server is away for a while. With --json it prints what the server sends, one event a line.

Examples:
  longshore tail
  longshore tail --queue mail
  longshore tail --json | jq -r 'select(.state == \"failed\") | .id'")]
pub(super) struct TailArgs {
    /// Only jobs of this queue
    #[arg(long, value_name = "QUEUE")]
    queue: Option<QueueName>,
    /// Only jobs of this kind
    #[arg(long, value_name = "KIND")]
    kind: Option<QueueName>,
    #[command(flatten)]
    pub(super) target: Target,
}

/// A job that is no longer there.
#[derive(Deserialize)]
struct Gone {
    id: JobId,
}

/// How much this listener missed; 0 where that is not known.
#[derive(Deserialize)]
struct Lost {
    events: u64,
}

/// Prints events as they come.
pub(super) async fn run(args: TailArgs) -> Result<(), CliError> {
    let (client, output) = args.target.open()?;
    let filter = EventFilter { queue: args.queue, kind: args.kind };
    let mut events = Follower::new(client.events(&filter), output);
    while let Some(event) = events.next().await? {
        if output.json {
            output.line(event.data.replace('\n', " "))?;
        } else if let Some(line) = line(&output, &event, Clock::system().now()) {
            output.line(line)?;
        }
    }
    Ok(())
}

/// What is told of an event; nothing of one that later servers may send.
fn line(output: &Output, event: &Event, now: Timestamp) -> Option<String> {
    let time = show::time_of_day(now);
    match event.name.as_str() {
        "job" => serde_json::from_str(&event.data).ok().map(|job| of_job(output, &job, &time)),
        "gone" => {
            let Gone { id } = serde_json::from_str(&event.data).ok()?;
            Some(format!("{time}  {id:>6}  {}", output.paint(Colour::Dim, "deleted")))
        }
        "lost" => {
            let Lost { events } = serde_json::from_str(&event.data).ok()?;
            let lost = match events {
                // Nobody counts what happens while the connection is broken.
                0 => "(the connection was broken; events may be lost)".to_owned(),
                events => format!("({events} events were lost)"),
            };
            Some(format!("{time}  {}", output.paint(Colour::Yellow, lost)))
        }
        _ => None,
    }
}

fn of_job(output: &Output, job: &Job, time: &str) -> String {
    let state = output.paint(show::colour(job.state), format_args!("{:<9}", job.state));
    let (id, kind, queue) = (job.id, &job.kind, &job.queue);
    let line = format!("{time}  {id:>6}  {kind:<10}  {queue:<10}  {state}  {}", detail(job));
    line.trim_end().to_owned()
}

/// How far it is, or why it is where it is.
fn detail(job: &Job) -> String {
    match (job.state, &job.progress, &job.error) {
        (State::Running, Some(progress), _) => show::progress(progress),
        // Its error is that of the attempt before.
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

    fn told(name: &str, data: impl Into<String>) -> Option<String> {
        let now = "2030-01-31T12:00:00.250Z".parse().unwrap();
        let event = Event { name: name.into(), data: data.into() };
        line(&Output::new(true), &event, now)
    }

    fn told_of(job: &Job) -> String {
        told("job", serde_json::to_string(job).unwrap()).unwrap()
    }

    #[test]
    fn a_line_tells_how_far_a_job_is_or_why_it_failed() {
        let mut job = sample::job(17);
        job.progress = Some(Progress::new(41.6, "page 5\nof 12"));
        let expected =
            "12:00:00.250Z      17  chat        mail        running     42 %  page 5 of 12";
        assert_eq!(told_of(&job), expected);
        job.state = State::Failed;
        job.error = Some(JobError::new("timeout", "too slow"));
        let expected =
            "12:00:00.250Z      17  chat        mail        failed     timeout: too slow";
        assert_eq!(told_of(&job), expected);
    }

    #[test]
    fn a_job_that_runs_again_does_not_tell_why_it_failed_before() {
        let error = Some(JobError::new("lost", "the server ended"));
        let job = Job { attempt: 2, error, ..sample::job(17) };
        assert!(told_of(&job).ends_with("running    attempt 2 of 5"), "{}", told_of(&job));
    }

    #[test]
    fn what_was_deleted_or_lost_is_told() {
        assert_eq!(told("gone", "{\"id\": 9}").unwrap(), "12:00:00.250Z       9  deleted");
        let lost = told("lost", "{\"events\": 12}").unwrap();
        assert_eq!(lost, "12:00:00.250Z  (12 events were lost)");
        assert!(told("lost", "{\"events\": 0}").unwrap().contains("connection was broken"));
        assert_eq!(told("weather", "{}"), None);
    }
}
