//! The retry buffer: writes that must not be lost, held in memory while nothing can be written.
//!
//! An attempt may log without end while the disk is full. Its log lines are therefore merged into one
//! write, of which only the last 64 KiB are kept.

use crate::actor::message::Commit;
use crate::store::Write;

/// Returns whether a write without a recipient must be retried because nothing else would repeat it.
pub(super) fn must_not_be_lost(write: &Write) -> bool {
    matches!(write, Write::Renew(_) | Write::Each(_) | Write::Finish(_) | Write::Log(_))
}

/// Adds a write to the buffer. Log lines are appended to the pending log lines of the same lease.
pub(super) fn push(pending: &mut Vec<Commit>, commit: Commit) {
    if let Write::Log(more) = &commit.write {
        let earlier = pending.iter_mut().rev().find_map(|commit| match &mut commit.write {
            Write::Log(earlier) if earlier.lease == more.lease => Some(earlier),
            _ => None,
        });
        if let Some(earlier) = earlier {
            return earlier.log.extend(&more.log);
        }
    }
    pending.push(commit);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actor::message::Reply;
    use crate::job::lease::{Lease, LeaseToken};
    use crate::job::log::MAX_LOG_BYTES;
    use crate::job::{JobId, Log};
    use crate::store::{Holder, LogLines};

    fn log_commit(job: i64, text: &str) -> Commit {
        let lease = Lease { job: JobId(job), token: LeaseToken(1) };
        let write =
            Write::Log(LogLines { lease, holder: Holder::Local, log: Log::new(text.into()) });
        Commit { write, reply: Reply::Discard }
    }

    #[test]
    fn log_lines_in_the_retry_buffer_take_no_more_memory_than_one_log() {
        let mut pending = Vec::new();
        push(&mut pending, log_commit(1, "one\n"));
        push(&mut pending, log_commit(2, "other\n"));
        for _ in 0..100 {
            push(&mut pending, log_commit(1, &"x\n".repeat(1_000)));
        }
        let [Commit { write: Write::Log(first), .. }, _] = pending.as_slice() else {
            panic!("{} writes", pending.len());
        };
        assert!(first.log.text.len() <= MAX_LOG_BYTES && first.log.to == 200_004, "{first:?}");
    }
}
