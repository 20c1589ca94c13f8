//! Selection of the writes of one commit group, which is bounded by bytes.
//!
//! The group takes writes in the order in which they arrived until their texts fill it. Heavy writes after
//! that are left for a later group. Light ones overtake them, so that a small submission does not wait for
//! many large ones, unless the effect of the light one depends on a write that is left:
//!
//! | write | overtakes |
//! | --- | --- |
//! | `Finish`, `Log`, `Cancel`, `Retry`, `Update`, `Delete` | all writes but those that name the same job |
//! | `Rescue`, `Expire`, `CancelBatch` | submissions only, because they find their jobs themselves |
//! | `Each` | what each of its writes overtakes |
//! | all others | all writes |
//!
//! Why: a worker reported in time if its finish arrived before the rescue, a cancel that arrives after the
//! end of a job must not replace it, and a log line after the end of its attempt is refused.
//!
//! Why the others are harmless:
//!
//! - A caller waits for the answer to a submission before it names the job, so nothing that names a job
//!   depends on a submission that is left. A job that is inserted later is rescued or expires later.
//! - `Renew` and `Report` only extend or describe an attempt that has not ended. The finish that they
//!   overtake ends it all the same, and a rescue that they overtake spares a job whose worker lives.
//! - `Stage`, `Prune` and `TimeBuckets` find in their next turn what they missed. `Configure`,
//!   `RecordActivity` and `Probe` touch no job.

use std::collections::HashSet;

use crate::actor::message::Commit;
use crate::job::JobId;
use crate::store::Write;

/// Maximum size of the texts of a light write, in bytes. Far more light writes than callers may send at
/// once still make a short transaction.
const MAX_LIGHT_BYTES: usize = 4 << 10;

/// The selection for one group. See the module documentation.
pub(crate) struct Selection {
    /// Number of bytes that are not used up yet.
    room: usize,
    /// Jobs that the writes which are left name.
    jobs_left: HashSet<JobId>,
}

impl Selection {
    /// Starts a selection that takes writes until they have `max_bytes`.
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self { room: max_bytes, jobs_left: HashSet::new() }
    }

    /// Lets further commits take `bytes` more.
    pub(crate) fn add_room(&mut self, bytes: usize) {
        self.room += bytes;
    }

    /// Takes those of `commits` that belong to the group, and leaves the others, both in order. The commits
    /// of further calls arrived later.
    pub(crate) fn take_from(&mut self, commits: &mut Vec<Commit>) -> Vec<Commit> {
        if self.takes_all(commits) {
            return std::mem::take(commits);
        }
        let (taken, left) = commits.drain(..).partition(|commit| self.takes(commit));
        *commits = left;
        taken
    }

    /// Returns whether the group has room for all commits, which is usual. If so, their room is used up.
    fn takes_all(&mut self, commits: &[Commit]) -> bool {
        let Some((last, others)) = commits.split_last() else { return true };
        let before_last: usize = others.iter().map(Commit::bytes).sum();
        let takes_all = self.jobs_left.is_empty() && before_last < self.room;
        if takes_all {
            self.room = self.room.saturating_sub(before_last + last.bytes());
        }
        takes_all
    }

    fn takes(&mut self, commit: &Commit) -> bool {
        let bytes = commit.bytes();
        let is_taken =
            (self.room > 0 || bytes <= MAX_LIGHT_BYTES) && !self.depends_on_left(&commit.write);
        if is_taken {
            self.room = self.room.saturating_sub(bytes);
        } else {
            add_jobs(&commit.write, &mut self.jobs_left);
        }
        is_taken
    }

    /// Returns whether the effect of a write depends on one that is left.
    fn depends_on_left(&self, write: &Write) -> bool {
        match write {
            _ if self.jobs_left.is_empty() => false,
            Write::Rescue { .. } | Write::Expire { .. } | Write::CancelBatch(_) => true,
            Write::Each(writes) => writes.iter().any(|write| self.depends_on_left(write)),
            write => named_job(write).is_some_and(|job| self.jobs_left.contains(&job)),
        }
    }
}

/// Adds the jobs that a write names.
fn add_jobs(write: &Write, jobs: &mut HashSet<JobId>) {
    match write {
        Write::Each(writes) => writes.iter().for_each(|write| add_jobs(write, jobs)),
        write => jobs.extend(named_job(write)),
    }
}

