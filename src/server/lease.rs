//! Leases of remote workers: wait for jobs, renew their leases, finish them.

pub(in crate::server) mod kinds;
mod near_names;
mod watch;

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::oneshot;

use crate::actor::message::{AddWaitingWorker, Commit, LeaseReply, RemoveWaitingWorker, Reply};
use crate::actor::send;
use crate::actor::writer::lease_replies::release;
use crate::api::leases::{
    CheckedLeaseAction, CheckedLeaseJobsRequest, CheckedLeaseReport, LeaseAction, LeaseJobsRequest,
    LeaseReport,
};
use crate::job::lease::{Lease, LeaseToken, LeasedJob};
use crate::job::outcome::Outcome;
use crate::job::problem::Problem;
use crate::job::{JobId, State, Timestamp};
use crate::roster::{LeaseFilter, WaitingWorker, WaitingWorkerId};
use crate::server::error::Error;
use crate::server::handle::bounds::HeldPermit;
use crate::server::handle::size::ByteShare;
use crate::server::handle::{Handle, MAX_WAIT};
use crate::store::{Answer, Finish, Finished, Holder, LogLines, Refusal, Renew, Write};

pub use watch::LeaseWatchResult;

/// Id of the next waiting worker. Ids rise, so that the longest waiting worker is served first.
static NEXT_WAITING_WORKER: AtomicU64 = AtomicU64::new(1);

/// Number of turns of the runtime that the caller gets to notice that its client has disconnected.
const TURNS_TO_NOTICE_DISCONNECT: usize = 3;

/// Approximate size of a report without its result and its log, in bytes.
const REPORT_BASE_BYTES: usize = 256;

/// Result of a remote worker's action on a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseActionResult {
    /// The lease was extended.
    Renewed {
        /// Time at which the lease expires unless it is renewed again.
        lease_expires_at: Timestamp,
        /// Whether the job was cancelled, so that the worker should stop.
        cancel: bool,
    },
    /// The attempt was ended.
    Finished {
        /// State of the job now.
        state: State,
        /// Whether its result was truncated to `max_result_bytes`.
        result_truncated: bool,
    },
    /// The same finish was reported before; nothing changed.
    Repeated,
}

/// Result of one of several reports.
#[derive(Debug)]
pub struct LeaseReportResult {
    /// Id of the job, if the report has one.
    pub job: Option<JobId>,
    /// Fencing token of the lease, if the report has one.
    pub lease_token: Option<LeaseToken>,
    /// Result of the action, or why it was refused.
    pub result: Result<LeaseActionResult, Error>,
}

impl Handle {
    /// Leases jobs for a remote worker. If no job is available, waits for one as long as the request
    /// says, then returns an empty list. The kinds that the request names are known from then on, unless it
    /// says otherwise, see [`Handle::known_kinds`].
    ///
    /// Dropping the future releases the jobs that were leased for it.
    ///
    /// # Errors
    /// Returns [`Error::Invalid`] if a field of the request is invalid, [`Error::Forbidden`] if it names a queue
    /// that the principal may not use, [`Error::Draining`] if the server is about to stop, and [`Error::Overloaded`] if too many clients wait already.
    pub async fn lease(&self, request: LeaseJobsRequest) -> Result<Vec<LeasedJob>, Error> {
        let request = request.check(self.config().lease, MAX_WAIT).map_err(Error::Invalid)?;
        if !self.is_ready() {
            return Err(Error::Draining);
        }
        for queue in request.filter.queues.iter().flat_map(|queues| queues.iter()) {
            self.check_queue(queue)?;
        }
        let (wait, learned) = (request.wait, request.learn_kinds.then(|| request.filter.clone()));
        let mut guard = self.add_waiting_worker(request)?;
        if let Some(filter) = learned {
            self.learn_kinds(&filter).await;
        }
        tokio::select! {
            biased;
            lease_reply = &mut guard.jobs => guard.receive(lease_reply).await,
            // A request with a wait of zero is answered by the Writer at once and needs no timer.
            () = tokio::time::sleep(wait), if !wait.is_zero() => guard.stop_waiting(),
            () = self.stopped() => guard.stop_waiting(),
        }
    }

