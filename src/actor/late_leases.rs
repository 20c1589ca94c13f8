//! Leases whose transaction took long.

use std::time::Duration;

use crate::actor::message::{Commit, Reply};
use crate::job::Timestamp;
use crate::store::{Answer, Holder, Refusal, Renew, Write};

/// How long a transaction may take before its leases count as late. The shortest lasts a second,
/// and one look for those that have run out comes a second.
const LATE: Duration = Duration::from_millis(500);

/// What renews the leases of a group that was begun at `began` and is written `now`.
///
/// A lease counts from the beginning of its transaction, and nobody can renew it before that has
/// ended. What was decided meanwhile, and waits to be written, would take it back from a worker
/// that has only just got it. So these renewals are to be written before anything else but new jobs.
pub(crate) fn renewals(
    writes: &[Write],
    answers: &[Result<Answer, Refusal>],
    (began, now): (Timestamp, Timestamp),
) -> Vec<Commit> {
    if now.since(began) < LATE {
        return Vec::new();
    }
    let mut renewals = Vec::new();
    for (write, answer) in writes.iter().zip(answers) {
        let (Write::Lease(request), Ok(Answer::Leased(leased))) = (write, answer) else { continue };
        let leases: Vec<_> = leased.jobs.iter().map(|job| job.lease).collect();
        if !leases.is_empty() {
            let holder = Holder::of(request.order.lane);
            let renew = Renew { leases, lease: Some(request.lease), holder, progress: None };
            renewals.push(Commit { write: Write::Renew(renew), reply: Reply::Nobody });
        }
    }
    renewals
}
