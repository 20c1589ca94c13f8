//! Whose database a file is: one of this program, of a newer version of it, or of another program.

use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::migration::{Migration, MigrationSource};
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel::sqlite::{Sqlite, SqliteConnection};

use super::header::Header;
use super::open::MIGRATIONS;
use crate::store::OpenError;
use crate::store::sql_types::Integer;
use crate::store::sqlite::statement::statement;

/// The number by which a database says that it is one of this program: `LSHR` in ASCII. SQLite stores
/// it in the header of the file. Versions up to 0.2.0 left it 0.
pub(super) const APPLICATION_ID: u32 = 0x4c53_4852;

/// The table in which Diesel records the migrations that were run.
const MIGRATIONS_TABLE: &str = "__diesel_schema_migrations";

statement! {
    ReadApplicationId -> Integer = "PRAGMA application_id"
}

/// Versions of migrations, in order.
pub(super) type Versions = Vec<String>;

/// Returns the versions of the migrations of this program.
pub(super) fn known_versions() -> QueryResult<Versions> {
    let known: Vec<Box<dyn Migration<Sqlite>>> =
        MIGRATIONS.migrations().map_err(diesel::result::Error::DeserializationError)?;
    let mut versions: Versions =
        known.iter().map(|migration| migration.name().version().to_string()).collect();
    versions.sort_unstable();
    Ok(versions)
}

/// Returns the versions of the migrations that were run on a database.
pub(super) fn run_versions(connection: &mut SqliteConnection) -> QueryResult<Versions> {
    sql::<Text>(&format!("SELECT version FROM {MIGRATIONS_TABLE} ORDER BY version"))
        .load(connection)
}

/// Returns whether the header of a file alone shows that it is a database of this program.
pub(super) fn is_ours(header: Header) -> bool {
    matches!(header, Header::Sqlite { application_id: APPLICATION_ID, .. })
}

/// Refuses a file whose header alone shows that it is not a database of this program.
pub(super) fn refuse_foreign_header(path: &Path, header: Header) -> Result<(), OpenError> {
    match header {
        Header::NotSqlite => Err(OpenError::foreign(path, "it is not a SQLite database")),
        Header::Sqlite { application_id: id, .. } if ![0, APPLICATION_ID].contains(&id) => {
            Err(OpenError::foreign(path, &format!("its application id is {id:#010x}, that of another program")))
        }
        Header::Empty | Header::Sqlite { .. } => Ok(()),
    }
}

/// Refuses a database of another program.
///
/// A database of this program has its application id. Those of versions up to 0.2.0 have none, but the
/// first migration. A database without tables is new.
pub(super) fn refuse_foreign_tables(
    path: &Path,
    connection: &mut SqliteConnection,
) -> Result<(), OpenError> {
    let failed = |error: diesel::result::Error| OpenError::failed(path, &error);
    let id: i64 = ReadApplicationId {}.get_result(connection).map_err(failed)?;
    if id == i64::from(APPLICATION_ID) || is_new(connection).map_err(failed)? {
        return Ok(());
    }
    let (known, run) = (known_versions().map_err(failed)?, run_versions(connection));
    let tables = tables(connection).map_err(failed)?;
    if run.is_ok_and(|run| run.first() == known.first()) && tables.iter().any(|table| table == "jobs") {
        return Ok(());
    }
    let tables = first_few(&tables);
    Err(OpenError::foreign(path, &format!("it has the tables of another program: {tables}")))
}

/// Returns whether a database has no tables yet, or only the empty table of migrations, as after a
/// first start that was interrupted.
pub(super) fn is_new(connection: &mut SqliteConnection) -> QueryResult<bool> {
    let tables = tables(connection)?;
    match tables.as_slice() {
        [] => Ok(true),
        [table] if table == MIGRATIONS_TABLE => Ok(run_versions(connection)?.is_empty()),
        _ => Ok(false),
    }
}

/// Refuses a database that a newer version of this program has migrated.
pub(super) fn refuse_newer(
    path: &Path,
    connection: &mut SqliteConnection,
) -> Result<(), OpenError> {
    let failed = |error: diesel::result::Error| OpenError::failed(path, &error);
    if !tables(connection).map_err(failed)?.iter().any(|table| table == MIGRATIONS_TABLE) {
        return Ok(());
    }
    let known = known_versions().map_err(failed)?;
    let run = run_versions(connection).map_err(failed)?;
    match (run.into_iter().rfind(|version| !known.contains(version)), known.into_iter().next_back())
    {
        (Some(found), Some(known)) => {
            Err(OpenError::NewerSchema { path: path.into(), found, known })
        }
        _ => Ok(()),
    }
}

/// Records that the database is one of this program.
pub(super) fn mark(connection: &mut SqliteConnection) -> QueryResult<()> {
    let id: i64 = ReadApplicationId {}.get_result(connection)?;
    if id == i64::from(APPLICATION_ID) {
        return Ok(());
    }
    connection.batch_execute(&format!("PRAGMA application_id = {APPLICATION_ID}"))
}

fn tables(connection: &mut SqliteConnection) -> QueryResult<Vec<String>> {
    let tables = "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')
        AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name";
    sql::<Text>(tables).load(connection)
}

/// Returns the first names of a list for a message.
fn first_few(names: &[String]) -> String {
    let short = |name: &String| name.chars().take(40).flat_map(char::escape_debug).collect();
    let shown: Vec<String> = names.iter().take(3).map(short).collect();
    shown.join(", ") + if names.len() > 3 { ", ..." } else { "" }
}
