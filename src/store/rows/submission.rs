//! Rows of submissions with an idempotency key.

use diesel::prelude::*;

use crate::store::schema::submissions;

/// Columns of a submission with an idempotency key.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = submissions)]
pub(crate) struct SubmissionRow {
    /// 1 if the fingerprint is of the value of the submission, 0 if it is of the bytes of its request.
    pub(crate) by_value: i64,
    pub(crate) fingerprint: Vec<u8>,
    pub(crate) first_job_id: i64,
    pub(crate) jobs: i64,
    pub(crate) batch_id: Option<i64>,
    pub(crate) created_at: i64,
}
