//! Leases whose transaction took long.

use std::time::Duration;

use crate::actor::message::{Commit, Reply};
use crate::job::{Lane, Timestamp};
use crate::store::{Answer, Holder, LeaseRequest, Refusal, Renew, Write};

/// How long a transaction may take before its leases count as late. The shortest lasts a second,
/// and one look for those that have run out comes a second.
const LATE: Duration = Duration::from_millis(500);

/// What renews the leases of a group that was begun at `began` and is written `now`.
///
/// A lease counts from the beginning of its transaction, and nobody can renew it before that has
/// ended. What was decided meanwhile, and waits to be written, would take it back from a worker
/// that has only just got it. So these renewals are to be written before anything else.
pub(crate) fn renewals(
    requests: &[LeaseRequest],
    answers: &[Result<Answer, Refusal>],
    (began, now): (Timestamp, Timestamp),
) -> Vec<Commit> {
    if now.since(began) < LATE {
        return Vec::new();
    }
    // The leases stand at the end of their group.
    let answers = answers.iter().skip(answers.len().saturating_sub(requests.len()));
    let mut renewals = Vec::new();
    for (request, answer) in requests.iter().zip(answers) {
        let Ok(Answer::Leased(leased)) = answer else { continue };
        let leases = leased.jobs.iter().map(|job| job.lease).collect::<Vec<_>>();
        if !leases.is_empty() {
            let is_remote = request.order.lane == Lane::Remote;
            let holder = if is_remote { Holder::Remote } else { Holder::Local };
            let renew = Renew { leases, lease: Some(request.lease), holder, progress: None };
            renewals.push(Commit { write: Write::Renew(renew), reply: Reply::Nobody });
        }
    }
    renewals
}
