//! `longshore logs`: what a job has logged.

use clap::Args;

use crate::cli::client::{Client, Event};
use crate::cli::error::CliError;
use crate::cli::follow::Follower;
use crate::cli::id::parse_id;
use crate::cli::output::Output;
use crate::cli::target::Target;
use crate::job::{Job, JobId, Log};

/// Of which job.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
The last 64 KiB are kept of what a command writes to stderr and of the lines that a handler logs.
With --json it prints each stretch as {\"from\", \"to\", \"text\"}.

Examples:
  longshore logs 17
  longshore logs 17 --follow
  longshore logs 17 | grep -i warn")]
pub(super) struct LogsArgs {
    /// The id of the job
    #[arg(value_name = "ID", value_parser = parse_id::<JobId>)]
    id: JobId,
    /// Go on with what it logs from now on, until it ends
    #[arg(long, short)]
    follow: bool,
    #[command(flatten)]
    pub(super) target: Target,
}

/// Prints a job's log.
pub(super) async fn run(args: LogsArgs) -> Result<(), CliError> {
    let (client, output) = args.target.open()?;
    if output.json && !args.follow {
        return output.json(&client.log(args.id, 0).await?.json);
    }
    let mut printer = Printer { client: &client, output, id: args.id, position: 0 };
    printer.catch_up().await?;
    if args.follow { printer.follow().await } else { Ok(()) }
}

/// Prints a log piece by piece, each once.
struct Printer<'a> {
    client: &'a Client,
    output: Output,
    id: JobId,
    /// Up to where it is printed.
    position: u64,
}

impl Printer<'_> {
    /// Prints what is there and not printed yet.
    async fn catch_up(&mut self) -> Result<(), CliError> {
        let log = self.client.log(self.id, self.position).await?.value;
        self.print(log)
    }

    /// Prints what comes, until the job ends.
    async fn follow(&mut self) -> Result<(), CliError> {
        let mut events = Follower::new(self.client.job_events(self.id), self.output);
        while let Some(event) = events.next().await? {
            match event.name.as_str() {
                "log" => self.take(&event).await?,
                "state" => {
                    // A state comes where the listening begins, too: something may lie before it.
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

    async fn take(&mut self, event: &Event) -> Result<(), CliError> {
        match serde_json::from_str::<Log>(&event.data) {
            Ok(log) if log.from <= self.position => self.print(log),
            // Something between is missing.
            _ => self.catch_up().await,
        }
    }

    fn print(&mut self, log: Log) -> Result<(), CliError> {
        let new = log.after(self.position);
        if new.is_empty() {
            return Ok(());
        }
        if new.from > self.position {
            let lost = new.from - self.position;
            self.output.note(format_args!("({lost} bytes before this are no longer kept)"));
        }
        self.position = new.to;
        if self.output.json { self.output.json(&new) } else { self.output.foreign_text(&new.text) }
    }
}
