//! Detection of a write-ahead log that does not belong to the database file next to it.
//!
//! SQLite uses any log next to a database that has the right name. If a database file was replaced by
//! a backup and its log was not removed, SQLite would write the pages of that log into the backup. A
//! backup is not in WAL mode until a server opens it, so a log next to it must be a foreign one. If a
//! database file was deleted or moved away, SQLite would create a new one and delete the log, which may
//! hold the last commits of the other.

use std::path::{Path, PathBuf};

use super::header::Header;
use crate::store::OpenError;

/// Refuses a database with this header if the log next to it is not its own. `database` must have no
/// symbolic links, because SQLite keeps the log beside the file itself.
pub(super) fn refuse(database: &Path, header: Header) -> Result<(), OpenError> {
    let log = with_suffix(database, "-wal");
    if !is_not_empty(&log) {
        return Ok(());
    }
    let path = database.to_owned();
    match header {
        Header::Sqlite { uses_log: false, .. } => Err(OpenError::ForeignLog { path, log }),
        // SQLite writes the header of a new database before it begins a log.
        Header::Empty => Err(OpenError::LogWithoutDatabase { path, log }),
        Header::Sqlite { .. } | Header::NotSqlite => Ok(()),
    }
}

/// Returns a file next to `database` that SQLite would use as its log or journal.
pub(crate) fn find_leftover(database: &Path) -> Option<PathBuf> {
    ["-wal", "-journal"].map(|suffix| with_suffix(database, suffix)).into_iter().find(is_not_empty)
}

/// Returns whether a rollback journal exists: a change of the journal mode was interrupted, and only a
/// connection that may write can undo it.
pub(crate) fn has_journal(database: &Path) -> bool {
    is_not_empty(&with_suffix(database, "-journal"))
}

fn is_not_empty(path: &PathBuf) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.len() > 0)
}

/// Returns the path of a file that belongs to a database.
pub(crate) fn with_suffix(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
