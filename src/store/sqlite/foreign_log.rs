//! A write-ahead log that belongs to another database file.
//!
//! SQLite takes whatever lies beside a database under the right name. Where a copy was put in the
//! place of a database whose log was left lying, it would write the pages of that log into the
//! copy. A copy is not in WAL mode until it is served, so such a log can only be a foreign one.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

/// Where the header says in which mode the file is to be read: 1 is a rollback journal, 2 a log.
const READ_VERSION_AT: usize = 19;

/// The foreign log beside a database, if one lies there.
pub(super) fn beside(database: &Path) -> std::io::Result<Option<PathBuf>> {
    let mut header = [0; READ_VERSION_AT + 1];
    match File::open(database)?.read_exact(&mut header) {
        Ok(()) if header[READ_VERSION_AT] == 1 => {
            Ok(Some(with_suffix(database, "-wal")).filter(is_filled))
        }
        // Too short for a header: an empty file, whose log SQLite itself removes.
        Err(error) if error.kind() != ErrorKind::UnexpectedEof => Err(error),
        _ => Ok(None),
    }
}

/// What lies beside a file and would be taken for its log or journal.
pub(super) fn leftover(database: &Path) -> Option<PathBuf> {
    ["-wal", "-journal"].map(|suffix| with_suffix(database, suffix)).into_iter().find(is_filled)
}

/// Whether a change of the mode was interrupted, which only who may write can undo.
pub(super) fn has_journal(database: &Path) -> bool {
    is_filled(&with_suffix(database, "-journal"))
}

fn is_filled(path: &PathBuf) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.len() > 0)
}

/// The name of a file that belongs to a database.
pub(super) fn with_suffix(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
