//! Whether a database is sound: what SQLite says of its pages, and what must agree in its tables.

mod rules;

use std::path::Path;

use diesel::connection::{DefaultLoadingMode, SimpleConnection};
use diesel::migration::{Migration, MigrationSource};
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel::sqlite::{Sqlite, SqliteConnection};
use serde::{Deserialize, Serialize};

use super::{epoch, open};
use crate::job::Timestamp;
use crate::store::OpenError;
use rules::{RULES, Rule};

/// How many faults of a check are named.
const NAMED: usize = 5;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Whether no check found a fault.
    pub is_sound: bool,
    /// When this copy was made; none where it is none, or has been served since.
    pub copied_at: Option<Timestamp>,
    /// Migrations of this program that the next start runs. Checks that need them are left out.
    pub pending_migrations: Vec<String>,
    /// Migrations that this program does not know: a newer one has had the database.
    pub unknown_migrations: Vec<String>,
    /// The checks, in their order.
    pub checks: Vec<Check>,
}

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Its name.
    pub name: String,
    /// What holds where it finds nothing.
    pub holds: String,
    /// How many rows it has looked at; none where it looks at pages or was left out.
    pub looked_at: Option<i64>,
    /// How many faults it found.
    pub faults: u64,
    /// The first of them.
    pub examples: Vec<String>,
    /// Whether it was left out, for the tables are of an older version.
    pub is_left_out: bool,
}

/// Checks a database, be it served or not. All that is said holds of one moment.
///
/// # Errors
/// Where it cannot be opened at all.
pub fn verify(database: &Path) -> Result<Report, OpenError> {
    let mut connection = open::read_only(database)?;
    let unusable = |error: diesel::result::Error| open::failed(database, &error);
    // What is sorted may be more than fits into memory.
    connection.batch_execute("PRAGMA temp_store = FILE; BEGIN").map_err(unusable)?;
    let mut report = compare_migrations(&mut connection).map_err(unusable)?;
    let has_epoch = epoch::is_there(&mut connection).map_err(unusable)?;
    if has_epoch {
        report.copied_at = epoch::read(&mut connection).ok().and_then(|epoch| epoch.copied_at);
    }
    for rule in RULES {
        let is_left_out =
            report.pending_migrations.iter().any(|pending| rule.needs == Some(pending.as_str()));
        report.checks.push(if is_left_out { left_out(rule) } else { check(&mut connection, rule) });
    }
    report.is_sound = report.checks.iter().all(|check| check.faults == 0);
    Ok(report)
}

#[derive(QueryableByName)]
struct Words {
    #[diesel(sql_type = Text)]
    words: String,
}

/// Which migrations were run, against those that this program has.
fn compare_migrations(connection: &mut SqliteConnection) -> QueryResult<Report> {
    let rows: Vec<Words> =
        diesel::sql_query("SELECT version AS words FROM __diesel_schema_migrations ORDER BY 1")
            .load(connection)?;
    let run: Vec<String> = rows.into_iter().map(|row| row.words).collect();
    let known: Vec<Box<dyn Migration<Sqlite>>> =
        open::MIGRATIONS.migrations().map_err(diesel::result::Error::DeserializationError)?;
    let mut known: Vec<String> =
        known.iter().map(|migration| migration.name().version().to_string()).collect();
    known.sort_unstable();
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

fn left_out(rule: &Rule) -> Check {
    Check {
        name: rule.name.into(),
        holds: rule.holds.into(),
        looked_at: None,
        faults: 0,
        examples: Vec::new(),
        is_left_out: true,
    }
}

/// Looks for what breaks a rule. What cannot be read breaks it as well.
fn check(connection: &mut SqliteConnection, rule: &Rule) -> Check {
    let mut check = Check { is_left_out: false, ..left_out(rule) };
    let looked = find_faults(connection, rule, &mut check);
    if let Err(error) = looked {
        check.faults += 1;
        check.examples.push(format!("it cannot be read: {error}"));
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
    for row in found.load_iter::<Words, DefaultLoadingMode>(connection)? {
        let Words { words } = row?;
        check.faults += 1;
        if check.examples.len() < NAMED {
            check.examples.push(words);
        }
    }
    Ok(())
}
