//! Rows of attempts.

use diesel::prelude::*;

use crate::job::{Attempt, AttemptDetail, Failure, JobError, State, Timestamp};
use crate::store::error::StoreError;
use crate::store::rows::values::{corrupt, count_of};
use crate::store::schema::attempts;

/// Columns of an [`Attempt`].
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = attempts)]
pub(crate) struct AttemptRow {
    job_id: i64,
    pub(crate) lease_token: i64,
    attempt: i64,
    state: i64,
    started_at: Option<i64>,
    ended_at: i64,
    worker: Option<String>,
    code: Option<String>,
    message: Option<String>,
    detail: Option<String>,
}

impl AttemptRow {
    /// Converts the row to an attempt.
    pub(crate) fn into_attempt(self) -> Result<Attempt, StoreError> {
        let row = || format!("attempt {} of job {}", self.attempt, self.job_id);
        let state = State::from_code(self.state)
            .ok_or_else(|| corrupt(row(), format_args!("is in state {}", self.state)))?;
        let detail = match &self.detail {
            None => AttemptDetail::default(),
            Some(text) => serde_json::from_str(text)
                .map_err(|error| corrupt(row(), format_args!("has an invalid detail: {error}")))?,
        };
        Ok(Attempt {
            attempt: count_of(self.attempt),
            state,
            started_at: self.started_at.map(Timestamp::from_millis),
            ended_at: Some(Timestamp::from_millis(self.ended_at)),
            worker: self.worker,
            code: self.code,
            message: self.message,
            detail,
        })
    }
}

/// Columns of a [`Failure`].
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = attempts)]
pub(crate) struct FailureRow {
    attempt: i64,
    ended_at: i64,
    code: Option<String>,
    message: Option<String>,
}

impl From<FailureRow> for Failure {
    fn from(row: FailureRow) -> Self {
        let code = row.code.unwrap_or_default();
        Self {
            attempt: count_of(row.attempt),
            at: Timestamp::from_millis(row.ended_at),
            error: JobError { code, message: row.message.unwrap_or_default() },
        }
    }
}
