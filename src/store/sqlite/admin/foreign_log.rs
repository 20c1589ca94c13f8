//! Detection of a write-ahead log that belongs to another database file.
//!
//! SQLite uses any log next to a database that has the right name. If a database file was replaced by
//! a backup and its log was not removed, SQLite would write the pages of that log into the backup. A
//! backup is not in WAL mode until a server opens it, so a log next to it must be a foreign one.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

/// Offset of the read version in the database header: 1 means rollback journal, 2 means WAL.
/// See <https://www.sqlite.org/fileformat.html>.
const READ_VERSION_OFFSET: usize = 19;

/// Returns the foreign log next to a database, if there is one.
pub(crate) fn find(database: &Path) -> std::io::Result<Option<PathBuf>> {
    let mut header = [0; READ_VERSION_OFFSET + 1];
    match File::open(database)?.read_exact(&mut header) {
        Ok(()) if header[READ_VERSION_OFFSET] == 1 => {
            Ok(Some(with_suffix(database, "-wal")).filter(is_not_empty))
        }
        // A file too short for a header is a new database, whose log SQLite itself removes.
        Err(error) if error.kind() != ErrorKind::UnexpectedEof => Err(error),
        _ => Ok(None),
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
