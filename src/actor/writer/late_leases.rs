//! Renewal of late leases: leases whose transaction took so long that they are close to expiring.

use std::time::Duration;

use crate::actor::message::{Commit, Reply};
use crate::job::lease::LeasedJob;
use crate::job::{Lane, Span, Timestamp};
use crate::store::{Holder, Renew, Write};

/// Minimum duration of a transaction whose leases count as late.
///
/// It is half a second, because the shortest lease lasts one second and the server checks for expired
/// leases once a second.
const SLOW_TRANSACTION: Duration = Duration::from_millis(500);

/// Times at which a transaction started and was on disk.
#[derive(Clone, Copy)]
pub(super) struct TransactionTimes {
    pub(super) started_at: Timestamp,
    pub(super) committed_at: Timestamp,
}

/// Returns a write that renews the leases of `jobs`, which one order leased for `duration`; `None` if
/// the transaction was fast enough.
///
/// A lease counts from the start of its transaction, and its holder cannot renew it before the
/// transaction has ended. A rescue that was decided in the meantime would take the job away from a
/// worker that has only just received it. The Writer therefore writes these renewals before all
/// other pending writes except new jobs.
///
/// Example: leases of 1 s, and a commit that takes 3 s on a slow disk. When the worker gets the job,
/// its lease expired 2 s ago. The renewal in the next transaction extends it to 1 s from then.
pub(super) fn renewal(
    jobs: &[LeasedJob],
    lane: Lane,
    duration: Span,
    times: TransactionTimes,
) -> Option<Commit> {
    if jobs.is_empty() || times.committed_at.since(times.started_at) < SLOW_TRANSACTION {
        return None;
    }
    let leases = jobs.iter().map(|job| job.lease).collect();
    let (duration, holder) = (Some(duration), Holder::of(lane));
    let renew = Renew { leases, duration, holder, progress: None, keeps_percent: false };
    Some(Commit { write: Write::Renew(renew), reply: Reply::Discard })
}