/// Returns the job that a write names, if the order of two such writes matters.
fn named_job(write: &Write) -> Option<JobId> {
    match write {
        Write::Finish(finish) => Some(finish.lease.job),
        Write::Log(lines) => Some(lines.lease.job),
        Write::Cancel(job) | Write::Retry(job) | Write::Update(job, _) | Write::Delete(job) => {
            Some(*job)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actor::message::Reply;
    use crate::actor::test_kit::submit;
    use crate::job::lease::{Lease, LeaseToken};
    use crate::job::outcome::Outcome;
    use crate::job::{BatchId, Lane, Log};
    use crate::store::{Finish, Holder, LogLines, RescueScope};

    fn lease(job: i64) -> Lease {
        Lease { job: JobId(job), token: LeaseToken(1) }
    }

    /// A commit that weighs `payload_bytes`, and more if its write has texts.
    fn commit(write: Write, payload_bytes: usize) -> Commit {
        let (lease, queue, lane) = (lease(0), "default".parse().unwrap(), Lane::Async);
        let reply = Reply::Worker { lease, queue, lane, payload_bytes, is_idle: false };
        Commit { write, reply }
    }

    fn finish(job: i64) -> Write {
        let (outcome, holder) = (Outcome::Released, Holder::Remote(None));
        let lease = lease(job);
        Write::Finish(Finish { lease, outcome, holder, location: None, started_at: None })
    }

    fn log(job: i64) -> Write {
        let (lease, holder) = (lease(job), Holder::Local);
        Write::Log(LogLines { lease, holder, log: Log::new("line\n".into()) })
    }

    fn rescue() -> Write {
        Write::Rescue { scope: RescueScope::expired_now(), limit: 1 }
    }

    /// Returns which of some light writes overtake a heavy one that does not fit into the group.
    fn overtake<const N: usize>(heavy: Write, light: [Write; N]) -> [bool; N] {
        let number = |reply: &Reply| match reply {
            Reply::Worker { payload_bytes, .. } => *payload_bytes,
            _ => unreachable!(),
        };
        let fill = commit(Write::Probe, 100);
        let mut commits = vec![fill, commit(heavy, MAX_LIGHT_BYTES + 1)];
        commits.extend(light.into_iter().enumerate().map(|(index, write)| commit(write, index)));
        let taken = Selection::new(100).take_from(&mut commits);
        assert_eq!((taken.len() + commits.len(), number(&taken[0].reply)), (N + 2, 100));
        assert_eq!(number(&commits[0].reply), MAX_LIGHT_BYTES + 1);
        let left: Vec<usize> = commits.iter().map(|commit| number(&commit.reply)).collect();
        std::array::from_fn(|index| !left.contains(&index))
    }

    #[test]
    fn a_group_ends_with_the_commit_that_fills_it_and_only_light_ones_overtake_the_others() {
        let bytes = [30_000, 1, 40_000, 90_000, 2, 50_000, 3];
        let mut commits: Vec<_> =
            bytes.into_iter().map(|bytes| commit(Write::Probe, bytes)).collect();
        let mut take = || {
            let taken = Selection::new(70_000).take_from(&mut commits);
            (taken.iter().map(Commit::bytes).collect::<Vec<_>>(), !commits.is_empty())
        };
        assert_eq!(take(), (vec![30_000, 1, 40_000, 2, 3], true));
        assert_eq!(take(), (vec![90_000], true));
        assert_eq!(take(), (vec![50_000], false));
        assert_eq!(take(), (vec![], false));
    }

    #[test]
    fn a_write_that_depends_on_finishes_stays_behind_a_finish_that_is_left() {
        let light = || {
            let expire = Write::Expire { limit: 1 };
            let each = Write::Each(vec![log(4), finish(1)]);
            let cancel_batch = Write::CancelBatch(BatchId(1));
            [rescue(), expire, cancel_batch, Write::Cancel(JobId(1)), each, finish(2)]
        };
        assert_eq!(overtake(finish(1), light()), [false, false, false, false, false, true]);
        let bulk = Write::Each(vec![finish(3), finish(1)]);
        assert_eq!(overtake(bulk, light()), [false, false, false, false, false, true]);
        assert_eq!(overtake(submit(Lane::Async), light()), [true; 6]);
    }

    #[test]
    fn a_write_stays_behind_one_that_is_left_for_the_same_job_and_overtakes_those_of_others() {
        let light = [finish(1), Write::Delete(JobId(1)), log(1), log(2), Write::Cancel(JobId(2))];
        assert_eq!(overtake(log(1), light), [false, false, false, true, true]);
        // A write that stays holds others back in its turn.
        let light = [Write::Each(vec![log(1), log(2)]), finish(2), Write::Probe];
        assert_eq!(overtake(log(1), light), [false, false, true]);
    }

    #[test]
    fn further_commits_stay_behind_those_that_an_earlier_call_left() {
        let mut selection = Selection::new(100);
        let mut earlier = vec![commit(Write::Probe, 100), commit(finish(1), 5_000)];
        assert_eq!(selection.take_from(&mut earlier).len(), 1);
        let mut later = vec![commit(rescue(), 0), commit(Write::Probe, 0)];
        let taken = selection.take_from(&mut later);
        assert!(matches!(taken.as_slice(), [Commit { write: Write::Probe, .. }]));
        assert!(matches!(later.as_slice(), [Commit { write: Write::Rescue { .. }, .. }]));
    }
}
