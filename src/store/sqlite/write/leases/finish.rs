//! Finishes: apply the outcome of an attempt to its job.

use std::borrow::Cow;

use diesel::prelude::*;

use crate::job::lease::Lease;
use crate::job::outcome::{JobResult, OUTCOME_UNKNOWN, Outcome, Settlement, settle};
use crate::job::{AttemptDetail, FailedAttempt, JobError, Span, State, Timestamp};
use crate::store::rows::location::RunningLocationRow;
use crate::store::rows::running::{LatestLeaseRow, RunningJobRow};
use crate::store::rows::values::{count_of, lane_of};
use crate::store::schema::{jobs, results};
use crate::store::sql_types::{Integer, Nullable, Text};
use crate::store::sqlite::statement::{Columns, statement};
use crate::store::sqlite::write::commit_group::CommitGroup;
use crate::store::sqlite::write::commit_group::apply::{ApplyError, ApplyResult};
use crate::store::sqlite::write::leases::attempt::EndedAttempt;
use crate::store::{Answer, Change, Finish, Finished, Holder, JobLocation, Refusal};

statement! {
    /// Finds the location of a job that runs under a lease, if the caller does not know it. A SELECT and
    /// a plain UPDATE cost less than an UPDATE with RETURNING, because SQLite creates a table in memory
    /// for RETURNING.
    FindRunningLocation -> Columns<RunningLocationRow> =
    "SELECT id, queue_id, lane, batch_id, provider_id, key_id, started_at FROM jobs
     WHERE id = " [job: Integer as i64] " AND lease_token = " [token: Integer as i64]
    " AND state = " {Running} ""
}

statement! {
    /// Completes a job. This is the most frequent outcome, and it needs no rules.
    CompleteJob =
    "UPDATE jobs
     SET state = " {Completed} ", finished_at = " [now: Integer as i64]
    ", lease_expires_at = NULL, cancel_requested = 0, error_code = NULL, error_message = NULL
     WHERE id = " [job: Integer as i64] " AND lease_token = " [token: Integer as i64]
    " AND state = " {Running} ""
}

