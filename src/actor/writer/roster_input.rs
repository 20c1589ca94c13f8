//! What the roster learns from a commit group, before and after it is committed.

use crate::actor::message::{Commit, Reply};
use crate::job::{Lane, State};
use crate::roster::Roster;
use crate::store::{Change, Write};

/// Updates the roster with the idle workers and new jobs of a group before it is committed, so that
/// the group can end with their leases.
pub(super) fn before_commit(roster: &mut Roster, commits: &[Commit]) {
    for commit in commits {
        if let Reply::Worker { queue, lane, payload_bytes, .. } = &commit.reply {
            roster.release_worker(queue, *lane);
            roster.remove_running_bytes(*payload_bytes);
        }
    }
    for commit in commits {
        let Write::Submit(submit) = &commit.write else { continue };
        let ready = submit.jobs.iter().filter(|job| !job.is_scheduled);
        roster.mark_all_ready(ready.map(|job| {
            let kind = (job.lane == Lane::Remote).then_some(job.kind.as_str());
            (&job.queue, job.lane, kind)
        }));
    }
}

/// Updates the roster with the changes of a group that is on disk.
pub(super) fn after_commit(roster: &mut Roster, changes: &[Change]) {
    for change in changes.iter().filter(|change| change.lane == Lane::Remote) {
        let delta = |state: Option<State>| i32::from(state == Some(State::Running));
        roster.change_remote_running(&change.queue, delta(change.to) - delta(change.from));
    }
    // New jobs for remote workers have no `remote_kind`; they were added before the commit.
    let queued = changes.iter().filter(|change| {
        let has_kind = change.lane != Lane::Remote || change.remote_kind.is_some();
        change.to == Some(State::Queued) && has_kind
    });
    roster.mark_all_ready(
        queued.map(|change| (&change.queue, change.lane, change.remote_kind.as_deref())),
    );
}
