//! Opening the database: the lock, the version, the settings of a connection, the tables.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::foreign_log;
use super::statement::statement;
use crate::store::sql_types::{Integer, Text};
use crate::store::{BUSY_TIMEOUT, OpenError};

pub(super) const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/sqlite");

/// The first SQLite whose WAL mode does not lose pages when a log is reset beside a checkpoint.
pub const MIN_SQLITE: &str = "3.51.3";

/// Pages in the log at which the writer moves them into the database file by itself: 16 MiB.
const AUTOCHECKPOINT_PAGES: u32 = 4_000;

/// To what size the log is cut back after it was larger.
const LOG_SIZE_LIMIT: u32 = 64 << 20;

/// How much of the database a connection keeps in memory, in KiB.
const WRITE_CACHE_KIB: u32 = 2 << 10;
const READ_CACHE_KIB: u32 = 1 << 10;

/// The lock that keeps a second server from the same database, for as long as it lives.
pub(super) struct Lock {
    _file: File,
}

/// Names the database in an error.
pub(super) fn failed(path: &Path, why: &dyn fmt::Display) -> OpenError {
    OpenError::Failed { path: path.display().to_string(), why: why.to_string() }
}

pub(super) fn for_writing(path: &Path) -> Result<(SqliteConnection, Lock), OpenError> {
    let lock = lock(path)?;
    refuse_foreign_log(path)?;
    let mut connection = connect(path, WRITE_CACHE_KIB)?;
    check_version(path, &mut connection)?;
    prepare(&mut connection).map_err(|error| failed(path, &*error))?;
    Ok((connection, lock))
}

fn refuse_foreign_log(path: &Path) -> Result<(), OpenError> {
    match foreign_log::beside(path) {
        Ok(None) => Ok(()),
        Ok(Some(log)) => Err(OpenError::ForeignLog { path: path.into(), log }),
        Err(error) => Err(failed(path, &error)),
    }
}

/// Sets up the write connection and brings the tables up to date.
fn prepare(
    connection: &mut SqliteConnection,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mode: String = JournalMode {}.get_result(connection)?;
    if mode != "wal" {
        return Err(format!("it takes journal mode {mode} only, and WAL is needed").into());
    }
    connection.batch_execute(&format!("PRAGMA wal_autocheckpoint = {AUTOCHECKPOINT_PAGES}"))?;
    connection.batch_execute(&format!("PRAGMA journal_size_limit = {LOG_SIZE_LIMIT}"))?;
    migrate(connection)?;
    connection.batch_execute("PRAGMA foreign_keys = ON")?;
    Ok(())
}

/// Brings the tables up to date. Says so where they are not new, for it may take its time.
fn migrate(
    connection: &mut SqliteConnection,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let is_new = connection.applied_migrations()?.is_empty();
    for migration in connection.pending_migrations(MIGRATIONS)? {
        if !is_new {
            let name = migration.name();
            tracing::info!(migration = %name, "bringing the tables up to date; with many jobs this takes a while");
        }
        connection.run_migration(&migration)?;
    }
    Ok(())
}

statement! {
    JournalMode -> Text = "PRAGMA journal_mode = WAL"
}

pub(super) fn for_reading(path: &Path) -> Result<SqliteConnection, OpenError> {
    let mut connection = connect(path, READ_CACHE_KIB)?;
    // Nothing here writes rows; a checkpoint moves pages only.
    connection.batch_execute("PRAGMA query_only = ON").map_err(|error| failed(path, &error))?;
    Ok(connection)
}

/// Opens a database, be it served or not, and changes nothing: neither its rows nor its tables,
/// nor the mode that it is in.
pub(super) fn read_only(path: &Path) -> Result<SqliteConnection, OpenError> {
    let mode = if foreign_log::has_journal(path) { "rw" } else { "ro" };
    let mut connection = open_in_mode(path, mode)?;
    refuse_foreign_log(path)?;
    // Where it is no database, or another holds it for long, it fails here and not half way.
    let tables: QueryResult<i64> = FindJobs {}.get_result(&mut connection);
    match tables.map_err(|error| failed(path, &error))? {
        0 => Err(failed(path, &"it holds no jobs of longshore")),
        _ => Ok(connection),
    }
}

