//! Opening a database: lock file, SQLite version, connection settings and migrations.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::config::Config;
use crate::store::OpenError;
use crate::store::sql_types::Text;
use crate::store::sqlite::admin::header::Header;
use crate::store::sqlite::admin::kept_file::{self, KeptFile};
use crate::store::sqlite::admin::lock::Lock;
use crate::store::sqlite::admin::served_files::ServedFiles;
use crate::store::sqlite::admin::{foreign_log, location, origin};
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

/// Returns the path of the configured database.
///
/// # Errors
/// Returns [`OpenError::NoBackend`] if the configuration has a URL.
pub(in crate::store::sqlite) fn file_of(config: &Config) -> Result<&Path, OpenError> {
    config.database.file().ok_or_else(|| OpenError::NoBackend(config.database.to_string()))
}

/// Opens a database for writing: creates it if it does not exist, locks it and runs pending migrations.
///
/// A file that this program must not serve is refused before anything in it is changed.
pub(crate) fn for_writing(path: &Path) -> Result<(SqliteConnection, ServedFiles), OpenError> {
    let failed = |error: std::io::Error| OpenError::failed(path, &error);
    location::refuse_special_file(path)?;
    let file = KeptFile::open_or_create(path).map_err(failed)?;
    let real_path = fs::canonicalize(path).map_err(failed)?;
    location::refuse_second_place(&real_path)?;
    let header = file.header().map_err(failed)?;
    foreign_log::refuse(&real_path, header)?;
    refuse_foreign(&real_path, header)?;
    let lock = Lock::acquire(&real_path, Arc::clone(&file))?;
    // Again, because another server may have used the file until the lock was held.
    foreign_log::refuse(&real_path, file.header().map_err(failed)?)?;
    let mut connection = connect(path, WRITE_CACHE_KIB)?;
    check_version(path, &mut connection)?;
    origin::refuse_newer(path, &mut connection)?;
    prepare(&mut connection).map_err(|error| OpenError::failed(path, &*error))?;
    location::warn_of_shared_files(&real_path);
    let files = ServedFiles::new(path, &real_path, lock)?;
    Ok((connection, files))
}

/// Refuses a database of another program, without changing it.
fn refuse_foreign(path: &Path, header: Header) -> Result<(), OpenError> {
    if foreign_log::has_journal(path) {
        // Until a connection that may write has undone the interrupted transaction, the file may have
        // any content.
        return origin::refuse_foreign_tables(path, &mut open_in_mode(path, "rw")?);
    }
    origin::refuse_foreign_header(path, header)?;
    if header == Header::Empty || origin::is_ours(header) {
        return Ok(());
    }
    origin::refuse_foreign_tables(path, &mut open_in_mode(path, "ro")?)
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
    origin::mark(connection)?;
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

/// Opens a database for reading, which a server of this process uses. The descriptor must be dropped
/// after the connection.
pub(crate) fn for_reading(
    path: &Path,
) -> Result<(SqliteConnection, Option<Arc<KeptFile>>), OpenError> {
    let mut connection = connect(path, READ_CACHE_KIB)?;
    // A checkpoint is allowed, because it copies pages and writes no rows.
    let query_only = connection.batch_execute("PRAGMA query_only = ON");
    query_only.map_err(|error| OpenError::failed(path, &error))?;
    Ok((connection, KeptFile::find(path)))
}

/// Opens a database, which a server may be using. Does not change its rows, tables or journal mode.
pub(crate) fn read_only(path: &Path) -> Result<SqliteConnection, OpenError> {
    location::refuse_special_file(path)?;
    let header = kept_file::read_header(path).map_err(|error| OpenError::failed(path, &error))?;
    let real_path = fs::canonicalize(path).map_err(|error| OpenError::failed(path, &error))?;
    foreign_log::refuse(&real_path, header)?;
    if let Header::Sqlite { uses_log: true, .. } = header {
        // Without its log, an old state of the database would be read.
        location::refuse_second_place(&real_path)?;
    }
    let has_journal = foreign_log::has_journal(&real_path);
    if !has_journal {
        origin::refuse_foreign_header(path, header)?;
    }
    let mut connection = open_in_mode(path, if has_journal { "rw" } else { "ro" })?;
    // A file that is locked for a long time fails here instead of later.
    origin::refuse_foreign_tables(path, &mut connection)?;
    match origin::is_new(&mut connection).map_err(|error| OpenError::failed(path, &error))? {
        true => Err(OpenError::foreign(path, "it has no tables")),
        false => Ok(connection),
    }
}

/// Opens an existing database for writing without changing its tables or journal mode.
pub(crate) fn unmigrated(path: &Path) -> Result<SqliteConnection, OpenError> {
    open_in_mode(path, "rw")
}

/// Opens an existing file in a mode of SQLite's URI filenames.
fn open_in_mode(path: &Path, mode: &str) -> Result<SqliteConnection, OpenError> {
    // Reads the file first for a precise error: SQLite only reports that it cannot open it.
    kept_file::read_header(path).map_err(|error| OpenError::failed(path, &error))?;
    let absolute = std::path::absolute(path).map_err(|error| OpenError::failed(path, &error))?;
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
    let mut connection = SqliteConnection::establish(url).map_err(|error| OpenError::failed(path, &error))?;
    let settings = [
        // First, so that the settings after it also wait for locks of other connections.
        format!("PRAGMA busy_timeout = {}", BUSY_TIMEOUT.as_millis()),
        "PRAGMA synchronous = FULL".into(),
        "PRAGMA temp_store = MEMORY".into(),
        format!("PRAGMA cache_size = -{cache_kib}"),
    ];
    for setting in settings {
        connection.batch_execute(&setting).map_err(|error| OpenError::failed(path, &error))?;
    }
    Ok(connection)
}

fn check_version(path: &Path, connection: &mut SqliteConnection) -> Result<(), OpenError> {
    let found: String =
        diesel::select(diesel::dsl::sql::<diesel::sql_types::Text>("sqlite_version()"))
            .get_result(connection)
            .map_err(|error| OpenError::failed(path, &error))?;
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
