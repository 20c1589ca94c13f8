//! What the roster learns from a commit group, before and after it is committed.

use crate::actor::message::{Commit, Reply};
use crate::job::{Lane, State};
use crate::roster::{ReadyJob, Roster};
use crate::store::{Change, Write};

/// Updates the roster with the idle workers and new jobs of a group before it is committed, so that
/// the group can end with their leases.
///
/// None of this is undone if nothing can be written. A worker that reported its outcome is idle, and the
/// outcome is in each further group until it is written, before the leases of that group.
pub(super) fn before_commit(roster: &mut Roster, commits: &mut [Commit]) {
    for commit in &mut *commits {
        if let Reply::Worker { queue, lane, payload_bytes, is_idle, .. } = &mut commit.reply
            && !std::mem::replace(is_idle, true)
        {
            roster.release_worker(queue, *lane);
            roster.remove_payload(queue, *payload_bytes);
            if let Write::Finish(finish) = &commit.write
                && let Some(provider) = finish.location.as_ref().and_then(|at| at.provider.as_ref())
            {
                roster.expect_provider_room(provider);
            }
        }
    }
    for commit in commits {
        let Some(submit) = commit.write.submission() else { continue };
        let ready = submit.jobs.iter().filter(|job| !job.is_scheduled);
        roster.mark_all_ready(ready.map(|job| ReadyJob {
            queue: &job.queue,
            lane: job.lane,
            remote_kind: (job.lane == Lane::Remote).then_some(job.kind.as_str()),
            provider: job.provider.as_ref(),
        }));
    }
}

/// Updates the roster with the changes of a group that is on disk.
pub(super) fn after_commit(roster: &mut Roster, changes: &[Change]) {
    for change in changes.iter().filter(|change| change.lane == Lane::Remote) {
        let delta = |state: Option<State>| i32::from(state == Some(State::Running));
        roster.change_remote_running(&change.queue, delta(change.to) - delta(change.from));
    }
    for change in changes.iter().filter(|change| change.from == Some(State::Queued)) {
        if change.to != Some(State::Running) {
            let queue = change.from_queue.as_ref().unwrap_or(&change.queue);
            roster.note_removal(queue, change.lane);
        }
    }
    after_leases(roster, changes);
}

/// Updates the roster with the queued jobs among the changes of a group that is on disk.
pub(super) fn after_leases(roster: &mut Roster, changes: &[Change]) {
    // New jobs for remote workers have no `remote_kind`; they were added before the commit.
    let queued = changes.iter().filter(|change| {
        let has_kind = change.lane != Lane::Remote || change.remote_kind.is_some();
        change.to == Some(State::Queued) && has_kind
    });
    roster.mark_all_ready(queued.map(|change| ReadyJob {
        queue: &change.queue,
        lane: change.lane,
        remote_kind: change.remote_kind.as_deref(),
        provider: change.provider.as_ref(),
    }));
}