    /// Registers a waiting worker with the Writer.
    fn add_waiting_worker(&self, request: CheckedLeaseJobsRequest) -> Result<WaitingGuard, Error> {
        let CheckedLeaseJobsRequest { filter, limit, lease: lease_duration, wait, worker, .. } =
            request;
        let permit = self.wait_permit()?;
        let id = WaitingWorkerId(NEXT_WAITING_WORKER.fetch_add(1, Ordering::Relaxed));
        let (reply, jobs) = oneshot::channel();
        let handle = self.clone();
        let guard = WaitingGuard {
            id,
            jobs,
            handle,
            is_answered: false,
            received: Vec::new(),
            _permit: permit,
        };
        let filter = LeaseFilter { access: self.access().clone(), ..filter };
        let waiting_worker = WaitingWorker { id, filter, limit };
        let no_wait = wait.is_zero();
        let key = self.principal().key;
        let message =
            AddWaitingWorker { waiting_worker, no_wait, lease_duration, worker, key, reply };
        if send(&self.connections().lease_requests, message) {
            Ok(guard)
        } else {
            Err(Error::Stopped)
        }
    }

    /// Releases jobs that were leased and cannot be returned to the worker.
    pub(crate) fn release(&self, jobs: &[LeasedJob]) {
        let write = release(jobs.iter().map(|job| job.lease));
        self.connections().writer.commit(Commit { write, reply: Reply::Discard });
    }

    /// Applies one action of a remote worker to its lease: renew, complete, fail or release.
    ///
    /// # Errors
    /// Returns [`Error::Invalid`] if a field of the report is invalid, and [`Error::Refused`] if the
    /// worker no longer holds the lease.
    pub async fn lease_action(
        &self,
        job: JobId,
        action: LeaseAction,
        report: LeaseReport,
    ) -> Result<(Lease, LeaseActionResult), Error> {
        let (max, bytes) = (self.config().limits.max_result_bytes, size_as_received(&report));
        let check = move || report.check_one(job, action, max);
        let report =
            self.compute(ByteShare::Actions, bytes, check).await?.map_err(Error::Invalid)?;
        let (lease, bytes, truncated) =
            (report.lease, size_of_report(&report), is_truncated(&report));
        let answer = self.write(self.write_of(report), bytes).await?;
        Ok((lease, action_result(answer, truncated).map_err(Error::Refused)?))
    }

    /// Applies many such actions in one transaction. Each is applied or refused by itself; the results
    /// are in the order of `reports`.
    ///
    /// # Errors
    /// Returns [`Error::Invalid`] if there are no reports or too many. The result of a report that is
    /// invalid is [`Error::Invalid`] with pointers inside the report, and that of a worker that no
    /// longer holds the lease is [`Error::Refused`].
    pub async fn lease_actions(
        &self,
        reports: Vec<LeaseReport>,
    ) -> Result<Vec<LeaseReportResult>, Error> {
        self.check_number_of_reports(reports.len())?;
        let max = self.config().limits.max_result_bytes;
        let received = reports.iter().map(size_as_received).sum();
        let check = move || {
            let reports = reports.into_iter();
            let check =
                |report: LeaseReport| (report.id, report.lease_token, report.check_many(max));
            reports.map(check).collect::<Vec<_>>()
        };
        let reports = self.compute(ByteShare::Actions, received, check).await?;
        let (mut checked, mut writes, mut bytes) =
            (Vec::with_capacity(reports.len()), Vec::new(), 0);
        for (job, lease_token, report) in reports {
            let is_truncated = report.as_ref().map(is_truncated).unwrap_or_default();
            let refused = report.map(|report| {
                bytes += size_of_report(&report);
                writes.push(self.write_of(report));
            });
            checked.push((job, lease_token, refused.map(|()| is_truncated)));
        }
        let mut answers = self.write_each(writes, bytes).await?.into_iter();
        let mut result = |truncated| match answers.next() {
            Some(answer) => {
                answer.and_then(|answer| action_result(answer, truncated)).map_err(Error::Refused)
            }
            None => Err(Error::Unknown),
        };
        let results = checked.into_iter().map(|(job, lease_token, checked)| LeaseReportResult {
            job,
            lease_token,
            result: checked.map_err(Error::Invalid).and_then(&mut result),
        });
        Ok(results.collect())
    }

    /// Returns the write that applies a report.
    fn write_of(&self, report: CheckedLeaseReport) -> Write {
        self.within_access(write_of(report, Holder::Remote(self.lease_key())))
    }

    /// Applies writes in one transaction and returns the answer to each.
    async fn write_each(
        &self,
        writes: Vec<Write>,
        bytes: usize,
    ) -> Result<Vec<Result<Answer, Refusal>>, Error> {
        if writes.is_empty() {
            return Ok(Vec::new());
        }
        match self.write(Write::Each(writes), bytes).await? {
            Answer::Each(answers) => Ok(answers),
            _ => Err(Error::Unknown),
        }
    }