statement! {
    FindJobs -> Integer = "SELECT count(*) FROM sqlite_schema WHERE name = 'jobs'"
}

/// Opens a database for writing, and leaves its tables and its mode as they are.
pub(super) fn as_it_is(path: &Path) -> Result<SqliteConnection, OpenError> {
    open_in_mode(path, "rw")
}

/// Opens a file that is there.
fn open_in_mode(path: &Path, mode: &str) -> Result<SqliteConnection, OpenError> {
    // SQLite says of each fault that it cannot open the file.
    std::fs::File::open(path).map_err(|error| failed(path, &error))?;
    let absolute = std::path::absolute(path).map_err(|error| failed(path, &error))?;
    let text = absolute.to_str().ok_or_else(|| OpenError::BadPath(path.into()))?;
    connect_to(path, &format!("file:{}?mode={mode}", escaped(text)), READ_CACHE_KIB)
}

/// A path as a URI has it, as far as SQLite reads one.
fn escaped(path: &str) -> String {
    path.replace('%', "%25").replace('?', "%3f").replace('#', "%23")
}

fn connect(path: &Path, cache_kib: u32) -> Result<SqliteConnection, OpenError> {
    let text = path.to_str().ok_or_else(|| OpenError::BadPath(path.into()))?;
    connect_to(path, text, cache_kib)
}

fn connect_to(path: &Path, url: &str, cache_kib: u32) -> Result<SqliteConnection, OpenError> {
    let mut connection = SqliteConnection::establish(url).map_err(|error| failed(path, &error))?;
    let settings = [
        // First, so that what follows waits for others as well.
        format!("PRAGMA busy_timeout = {}", BUSY_TIMEOUT.as_millis()),
        "PRAGMA synchronous = FULL".into(),
        "PRAGMA temp_store = MEMORY".into(),
        format!("PRAGMA cache_size = -{cache_kib}"),
    ];
    for setting in settings {
        connection.batch_execute(&setting).map_err(|error| failed(path, &error))?;
    }
    Ok(connection)
}

fn check_version(path: &Path, connection: &mut SqliteConnection) -> Result<(), OpenError> {
    let found: String =
        diesel::select(diesel::dsl::sql::<diesel::sql_types::Text>("sqlite_version()"))
            .get_result(connection)
            .map_err(|error| failed(path, &error))?;
    if is_older(&found, MIN_SQLITE) {
        return Err(OpenError::OldSqlite { found, needed: MIN_SQLITE });
    }
    Ok(())
}

fn is_older(found: &str, needed: &str) -> bool {
    let numbers = |version: &str| -> Vec<u32> {
        version.split('.').map(|part| part.parse().unwrap_or(0)).collect()
    };
    numbers(found) < numbers(needed)
}

/// Takes the lock, whose name follows from the file itself: a link to it is the same database.
fn lock(path: &Path) -> Result<Lock, OpenError> {
    let unusable = |error: std::io::Error| failed(path, &error);
    // An empty file is a new database to SQLite.
    OpenOptions::new().create(true).append(true).open(path).map_err(unusable)?;
    let name = std::fs::canonicalize(path).map_err(unusable)?.display().to_string();
    let lock_path = PathBuf::from(format!("{name}.lock"));
    let options = OpenOptions::new().create(true).truncate(false).write(true).open(&lock_path);
    let file = options.map_err(|error| OpenError::Lock { path: name.clone(), error })?;
    match file.try_lock() {
        Ok(()) => Ok(Lock { _file: file }),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: name }),
        Err(TryLockError::Error(error)) => Err(OpenError::Lock { path: name, error }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        assert!(is_older("3.51.2", MIN_SQLITE));
        assert!(is_older("3.9.0", MIN_SQLITE));
        assert!(!is_older("3.51.3", MIN_SQLITE));
        assert!(!is_older("3.100.0", MIN_SQLITE));
    }
}
