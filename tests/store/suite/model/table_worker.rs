//! Writes of the model by workers and clients on single jobs.

use std::borrow::Cow;

use longshore::job::lease::{Lease, LeaseToken, LeasedJob};
use longshore::job::outcome::{
    Deferred, OUTCOME_UNKNOWN, Outcome, RunningAttempt, Settlement, settle,
};
use longshore::job::queue::QueueChange;
use longshore::job::submission::on_end::callback::CALLBACK_KIND;
use longshore::job::submission::{JobChange, Start};
use longshore::job::{
    Attempt, AttemptDetail, BatchId, Failure, JobError, JobId, Lane, Progress, State, Timestamp,
};
use longshore::store::{
    Answer, Finish, Finished, Holder, LeaseRequest, Leased, LogLines, Refusal, Renew, Renewed,
};

use super::table::{ApplyResult, Model, ModelJob};

fn error(code: &str) -> Option<JobError> {
    Some(JobError::new(code, ""))
}

impl ModelJob {
    /// Returns the outcome that is applied: a truncated result fails a job that does not allow it.
    fn allowed<'a>(&self, outcome: &'a Outcome) -> Cow<'a, Outcome> {
        match outcome {
            Outcome::Completed(result) if result.truncated && !self.job.truncate_result => {
                Cow::Owned(result.too_large())
            }
            outcome => Cow::Borrowed(outcome),
        }
    }

    pub(super) fn holds(&self, lease: Lease) -> bool {
        self.job.state == State::Running && self.token == lease.token.0
    }

    fn attempt(&self) -> RunningAttempt {
        RunningAttempt {
            job: self.job.id,
            attempt: self.job.attempt,
            max_attempts: self.job.max_attempts,
            at_most_once: self.job.at_most_once,
            cancel_requested: self.job.cancel_requested,
            backoff: self.backoff,
            deferred: self.deferred,
            is_delivery: self.job.kind == CALLBACK_KIND,
        }
    }

    /// Sets the state and the end of the latest attempt.
    fn set_attempt_end(&mut self, settlement: &Settlement, now: Timestamp) {
        if let Some(latest) = self.job.attempts.as_mut().unwrap().last_mut() {
            latest.state = if settlement.is_failure { State::Failed } else { settlement.state };
            latest.ended_at = Some(now);
        }
    }

    fn end_attempt(&mut self, error: Option<&JobError>) {
        let latest = self.job.attempts.as_mut().unwrap().last_mut().unwrap();
        latest.code = error.map(|error| error.code.clone());
        latest.message = error.map(|error| error.message.clone());
    }

    /// Returns whether a finish under the latest token repeats the one that was applied.
    fn repeats(&self, outcome: &Outcome) -> bool {
        match outcome {
            Outcome::Completed(result) => self.job.result_json() == Some(&result.json),
            Outcome::Failed { error, .. } | Outcome::Lost(error) => {
                self.failure.as_ref() == Some(error)
            }
            Outcome::Deferred(deferral) => match &self.failure {
                Some(error) => *error == deferral.error,
                None => {
                    matches!(self.job.state, State::Queued | State::Retrying | State::Cancelled)
                }
            },
            Outcome::Released => match &self.failure {
                Some(error) => error.code == OUTCOME_UNKNOWN,
                None => matches!(self.job.state, State::Queued | State::Cancelled),
            },
            Outcome::NotStarted => {
                self.failure.is_none() && matches!(self.job.state, State::Queued | State::Cancelled)
            }
            Outcome::Cancelled(_) => self.failure.is_none() && self.job.state == State::Cancelled,
        }
    }
}

