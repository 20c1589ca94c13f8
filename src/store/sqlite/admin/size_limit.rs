//! Detection of the limit on file sizes (`ulimit -f`), which acts like a full disk.

use std::path::Path;

use rustix::process::{Resource, getrlimit};

use crate::store::StoreError;

/// Size of the largest page that SQLite writes, with its frame header in the log, in bytes.
const MAX_WRITE_BYTES: u64 = (64 << 10) + 24;

/// Returns [`StoreError::Full`] instead of [`StoreError::Unknown`] if a file has reached the limit.
///
/// SQLite reports a write past the limit as a general I/O error. Its outcome is known, however: the
/// write was refused before the end of the transaction was written.
pub(crate) fn detect_full(error: StoreError, database: &Path) -> StoreError {
    match error {
        StoreError::Unknown(text) if text.contains("disk I/O error") && is_reached(database) => {
            StoreError::Full("a file has reached the limit on file sizes".into())
        }
        error => error,
    }
}

fn is_reached(database: &Path) -> bool {
    let Some(limit) = getrlimit(Resource::Fsize).current else { return false };
    let has_reached = |suffix: &str| {
        let file = format!("{}{suffix}", database.display());
        std::fs::metadata(file).is_ok_and(|file| file.len() + MAX_WRITE_BYTES > limit)
    };
    ["-wal", ""].into_iter().any(has_reached)
}
