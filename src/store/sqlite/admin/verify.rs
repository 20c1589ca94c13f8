//! Verification of a database: SQLite's own checks of the file, and rules on the rows of the tables.

mod api_keys;
mod batch_ends;
mod counts;
mod end_actions;
mod learned_kinds;
mod limits;
mod rules;
mod webhook_secrets;

use std::path::Path;

use diesel::connection::{DefaultLoadingMode, SimpleConnection};
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel::sqlite::SqliteConnection;
use serde::{Deserialize, Serialize};

use crate::job::Timestamp;
use crate::store::OpenError;
use crate::store::sqlite::admin::{epoch, open, origin};
use rules::{RULES, Rule};

/// Maximum number of faults of a check that are described.
const MAX_EXAMPLES: usize = 5;

/// Result of a verification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Whether no check found a fault.
    pub is_sound: bool,
    /// Time at which this copy was made; `None` if the database is no copy or has been served since.
    pub copied_at: Option<Timestamp>,
    /// Versions of the migrations that the next start runs. Checks that need them are skipped.
    pub pending_migrations: Vec<String>,
    /// Versions of migrations that this program does not know: a newer version used the database.
    pub unknown_migrations: Vec<String>,
    /// Results of the checks, in the order in which they run.
    pub checks: Vec<Check>,
}

/// Result of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Name of the check.
    pub name: String,
    /// Statement that is true if the check finds no fault.
    pub holds: String,
    /// Number of rows checked; `None` if the check reads the whole file or was skipped.
    pub looked_at: Option<i64>,
    /// Number of faults found.
    pub faults: u64,
    /// Descriptions of the first faults.
    pub examples: Vec<String>,
    /// Whether the check was skipped because the tables are of an older version.
    pub is_left_out: bool,
}

/// Checks a database, whether a server is using it or not. All checks read the same snapshot, and
/// nothing is changed.
///
/// # Errors
/// Returns [`OpenError`] if the database cannot be opened.
pub fn verify(database: &Path) -> Result<Report, OpenError> {
    let mut connection = open::read_only(database)?;
    let unusable = |error: diesel::result::Error| OpenError::failed(database, &error);
    // Some checks sort more than fits into memory.
    connection.batch_execute("PRAGMA temp_store = FILE; BEGIN").map_err(unusable)?;
    let mut report = compare_migrations(&mut connection).map_err(unusable)?;
    let has_epoch = epoch::exists(&mut connection).map_err(unusable)?;
    if has_epoch {
        report.copied_at = epoch::read(&mut connection).ok().and_then(|epoch| epoch.copied_at);
    }
    for rule in RULES {
        let is_left_out =
            report.pending_migrations.iter().any(|pending| rule.needs == Some(pending.as_str()));
        report.checks.push(if is_left_out { skipped(rule) } else { check(&mut connection, rule) });
    }
    report.is_sound = report.checks.iter().all(|check| check.faults == 0);
    Ok(report)
}

/// Row of a query that returns one column of text.
#[derive(QueryableByName)]
struct TextRow {
    #[diesel(sql_type = Text)]
    words: String,
}

/// Compares the migrations that were run with those of this program.
fn compare_migrations(connection: &mut SqliteConnection) -> QueryResult<Report> {
    let run = origin::run_versions(connection)?;
    let known = origin::known_versions()?;
    let pending_migrations = known.iter().filter(|version| !run.contains(version)).cloned();
    let unknown_migrations = run.iter().filter(|version| !known.contains(version)).cloned();
    Ok(Report {
        is_sound: false,
        copied_at: None,
        pending_migrations: pending_migrations.collect(),
        unknown_migrations: unknown_migrations.collect(),
        checks: Vec::new(),
    })
}

fn skipped(rule: &Rule) -> Check {
    Check {
        name: rule.name.into(),
        holds: rule.holds.into(),
        looked_at: None,
        faults: 0,
        examples: Vec::new(),
        is_left_out: true,
    }
}

/// Runs a check. A table that cannot be read counts as a fault.
fn check(connection: &mut SqliteConnection, rule: &Rule) -> Check {
    let mut check = Check { is_left_out: false, ..skipped(rule) };
    if let Err(error) = find_faults(connection, rule, &mut check) {
        check.faults += 1;
        check.examples.push(format!("cannot be read: {error}"));
    }
    check
}

fn find_faults(
    connection: &mut SqliteConnection,
    rule: &Rule,
    check: &mut Check,
) -> QueryResult<()> {
    if let Some(table) = rule.table {
        let count =
            diesel::dsl::sql::<diesel::sql_types::BigInt>("SELECT count(*) FROM ").sql(table);
        check.looked_at = Some(count.get_result(connection)?);
    }
    let found = diesel::sql_query(rule.faults);
    for row in found.load_iter::<TextRow, DefaultLoadingMode>(connection)? {
        let TextRow { words } = row?;
        check.faults += 1;
        if check.examples.len() < MAX_EXAMPLES {
            check.examples.push(words);
        }
    }
    Ok(())
}
