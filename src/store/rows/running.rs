//! Rows of running jobs, for the end of their attempts.

use diesel::prelude::*;

use crate::job::lease::{Lease, LeaseToken};
use crate::job::outcome::{Deferred, RunningAttempt};
use crate::job::submission::on_end::callback::CALLBACK_KIND;
use crate::job::{JobError, JobId, Lane, Span, State, Timestamp};
use crate::store::error::StoreError;
use crate::store::rows::location::LocationRow;
use crate::store::rows::values::{backoff_of, count_of, lane_of, state_of};
use crate::store::schema::jobs;

/// Columns of a running job that [`settle`](crate::job::outcome::settle) needs, and its location.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = jobs)]
pub(crate) struct RunningJobRow {
    #[diesel(embed)]
    pub(crate) location: LocationRow,
    attempt: i64,
    max_attempts: i64,
    at_most_once: i64,
    cancel_requested: i64,
    pub(crate) started_at: Option<i64>,
    backoff: Option<String>,
    pub(crate) kind: String,
}

impl RunningJobRow {
    /// Returns the attempt that runs.
    pub(crate) fn attempt(&self) -> Result<RunningAttempt, StoreError> {
        Ok(RunningAttempt {
            job: JobId(self.location.id),
            attempt: count_of(self.attempt),
            max_attempts: count_of(self.max_attempts),
            at_most_once: self.at_most_once != 0,
            cancel_requested: self.cancel_requested != 0,
            backoff: backoff_of(self.location.id, self.backoff.as_deref())?,
            deferred: Deferred::default(),
            is_delivery: self.kind == CALLBACK_KIND,
        })
    }

    /// Returns how long the attempt has run until `now`, if its start is known.
    pub(crate) fn took(&self, now: Timestamp) -> Option<Span> {
        self.started_at.map(|at| Span::new(now.since(Timestamp::from_millis(at))))
    }
}

/// A lease whose worker is gone.
#[derive(Debug, Clone, Copy, Queryable)]
pub(crate) struct LostLeaseRow {
    id: i64,
    lease_token: i64,
    timeout_ms: Option<i64>,
}

impl LostLeaseRow {
    pub(crate) fn lease(&self) -> Lease {
        Lease { job: JobId(self.id), token: LeaseToken(self.lease_token) }
    }

    /// Returns the error of the attempt if it used up its time.
    pub(crate) fn timeout_error(&self) -> Option<JobError> {
        self.timeout_ms.map(|millis| JobError::timed_out(Span::from_millis(millis)))
    }
}

/// Latest lease token, state and lane of a job.
#[derive(Debug, Clone, Copy, Queryable, Selectable)]
#[diesel(table_name = jobs)]
pub(crate) struct LatestLeaseRow {
    pub(crate) lease_token: i64,
    state: i64,
    lane: i64,
}

impl LatestLeaseRow {
    pub(crate) fn lane(&self, job: JobId) -> Result<Lane, StoreError> {
        lane_of(job.0, self.lane)
    }

    pub(crate) fn state(&self, job: JobId) -> Result<State, StoreError> {
        state_of(job.0, self.state)
    }
}
