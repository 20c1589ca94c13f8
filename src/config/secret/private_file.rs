//! Files with secrets, which only the user of the server should be able to read.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Permission of a file that lets every user read it.
const READABLE_BY_OTHERS: u32 = 0o004;

/// Logs a warning if every user of this machine can read a file. `what` says what is in it.
pub(crate) fn warn_if_readable_by_others(path: &Path, what: &str) {
    let mode = fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode());
    if mode & READABLE_BY_OTHERS != 0 {
        let path = path.display();
        tracing::warn!(path = %path, "every user of this machine can read {what}; run: chmod o-rwx {path}");
    }
}