impl Model {
    pub(super) fn lease(&mut self, request: &LeaseRequest) -> ApplyResult {
        let order = &request.order;
        if order.limit == 0 {
            return Ok(Answer::Leased(Leased::none(false)));
        }
        self.expire_due(usize::MAX);
        if !self.queues.contains_key(&order.queue) {
            return Ok(Answer::Leased(Leased::empty(order)));
        }
        let room = self.queue_room(&order.queue);
        if room.jobs == 0 {
            return Ok(Answer::Leased(Leased { held: room.held, ..Leased::none(false) }));
        }
        let chosen = self.choose(order, order.limit.min(room.jobs));
        let jobs = self.start(request, &chosen.ids);
        self.add_starts(order, &chosen.ids);
        let is_held = jobs.len() >= room.jobs as usize;
        Ok(Answer::Leased(Leased {
            held: self.queue_room(&order.queue).held.filter(|_| is_held),
            jobs,
            is_empty: chosen.is_empty,
            empty_providers: chosen.empty_providers,
            is_large_next: false,
        }))
    }

    /// Starts an attempt of each job.
    fn start(&mut self, request: &LeaseRequest, ids: &[JobId]) -> Vec<LeasedJob> {
        let mut leased = Vec::new();
        for id in ids.iter().copied() {
            self.set_state(id, State::Running);
            let row = self.jobs.get_mut(&id).unwrap();
            row.token += 1;
            row.failure = None;
            let mut lease_expires_at = self.now.plus(request.duration.duration());
            if row.job.lane == Lane::Remote {
                lease_expires_at = lease_expires_at.min(self.now.plus(row.job.timeout.duration()));
                row.job.worker.clone_from(&request.worker);
                row.remote_lease = Some(request.duration);
                row.lease_key = request.key;
            }
            row.lease_expires_at = Some(lease_expires_at);
            row.job.attempt += 1;
            row.job.started_at = Some(self.now);
            row.job.progress = None;
            row.job.attempts.as_mut().unwrap().push(Attempt {
                attempt: row.job.attempt,
                state: State::Running,
                started_at: Some(self.now),
                ended_at: None,
                worker: row.job.worker.clone(),
                code: None,
                message: None,
                detail: AttemptDetail::default(),
            });
            let lease = Lease { job: id, token: LeaseToken(row.token) };
            self.leases.push(lease);
            let job = &row.job;
            let is_remote = job.lane == Lane::Remote;
            leased.push(LeasedJob {
                provider: row.provider.clone(),
                key: row.key,
                lease,
                lease_expires_at,
                started_at: self.now,
                kind: job.kind.clone(),
                queue: job.queue.clone(),
                lane: job.lane,
                attempt: job.attempt,
                max_attempts: job.max_attempts,
                timeout: job.timeout,
                batch: job.batch,
                tags: if is_remote { job.tags.clone() } else { Vec::new() },
                metadata: job.metadata.clone().filter(|_| is_remote),
                payload: job.payload.clone().unwrap(),
            });
        }
        leased
    }

    pub(super) fn finish(&mut self, finish: &Finish) -> ApplyResult {
        let Finish { lease, outcome, holder, location: _, started_at: _ } = finish;
        self.check_owner(*holder, lease.job)?;
        let row = self.find(lease.job)?;
        if !holder.holds(row.job.lane) {
            return Err(Refusal::StaleLease);
        }
        let outcome = &*row.allowed(outcome);
        if row.holds(*lease) {
            let state = self.settle(lease.job, outcome);
            return Ok(Answer::Finished(Finished::Accepted(state)));
        }
        let is_latest = row.token == lease.token.0 && row.token > 0;
        let is_repeat = is_latest && row.job.state != State::Running && row.repeats(outcome);
        // The promise: a worker that lost the answer and repeats its finish gets an answer.
        assert!(is_repeat || !is_latest || row.finished_by.as_ref() != Some(outcome));
        if is_repeat { Ok(Answer::Finished(Finished::Repeated)) } else { Err(Refusal::StaleLease) }
    }

