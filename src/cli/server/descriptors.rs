//! The limit on open files and sockets of the process.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Raises the soft limit of open files to the hard one.
///
/// The soft limit is 1,024 on most systems, to protect programs that call `select` (see select(2)).
/// A server with two thousand calls in progress needs one socket for each. If the limit cannot be
/// raised, it stays as it is.
pub(crate) fn raise_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}
