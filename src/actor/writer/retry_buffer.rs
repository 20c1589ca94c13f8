//! The retry buffer: writes for the next transaction that must not be lost, held in memory while
//! nothing can be written.
//!
//! # Rule
//!
//! A write without a waiting caller is retried if nothing else would repeat it: the outcome of an
//! attempt, a renewal, log lines, or a release of jobs that a remote worker never received. All other
//! writes are repeated by their senders.
//!
//! # Bounds
//!
//! The disk may stay full for hours, while attempts log and the Dispatcher renews every few seconds.
//! The buffer therefore merges writes, and its size depends only on the number of running attempts:
//!
//! - log lines: one write per lease, of which the last 64 KiB of text are kept;
//! - renewals: one write per kind of holder and duration, with each lease once. A renewal counts from
//!   the time at which it is committed, so a later one of the same duration adds nothing;
//! - outcomes: one per worker, which runs no other job until its outcome is on disk;
//! - releases: each job at most once, because nothing is leased while nothing can be written.
//!
//! A commit group takes at most half of its bytes from the buffer, see [`Selection`]; the others wait for
//! the next groups.
//!
//! A merged write keeps the place of the earlier one. A rescue that follows the earlier renewal
//! therefore still follows the merged one, and takes no job away from its holder.

use std::collections::HashSet;

use crate::actor::message::{Commit, Reply};
use crate::actor::writer::selection::Selection;
use crate::job::lease::Lease;
use crate::store::{Renew, Write};

/// Writes for the next transaction, in order. See the module documentation.
#[derive(Default)]
pub(super) struct RetryBuffer(Vec<Commit>);

impl RetryBuffer {
    /// Returns whether a write without a waiting caller must be retried.
    pub(super) fn must_not_be_lost(write: &Write) -> bool {
        matches!(write, Write::Renew(_) | Write::Each(_) | Write::Finish(_) | Write::Log(_))
    }

    /// Adds a write, or merges it into an earlier one.
    pub(super) fn push(&mut self, commit: Commit) {
        let may_merge = matches!(
            commit,
            Commit { write: Write::Log(_) | Write::Renew(_), reply: Reply::Discard }
        );
        if !(may_merge && self.0.iter_mut().rev().any(|earlier| merge(earlier, &commit))) {
            self.0.push(commit);
        }
    }

    /// Takes those writes that a selection takes.
    pub(super) fn take_selected(&mut self, selection: &mut Selection) -> Vec<Commit> {
        selection.take_from(&mut self.0)
    }

