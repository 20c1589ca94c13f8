//! `longshore backup`: a copy of a database, be it served or not.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use serde::Serialize;

use crate::cli::database::DatabaseArgs;
use crate::cli::error::CliError;
use crate::cli::output::Output;
use crate::clock::Clock;
use crate::job::State;
use crate::job::queue::StateCounts;
use crate::store::sqlite::backup::{Backup, BackupError, back_up};

/// What to copy, and whereto.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
The server may run meanwhile and goes on as before. FILE is there once the copy is whole and on
disk; until then it is called FILE.partial. A server that is started on it takes no lease from
before, so that no worker of the original finishes a job of the copy.

Examples:
  longshore backup /backups/jobs.db
  longshore backup /backups/jobs.db --force --database /var/lib/longshore/jobs.db
  longshore backup /backups/jobs-$(date +%F).db --config /etc/longshore.toml")]
pub(super) struct BackupArgs {
    /// The copy that is made
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Replace FILE if it is there
    #[arg(long)]
    force: bool,
    /// Print what was done as JSON, for programs
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    database: DatabaseArgs,
}

/// What is printed for programs.
#[derive(Serialize)]
struct Done<'a> {
    file: &'a str,
    seconds: f64,
    #[serde(flatten)]
    backup: Backup,
}

/// Copies the database and tells what is in the copy.
pub(super) fn run(args: BackupArgs) -> Result<(), CliError> {
    let output = Output::new(args.json);
    let database = args.database.find()?;
    let began = Instant::now();
    let backup = back_up(&database, &args.file, args.force, Clock::system().now());
    let backup = backup.map_err(|error| match error {
        BackupError::Exists(_) => CliError::Usage(format!("{error}; --force replaces it")),
        error => error.into(),
    })?;
    let seconds = began.elapsed().as_secs_f64();
    if !backup.is_marked {
        output.note("the tables are of an older version, so the copy does not say that it is one");
        output.note("start its server once with 'longshore serve --restored'");
    }
    let file = args.file.display().to_string();
    if args.json {
        return output.json(&Done { file: &file, seconds, backup });
    }
    let megabytes = backup.bytes as f64 / 1e6;
    output.line(format_args!("{file}: {megabytes:.1} MB in {seconds:.2} s"))?;
    output.line(format_args!("jobs: {}", told(backup.jobs)))
}

/// The counts that are not 0.
fn told(mut jobs: StateCounts) -> String {
    let counts = State::ALL.map(|state| (state, *jobs.of(state)));
    let told: Vec<String> = counts
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(state, count)| format!("{count} {state}"))
        .collect();
    if told.is_empty() { "none".into() } else { told.join(", ") }
}
