//! The limit on file sizes (`ulimit -f`), which fills a disk before its time.

use std::path::Path;

use rustix::process::{Resource, getrlimit};

use crate::store::StoreError;

/// The largest page that SQLite writes at once, with its frame in the log.
const MAX_WRITE_BYTES: u64 = (64 << 10) + 24;

/// The error as it is meant: SQLite tells a write past the limit as any other I/O error. Unlike
/// those it leaves no doubt: the write was refused before the end of its transaction was written.
pub(super) fn read_as_full(error: StoreError, database: &Path) -> StoreError {
    match error {
        StoreError::Unknown(why) if why.contains("disk I/O error") && is_reached(database) => {
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