    /// Takes all writes.
    pub(super) fn take(&mut self) -> Vec<Commit> {
        std::mem::take(&mut self.0)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Merges `later` into `earlier` if that has the same effect as both. Writes with a recipient are not
/// merged, because each must be answered.
fn merge(earlier: &mut Commit, later: &Commit) -> bool {
    let (Reply::Discard, Reply::Discard) = (&earlier.reply, &later.reply) else { return false };
    match (&mut earlier.write, &later.write) {
        (Write::Log(earlier), Write::Log(later)) if earlier.lease == later.lease => {
            earlier.log.extend(&later.log);
            true
        }
        (Write::Renew(earlier), Write::Renew(later)) if is_same_extension(earlier, later) => {
            let known: HashSet<Lease> = earlier.leases.iter().copied().collect();
            earlier.leases.extend(later.leases.iter().filter(|lease| !known.contains(lease)));
            true
        }
        _ => false,
    }
}

/// Returns whether two renewals extend their leases in the same way.
fn is_same_extension(earlier: &Renew, later: &Renew) -> bool {
    earlier.holder == later.holder
        && earlier.duration == later.duration
        && earlier.progress.is_none()
        && later.progress.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::lease::LeaseToken;
    use crate::job::log::MAX_LOG_BYTES;
    use crate::job::{JobId, Log, Span};
    use crate::store::{Holder, LogLines, MOVE_AT_ONCE, RescueScope};

    fn lease(job: i64) -> Lease {
        Lease { job: JobId(job), token: LeaseToken(1) }
    }

    fn without_recipient(write: Write) -> Commit {
        Commit { write, reply: Reply::Discard }
    }

    fn log(job: i64, text: &str) -> Commit {
        let (lease, holder) = (lease(job), Holder::Local);
        without_recipient(Write::Log(LogLines { lease, holder, log: Log::new(text.into()) }))
    }

    fn renew(jobs: impl IntoIterator<Item = i64>, holder: Holder, secs: u64) -> Commit {
        let (leases, duration) =
            (jobs.into_iter().map(lease).collect(), Some(Span::from_secs(secs)));
        without_recipient(Write::Renew(Renew {
            leases,
            duration,
            holder,
            progress: None,
            keeps_percent: false,
        }))
    }

    /// Returns the jobs of a renewal; empty for any other write.
    fn renewed(commit: &Commit) -> Vec<i64> {
        let Write::Renew(renew) = &commit.write else { return Vec::new() };
        renew.leases.iter().map(|lease| lease.job.0).collect()
    }

    #[test]
    fn log_lines_in_the_retry_buffer_take_no_more_memory_than_one_log() {
        let mut buffer = RetryBuffer::default();
        buffer.push(log(1, "one\n"));
        buffer.push(log(2, "other\n"));
        for _ in 0..100 {
            buffer.push(log(1, &"x\n".repeat(1_000)));
        }
        let pending = buffer.take();
        let [Commit { write: Write::Log(first), .. }, _] = pending.as_slice() else {
            panic!("{} writes", pending.len());
        };
        assert!(first.log.text.len() <= MAX_LOG_BYTES && first.log.to == 200_004, "{first:?}");
    }

    #[test]
    fn renewals_of_the_same_leases_take_the_memory_of_one() {
        let mut buffer = RetryBuffer::default();
        for job in 0..1_000 {
            buffer.push(renew([1, 2, 3 + job % 10], Holder::Local, 30));
        }
        let pending = buffer.take();
        assert_eq!(pending.len(), 1);
        let mut jobs = renewed(&pending[0]);
        jobs.sort_unstable();
        assert_eq!(jobs, (1..13).collect::<Vec<_>>());
    }

    #[test]
    fn renewals_of_other_holders_or_durations_stay_separate() {
        let mut buffer = RetryBuffer::default();
        buffer.push(renew([1], Holder::Local, 30));
        buffer.push(renew([1], Holder::Remote(None), 30));
        buffer.push(renew([1], Holder::Remote(None), 60));
        assert_eq!(buffer.take().iter().map(renewed).collect::<Vec<_>>(), [[1], [1], [1]]);
    }

    #[test]
    fn a_merged_renewal_is_still_written_before_the_rescue_that_followed_it() {
        let mut buffer = RetryBuffer::default();
        let scope = RescueScope::expired_now();
        buffer.push(renew([1], Holder::Local, 30));
        let (reply, _result) = Reply::caller(Vec::new());
        buffer.push(Commit { write: Write::Rescue { scope, limit: MOVE_AT_ONCE }, reply });
        buffer.push(renew([1, 2], Holder::Local, 30));
        let pending = buffer.take();
        assert_eq!(renewed(&pending[0]), [1, 2]);
        assert!(matches!(pending[1].write, Write::Rescue { .. }) && pending.len() == 2);
    }

    #[test]
    fn a_write_whose_caller_waits_is_merged_with_no_other() {
        let mut buffer = RetryBuffer::default();
        buffer.push(renew([1], Holder::Remote(None), 30));
        let (reply, _result) = Reply::caller(Vec::new());
        let write = renew([1], Holder::Remote(None), 30).write;
        buffer.push(Commit { write, reply });
        assert_eq!(buffer.take().len(), 2);
        assert!(buffer.is_empty());
    }
}