    /// Ends an attempt with an outcome, and returns the new state of its job.
    pub(super) fn settle(&mut self, id: JobId, outcome: &Outcome) -> State {
        let now = self.now;
        let settled_by = self.note_refusal(id, outcome);
        let row = self.jobs.get_mut(&id).unwrap();
        let settlement = settle(&row.attempt(), &settled_by, now);
        let is_untried = matches!(outcome, Outcome::Deferred(deferral) if deferral.is_untried);
        if settlement.is_deferred && !is_untried {
            row.deferred.count += 1;
            row.deferred.since = row.deferred.since.or(row.job.started_at);
        }
        let is_cancelled = settlement.state == State::Cancelled && *outcome != Outcome::NotStarted;
        row.set_attempt_end(&settlement, now);
        if settlement.is_failure {
            let own = match outcome {
                Outcome::Failed { error, .. } => Some(error),
                Outcome::Lost(error) if settlement.state == State::Cancelled => Some(error),
                _ => settlement.error.as_ref(),
            };
            let error = own.unwrap().clone();
            let failure = Failure { attempt: row.job.attempt, at: now, error: error.clone() };
            row.job.failures.as_mut().unwrap().push(failure);
            row.end_attempt(Some(&error));
            row.failure = Some(error);
        } else if is_cancelled {
            row.end_attempt(settlement.error.as_ref());
        } else if settlement.state == State::Completed {
            row.end_attempt(None);
        } else {
            row.job.attempts.as_mut().unwrap().pop();
        }
        row.job.attempt = settlement.attempt;
        row.job.started_at = row.job.started_at.filter(|_| !settlement.never_started);
        row.job.run_at = settlement.run_at.unwrap_or(row.job.run_at);
        row.job.error = settlement.error;
        if let Outcome::Completed(result) = outcome {
            row.job.result = Some(Some(result.json.clone()));
            row.job.result_truncated = result.truncated;
            row.job.progress = row.job.progress.take().map(|last| last.of_job_in(State::Completed));
        }
        self.set_state(id, settlement.state);
        self.jobs.get_mut(&id).unwrap().finished_by = Some(outcome.clone());
        settlement.state
    }

    pub(super) fn renew(&mut self, renew: &Renew) -> ApplyResult {
        let mut renewed = Renewed::default();
        for lease in &renew.leases {
            if self.check_owner(renew.holder, lease.job).is_err() {
                continue;
            }
            let is_held =
                |row: &&mut ModelJob| row.holds(*lease) && renew.holder.holds(row.job.lane);
            let Some(row) = self.jobs.get_mut(&lease.job).filter(is_held) else {
                continue;
            };
            let lease_for = renew.duration.or(row.remote_lease).unwrap_or_default();
            let until = self.now.plus(lease_for.duration());
            let limited = match (row.job.lane, row.job.started_at) {
                (Lane::Remote, Some(at)) => until.min(at.plus(row.job.timeout.duration())),
                _ => until,
            };
            let expires_at = row.lease_expires_at.unwrap().max(limited);
            if let Some(progress) = &renew.progress {
                let last = row.job.progress.take().map_or(0.0, |last| last.percent);
                let percent = if renew.keeps_percent { last } else { progress.percent };
                row.job.progress = Some(Progress { percent, ..progress.clone() });
            }
            row.lease_expires_at = Some(expires_at);
            renewed.held.push((*lease, expires_at));
            if row.job.cancel_requested {
                renewed.cancelled.push(lease.job);
            }
        }
        if let ([lease], Holder::Remote(_), []) =
            (renew.leases.as_slice(), renew.holder, renewed.held.as_slice())
        {
            self.find(lease.job)?;
            return Err(Refusal::StaleLease);
        }
        Ok(Answer::Renewed(renewed))
    }

    pub(super) fn report(&mut self, lease: Lease, progress: &Progress) -> ApplyResult {
        let row = self.jobs.get_mut(&lease.job).filter(|row| row.holds(lease));
        let row = row.ok_or(Refusal::StaleLease)?;
        if progress.percent > 100.0 {
            return Err(Refusal::Rejected(String::new()));
        }
        row.job.progress = Some(progress.clone());
        Ok(Answer::Done)
    }

