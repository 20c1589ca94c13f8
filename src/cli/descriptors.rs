//! The number of files and sockets that the process may hold.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Raises the soft limit of open files to the hard one.
///
/// The soft limit is 1,024 on most systems, for the sake of programs that call `select`; a server
/// with two thousand calls under way needs a socket for each. What cannot be raised is left.
pub(super) fn raise_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}
