//! `longshore logs`: prints the log of a job.

use clap::Args;

use crate::api::events::EventName;
use crate::cli::client::{Client, Event};
use crate::cli::error::CliError;
use crate::cli::jobs::follow::Follower;
use crate::cli::jobs::id::parse_id;
use crate::cli::output::Output;
use crate::cli::target::Target;
use crate::job::{Job, JobId, Log};

/// Arguments of `longshore logs`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
The log of a job is what its command writes to stderr or what its handler logs. The server stores
the last 64 KiB of it. With --json each part is printed as an object with from, to and text, where
from and to are byte positions in the whole log.

Examples:
  longshore logs 17
  longshore logs 17 --follow
  longshore logs 17 | grep -i warn")]
pub(crate) struct LogsArgs {
    /// ID of the job
    #[arg(value_name = "ID", value_parser = parse_id::<JobId>)]
    id: JobId,
    /// Continue to print new log lines until the job ends
    #[arg(long, short)]
    follow: bool,
    #[command(flatten)]
    pub(crate) target: Target,
}

/// Prints a job's log.
pub(crate) async fn run(args: LogsArgs) -> Result<(), CliError> {
    let (client, output) = args.target.open()?;
    if output.json && !args.follow {
        return output.json(&client.log(args.id, 0).await?.json);
    }
    let mut printer = Printer { client: &client, output, id: args.id, position: 0 };
    printer.catch_up().await?;
    if args.follow { printer.follow().await } else { Ok(()) }
}

/// Prints a log part by part, each byte once.
struct Printer<'a> {
    client: &'a Client,
    output: Output,
    id: JobId,
    /// Byte position in the log up to which it has been printed.
    position: u64,
}

impl Printer<'_> {
    /// Reads the part of the log that was not printed yet, and prints it.
    async fn catch_up(&mut self) -> Result<(), CliError> {
        let log = self.client.log(self.id, self.position).await?.value;
        self.print(log)
    }

    /// Prints new parts of the log until the job ends.
    async fn follow(&mut self) -> Result<(), CliError> {
        let mut events = Follower::new(self.client.job_events(self.id), self.output);
        while let Some(event) = events.next().await? {
            match EventName::find(&event.name) {
                Some(EventName::Log) => self.print_event(&event).await?,
                Some(EventName::State) => {
                    // A stream starts with a state event, before which the job may have logged.
                    self.catch_up().await?;
                    let job: Option<Job> = serde_json::from_str(&event.data).ok();
                    if job.is_some_and(|job| job.state.is_final()) {
                        break;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Prints the part of the log in an event, after any part that was missed before it.
    async fn print_event(&mut self, event: &Event) -> Result<(), CliError> {
        match serde_json::from_str::<Log>(&event.data) {
            Ok(log) if log.from <= self.position => self.print(log),
            // The part between the printed position and this event was missed.
            _ => self.catch_up().await,
        }
    }

    fn print(&mut self, log: Log) -> Result<(), CliError> {
        let new = log.after(self.position);
        if new.is_empty() {
            return Ok(());
        }
        if let Some(omission) = new.omission(self.position) {
            self.output.note(format_args!("{omission} (they are no longer stored)"));
        }
        self.position = new.to;
        if self.output.json {
            self.output.json(&new)
        } else {
            self.output.untrusted_text(&new.text)
        }
    }
}
