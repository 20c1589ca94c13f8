//! What the Writer keeps where nothing can be written.

use crate::actor::message::Commit;
use crate::store::Write;

/// Whether nobody would ask for this again.
pub(super) fn exists_nowhere_else(write: &Write) -> bool {
    matches!(write, Write::Renew(_) | Write::Each(_) | Write::Finish(_) | Write::Log(_))
}

/// Keeps a write for later. What an attempt goes on to say joins what it has said, of which only the
/// end is kept.
pub(super) fn keep(pending: &mut Vec<Commit>, commit: Commit) {
    if let Write::Log(more) = &commit.write {
        let said = pending.iter_mut().rev().find_map(|kept| match &mut kept.write {
            Write::Log(said) if said.lease == more.lease => Some(said),
            _ => None,
        });
        if let Some(said) = said {
            return said.log.extend(&more.log);
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

    fn said(job: i64, text: &str) -> Commit {
        let lease = Lease { job: JobId(job), token: LeaseToken(1) };
        let write =
            Write::Log(LogLines { lease, holder: Holder::Local, log: Log::new(text.into()) });
        Commit { write, reply: Reply::Nobody }
    }

    #[test]
    fn what_is_said_while_the_disk_is_full_takes_no_more_room_than_a_log() {
        let mut pending = Vec::new();
        keep(&mut pending, said(1, "one\n"));
        keep(&mut pending, said(2, "other\n"));
        for _ in 0..100 {
            keep(&mut pending, said(1, &"x\n".repeat(1_000)));
        }
        let [Commit { write: Write::Log(first), .. }, _] = pending.as_slice() else {
            panic!("{} writes", pending.len());
        };
        assert!(first.log.text.len() <= MAX_LOG_BYTES && first.log.to == 200_004, "{first:?}");
    }
}
