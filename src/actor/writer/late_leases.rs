//! Renewal of late leases: leases whose transaction took so long that they are close to expiring.

use std::time::Duration;

use crate::actor::message::{Commit, Reply};
use crate::job::Timestamp;
use crate::store::{Answer, Holder, Refusal, Renew, Write};

/// Minimum duration of a transaction whose leases count as late.
///
/// It is half a second, because the shortest lease lasts one second and the server checks for expired
/// leases once a second.
const SLOW_TRANSACTION: Duration = Duration::from_millis(500);

/// Returns writes that renew the leases of a commit group that started at `started` and was on disk
/// at `now`; none if the transaction was fast enough.
///
/// A lease counts from the start of its transaction, and its holder cannot renew it before the
/// transaction has ended. A rescue that was decided in the meantime would take the job away from a
/// worker that has only just received it. The Writer therefore writes these renewals before all
/// other pending writes except new jobs.
///
/// Example: leases of 1 s, and a commit that takes 3 s on a slow disk. When the worker gets the job,
/// its lease expired 2 s ago. The renewal in the next transaction extends it to 1 s from then.
pub(crate) fn renewals(
    writes: &[Write],
    answers: &[Result<Answer, Refusal>],
    (started, now): (Timestamp, Timestamp),
) -> Vec<Commit> {
    if now.since(started) < SLOW_TRANSACTION {
        return Vec::new();
    }
    let mut renewals = Vec::new();
    for (write, answer) in writes.iter().zip(answers) {
        let (Write::Lease(request), Ok(Answer::Leased(leased))) = (write, answer) else { continue };
        let leases: Vec<_> = leased.jobs.iter().map(|job| job.lease).collect();
        if !leases.is_empty() {
            let holder = Holder::of(request.order.lane);
            let renew = Renew { leases, duration: Some(request.duration), holder, progress: None };
            renewals.push(Commit { write: Write::Renew(renew), reply: Reply::Discard });
        }
    }
    renewals
}
