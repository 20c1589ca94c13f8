//! `longshore verify`: checks that a database is sound.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::cli::error::CliError;
use crate::cli::output::show;
use crate::cli::output::{Colour, Output};
use crate::cli::server::database::{self, DatabaseArgs};
use crate::store::sqlite::admin::verify::{Check, Report, verify};

/// Arguments of `longshore verify`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
The server may be running: the checks read one snapshot of the database and change nothing. The
exit code is 0 if the database is sound, 1 if a check found faults, and 2 if the file cannot be
read as a database.

Examples:
  longshore verify
  longshore verify /backups/jobs.db
  longshore verify --json | jq '.checks[] | select(.faults > 0)'")]
pub(crate) struct VerifyArgs {
    /// Path of the database file, such as a backup; if omitted, the database of the server
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Print the report as JSON, for programs
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    database: DatabaseArgs,
}

/// The output of `--json`.
#[derive(Serialize)]
struct VerifyOutput<'a> {
    database: &'a str,
    #[serde(flatten)]
    report: &'a Report,
}

/// Checks the database and prints the report.
pub(crate) fn run(args: VerifyArgs) -> Result<(), CliError> {
    let output = Output::new(args.json);
    let path = match args.file {
        Some(_) if args.database.is_named() => {
            return Err(CliError::Usage(
                "FILE and --database both name a database; give only one of them".into(),
            ));
        }
        Some(file) => database::check(file)?,
        None => args.database.find()?,
    };
    let report = verify(&path).map_err(CliError::Unusable)?;
    let database = path.display().to_string();
    if args.json {
        output.json(&VerifyOutput { database: &database, report: &report })?;
    } else {
        print(&output, &database, &report)?;
    }
    let faulty = report.checks.iter().filter(|check| check.faults > 0).count();
    if report.is_sound { Ok(()) } else { Err(CliError::Unsound { database, faulty }) }
}

/// Prints the report as text.
fn print(output: &Output, database: &str, report: &Report) -> Result<(), CliError> {
    let copy = match report.copied_at {
        Some(at) => format!(", a copy made at {at} that no server has used yet"),
        None => String::new(),
    };
    output.line(format_args!("{database}{copy}"))?;
    for version in &report.pending_migrations {
        output.line(format_args!("the next start of the server applies migration {version}"))?;
    }
    for version in &report.unknown_migrations {
        output
            .line(format_args!("a newer version of longshore has applied migration {version}"))?;
    }
    report.checks.iter().try_for_each(|check| print_check(output, check))
}

/// Prints the result of one check.
fn print_check(output: &Output, check: &Check) -> Result<(), CliError> {
    let Check { name, holds, looked_at, faults, examples, is_left_out } = check;
    if *is_left_out {
        let word = output.paint(Colour::Dim, "--   ");
        return output.line(format_args!(
            "{word}  {name:<12}  skipped: the tables are from an older version"
        ));
    }
    let rows = looked_at.map_or(String::new(), |rows| format!(" ({})", counted(rows, "row")));
    if *faults == 0 {
        let word = output.paint(Colour::Green, "ok   ");
        return output.line(format_args!("{word}  {name:<12}  {holds}{rows}"));
    }
    let word = output.paint(Colour::Red, "FAIL ");
    let found = counted(*faults, "fault");
    output.line(format_args!("{word}  {name:<12}  {found}; expected: {holds}{rows}"))?;
    for example in examples {
        output.line(format_args!("         {}", show::plain(example)))?;
    }
    let others = faults.saturating_sub(examples.len() as u64);
    if others > 0 { output.line(format_args!("         and {others} more")) } else { Ok(()) }
}

/// Returns a count with its noun, such as `1 fault` or `2 faults`.
fn counted(count: impl Into<i128>, noun: &str) -> String {
    let count = count.into();
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{ending}")
}
