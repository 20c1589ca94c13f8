//! Rows of attempts that ended, with what is known about their end.

use diesel::prelude::*;

use crate::job::lease::Lease;
use crate::job::{AttemptDetail, JobError, JobId, Lane, State};
use crate::store::schema::{job_extras, remote_leases};
use crate::store::sql_types::{Integer, Nullable, Text};
use crate::store::sqlite::statement::statement;
use crate::store::sqlite::write::commit_group::CommitGroup;
use crate::store::sqlite::write::commit_group::apply::ApplyError;

/// Number of attempts of a job whose details are kept: those of the latest ones.
const KEPT_DETAILS: u32 = 20;

statement! {
    InsertAttempt<'a> =
    "INSERT INTO attempts (job_id, lease_token, attempt, state, started_at, ended_at, worker, code,
         message, detail)
     VALUES (" [job: Integer as i64] ", " [token: Integer as i64]
    ", " [attempt: Integer as i64] ", " [state: Integer as i64]
    ", " [started_at: Nullable<Integer> as Option<i64>] ", " [ended_at: Integer as i64]
    ", " [worker: Nullable<Text> as Option<&'a str>] ", " [code: Nullable<Text> as Option<&'a str>]
    ", " [message: Nullable<Text> as Option<&'a str>] ", " [detail: Nullable<Text> as Option<String>] ")"
}

statement! {
    /// Adds the row of a completed attempt, for a job that is about to be retried. The job itself has had
    /// all that is known about the attempt.
    KeepCompletedAttempt =
    "INSERT OR IGNORE INTO attempts (job_id, lease_token, attempt, state, started_at, ended_at, worker)
     SELECT id, lease_token, attempt, state, started_at, finished_at, worker
     FROM jobs LEFT JOIN remote_leases ON job_id = id
     WHERE id = " [job: Integer as i64] " AND state = " {Completed} ""
}

statement! {
    /// Removes the details of the attempts before the latest ones.
    DropOldDetails =
    "UPDATE attempts SET detail = NULL
     WHERE job_id = " [job: Integer as i64] " AND attempt <= " [last: Integer as i64]
    " AND detail IS NOT NULL"
}

/// An attempt that ended.
pub(crate) struct EndedAttempt<'a> {
    pub(crate) lease: Lease,
    pub(crate) lane: Lane,
    pub(crate) attempt: u32,
    pub(crate) state: State,
    pub(crate) started_at: Option<i64>,
    pub(crate) error: Option<&'a JobError>,
    pub(crate) detail: Option<&'a AttemptDetail>,
}

impl CommitGroup<'_> {
    /// Stores an attempt that ended.
    pub(crate) fn insert_attempt(&mut self, ended: &EndedAttempt<'_>) -> Result<(), ApplyError> {
        let job = ended.lease.job;
        let worker = if ended.lane == Lane::Remote { self.worker_of(job)? } else { None };
        InsertAttempt {
            job: job.0,
            token: ended.lease.token.0,
            attempt: ended.attempt.into(),
            state: ended.state.code(),
            started_at: ended.started_at,
            ended_at: self.now.millis(),
            worker: worker.as_deref(),
            code: ended.error.map(|error| error.code.as_str()),
            message: ended.error.map(|error| error.message.as_str()),
            detail: ended.detail.and_then(|detail| serde_json::to_string(detail).ok()),
        }
        .execute(self.connection)?;
        if ended.attempt > KEPT_DETAILS {
            let last = i64::from(ended.attempt - KEPT_DETAILS);
            DropOldDetails { job: job.0, last }.execute(self.connection)?;
        }
        Ok(())
    }

    /// Keeps the latest attempt of a completed job that is about to be retried.
    pub(crate) fn keep_completed_attempt(&mut self, job: JobId) -> Result<(), ApplyError> {
        KeepCompletedAttempt { job: job.0 }.execute(self.connection)?;
        Ok(())
    }

    /// Returns whether a job wants a result that is too large to be truncated.
    pub(crate) fn truncates_result(&mut self, job: JobId) -> Result<bool, ApplyError> {
        let flag: Option<i64> = job_extras::table
            .find(job.0)
            .select(job_extras::truncate_result)
            .get_result(self.connection)
            .optional()?;
        Ok(flag == Some(1))
    }

    fn worker_of(&mut self, job: JobId) -> Result<Option<String>, ApplyError> {
        let worker: Option<Option<String>> = remote_leases::table
            .find(job.0)
            .select(remote_leases::worker)
            .get_result(self.connection)
            .optional()?;
        Ok(worker.flatten())
    }
}
