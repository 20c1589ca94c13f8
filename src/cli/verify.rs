//! `longshore verify`: whether a database is sound.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::cli::database::DatabaseArgs;
use crate::cli::error::CliError;
use crate::cli::output::{Colour, Output};
use crate::cli::show;
use crate::store::sqlite::verify::{Check, Report, verify};

/// Which database to check.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
The server may run meanwhile: what is told holds of one moment, and nothing is changed. Exit codes:
0 it is sound, 1 it is not, 2 it is no database that can be read.

Examples:
  longshore verify
  longshore verify /backups/jobs.db
  longshore verify --json | jq '.checks[] | select(.faults > 0)'")]
pub(super) struct VerifyArgs {
    /// The database file, such as a backup; else the one of the server
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Print what was found as JSON, for programs
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    database: DatabaseArgs,
}

/// What is printed for programs.
#[derive(Serialize)]
struct Found<'a> {
    database: &'a str,
    #[serde(flatten)]
    report: &'a Report,
}

/// Checks the database and tells what was found.
pub(super) fn run(args: VerifyArgs) -> Result<(), CliError> {
    let output = Output::new(args.json);
    let path = match args.file {
        Some(_) if args.database.is_named() => {
            return Err(CliError::Usage("FILE and --database name two databases".into()));
        }
        Some(file) => file,
        None => args.database.find()?,
    };
    let report = verify(&path).map_err(CliError::Unusable)?;
    let database = path.display().to_string();
    if args.json {
        output.json(&Found { database: &database, report: &report })?;
    } else {
        print(&output, &database, &report)?;
    }
    let faulty = report.checks.iter().filter(|check| check.faults > 0).count();
    if report.is_sound { Ok(()) } else { Err(CliError::Unsound { database, faulty }) }
}

fn print(output: &Output, database: &str, report: &Report) -> Result<(), CliError> {
    let copy = match report.copied_at {
        Some(at) => format!(", a copy of {at} that was not served yet"),
        None => String::new(),
    };
    output.line(format_args!("{database}{copy}"))?;
    for version in &report.pending_migrations {
        output.line(format_args!("the next start brings its tables up to migration {version}"))?;
    }
    for version in &report.unknown_migrations {
        output.line(format_args!("a newer version has run the migration {version}"))?;
    }
    report.checks.iter().try_for_each(|check| print_check(output, check))
}

fn print_check(output: &Output, check: &Check) -> Result<(), CliError> {
    let Check { name, holds, looked_at, faults, examples, is_left_out } = check;
    if *is_left_out {
        let word = output.paint(Colour::Dim, "--   ");
        return output.line(format_args!("{word}  {name:<12}  left out: the tables are older"));
    }
    let rows = looked_at.map_or(String::new(), |rows| format!(" ({})", several(rows, "row")));
    if *faults == 0 {
        let word = output.paint(Colour::Green, "ok   ");
        return output.line(format_args!("{word}  {name:<12}  {holds}{rows}"));
    }
    let word = output.paint(Colour::Red, "WRONG");
    let found = several(*faults, "fault");
    output.line(format_args!("{word}  {name:<12}  {found}; it is not so that {holds}{rows}"))?;
    for example in examples {
        output.line(format_args!("         {}", show::plain(example)))?;
    }
    let others = faults.saturating_sub(examples.len() as u64);
    if others > 0 { output.line(format_args!("         and {others} more")) } else { Ok(()) }
}

/// A number of things.
fn several(count: impl Into<i128>, thing: &str) -> String {
    let count = count.into();
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {thing}{ending}")
}
