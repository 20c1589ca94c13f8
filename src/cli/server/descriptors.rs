//! The limit on open files and sockets of the process.

use std::sync::OnceLock;

use rustix::process::{Resource, getrlimit, setrlimit};

/// The soft limit before it was raised.
static LIMIT_AT_START: OnceLock<Option<u64>> = OnceLock::new();

/// Raises the soft limit of open files to the hard one.
///
/// The soft limit is 1,024 on most systems, to protect programs that call `select` (see select(2)).
/// A server with two thousand calls in progress needs one socket for each. If the limit cannot be
/// raised, it stays as it is.
pub(crate) fn raise_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    LIMIT_AT_START.get_or_init(|| limit.current);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}

/// Logs the limit if it was raised.
pub(crate) fn log_limit() {
    let now = getrlimit(Resource::Nofile).current;
    let before = LIMIT_AT_START.get().copied().flatten();
    if let Some(before) = before.filter(|before| now.is_none_or(|now| now > *before)) {
        // An unlimited number is the greatest one.
        let now = now.unwrap_or(u64::MAX);
        tracing::info!(before, now, "raised the limit on open files to its hard limit");
    }
}