    /// Checks the number of reports in a request.
    pub(crate) fn check_number_of_reports(&self, number: usize) -> Result<(), Error> {
        let max = self.config().limits.max_jobs_per_request;
        if (1..=max).contains(&number) {
            return Ok(());
        }
        let detail = format!("must have 1 to {max} leases, but has {number}");
        Err(Error::Invalid(vec![Problem::new("", detail)]))
    }
}

/// Returns the write that applies a report of a worker.
fn write_of(
    CheckedLeaseReport { lease, action, log }: CheckedLeaseReport,
    holder: Holder,
) -> Write {
    let write = match action {
        CheckedLeaseAction::Renew { lease: duration, progress, keeps_percent } => {
            Write::Renew(Renew { leases: vec![lease], duration, holder, progress, keeps_percent })
        }
        CheckedLeaseAction::Finish(outcome) => {
            Write::Finish(Finish { lease, outcome, holder, location: None, started_at: None })
        }
    };
    if log.is_empty() {
        return write;
    }
    // The log lines come first, because the action may end the lease.
    Write::Each(vec![Write::Log(LogLines { lease, holder, log }), write])
}

/// Returns the approximate size of a report that is not checked yet, in bytes.
fn size_as_received(report: &LeaseReport) -> usize {
    let result = report.result.as_ref().map_or(0, |result| result.as_str().len());
    let log = report.log.as_ref().map_or(0, String::len);
    REPORT_BASE_BYTES + result + log
}

/// Returns the approximate size of a report, in bytes.
fn size_of_report(report: &CheckedLeaseReport) -> usize {
    let result = match &report.action {
        CheckedLeaseAction::Finish(Outcome::Completed(result)) => result.json.as_str().len(),
        _ => 0,
    };
    result + report.log.text.len()
}

fn is_truncated(report: &CheckedLeaseReport) -> bool {
    matches!(&report.action, CheckedLeaseAction::Finish(Outcome::Completed(result)) if result.truncated)
}

/// Returns the result of a report from the answer to its write.
fn action_result(answer: Answer, result_truncated: bool) -> Result<LeaseActionResult, Refusal> {
    match answer {
        Answer::Each(mut answers) => {
            action_result(answers.pop().unwrap_or(Err(Refusal::StaleLease))?, result_truncated)
        }
        Answer::Finished(Finished::Accepted(state)) => {
            // A job that does not allow truncation has failed.
            let result_truncated = result_truncated && state == State::Completed;
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

/// A registered waiting worker. Dropping it before the answer was read releases the jobs of the answer,
/// or removes the worker from the roster if there is no answer yet.
struct WaitingGuard {
    id: WaitingWorkerId,
    jobs: oneshot::Receiver<LeaseReply>,
    handle: Handle,
    is_answered: bool,
    /// Jobs that were received and not returned yet.
    received: Vec<LeasedJob>,
    _permit: HeldPermit,
}

impl WaitingGuard {
    /// Returns the answer that was received.
    fn finish(
        &mut self,
        lease_reply: Result<LeaseReply, oneshot::error::RecvError>,
    ) -> Result<Vec<LeasedJob>, Error> {
        self.is_answered = true;
        match lease_reply {
            Ok(lease_reply) => lease_reply.map_err(Error::from),
            Err(_) => Err(Error::Stopped),
        }
    }

    /// Returns the jobs of an answer, after the caller had a chance to notice that its client is gone.
    ///
    /// If the client has closed its connection just before, the HTTP server drops this future in one of
    /// its next turns: it needs one to learn of the closed connection and one to act on it. The jobs are
    /// then released, and do not have to wait until their lease expires.
    async fn receive(
        &mut self,
        lease_reply: Result<LeaseReply, oneshot::error::RecvError>,
    ) -> Result<Vec<LeasedJob>, Error> {
        self.is_answered = true;
        self.received = self.finish(lease_reply)?;
        for _ in 0..TURNS_TO_NOTICE_DISCONNECT {
            tokio::task::yield_now().await;
        }
        Ok(std::mem::take(&mut self.received))
    }

    /// Ends the wait. Jobs that arrived at the last moment are returned.
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
        let connections = self.handle.connections();
        self.jobs.close();
        let unused = if self.is_answered {
            std::mem::take(&mut self.received)
        } else if let Ok(answer) = self.jobs.try_recv() {
            answer.unwrap_or_default()
        } else {
            send(&connections.lease_requests, RemoveWaitingWorker(self.id));
            return;
        };
        if !unused.is_empty() {
            self.handle.release(&unused);
        }
    }
}
