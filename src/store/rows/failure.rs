//! Rows of failures.

use diesel::prelude::*;

use crate::job::{Failure, JobError, Timestamp};
use crate::store::rows::values::count_of;
use crate::store::schema::failures;

/// Columns of a [`Failure`].
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = failures)]
pub(crate) struct FailureRow {
    attempt: i64,
    failed_at: i64,
    code: String,
    message: String,
}

impl From<FailureRow> for Failure {
    fn from(row: FailureRow) -> Self {
        Self {
            attempt: count_of(row.attempt),
            at: Timestamp::from_millis(row.failed_at),
            error: JobError { code: row.code, message: row.message },
        }
    }
}
