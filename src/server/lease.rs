//! Leases of remote workers: waiting for jobs, going on with them, ending them.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::actor::inbox::WriterHandle;
use crate::actor::lease_replies::release;
use crate::actor::message::{AddWaitingWorker, Commit, LeaseReply, RemoveWaitingWorker, Reply};
use crate::job::lease::{Lease, LeasedJob};
use crate::job::outcome::Outcome;
use crate::job::problem::Problem;
use crate::job::remote::{
    CheckedLeaseAction, CheckedLeaseJobsRequest, CheckedLeaseReport, LeaseAction, LeaseJobsRequest,
    LeaseReport,
};
use crate::job::roster::{WaitingWorker, WaitingWorkerId};
use crate::job::{JobId, State, Timestamp};
use crate::server::error::Error;
use crate::server::handle::{Handle, MAX_WAIT};
use crate::server::submit::check_each;
use crate::store::{Answer, Finish, Finished, Holder, LogLines, Refusal, Renew, Write};

/// Numbers those who wait. They rise, so that who came first is served first.
static NEXT_WAITING_WORKER: AtomicU64 = AtomicU64::new(1);

/// What a remote worker's action on a lease gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseActionResult {
    /// The lease holds until then.
    Renewed {
        /// When it runs out.
        lease_expires_at: Timestamp,
        /// Whether the job is to stop.
        cancel: bool,
    },
    /// The job moved on.
    Finished {
        /// Where it stands now.
        state: State,
        /// Whether its result was cut to `max_result_bytes`.
        result_truncated: bool,
    },
    /// It is the same finish as before; nothing changed.
    Repeated,
}

impl Handle {
    /// Leases jobs for a remote worker; waits until there is one, as long as the call says. Nothing
    /// is not an error.
    ///
    /// Dropping the future gives back what it would have got.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the call may not be, [`Error::Draining`] where the server is about
    /// to stop, [`Error::Overloaded`] where as many wait as may.
    pub async fn lease(&self, call: LeaseJobsRequest) -> Result<Vec<LeasedJob>, Error> {
        let call = call.check(self.config().lease, MAX_WAIT).map_err(Error::Invalid)?;
        if !self.is_ready() {
            return Err(Error::Draining);
        }
        let wait = call.wait;
        let mut guard = self.join(call)?;
        tokio::select! {
            biased;
            lease_reply = &mut guard.jobs => guard.finish(lease_reply),
            // Who does not want to wait is told at once.
            () = tokio::time::sleep(wait), if !wait.is_zero() => guard.stop_waiting(),
            () = self.stopped() => guard.stop_waiting(),
        }
    }

    fn join(&self, call: CheckedLeaseJobsRequest) -> Result<WaitingGuard, Error> {
        let CheckedLeaseJobsRequest { filter, limit, lease, wait, worker } = call;
        let permit = self.wait_permit()?;
        let id = WaitingWorkerId(NEXT_WAITING_WORKER.fetch_add(1, Ordering::Relaxed));
        let (reply, jobs) = oneshot::channel();
        let writer = self.writer().clone();
        let guard = WaitingGuard { id, jobs, writer, is_over: false, _permit: permit };
        let waiting_worker = WaitingWorker { id, filter, limit };
        let request =
            AddWaitingWorker { waiting_worker, no_wait: wait.is_zero(), lease, worker, reply };
        if self.writer().send(request) { Ok(guard) } else { Err(Error::Stopped) }
    }

    /// Goes on with a leased job, or ends it, as its worker says.
    ///
    /// # Errors
    /// [`Error::Invalid`] where what it says may not be, [`Error::Refused`] where the lease is no
    /// longer held.
    pub async fn lease_action(
        &self,
        job: JobId,
        action: LeaseAction,
        told: LeaseReport,
    ) -> Result<(Lease, LeaseActionResult), Error> {
        let most = self.config().limits.max_result_bytes;
        let heard = told.check_one(job, action, most).map_err(Error::Invalid)?;
        let (lease, bytes, is_cut) = (heard.lease, weight(&heard), is_cut(&heard));
        let answer = self.write(write_of(heard), bytes).await?;
        Ok((lease, action_result(answer, is_cut).map_err(Error::Refused)?))
    }