    pub(super) fn log(&mut self, lines: &LogLines) -> ApplyResult {
        self.check_owner(lines.holder, lines.lease.job)?;
        let row = self.jobs.get_mut(&lines.lease.job).filter(|row| row.holds(lines.lease));
        let row = row.filter(|row| lines.holder.holds(row.job.lane)).ok_or(Refusal::StaleLease)?;
        row.log.extend(&lines.log);
        Ok(Answer::Done)
    }

    pub(super) fn cancel(&mut self, id: JobId) -> ApplyResult {
        let state = self.find(id)?.job.state;
        if matches!(state, State::Completed | State::Failed) {
            return Err(Refusal::Conflict { job: id, state, reason: String::new() });
        }
        Ok(self.cancel_all(vec![id]))
    }

    pub(super) fn cancel_batch(&mut self, id: BatchId) -> ApplyResult {
        let jobs = self.batch_jobs(id)?;
        Ok(self.cancel_all(jobs))
    }

    fn cancel_all(&mut self, jobs: Vec<JobId>) -> Answer {
        let mut ended = 0;
        let mut running = Vec::new();
        for id in jobs {
            match self.jobs[&id].job.state {
                State::Running => {
                    self.jobs.get_mut(&id).unwrap().job.cancel_requested = true;
                    running.push(id);
                }
                State::Scheduled | State::Queued | State::Retrying => {
                    self.cancel_waiting(id, "cancelled");
                    ended += 1;
                }
                State::Completed | State::Failed | State::Cancelled => {}
            }
        }
        Answer::Cancelled { ended, running }
    }

    pub(super) fn cancel_waiting(&mut self, id: JobId, code: &str) {
        self.jobs.get_mut(&id).unwrap().job.error = error(code);
        self.set_state(id, State::Cancelled);
    }

    pub(super) fn update(&mut self, id: JobId, change: &JobChange) -> ApplyResult {
        let job = &self.find(id)?.job;
        let (from, before) = (job.state, job.queue.clone());
        if from == State::Running || from.is_final() {
            return Err(Refusal::Conflict { job: id, state: from, reason: String::new() });
        }
        if let Some(queue) = &change.queue {
            self.configure(queue, &QueueChange::default())?;
        }
        let now = self.now;
        let row = self.jobs.get_mut(&id).unwrap();
        let job = &mut row.job;
        job.queue = change.queue.clone().unwrap_or(before.clone());
        job.priority = change.priority.unwrap_or(job.priority);
        job.expires_at = change.expires_at.unwrap_or(job.expires_at);
        match change.start {
            Some(Start::Now) => (job.state, job.run_at) = (State::Queued, now),
            Some(Start::At(at)) => {
                let has_failed = job.error.is_some();
                job.state = if has_failed { State::Retrying } else { State::Scheduled };
                job.run_at = at;
            }
            None => {}
        }
        row.finished_by = None;
        let to = row.job.state;
        let is_moved = row.job.queue != before;
        self.record(id, Some(from), Some(to));
        self.changes.last_mut().unwrap().from_queue = is_moved.then_some(before);
        Ok(Answer::Done)
    }

    pub(super) fn retry(&mut self, id: JobId) -> ApplyResult {
        let job = &self.find(id)?.job;
        let state = job.state;
        let is_unfilled = job.error.as_ref().is_some_and(|error| error.code == "bad_reference");
        let has_not_ended = matches!(state, State::Scheduled | State::Queued | State::Running);
        if has_not_ended || is_unfilled || job.at_most_once && job.attempt > 0 {
            return Err(Refusal::Conflict { job: id, state, reason: String::new() });
        }
        self.run_end_before_change(id);
        self.set_state(id, State::Queued);
        let row = self.jobs.get_mut(&id).unwrap();
        row.deferred = Deferred::default();
        let job = &mut row.job;
        job.run_at = self.now;
        job.expires_at = None;
        if state != State::Retrying {
            let granted = *job.attempts_granted.get_or_insert(job.max_attempts);
            job.max_attempts = job.attempt + granted;
        }
        job.error = None;
        job.progress = None;
        job.result = Some(None);
        job.result_truncated = false;
        Ok(Answer::Done)
    }
}
