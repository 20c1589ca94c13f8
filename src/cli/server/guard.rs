//! `longshore guard-programs`: kills the programs of a server that died. The server starts it.

use std::collections::BTreeSet;
use std::io::{self, BufRead};

use clap::Args;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::error::CliError;

/// Name of the command, which is not shown in the help.
pub(crate) const COMMAND: &str = "guard-programs";

/// Arguments of `longshore guard-programs`.
#[derive(Debug, Clone, Args)]
pub(crate) struct GuardArgs {
    /// Process groups that run already
    groups: Vec<i32>,
}

/// Reads process groups from stdin until the server closes it, and kills those that are left.
///
/// `+12` adds the group 12, and `-12` removes it.
pub(crate) fn run(args: GuardArgs) -> Result<(), CliError> {
    // A supervisor may send SIGTERM to all processes of the server. The guard ends after the server.
    for kind in [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()] {
        // tokio keeps the handler installed after the listener is dropped.
        signal(kind).map(drop).map_err(CliError::io("cannot listen for signals"))?;
    }
    for group in remaining_groups(args.groups, io::stdin().lock()) {
        // Fails if the group has no members left.
        let _ = kill_process_group(group, Signal::KILL);
    }
    Ok(())
}

/// Returns the groups that were there first or were added, and not removed.
fn remaining_groups(first: Vec<i32>, changes: impl BufRead) -> Vec<Pid> {
    let mut groups = BTreeSet::from_iter(first);
    for line in changes.lines().map_while(Result::ok) {
        let Some((change, group)) = line.split_at_checked(1) else { continue };
        let Ok(group) = group.parse::<i32>() else { continue };
        match change {
            "+" => groups.insert(group),
            _ => groups.remove(&group),
        };
    }
    // The groups 0 and 1 would be the own one and all processes of the system.
    groups.into_iter().filter(|group| *group > 1).filter_map(Pid::from_raw).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_that_were_added_and_not_removed_are_left() {
        let left = |text: &str| -> Vec<i32> {
            let groups = remaining_groups(vec![9], format!("-9\n{text}").as_bytes());
            groups.iter().map(|group| group.as_raw_nonzero().get()).collect()
        };
        assert_eq!(left("+12\n+34\n-12\n+56\n"), [34, 56]);
        assert_eq!(left("+12\n-12\n+12\n+9\n"), [9, 12]);
        for odd in ["", "\n", "+\n", "+0\n+1\n+-5\n", "+x\n", "12\n"] {
            assert_eq!(left(odd), [0; 0], "{odd:?}");
        }
    }
}