    /// Does many such actions in one transaction, each taken or refused by itself, in their order.
    ///
    /// # Errors
    /// Where none of them was written: [`Error::Invalid`] where one may not be, its pointer
    /// beginning with its number, from 0.
    pub async fn lease_actions(
        &self,
        told: Vec<LeaseReport>,
    ) -> Result<Vec<(Lease, Result<LeaseActionResult, Refusal>)>, Error> {
        let heard = self.check_actions(told)?;
        let bytes = heard.iter().map(weight).sum();
        let leases: Vec<(Lease, bool)> =
            heard.iter().map(|heard| (heard.lease, is_cut(heard))).collect();
        let writes = heard.into_iter().map(write_of);
        match self.write(Write::Each(writes.collect()), bytes).await? {
            Answer::Each(answers) => {
                let both = leases.into_iter().zip(answers);
                let action_result = |((lease, is_cut), answer): (_, Result<Answer, Refusal>)| {
                    (lease, answer.and_then(|answer| action_result(answer, is_cut)))
                };
                Ok(both.map(action_result).collect())
            }
            _ => Err(Error::Unknown),
        }
    }

    fn check_actions(&self, told: Vec<LeaseReport>) -> Result<Vec<CheckedLeaseReport>, Error> {
        let limits = &self.config().limits;
        let most = limits.max_jobs_per_request;
        if !(1..=most).contains(&told.len()) {
            let why = format!("has 1 to {most} leases; this has {}", told.len());
            return Err(Error::Invalid(vec![Problem::new("", why)]));
        }
        check_each(told, "", |told| told.check_many(limits.max_result_bytes))
    }
}

fn write_of(CheckedLeaseReport { lease, action, log }: CheckedLeaseReport) -> Write {
    let holder = Holder::Remote;
    let write = match action {
        CheckedLeaseAction::Renew { lease: span, progress } => {
            Write::Renew(Renew { leases: vec![lease], lease: span, holder, progress })
        }
        CheckedLeaseAction::Finish(outcome) => {
            Write::Finish(Finish { lease, outcome, holder, location: None, started_at: None })
        }
    };
    if log.is_empty() {
        return write;
    }
    // What it said comes before what it did, which may end the lease.
    Write::Each(vec![Write::Log(LogLines { lease, holder, log }), write])
}

fn weight(heard: &CheckedLeaseReport) -> usize {
    let result = match &heard.action {
        CheckedLeaseAction::Finish(Outcome::Completed(result)) => result.json.as_str().len(),
        _ => 0,
    };
    result + heard.log.text.len()
}

fn is_cut(heard: &CheckedLeaseReport) -> bool {
    matches!(&heard.action, CheckedLeaseAction::Finish(Outcome::Completed(result)) if result.truncated)
}

fn action_result(answer: Answer, result_truncated: bool) -> Result<LeaseActionResult, Refusal> {
    match answer {
        Answer::Each(mut answers) => {
            action_result(answers.pop().unwrap_or(Err(Refusal::StaleLease))?, result_truncated)
        }
        Answer::Finished(Finished::Accepted(state)) => {
            Ok(LeaseActionResult::Finished { state, result_truncated })
        }
        Answer::Finished(Finished::Repeated) => Ok(LeaseActionResult::Repeated),
        Answer::Renewed(renewed) => {
            let (_, lease_expires_at) = *renewed.held.first().ok_or(Refusal::StaleLease)?;
            Ok(LeaseActionResult::Renewed {
                lease_expires_at,
                cancel: !renewed.cancelled.is_empty(),
            })
        }
        _ => Err(Refusal::StaleLease),
    }
}

/// A remote worker's guard among those who wait. What comes when nobody is there to take it goes
/// back.
struct WaitingGuard {
    id: WaitingWorkerId,
    jobs: oneshot::Receiver<LeaseReply>,
    writer: WriterHandle,
    is_over: bool,
    _permit: OwnedSemaphorePermit,
}

impl WaitingGuard {
    fn finish(
        &mut self,
        lease_reply: Result<LeaseReply, oneshot::error::RecvError>,
    ) -> Result<Vec<LeasedJob>, Error> {
        self.is_over = true;
        match lease_reply {
            Ok(lease_reply) => lease_reply.map_err(Error::from),
            Err(_) => Err(Error::Stopped),
        }
    }

    /// Ends the wait. Jobs may have come just now.
    fn stop_waiting(&mut self) -> Result<Vec<LeasedJob>, Error> {
        self.jobs.close();
        match self.jobs.try_recv() {
            Ok(lease_reply) => self.finish(Ok(lease_reply)),
            Err(_) => Ok(Vec::new()),
        }
    }
}

impl Drop for WaitingGuard {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        self.jobs.close();
        match self.jobs.try_recv() {
            Ok(Ok(jobs)) if !jobs.is_empty() => {
                let write = release(jobs.iter().map(|job| job.lease));
                self.writer.commit(Commit { write, reply: Reply::Nobody });
            }
            Ok(_) => {}
            Err(_) => {
                self.writer.send(RemoveWaitingWorker(self.id));
            }
        }
    }
}
