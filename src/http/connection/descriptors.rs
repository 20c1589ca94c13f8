//! How many connections fit below the limit on open files.

use rustix::process::{Resource, getrlimit};

use super::admission::MAX_REFUSALS;
use crate::config::Config;

/// Descriptors for the database with its log, lock and backup, for stdio, and for the event loops of the
/// threads.
const BASE_DESCRIPTORS: usize = 64;

/// Descriptors of a program that runs: three pipes, a descriptor of its process, and one while it starts.
const PROGRAM_DESCRIPTORS: usize = 5;

/// Returns the bound on connections: the setting, or less if the limit on open files is too low for it.
pub(super) fn max_connections(config: &Config, threads: usize) -> usize {
    let wanted = config.limits.max_connections;
    // `None` means that there is no limit.
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let max = below(limit, reserve(config, threads)).min(wanted);
    if max < wanted {
        tracing::info!(
            max_connections = max,
            wanted,
            open_files = limit,
            "the limit on open files leaves room for fewer connections than max_connections"
        );
    }
    max
}

/// Returns the number of descriptors to keep for everything but connections of clients.
fn reserve(config: &Config, threads: usize) -> usize {
    let refusals = MAX_REFUSALS * (threads + 1);
    let programs = PROGRAM_DESCRIPTORS * config.lanes.process as usize;
    // A call has one connection, and a connection may be kept for another call.
    let calls = 2 * config.lanes.async_ as usize;
    BASE_DESCRIPTORS + refusals + programs + calls
}

/// Returns the number of connections below a limit: what the reserve leaves, but at least half. Below a low
/// limit, calls that find no descriptor fail and are tried again.
fn below(limit: usize, reserve: usize) -> usize {
    limit.saturating_sub(reserve).max(limit / 2).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_a_reserve_and_at_least_half_of_a_low_limit() {
        assert_eq!(below(10_000, 1_500), 8_500);
        assert_eq!(below(400, 1_500), 200);
        assert_eq!(below(1, 1_500), 1);
    }

    #[test]
    fn the_reserve_grows_with_the_lanes() {
        let mut config = Config::default();
        let usual = reserve(&config, 2);
        config.lanes.async_ += 100;
        config.lanes.process += 10;
        assert_eq!(reserve(&config, 2), usual + 250);
    }
}
