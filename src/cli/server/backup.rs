//! `longshore backup`: copies a database, whether or not a server is using it.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use serde::Serialize;

use crate::cli::error::CliError;
use crate::cli::output::Output;
use crate::cli::server::database::DatabaseArgs;
use crate::clock::Clock;
use crate::job::State;
use crate::job::queue::StateCounts;
use crate::store::sqlite::admin::backup::{Backup, BackupError, back_up};

/// Arguments of `longshore backup`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
The server may be running and is not interrupted. FILE appears only when the copy is complete and
on disk; until then the copy is called FILE.RANDOM.partial. Only the owner can read it. A server
that is started on the copy accepts no lease that was granted before, so a worker of the original
server cannot finish a job of the copy.

Examples:
  longshore backup /backups/jobs.db
  longshore backup /backups/jobs.db --force --database /var/lib/longshore/jobs.db
  longshore backup /backups/jobs-$(date +%F).db --config /etc/longshore.toml")]
pub(crate) struct BackupArgs {
    /// Path of the copy to write
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Replace FILE if it exists and is a regular file
    #[arg(long)]
    force: bool,
    /// Print the summary as JSON, for programs
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    database: DatabaseArgs,
}

/// The output of `--json`.
#[derive(Serialize)]
struct BackupSummary<'a> {
    file: &'a str,
    /// Duration of the copy, in seconds with three decimals.
    seconds: f64,
    #[serde(flatten)]
    backup: Backup,
}

/// Copies the database and prints a summary of the copy.
pub(crate) fn run(args: BackupArgs) -> Result<(), CliError> {
    let output = Output::new(args.json);
    let database = args.database.find()?;
    let started = Instant::now();
    let backup = back_up(&database, &args.file, args.force, Clock::system().now());
    let backup = backup.map_err(|error| match error {
        BackupError::Exists(_) => CliError::Usage(format!("{error}; use --force to replace it")),
        error => error.into(),
    })?;
    let seconds = started.elapsed().as_millis() as f64 / 1e3;
    if !backup.is_marked {
        output.note(
            "the tables are from an older version, so the copy could not be marked as a copy",
        );
        output.note("start the first server on the copy with 'longshore serve --restored'");
    }
    let file = args.file.display().to_string();
    if args.json {
        return output.json(&BackupSummary { file: &file, seconds, backup });
    }
    let megabytes = backup.bytes as f64 / 1e6;
    output.line(format_args!("{file}: {megabytes:.1} MB in {seconds:.2} s"))?;
    output.line(format_args!("jobs: {}", nonzero_counts(backup.jobs)))
}

/// Formats the counts that are not 0, such as `2 queued, 1 failed`.
fn nonzero_counts(jobs: StateCounts) -> String {
    let counts = State::ALL.map(|state| (state, jobs.get(state)));
    let parts: Vec<String> = counts
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(state, count)| format!("{count} {state}"))
        .collect();
    if parts.is_empty() { "none".into() } else { parts.join(", ") }
}