statement! {
    InsertResult<'a> =
    "INSERT INTO results (job_id, truncated, result)
     VALUES (" [job: Integer as i64] ", " [truncated: Integer as i64]
    ", " [result: Text as &'a str] ")"
}

statement! {
    /// Stores the settlement of any other outcome.
    SettleJob<'a> =
    "UPDATE jobs
     SET state = " [state: Integer as i64] ", attempt = " [attempt: Integer as i64]
    ", run_at = coalesce(" [run_at: Nullable<Integer> as Option<i64>] ", run_at)
     , finished_at = " [finished_at: Nullable<Integer> as Option<i64>]
    ", started_at = CASE WHEN " [never_started: Integer as i64]
    " THEN NULL ELSE started_at END, lease_expires_at = NULL, cancel_requested = 0
     , error_code = " [error_code: Nullable<Text> as Option<&'a str>]
    ", error_message = " [error_message: Nullable<Text> as Option<&'a str>]
    " WHERE id = " [job: Integer as i64] " AND lease_token = " [token: Integer as i64]
    " AND state = " {Running} ""
}

statement! {
    /// Finds the error of a failed attempt.
    FindFailure -> (Text, Text) =
    "SELECT code, message FROM attempts
     WHERE job_id = " [job: Integer as i64] " AND lease_token = " [token: Integer as i64]
    " AND state = " {Failed} ""
}

impl CommitGroup<'_> {
    pub(crate) fn finish(&mut self, finish: &Finish) -> ApplyResult {
        self.check_owner(finish.holder, finish.lease.job)?;
        let outcome = self.allowed_outcome(finish)?;
        let accepted = match &*outcome {
            Outcome::Completed(result) => self.complete(finish, result)?,
            outcome => self.settle(finish.lease, outcome, Some(finish.holder))?,
        };
        match accepted {
            Some(state) => Ok(Answer::Finished(Finished::Accepted(state))),
            None => self.refuse_or_repeat(finish, &outcome),
        }
    }

    /// Returns the outcome of a finish. A truncated result is a failure, unless the job allows it.
    fn allowed_outcome<'f>(
        &mut self,
        finish: &'f Finish,
    ) -> Result<Cow<'f, Outcome>, ApplyError> {
        match &finish.outcome {
            Outcome::Completed(result) if result.truncated => {
                let is_allowed = self.truncates_result(finish.lease.job)?;
                Ok(if is_allowed {
                    Cow::Borrowed(&finish.outcome)
                } else {
                    Cow::Owned(result.too_large())
                })
            }
            outcome => Ok(Cow::Borrowed(outcome)),
        }
    }

    fn complete(
        &mut self,
        finish: &Finish,
        result: &JobResult,
    ) -> Result<Option<State>, ApplyError> {
        let (job, token) = (finish.lease.job.0, finish.lease.token.0);
        let given = finish.location.as_ref().filter(|location| location.job == finish.lease.job);
        let (location, started_at) = match given {
            Some(given) => (given.clone(), finish.started_at),
            None => match self.running_location(finish.lease)? {
                Some(found) => found,
                None => return Ok(None),
            },
        };
        let complete = CompleteJob { now: self.now.millis(), job, token };
        if !finish.holder.holds(location.lane) || complete.execute(self.connection)? == 0 {
            return Ok(None);
        }
        let truncated = result.truncated.into();
        InsertResult { job, truncated, result: result.json.as_str() }.execute(self.connection)?;
        if let Some(detail) = &result.detail {
            self.insert_completed_attempt(finish.lease, detail)?;
        }
        let took = started_at.map(|at| Span::new(self.now.since(at)));
        let change = location.change(Some(State::Running), Some(State::Completed));
        self.record(Change { took, ..change });
        Ok(Some(State::Completed))
    }

    /// Stores what is known about a completed attempt beside its result. Few attempts have such a row.
    fn insert_completed_attempt(
        &mut self,
        lease: Lease,
        detail: &AttemptDetail,
    ) -> Result<(), ApplyError> {
        let (attempt, started_at, lane): (i64, Option<i64>, i64) = jobs::table
            .find(lease.job.0)
            .select((jobs::attempt, jobs::started_at, jobs::lane))
            .get_result(self.connection)?;
        // The result itself has its start.
        let detail = AttemptDetail { result: None, ..detail.clone() };
        self.insert_attempt(&EndedAttempt {
            lease,
            lane: lane_of(lease.job.0, lane)?,
            attempt: count_of(attempt),
            state: State::Completed,
            started_at,
            error: None,
            detail: detail.boxed().as_deref(),
        })
    }

    /// Returns the location and the start time of the job that runs under `lease`, if it is held.
    pub(crate) fn running_location(
        &mut self,
        lease: Lease,
    ) -> Result<Option<(JobLocation, Option<Timestamp>)>, ApplyError> {
        let find = FindRunningLocation { job: lease.job.0, token: lease.token.0 };
        let row: Option<RunningLocationRow> = find.get_result(self.connection).optional()?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some((self.location(row.location)?, row.started_at())))
    }

    /// Settles a running job and returns its new state. Returns `None` if the lease is not held, or if
    /// its job runs in a lane of the other kind of worker.
    pub(crate) fn settle(
        &mut self,
        lease: Lease,
        outcome: &Outcome,
        holder: Option<Holder>,
    ) -> Result<Option<State>, ApplyError> {
        let row: Option<RunningJobRow> = jobs::table
            .find(lease.job.0)
            .filter(jobs::lease_token.eq(lease.token.0))
            // Only running jobs have this column set. With `state = ?` SQLite would prepare the
            // statement again at every run.
            .filter(jobs::lease_expires_at.is_not_null())
            .select(RunningJobRow::as_select())
            .get_result(self.connection)
            .optional()?;
        let Some(row) = row else { return Ok(None) };
        let mut attempt = row.attempt()?;
        let location = self.location(row.location)?;
        if holder.is_some_and(|holder| !holder.holds(location.lane)) {
            return Ok(None);
        }
        let outcome = &*self.note_deferral(outcome, &mut attempt, &location)?;
        let settlement = settle(&attempt, outcome, self.now);
        if settlement.is_deferred && !is_untried(outcome) {
            self.count_deferral(lease.job, row.started_at)?;
        }
        if let Some((state, error)) = end_of(outcome, &settlement) {
            self.insert_attempt(&EndedAttempt {
                lease,
                lane: location.lane,
                attempt: attempt.attempt,
                state,
                started_at: row.started_at,
                error: Some(error),
                detail: outcome.detail(),
            })?;
        }
        self.update_settled(lease, &settlement)?;
        // The duration of an attempt that was released is not recorded.
        let has_ended = !settlement.is_deferred
            && !matches!(outcome, Outcome::Released | Outcome::NotStarted);
        let took = row.took(self.now).filter(|_| has_ended);
        self.record_settled(location, row.kind, &settlement, took);
        Ok(Some(settlement.state))
    }

    fn update_settled(&mut self, lease: Lease, settlement: &Settlement) -> Result<(), ApplyError> {
        let finished_at = settlement.state.is_final().then_some(self.now.millis());
        SettleJob {
            state: settlement.state.code(),
            attempt: settlement.attempt.into(),
            run_at: settlement.run_at.map(|at| at.millis()),
            finished_at,
            never_started: settlement.never_started.into(),
            error_code: settlement.error.as_ref().map(|error| error.code.as_str()),
            error_message: settlement.error.as_ref().map(|error| error.message.as_str()),
            job: lease.job.0,
            token: lease.token.0,
        }
        .execute(self.connection)?;
        Ok(())
    }

    fn record_settled(
        &mut self,
        location: JobLocation,
        kind: String,
        settlement: &Settlement,
        took: Option<Span>,
    ) {
        let error = settlement.error.as_ref().filter(|_| settlement.state == State::Failed);
        let failed = error.map(|error| {
            let (attempt, code) = (settlement.attempt, error.code.clone());
            Box::new(FailedAttempt { kind, attempt, code })
        });
        let due_at = settlement.run_at.filter(|_| settlement.state == State::Retrying);
        let change = location.change(Some(State::Running), Some(settlement.state));
        self.record(Change { due_at, took, failed, ..change });
    }

    /// Answers a finish whose lease is not held: as repeated if it is the finish that ended the
    /// attempt, sent again because its answer was lost, and with a refusal otherwise.
    fn refuse_or_repeat(&mut self, finish: &Finish, outcome: &Outcome) -> ApplyResult {
        let lease = finish.lease;
        let row: Option<LatestLeaseRow> = jobs::table
            .find(lease.job.0)
            .select(LatestLeaseRow::as_select())
            .get_result(self.connection)
            .optional()?;
        let row = row.ok_or(Refusal::NoJob(lease.job))?;
        if row.lease_token == lease.token.0
            // A finish under a token of an earlier epoch is refused without a comparison.
            && row.lease_token >= self.token_floor.max(1)
            && finish.holder.holds(row.lane(lease.job)?)
            && self.is_repeat(lease, outcome, row.state(lease.job)?)?
        {
            return Ok(Answer::Finished(Finished::Repeated));
        }
        Err(Refusal::StaleLease.into())
    }

    fn is_repeat(
        &mut self,
        lease: Lease,
        outcome: &Outcome,
        state: State,
    ) -> Result<bool, ApplyError> {
        if state == State::Running {
            return Ok(false);
        }
        let failure = self.find_failure(lease)?;
        match outcome {
            Outcome::Completed(result) => {
                let stored: Option<String> = results::table
                    .find(lease.job.0)
                    .select(results::result)
                    .get_result(self.connection)
                    .optional()?;
                Ok(state == State::Completed && stored.as_deref() == Some(result.json.as_str()))
            }
            Outcome::Failed { error, .. } | Outcome::Lost(error) => {
                Ok(failure.as_ref() == Some(error))
            }
            // A release ends a job with at_most_once (its outcome is unknown), and one that was asked
            // to stop.
            Outcome::Released => Ok(match failure {
                Some(error) => error.code == OUTCOME_UNKNOWN,
                None => matches!(state, State::Queued | State::Cancelled),
            }),
            Outcome::Deferred(deferral) => Ok(match failure {
                // It counted, because the job had been deferred too often.
                Some(error) => {
                    let was_unknown = deferral.may_have_run && error.code == OUTCOME_UNKNOWN;
                    error == deferral.error || was_unknown
                }
                None => matches!(state, State::Queued | State::Retrying | State::Cancelled),
            }),
            Outcome::NotStarted => {
                Ok(failure.is_none() && matches!(state, State::Queued | State::Cancelled))
            }
            Outcome::Cancelled(_) => Ok(failure.is_none() && state == State::Cancelled),
        }
    }

    /// Returns the error of the attempt under a lease, if the attempt failed.
    fn find_failure(&mut self, lease: Lease) -> Result<Option<JobError>, ApplyError> {
        let find = FindFailure { job: lease.job.0, token: lease.token.0 };
        let row: Option<(String, String)> = find.get_result(self.connection).optional()?;
        Ok(row.map(|(code, message)| JobError { code, message }))
    }
}

/// Returns whether the job was not even tried, so that its deferrals are not counted.
fn is_untried(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Deferred(deferral) if deferral.is_untried)
}

/// Returns how the attempt itself ended, which can differ from its job: an attempt fails, and its job is
/// cancelled because that was requested meanwhile. Returns `None` for an attempt that does not count.
fn end_of<'a>(
    outcome: &'a Outcome,
    settlement: &'a Settlement,
) -> Option<(State, &'a JobError)> {
    let own = match outcome {
        Outcome::Failed { error, .. } => Some(error),
        Outcome::Lost(error) if settlement.state == State::Cancelled => Some(error),
        _ => None,
    };
    let error = own.or(settlement.error.as_ref())?;
    if settlement.is_failure {
        return Some((State::Failed, error));
    }
    let is_cancelled =
        settlement.state == State::Cancelled && *outcome != Outcome::NotStarted;
    is_cancelled.then_some((State::Cancelled, error))
}
