//! Manual retries: queue a job that has ended or waits for its next attempt.

use diesel::prelude::*;

use crate::job::{BatchId, JobId, State};
use crate::store::schema::{job_extras, jobs, results};
use crate::store::sql_types::Integer;
use crate::store::sqlite::statement::statement;
use crate::store::sqlite::write::commit_group::CommitGroup;
use crate::store::sqlite::write::commit_group::apply::{ApplyError, ApplyResult};
use crate::store::sqlite::write::commit_group::end_actions::BAD_REFERENCE;
use crate::store::{Answer, Refusal};

statement! {
    /// Queues a job again. Clears `expires_at`, so that a job that expired does not expire again.
    RequeueJob =
    "UPDATE jobs
     SET state = " {Queued} ", run_at = " [now: Integer as i64]
    ", finished_at = NULL, expires_at = NULL, max_attempts = " [max_attempts: Integer as i64]
    "
     , error_code = NULL, error_message = NULL, progress_percent = NULL, progress_message = NULL
     WHERE id = " [job: Integer as i64] " AND state IN (" {Retrying} ", " {Completed} ", " {Failed} ", " {Cancelled} ")"
}

statement! {
    /// Stores the number of attempts that a job was submitted with, unless it is stored already.
    KeepGranted =
    "INSERT INTO job_extras (job_id, attempts_granted)
     VALUES (" [job: Integer as i64] ", " [granted: Integer as i64]
    ") ON CONFLICT (job_id) DO UPDATE
     SET attempts_granted = coalesce(attempts_granted, excluded.attempts_granted)"
}

impl CommitGroup<'_> {
    pub(crate) fn retry(&mut self, job: JobId) -> ApplyResult {
        let row = self.find_job(job)?;
        let state = row.state()?;
        let conflict = |reason: String| Refusal::Conflict { job, state, reason };
        if matches!(state, State::Scheduled | State::Queued | State::Running) {
            return Err(conflict(format!("job {job} is {state} and has not ended yet")).into());
        }
        let (at_most_once, attempt, max_attempts, code): (i64, i64, i64, Option<String>) = jobs::table
            .find(job.0)
            .select((jobs::at_most_once, jobs::attempt, jobs::max_attempts, jobs::error_code))
            .get_result(self.connection)?;
        if code.as_deref() == Some(BAD_REFERENCE) {
            let reason = format!(
                "the payload of job {job} could not be filled in; submit a new job with the values"
            );
            return Err(conflict(reason).into());
        }
        if at_most_once != 0 && attempt > 0 {
            let reason = format!(
                "job {job} has at_most_once and has already run; submit a new job to run it again"
            );
            return Err(conflict(reason).into());
        }
        self.run_end_actions_before_change(job)?;
        self.keep_completed_attempt(job)?;
        self.forget_deferrals(job)?;
        let max_attempts = match state {
            // The attempts that are left are still granted.
            State::Retrying => max_attempts,
            _ => attempt + self.granted_attempts(job, max_attempts)?,
        };
        let now = self.now.millis();
        RequeueJob { now, max_attempts, job: job.0 }.execute(self.connection)?;
        diesel::delete(results::table.find(job.0)).execute(self.connection)?;
        // The job may have ended before the database was opened.
        *self.may_have_large_payloads = true;
        self.adopt_provider(job)?;
        let location = self.find_job(job)?.location;
        let location = self.location(location)?;
        self.record(location.change(Some(state), Some(State::Queued)));
        Ok(Answer::Done)
    }

    pub(crate) fn retry_batch(
        &mut self,
        batch: BatchId,
        jobs: &[JobId],
        states: &[State],
    ) -> ApplyResult {
        if !self.batch_exists(batch)? {
            return Err(Refusal::NoBatch(batch).into());
        }
        let mut retried = 0;
        for job in jobs.iter().copied() {
            if self.impossible.contains(job) {
                continue;
            }
            let is_retried =
                self.on_row(Some(job), |group| group.retry_in_batch(job, batch, states))?;
            retried += usize::from(is_retried == Some(true));
        }
        Ok(Answer::Retried(retried))
    }

    /// Queues a job again, and returns whether that was allowed.
    fn retry_in_batch(
        &mut self,
        job: JobId,
        batch: BatchId,
        states: &[State],
    ) -> Result<bool, ApplyError> {
        let found = self.find_job(job).map(Some).or_else(ApplyError::unless_refused)?;
        let Some(row) = found else { return Ok(false) };
        if row.location.batch_id != Some(batch.0) || !states.contains(&row.state()?) {
            return Ok(false);
        }
        let retried = self.retry(job).map(Some).or_else(ApplyError::unless_refused)?;
        Ok(retried.is_some())
    }

    /// Returns the number of attempts that the submission granted, and stores it, because the job's
    /// `max_attempts` is about to change.
    fn granted_attempts(&mut self, job: JobId, max_attempts: i64) -> Result<i64, ApplyError> {
        KeepGranted { job: job.0, granted: max_attempts }.execute(self.connection)?;
        let granted: Option<i64> = job_extras::table
            .find(job.0)
            .select(job_extras::attempts_granted)
            .get_result(self.connection)?;
        Ok(granted.unwrap_or(max_attempts))
    }
}
