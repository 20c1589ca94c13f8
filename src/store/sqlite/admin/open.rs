//! Opening a database: lock file, SQLite version, connection settings and migrations.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::store::OpenError;
use crate::store::sql_types::{Integer, Text};
use crate::store::sqlite::admin::foreign_log;
use crate::store::sqlite::statement::statement;

pub(crate) const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/sqlite");

/// Oldest SQLite version that is accepted: earlier ones can lose pages in WAL mode if the log is reset
/// during a checkpoint.
pub const MIN_SQLITE: &str = "3.51.3";

/// Number of pages in the log at which a commit starts a checkpoint (16 MiB).
const AUTOCHECKPOINT_PAGES: u32 = 4_000;

/// Size to which the log file is truncated after it was larger, in bytes.
const LOG_SIZE_LIMIT: u32 = 64 << 20;

/// Page cache of the write connection and of a read connection, in KiB.
const WRITE_CACHE_KIB: u32 = 2 << 10;
const READ_CACHE_KIB: u32 = 1 << 10;

/// Maximum time that a connection waits for a lock of another connection on the database file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Lock that keeps a second server from the same database until it is dropped.
pub(crate) struct Lock {
    _file: File,
}

/// Returns [`OpenError::Failed`] with the path of the database.
pub(crate) fn failed(path: &Path, reason: &dyn fmt::Display) -> OpenError {
    OpenError::Failed { path: path.display().to_string(), reason: reason.to_string() }
}

/// Opens a database for writing: creates it if it does not exist, locks it and runs pending migrations.
pub(crate) fn for_writing(path: &Path) -> Result<(SqliteConnection, Lock), OpenError> {
    let lock = lock(path)?;
    refuse_foreign_log(path)?;
    let mut connection = connect(path, WRITE_CACHE_KIB)?;
    check_version(path, &mut connection)?;
    prepare(&mut connection).map_err(|error| failed(path, &*error))?;
    Ok((connection, lock))
}

fn refuse_foreign_log(path: &Path) -> Result<(), OpenError> {
    match foreign_log::find(path) {
        Ok(None) => Ok(()),
        Ok(Some(log)) => Err(OpenError::ForeignLog { path: path.into(), log }),
        Err(error) => Err(failed(path, &error)),
    }
}

/// Configures the write connection and runs pending migrations.
fn prepare(
    connection: &mut SqliteConnection,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mode: String = JournalMode {}.get_result(connection)?;
    if mode != "wal" {
        return Err(
            format!("WAL mode is needed, but the file only supports journal mode {mode}").into()
        );
    }
    connection.batch_execute(&format!("PRAGMA wal_autocheckpoint = {AUTOCHECKPOINT_PAGES}"))?;
    connection.batch_execute(&format!("PRAGMA journal_size_limit = {LOG_SIZE_LIMIT}"))?;
    migrate(connection)
}

/// Runs pending migrations. Logs each one if the database is not new, because it may take long.
fn migrate(
    connection: &mut SqliteConnection,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    // A migration that rebuilds a table must not check rows that are impossible: they are kept as they
    // are, and `longshore verify` reports them. Neither setting can be changed inside a transaction.
    connection.batch_execute("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON")?;
    // The sorted rows of new indexes may not fit into memory.
    connection.batch_execute("PRAGMA temp_store = FILE")?;
    let is_new = connection.applied_migrations()?.is_empty();
    for migration in connection.pending_migrations(MIGRATIONS)? {
        if !is_new {
            let name = migration.name();
            tracing::info!(migration = %name, "migrating the database; a rebuild of the jobs takes up to ten seconds per million");
        }
        connection.run_migration(&migration)?;
    }
    connection.batch_execute("PRAGMA temp_store = MEMORY")?;
    connection.batch_execute("PRAGMA ignore_check_constraints = OFF; PRAGMA foreign_keys = ON")?;
    Ok(())
}

statement! {
    JournalMode -> Text = "PRAGMA journal_mode = WAL"
}

/// Opens a database for reading.
pub(crate) fn for_reading(path: &Path) -> Result<SqliteConnection, OpenError> {
    let mut connection = connect(path, READ_CACHE_KIB)?;
    // A checkpoint is allowed, because it copies pages and writes no rows.
    connection.batch_execute("PRAGMA query_only = ON").map_err(|error| failed(path, &error))?;
    Ok(connection)
}

/// Opens a database, which a server may be using. Does not change its rows, tables or journal mode.
pub(crate) fn read_only(path: &Path) -> Result<SqliteConnection, OpenError> {
    let mode = if foreign_log::has_journal(path) { "rw" } else { "ro" };
    let mut connection = open_in_mode(path, mode)?;
    refuse_foreign_log(path)?;
    // A file that is no database, or that is locked for a long time, fails here instead of later.
    let tables: QueryResult<i64> = FindJobs {}.get_result(&mut connection);
    match tables.map_err(|error| failed(path, &error))? {
        0 => Err(failed(path, &"it is not a database of longshore: it has no table of jobs")),
        _ => Ok(connection),
    }
}

statement! {
    FindJobs -> Integer = "SELECT count(*) FROM sqlite_schema WHERE name = 'jobs'"
}

/// Opens an existing database for writing without changing its tables or journal mode.
pub(crate) fn unmigrated(path: &Path) -> Result<SqliteConnection, OpenError> {
    open_in_mode(path, "rw")
}

/// Opens an existing file in a mode of SQLite's URI filenames.
fn open_in_mode(path: &Path, mode: &str) -> Result<SqliteConnection, OpenError> {
    // Opens the file first for a precise error: SQLite only reports that it cannot open it.
    std::fs::File::open(path).map_err(|error| failed(path, &error))?;
    let absolute = std::path::absolute(path).map_err(|error| failed(path, &error))?;
    let text = absolute.to_str().ok_or_else(|| OpenError::BadPath(path.into()))?;
    connect_to(path, &format!("file:{}?mode={mode}", uri_escaped(text)), READ_CACHE_KIB)
}

/// Escapes the characters of a path that SQLite interprets in a URI filename.
/// See <https://www.sqlite.org/uri.html>.
fn uri_escaped(path: &str) -> String {
    path.replace('%', "%25").replace('?', "%3f").replace('#', "%23")
}

fn connect(path: &Path, cache_kib: u32) -> Result<SqliteConnection, OpenError> {
    let text = path.to_str().ok_or_else(|| OpenError::BadPath(path.into()))?;
    connect_to(path, text, cache_kib)
}

fn connect_to(path: &Path, url: &str, cache_kib: u32) -> Result<SqliteConnection, OpenError> {
    let mut connection = SqliteConnection::establish(url).map_err(|error| failed(path, &error))?;
    let settings = [
        // First, so that the settings after it also wait for locks of other connections.
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

/// Locks a database. The lock file is named after the real path, so that a link leads to the same lock.
fn lock(path: &Path) -> Result<Lock, OpenError> {
    let unusable = |error: std::io::Error| failed(path, &error);
    // Creates the file if necessary: SQLite treats an empty file as a new database.
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
